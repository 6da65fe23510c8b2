"""Rasters by URL: windows from S3, and failures of the store told from bad files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carbonray.errors import DataError, TransportError
from carbonray.io import objectstore
from carbonray.io.imagery.crop import BandSource, cut_bands
from carbonray.io.imagery.items import load_item
from carbonray.io.imagery.readers import READERS
from carbonray.vocab.sensors import IMAGERS
from tests.io.imagery.native_files import grid_of, pattern, write_landsat, write_safe, write_tif

GRID = grid_of("sentinel2")


def upload(folder: Path, root: str) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            objectstore.put_bytes(objectstore.join(root, path.relative_to(folder).as_posix()), path.read_bytes())
    return root


@pytest.mark.s3
def test_products_are_read_from_s3_as_from_a_disk(tmp_path: Path, s3_server: str) -> None:
    safe = write_safe(tmp_path / "s2", GRID, offsets=None)
    mtl = write_landsat(tmp_path / "l8", grid_of("landsat8"))
    remote = {"sentinel2": f"{upload(tmp_path / 's2', f'{s3_server}/s2')}/{safe.name}",
              "landsat8": f"{upload(tmp_path / 'l8', f'{s3_server}/l8')}/{mtl.name}"}  # fmt: skip

    for name, local in {"sentinel2": safe, "landsat8": mtl}.items():
        one, other = (READERS[name](load_item(str(url)), IMAGERS[name], grid_of(name)) for url in (local, remote[name]))
        assert np.array_equal(one.dn, other.dn) and np.array_equal(one.flags, other.flags)


@pytest.mark.s3
def test_only_the_parts_of_the_window_are_asked_for_on_s3(
    tmp_path: Path, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).integers(1, 9999, (1, 2048, 2048)).astype(np.uint16)
    path = write_tif(tmp_path / "big.tif", values, GRID, 10.0, tiled=True, blockxsize=256, blockysize=256)
    url = f"{s3_server}/big.tif"
    objectstore.put_bytes(url, path.read_bytes())
    read: list[int] = []
    taken = objectstore._Parts.readinto
    monkeypatch.setattr(objectstore._Parts, "readinto", lambda self, buffer: _counted(read, taken(self, buffer)))

    stack = cut_bands([BandSource(url)], GRID, "big")

    assert np.array_equal(stack.dn[0], values[0, : GRID.rows, : GRID.cols])
    assert sum(read) < path.stat().st_size / 4


def _counted(counts: list[int], count: int) -> int:
    counts.append(count)
    return count


@pytest.mark.s3
def test_bytes_that_do_not_come_are_no_bad_data(
    tmp_path: Path, s3_server: str, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    path = write_tif(tmp_path / "a.tif", pattern(0, 300, 300)[None], GRID, 10.0)
    url = f"{s3_server}/a.tif"
    objectstore.put_bytes(url, path.read_bytes())

    def gone(self: Any, buffer: Any) -> int:
        raise TransportError("bytes could not be moved", where=url, expected="a store", remedy="Try again.")

    monkeypatch.setattr(objectstore._Parts, "readinto", gone)
    with pytest.raises(TransportError):
        cut_bands([BandSource(url)], GRID, "a")


def test_an_absent_file_is_a_missing_band_and_a_bad_one_is_bad(tmp_path: Path) -> None:
    whole = write_tif(tmp_path / "a.tif", pattern(0, GRID.rows, GRID.cols)[None], GRID, 10.0)
    (tmp_path / "b.tif").write_bytes(b"no raster at all")

    stack = cut_bands([BandSource(str(whole)), BandSource(str(tmp_path / "none.tif")), None], GRID, "x")

    assert stack.dn[0].all() and not stack.dn[1:].any() and not stack.flags.any()
    with pytest.raises(DataError, match="cannot be read"):
        cut_bands([BandSource(str(whole)), BandSource(str(tmp_path / "b.tif"))], GRID, "x")


@pytest.mark.parametrize("name", ["none.tif", "s3://no-such-bucket-here/none.tif"])
def test_an_image_without_any_file_is_bad_data(tmp_path: Path, name: str, s3_server: str) -> None:
    url = name if "://" in name else str(tmp_path / name)

    with pytest.raises(DataError, match="nothing of the region"):
        cut_bands([BandSource(url)], GRID, "x")


@pytest.mark.parametrize("kind", ["int16", "uint8", "int32"])
def test_integers_of_other_types_fit_where_their_values_do(tmp_path: Path, kind: str) -> None:
    values = (pattern(0, GRID.rows, GRID.cols)[None] % 100 + 1).astype(kind)
    path = write_tif(tmp_path / "a.tif", values, GRID, 10.0)

    assert np.array_equal(cut_bands([BandSource(str(path))], GRID, "x").dn, values)


@pytest.mark.parametrize(("kind", "value"), [("int16", -5), ("int32", 70000), ("float32", 0.25)])
def test_values_beyond_16_bits_are_bad_data(tmp_path: Path, kind: str, value: float) -> None:
    values = np.ones((1, GRID.rows, GRID.cols), kind)
    values[0, 1, 1] = value
    path = write_tif(tmp_path / "a.tif", values, GRID, 10.0)

    with pytest.raises(DataError, match="values are"):
        cut_bands([BandSource(str(path))], GRID, "x")


def test_south_up_files_are_turned(tmp_path: Path) -> None:
    values = pattern(0, GRID.rows + 3, GRID.cols)[None]
    north = write_tif(tmp_path / "n.tif", values, GRID, 10.0)
    south = write_tif(tmp_path / "s.tif", values, GRID, 10.0, south_up=True)

    stack = cut_bands([BandSource(str(north)), BandSource(str(south))], GRID, "x")

    assert np.array_equal(stack.dn[0], stack.dn[1]) and stack.quality == 0
