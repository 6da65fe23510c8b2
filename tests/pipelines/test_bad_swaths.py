"""Bad swaths among good ones: each is set aside with its key and reason, or put right; the good ones never notice.

Source: LESSONS 5, the bad inputs that concern swaths. Readers are tested one by one in tests/io; here they run through
the whole job, from plan to verification.
"""

import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from carbonray import cli
from carbonray.engine.run import Run
from carbonray.io import objectstore
from tests.io.granules import CLOUD, FILL, GEO, NO2, START_S, official_granule, put, remove
from tests.pipelines.small_inputs import (
    LINES,
    PIXELS,
    Inputs,
    each_scanned,
    granule,
    local,
    partial,
    prepare,
    quarantine,
)

SHAPE = (1, LINES, PIXELS)
YEAR_S = 366 * 86_400
NOT_FINITE = np.where(np.arange(LINES * PIXELS).reshape(SHAPE) % 2, np.nan, np.inf).astype(np.float32)
QA = "PRODUCT/qa_value"
LOST_SCALE = {"scale_factor": np.float32(1)}
NOWHERE = r"no weather file knows the wind"
BAD = {
    "truncated": (lambda: granule()[:20_000], "cannot be read"),
    "text": (lambda: b"latitude,longitude,no2\n-23.67,27.61,3.5e-4\n", "cannot be read"),
    "empty": (lambda: b"", "cannot be read"),
    "no-columns": (lambda: granule(remove(NO2)), "nitrogendioxide_tropospheric_column is missing"),
    "no-corners": (lambda: granule(remove(f"{GEO}/longitude_bounds")), "longitude_bounds is missing"),
    "no-quality": (lambda: granule(remove(QA)), "no qa_value"),
    "words": (lambda: granule(put(NO2, np.full(SHAPE, b"high"))), "not numbers"),
    "other-shape": (lambda: granule(put(NO2, np.zeros((1, LINES, PIXELS - 1), np.float32))), "of shape"),
    "other-units": (lambda: granule(put(NO2, np.full(SHAPE, 1e-4), units="molec cm-2")), "columns in 'molec cm-2'"),
    "nothing-but-fill": (lambda: granule(put(NO2, np.full(SHAPE, FILL))), "no valid column"),
    "not-finite": (lambda: granule(put(NO2, NOT_FINITE)), "no valid column"),
    "scale-lost": (lambda: granule(put(QA, np.full(SHAPE, 100, np.uint8), **LOST_SCALE)), "qa_value from 100"),
    "zero-coverage": (
        lambda: granule(put(QA, np.full(SHAPE, 50, np.uint8))),
        "no good pixel among 8736 .*8735 qa_value at most 0.75",
    ),
    "absurd": (lambda: granule(put(NO2, np.full(SHAPE, 0.03))), "no good pixel.* column beyond 0.02 mol m-2"),
    "around-the-pole": (lambda: official_granule(lines=20, pixels=20, lat0=88.5), "no good pixel.*pole"),
    "another-year": (lambda: granule(put("PRODUCT/time", np.array([START_S + YEAR_S], np.int32))), NOWHERE),
    "elsewhere": (lambda: granule(lon0=-60.0), NOWHERE),
}
GOOD = "good"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """One good granule, alone and in bad company."""
    made = prepare(tmp_path_factory.mktemp("swaths"))
    for folder in ("granules", "clean"):
        made.put(f"{folder}/{GOOD}.nc", granule())
    for name, (data, _) in BAD.items():
        made.put(f"granules/{name}.nc", data())
    return made


@pytest.fixture(scope="module")
def mixed(inputs: Inputs) -> Run:
    return inputs.run("mixed", "granules/*.nc", "engine.max_quarantine_rate=1.0")


@pytest.fixture(scope="module")
def clean(inputs: Inputs) -> Run:
    return inputs.run("clean", "clean/*.nc")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_granule_is_set_aside_with_its_key_and_the_reason(mixed, name):
    assert re.search(BAD[name][1], quarantine(local(mixed))[name])


def test_every_granule_is_accounted_for(mixed):
    assert quarantine(local(mixed)).keys() == BAD.keys()
    assert mixed.facts["units"]["quarantined"] == len(BAD)
    assert mixed.facts["units"]["planned"] == mixed.facts["units"]["committed"] + len(BAD)
    rows = mixed.facts["rows"]
    assert rows["read"] == rows["kept"] + sum(n for name, n in rows.items() if name.startswith("rejected"))


def test_a_good_granule_gives_the_same_products_in_bad_company(mixed, clean):
    for product in (f"partials/{GOOD}.parquet", "hotspots.parquet", "hotspots.zarr/rel_emission/zarr.json"):
        assert (local(mixed) / product).read_bytes() == (local(clean) / product).read_bytes()
    assert mixed.facts["sha256"] == clean.facts["sha256"]
    assert len(pq.read_table(local(clean) / "hotspots.parquet")) > 0


