"""GeoParquet as geopandas and the specification see it."""

import io
import json

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carbonray.errors import ContractError
from carbonray.publish.geoparquet import encode_geoparquet
from carbonray.vocab import tables
from carbonray.vocab.product_tables import PLANTS_30DAY, PLANTS_ANNUAL
from tests.publish.example_generation import annual_rows, days_of


def hotspots(lat: list[float], lon: list[float]) -> pa.Table:
    fixed = {"lat": lat, "lon": lon, "hotspot_id": [f"2021-r{k}" for k in range(len(lat))]}
    arrays = [
        pa.array(fixed.get(field.name, ["x" if field.type == pa.string() else 1] * len(lat)), type=field.type)
        for field in tables.HOTSPOTS
    ]
    return pa.Table.from_arrays(arrays, schema=tables.HOTSPOTS)


def test_geopandas_reads_points_on_wgs_84():
    table = hotspots([-23.67, 26.0, 0.0], [27.61, -180.0, 179.99])
    frame = geopandas.read_parquet(io.BytesIO(encode_geoparquet(table, ("hotspot_id",))))
    assert frame.crs.to_authority() == ("OGC", "CRS84")
    np.testing.assert_array_equal(frame.geometry.x, [27.61, -180.0, 179.99])
    np.testing.assert_array_equal(frame.geometry.y, [-23.67, 26.0, 0.0])
    assert list(frame.columns) == [*tables.HOTSPOTS.names, "geometry"]


def test_metadata_is_that_of_version_1_1_and_units_stay():
    schema = pq.read_schema(io.BytesIO(encode_geoparquet(hotspots([1.0, 2.0], [3.0, -4.0]), ("hotspot_id",))))
    geo = json.loads(schema.metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert geo["columns"]["geometry"] == {
        "encoding": "WKB",
        "geometry_types": ["Point"],
        "bbox": [-4.0, 1.0, 3.0, 2.0],
    }
    assert schema.field("area_km2").metadata[b"units"] == b"km2"


def test_bytes_are_the_same_and_a_table_may_be_empty():
    table = hotspots([1.0, 2.0], [3.0, 4.0])
    assert encode_geoparquet(table, ("hotspot_id",)) == encode_geoparquet(table.take(pa.array([1, 0])), ("hotspot_id",))
    assert len(geopandas.read_parquet(io.BytesIO(encode_geoparquet(table.slice(0, 0), ("hotspot_id",))))) == 0


@pytest.mark.parametrize(("lat", "lon"), [(90.1, 0.0), (np.nan, 0.0), (0.0, 180.5)])
def test_positions_off_the_globe_are_refused(lat, lon):
    with pytest.raises(ContractError, match="no usable coordinates"):
        encode_geoparquet(hotspots([lat], [lon]), ("hotspot_id",))
    with pytest.raises(ContractError, match="'latitude'"):
        encode_geoparquet(hotspots([1.0], [1.0]), ("hotspot_id",), lat="latitude")


def test_years_of_plants_go_through_unchanged_with_no_unit_in_the_plants_own_rows():
    table = pa.Table.from_pylist(annual_rows(5), schema=PLANTS_ANNUAL)
    data = encode_geoparquet(table, ("plant_id", "year", "unit_id"))
    frame = geopandas.read_parquet(io.BytesIO(data))
    assert (int(frame["unit_id"].isna().sum()), len(frame)) == (10, 20)
    np.testing.assert_array_equal(frame.geometry.y, frame["lat"])
    back = pq.read_table(io.BytesIO(data)).select(PLANTS_ANNUAL.names)
    assert back.equals(table.sort_by([(key, "ascending") for key in ("plant_id", "year", "unit_id")]))
    assert back.schema.remove_metadata().equals(PLANTS_ANNUAL, check_metadata=True)


def test_days_of_plants_go_through_unchanged():
    table = days_of(2, "BOTH")
    data = encode_geoparquet(table, ("plant_id", "date", "structure_kind"))
    back = pq.read_table(io.BytesIO(data)).select(PLANTS_30DAY.names)
    expected = table.sort_by([(key, "ascending") for key in ("plant_id", "date", "structure_kind")])
    for name in PLANTS_30DAY.names:  # a NaN is a NaN here
        np.testing.assert_array_equal(back.column(name).to_numpy(), expected.column(name).to_numpy())
    assert back.schema.remove_metadata().equals(PLANTS_30DAY, check_metadata=True)
    assert geopandas.read_parquet(io.BytesIO(data))["date"].iloc[0].year == 2020
