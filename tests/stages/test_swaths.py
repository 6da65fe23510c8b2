"""Reading an orbit: every pixel is kept or rejected by one named rule, and lands where, when and in the wind it was."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.contract import Unit, require
from carbonray.errors import DataError
from carbonray.io.tropomi import Swath, encode_swath, parse_granule
from carbonray.io.weather import PlumeWindRules
from carbonray.io.wind_index import index_wind
from carbonray.science.spatial import gridding
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.science.spatial.gridding import lattice_lat, lattice_lon
from carbonray.stages.swaths import PixelRules, ReadOrbit, pixel_rejections
from carbonray.vocab import tables
from tests.io.granules import official_granule
from tests.pipelines.small_inputs import weather

RULES = PixelRules()
NOON_NS = np.datetime64("2021-07-25T12", "ns").astype(np.int64)


def swath(lines: int = 12, pixels: int = 10, **changes: object) -> Swath:
    found = parse_granule(official_granule(lines=lines, pixels=pixels), "g.nc")
    return dataclasses.replace(found, qa_value=np.ones((lines, pixels), np.float32), **changes)


def read(found: Swath, folder: Path, *files: str, pixels: PixelRules = RULES, wind: PlumeWindRules | None = None):
    """The swath through the reader, from a swath store."""
    for key, data in encode_swath(found).items():
        path = folder / "s.zarr" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    wind = wind or PlumeWindRules()
    reader = ReadOrbit(pixels, gridding.GridRules(), index_wind(files), wind)
    return reader(Unit("detect", "id", "s", {}, (f"{folder}/s.zarr",), ("",)))


FOUR_PIXELS = swath(2, 2)
values = st.sampled_from([np.nan, -2e-5, 0.0, 1e-4, 0.0199, 0.0201, -0.03])
qualities = st.sampled_from([0.0, 0.74, 0.75, 0.76, 1.0, np.nan])


@given(st.lists(st.tuples(values, qualities), min_size=4, max_size=4))
def test_a_pixel_is_good_or_rejected_by_exactly_one_rule(pairs):
    columns, quality = (np.array(side, np.float32).reshape(2, 2) for side in zip(*pairs, strict=True))
    rejected = pixel_rejections(dataclasses.replace(FOUR_PIXELS, no2_mol_m2=columns, qa_value=quality), RULES)
    times = np.sum(list(rejected.values()), axis=0)
    good = (np.abs(columns) <= RULES.max_abs_column_mol_m2) & (quality > np.float32(0.75))
    np.testing.assert_array_equal(times, np.where(good, 0, 1))
    np.testing.assert_array_equal(rejected["no value"], np.isnan(columns))


def test_negative_columns_are_kept_and_a_quality_of_exactly_the_limit_is_not(tmp_path):
    columns = np.full((12, 10), -3e-5, np.float32)
    found = read(swath(no2_mol_m2=columns), tmp_path)
    np.testing.assert_allclose(found.batch["no2_umol_m2"], -30.0, rtol=1e-6)
    at_limit = dataclasses.replace(swath(), qa_value=np.full((12, 10), 0.75, np.float32))
    with pytest.raises(DataError, match=r"119 qa_value at most 0\.75"):
        read(at_limit, tmp_path / "limit")


def test_rows_add_up_and_the_batch_is_the_declared_one(tmp_path):
    found = read(swath(), tmp_path)
    assert found.rows["read"] == 120 == found.rows["kept"] + found.rows["rejected: no value"]
    require(found.batch, tables.FIELD_PIXELS.names, stage="test")
    key = found.batch["row"].astype(int) * 7200 + found.batch["col"]
    assert (np.diff(key) > 0).all()
    assert found.facts == {"data_tier": "REAL", "orbit": 19594, "repairs": [], "pixels_without_wind": len(key)}


def test_a_lattice_pixel_counts_when_enough_of_it_is_covered(tmp_path):
    half = read(swath(), tmp_path / "half")
    assert (half.batch["coverage"] > 0.5).all()
    whole = read(swath(), tmp_path / "whole", pixels=PixelRules(min_pixel_coverage=0.999))
    assert 0 < len(whole.batch["row"]) < len(half.batch["row"])
    lat, lon = lattice_lat(whole.batch["row"]), lattice_lon(whole.batch["col"])
    assert swath().lat.min() < lat.min() and lat.max() < swath().lat.max()
    assert swath().lon.min() < lon.min() and lon.max() < swath().lon.max()


def test_a_column_that_grows_along_the_track_is_laid_where_it_was(tmp_path):
    found = swath()
    found = dataclasses.replace(found, no2_mol_m2=(1e-3 + 1e-4 * (found.lat + 26.0)).astype(np.float32))
    batch = read(found, tmp_path, pixels=PixelRules(min_pixel_coverage=0.999)).batch
    expected = 1000.0 + 100.0 * (lattice_lat(batch["row"]) + 26.0)
    np.testing.assert_allclose(batch["no2_umol_m2"], expected, atol=100.0 * 0.03)  # half a pixel of 0.05 degrees


@pytest.mark.parametrize("lon", [-179.0, -90.0, 0.0, 100.0, 179.0])
@pytest.mark.parametrize("hour", [1, 10, 22])
def test_a_day_is_the_local_solar_date(tmp_path, lon, hour):
    found = swath()
    shift = lon - found.lon.mean()
    times = NOON_NS + (hour - 12) * HOUR_NS + np.arange(12) * 840_000_000
    moved = {"lon": found.lon + shift, "lon_corners": found.lon_corners + shift, "time_utc_ns": times}
    batch = read(dataclasses.replace(found, **moved), tmp_path).batch
    local_ns = NOON_NS + (hour - 12) * HOUR_NS + lattice_lon(batch["col"]) / 15.0 * HOUR_NS
    np.testing.assert_array_equal(batch["day"], np.floor(local_ns / DAY_NS))


def test_the_wind_is_that_of_each_pixels_time(tmp_path):
    (tmp_path / "w.nc").write_bytes(weather(hours=(11, 14)))
    found = read(swath(), tmp_path, f"{tmp_path}/w.nc")
    assert set(found.batch["wind_u_m_s"]) == {np.float32(-4.0)} and set(found.batch["wind_v_m_s"]) == {np.float32(2.0)}
    assert found.facts["pixels_without_wind"] == 0


def test_without_weather_the_wind_is_unknown_and_with_the_wrong_weather_the_granule_is_bad(tmp_path):
    assert np.isnan(read(swath(), tmp_path).batch["wind_u_m_s"]).all()
    for name, other in {"place": {"lons": (100.0, 110.0)}, "time": {"hours": (0, 3)}}.items():
        (tmp_path / f"{name}.nc").write_bytes(weather(**other))
        with pytest.raises(DataError, match="no weather file knows the wind"):
            read(swath(), tmp_path, f"{tmp_path}/{name}.nc")


def test_of_many_weather_files_only_those_of_the_hour_are_opened(tmp_path, monkeypatch):
    from carbonray.stages import swaths

    for name, hours in {"early": (0, 4), "noon": (11, 14), "late": (20, 24)}.items():
        (tmp_path / f"{name}.nc").write_bytes(weather(hours=hours))
    opened: list[str] = []
    open_wind = swaths.open_wind
    monkeypatch.setattr(swaths, "open_wind", lambda urls, *rest: opened.extend(urls) or open_wind(urls, *rest))
    read(swath(), tmp_path, *(f"{tmp_path}/{name}.nc" for name in ("early", "noon", "late")))
    assert [Path(url).stem for url in opened] == ["noon"]