def test_too_many_bad_granules_end_the_command_with_code_3(inputs, monkeypatch, capsys):
    flags = [part for text in inputs.overrides("granules/[gt]*.nc") for part in ("--set", text)]
    out = ["--out", str(inputs.folder / "out"), "--run-id", "rate"]
    monkeypatch.setattr(sys, "argv", ["carbonray", "run", "hotspots", *out, *flags])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "2 of 5 units are quarantined (40.0%)" in said and "Read the reasons in the quarantine table" in said
    assert quarantine(inputs.folder / "out" / "rate").keys() == {"text", "truncated"}


def missing(file: h5py.File, value: float | None = None) -> None:
    """Nine pixels without a column, said by the product's fill value or in other ways."""
    columns = file[NO2]
    columns[0, 30:33, 40:43] = FILL
    if value is not None:
        columns[0, 30:33, 40:43] = [[value, -999.0, np.nan], [np.inf, -np.inf, -1e35], [FILL, 1e36, -999.0]]


def disagreeing(file: h5py.File) -> None:
    missing(file, -999.0)
    file[NO2].attrs.modify("_FillValue", np.float32(-999.0))
    file[NO2].attrs["missing_value"] = np.float32(-999.0)


def packed(file: h5py.File) -> None:
    """Columns as 32-bit integers of 1e-9 mol m-2 about an offset."""
    values = file[NO2][()].astype(np.float64)
    numbers = np.where(np.abs(values) > 1e30, -1, np.rint((values + 1e-3) * 1e9)).astype(np.int32)
    put(NO2, numbers, _FillValue=np.int32(-1), scale_factor=1e-9, add_offset=-1e-3)(file)


def unpacked(file: h5py.File) -> None:
    """The floats that `packed` stands for."""
    values = file[NO2][()].astype(np.float64)
    rounded = np.rint((values + 1e-3) * 1e9) * 1e-9 - 1e-3
    file[NO2][...] = np.where(np.abs(values) > 1e30, FILL, rounded).astype(np.float32)


def with_cloud(file: h5py.File) -> None:
    """Another cloud fraction, which the job does not use."""
    file[CLOUD][...] = 0.9


# what is put right: (the granule as it should be, as it is), which must give the same judged pixels
SAME = {
    "fill values that disagree": (missing, disagreeing),
    "scale and offset": (unpacked, packed),
    "repeated scan lines": (None, each_scanned(lambda v: np.insert(v, [20, 20, 51], v[[20, 20, 51]], axis=0))),
    "scan lines from the north": (None, each_scanned(lambda v: v[::-1])),
    "ground pixels from the east": (None, each_scanned(lambda v: v[:, ::-1] if v.ndim > 1 else v)),
    "corners from another side": (None, each_scanned(lambda v: np.roll(v, 2, -1) if v.ndim == 3 else v)),
    "another cloud fraction": (None, with_cloud),
}


@pytest.mark.parametrize("case", SAME)
def test_what_can_be_put_right_gives_the_same_detections(inputs, clean, case):
    right, wrong = SAME[case]
    inputs.put(f"repaired/{case}/{GOOD}.nc", granule(wrong))
    found = partial(inputs.run(f"wrong-{list(SAME).index(case)}", f"repaired/{case}/*.nc"), GOOD)
    expected = partial(clean, GOOD)
    if right is not None:
        inputs.put(f"right/{case}/{GOOD}.nc", granule(right))
        expected = partial(inputs.run(f"right-{list(SAME).index(case)}", f"right/{case}/*.nc"), GOOD)
    for name in ("row", "col", "day"):
        assert found.column(name).equals(expected.column(name))
    for name in ("no2_umol_m2", "rel_emission", "coverage"):
        np.testing.assert_allclose(found.column(name), expected.column(name), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("axes", ["ascending latitudes", "longitudes of 0 to 360, rolled"])
def test_a_weather_files_axes_may_run_any_way(inputs, clean, axes):
    import xarray as xr

    with xr.open_dataset(inputs.folder / "weather.nc", engine="h5netcdf") as opened:
        other = opened.load().sortby("latitude") if "lat" in axes else opened.load().roll(longitude=7, roll_coords=True)
    path = inputs.folder / f"{axes.split()[0]}.nc"
    other.to_netcdf(path, engine="h5netcdf")
    run = inputs.run(axes.split()[0], "clean/*.nc", f"inputs.weather={path}")
    assert objectstore.sha256((local(run) / "partials" / f"{GOOD}.parquet").read_bytes()) == objectstore.sha256(
        (local(clean) / "partials" / f"{GOOD}.parquet").read_bytes()
    )


def test_a_weather_file_that_is_none_is_named_before_anything_is_read(inputs, tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "weather.nc").write_bytes(b"not a NetCDF file")
    flags = [part for text in inputs.overrides("clean/*.nc") for part in ("--set", text)]
    flags += ["--set", f"inputs.weather={tmp_path}/weather.nc", "--out", str(tmp_path / "out"), "--run-id", "one"]
    monkeypatch.setattr(sys, "argv", ["carbonray", "run", "hotspots", *flags])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "no times can be read from the weather file" in capsys.readouterr().err
    assert not (tmp_path / "out" / "one" / "partials").exists()
