"""The GeoTIFF of a grid: where pixels lie, what overviews hold, and that it is cloud-optimised and repeatable."""

import numpy as np
import pytest
from rasterio.io import MemoryFile

from carbonray.errors import ContractError
from carbonray.publish.cog import CogBand, encode_cog, window_around

BANDS = (CogBand("emissions_t_co2", "t", "CO2 of a year"), CogBand("low", "t", "lower end"))
STEP = 1 / 120


def shard(seed: int) -> np.ndarray:  # type: ignore[type-arg]
    values = np.random.default_rng(seed).gamma(1.0, 100.0, (2, 360, 360)).astype(np.float32)
    values[:, :100] = np.nan
    return values


def made(order: int = 1) -> bytes:
    shards = [(12 * 360, 59 * 360, shard(0)), (13 * 360, 61 * 360, shard(1))][::order]
    window = window_around([(12, 59), (13, 61)], 360, STEP)
    return encode_cog(shards, window, BANDS, {"data_tier": "SYNTHETIC-T1"})


def test_pixels_lie_where_the_lattice_has_them() -> None:
    with MemoryFile(made()) as file, file.open() as raster:
        assert (raster.height, raster.width) == (720, 1080)
        assert raster.bounds == pytest.approx((59 * 3 - 180, 90 - 14 * 3, 62 * 3 - 180, 90 - 12 * 3))
        whole = raster.read()
        assert raster.crs.to_epsg() == 4326
        assert raster.descriptions == ("emissions_t_co2", "low")
        assert raster.units == ("t", "t")
        assert raster.tags()["data_tier"] == "SYNTHETIC-T1"
    assert np.array_equal(whole[:, :360, :360], shard(0), equal_nan=True)
    assert np.array_equal(whole[:, 360:, 720:], shard(1), equal_nan=True)
    assert np.isnan(whole[:, :360, 360:]).all()


def test_it_is_cloud_optimised_and_overviews_are_means_of_what_is_known() -> None:
    with MemoryFile(made()) as file:
        with file.open() as raster:
            assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert raster.overviews(1) == [2, 4, 8]
            fine = raster.read(1, masked=True)
        with file.open(overview_level=0) as raster:
            coarse = raster.read(1, masked=True)
    blocks = fine.reshape(360, 2, 540, 2).mean(axis=(1, 3))
    assert np.array_equal(blocks.mask, coarse.mask)
    assert np.allclose(blocks.compressed(), coarse.compressed(), rtol=1e-5)


def test_the_same_shards_in_another_order_are_the_same_bytes() -> None:
    assert made() == made(-1)


def test_no_shard_is_no_picture() -> None:
    with pytest.raises(ContractError, match="no shard"):
        window_around([], 360, STEP)
