"""What is wrong with a granule ends as a refusal that names it and says why, or as a repair that is reported."""

import h5py
import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io.swath_checks import SwathRules
from carbonray.io.tropomi import parse_granule, read_granule
from tests.io import granules
from tests.io.granules import GEO, NAME, NO2, edit, official_granule, put, remove


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (remove("PRODUCT"), "no NO2 swath"),
        (remove(NO2), "nitrogendioxide_tropospheric_column is missing"),
        (remove("PRODUCT/qa_value"), "no qa_value"),
        (remove(f"{GEO}/longitude_bounds"), "longitude_bounds is missing"),
        (remove("PRODUCT/delta_time"), "time_utc is missing"),
        (put(NO2, np.zeros((1, 6, 4), np.float32)), r"of shape \(6, 5\)"),
        (put(NO2, np.zeros((6,), np.float32)), "columns of shape"),
        (put(NO2, np.zeros((1, 0, 5), np.float32)), "columns of shape"),
        (put(NO2, np.zeros((2, 6, 5), np.float32)), "columns of shape"),
        (put(f"{GEO}/latitude_bounds", np.zeros((1, 6, 5, 3), np.float32)), "lat_corners of shape"),
        (put("PRODUCT/delta_time", np.zeros((1, 7), np.int32)), "7 times"),
        (put("PRODUCT/delta_time", np.full((1, 6), np.nan, np.float32)), "6 missing times"),
        (put("PRODUCT/time", np.array([1], np.int32), units="fortnights since 2010-01-01"), "units 'fortnights"),
        (put("PRODUCT/time", np.array([1], np.int32), units="seconds since yesterday"), "time 'yesterday'"),
        (put(NO2, np.full((1, 6, 5), b"high")), "not numbers"),
        (put(NO2, np.full((1, 6, 5), granules.FILL)), "no valid column"),
        (put(NO2, np.full((1, 6, 5), 80.0, np.float32)), "no2_mol_m2 from 80"),
        (put(NO2, np.full((1, 6, 5), 1e-4, np.float32), units="molec cm-2"), "columns in 'molec cm-2'"),
        (put("PRODUCT/qa_value", np.full((1, 6, 5), 100, np.uint8), scale_factor=np.float32(1)), "qa_value from 100"),
        (edit("PRODUCT/latitude", (0, 2, 2), 95.0), "lat from"),
        (edit("PRODUCT/longitude", (0, 2, 2), 700.0), "lon from"),
        (
            lambda file: put(f"{GEO}/latitude_bounds", file[f"{GEO}/latitude_bounds"][()] + 1.0)(file),
            "miss their centres",
        ),
        (
            lambda file: put(f"{GEO}/latitude_bounds", file[f"{GEO}/latitude_bounds"][()][..., [0, 2, 1, 3]])(file),
            "miss their centres",
        ),
        (put("PRODUCT/latitude", np.full((1, 6, 5), granules.FILL)), "miss their centres"),
    ],
)
def test_a_bad_granule_is_refused_with_its_name_and_the_reason(change, reason):
    with pytest.raises(DataError, match=reason) as error:
        parse_granule(official_granule(change), NAME)
    assert NAME in str(error.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(share):
    data = official_granule()
    with pytest.raises(DataError, match="cannot be read"):
        parse_granule(data[: int(share * len(data))], NAME)


@pytest.mark.parametrize("data", [b"", b"latitude,longitude,no2\n1,2,3\n", b"CDF\x01" + bytes(100)])
def test_a_text_file_or_another_format_named_nc_is_refused(tmp_path, data):
    path = tmp_path / "granule.nc"
    path.write_bytes(data)
    with pytest.raises(DataError, match="cannot be read"):
        read_granule(str(path))


def test_an_absent_granule_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="no such"):
        read_granule(str(tmp_path / "nowhere.nc"))


def test_fill_values_that_disagree_are_all_missing():
    values = granules.columns()[None].copy()
    values[0, 1] = [granules.FILL, np.nan, np.inf, -999.0, -1e35]
    change = put(NO2, values, _FillValue=np.float32(-999.0), missing_value=np.float32(-999.0))
    swath = parse_granule(official_granule(change), NAME)
    assert np.isnan(swath.no2_mol_m2[1]).all()
    assert np.isfinite(swath.no2_mol_m2).sum() == 24


def test_packed_columns_are_unpacked():
    packed = np.arange(30, dtype=np.int16).reshape(1, 6, 5)
    change = put(NO2, packed, _FillValue=np.int16(7), scale_factor=np.float64(1e-5), add_offset=np.float64(-5e-5))
    swath = parse_granule(official_granule(change), NAME)
    assert np.isnan(swath.no2_mol_m2[1, 2])
    assert np.allclose(np.delete(swath.no2_mol_m2, 7), np.delete(np.arange(30) * 1e-5 - 5e-5, 7))


def test_longitudes_of_0_to_360_are_wrapped_and_reported():
    plain = parse_granule(official_granule(lon0=-100.0), NAME)

    def turned(file: h5py.File) -> None:
        for path in ("PRODUCT/longitude", f"{GEO}/longitude_bounds"):
            file[path][...] = file[path][...] + 360.0

    swath = parse_granule(official_granule(turned, lon0=-100.0), NAME)
    assert swath.repairs == ("150 longitudes of 180 and more wrapped",)
    assert np.allclose(swath.lon, plain.lon, atol=1e-4)
    assert np.allclose(swath.lon_corners, plain.lon_corners, atol=1e-4)


def test_a_swath_across_the_antimeridian_is_not_misplaced():
    swath = parse_granule(official_granule(lon0=179.9), NAME)
    assert swath.lon.min() < -179
    assert swath.lon.max() > 179
    assert swath.repairs == ("56 longitudes of 180 and more wrapped",)


def test_repeated_scan_lines_are_dropped_and_counted():
    def repeated(file: h5py.File) -> None:
        for path in (NO2, "PRODUCT/latitude", "PRODUCT/longitude", f"{GEO}/latitude_bounds", f"{GEO}/longitude_bounds"):
            file[path][0, 3] = file[path][0, 2]
        file["PRODUCT/delta_time"][0, 3] = file["PRODUCT/delta_time"][0, 2]

    swath = parse_granule(official_granule(repeated), NAME)
    assert swath.repairs == ("1 repeated scan lines dropped",)
    assert swath.lat.shape == (5, 5)
    assert (np.diff(swath.time_utc_ns) > 0).all()


def test_a_few_misplaced_corners_cost_those_pixels_only():
    change = edit(f"{GEO}/latitude_bounds", (0, 2, 2), np.float32(-60.0))
    data = official_granule(change, lines=40)
    swath = parse_granule(data, NAME)
    assert swath.repairs == ("1 pixels whose corners miss their centre set missing",)
    assert np.isnan(swath.no2_mol_m2[2, 2])
    with pytest.raises(DataError, match="1 pixels miss"):
        parse_granule(data, NAME, SwathRules(max_misplaced=0.0))
