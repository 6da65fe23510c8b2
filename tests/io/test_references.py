"""Inventories of sources, good rows and bad; counts of the real WRI files are quoted."""

import dataclasses
import io
from pathlib import Path

import geopandas
import pandas as pd
import pytest
import shapely

from carbonray.errors import DataError
from carbonray.io.references import SET_ASIDE, ReferenceRules, read_sources
from carbonray.vocab import tables

GPPD = "gppd_idnr,name,capacity_mw,latitude,longitude,primary_fuel\n"


def written(folder: Path, text: str) -> str:
    (folder / "plants.csv").write_text(text, encoding="utf-8")
    return str(folder / "plants.csv")


def reasons(url: str, rules: ReferenceRules | None = None) -> dict[str, tuple[str, str]]:
    return {row["source_id"]: (row["kind"], row["reason"]) for row in read_sources(url, rules).set_aside.to_pylist()}


def test_every_row_is_kept_or_set_aside_with_its_reason(tmp_path):
    url = written(
        tmp_path,
        GPPD
        + "A,alpha,100,10,20,Coal\n"
        + "B,beta,-5,10,20,Gas\n"
        + "C,gamma,50,91,20,Coal\n"
        + "D,delta,50,,20,Coal\n"
        + "E,epsilon,fifty,10,20,Coal\n"
        + "F,zeta,50,10,20,Solar\n"
        + "A,again,70,11,21,Coal\n"
        + "G,eta,,10,20,Oil\n"
        + ",theta,50,10,20,Coal\n"
        + "H,iota,100,10,20,Coal\n",  # a second plant at the coordinate of A is no fault
    )
    inventory = read_sources(url)
    assert inventory.sources.schema.equals(tables.SOURCES, check_metadata=True)
    assert inventory.set_aside.schema == SET_ASIDE
    assert inventory.sources.column("source_id").to_pylist() == ["A", "G", "H"]
    assert inventory.sources.column("strength").to_pylist() == [100.0, None, 100.0]
    assert set(inventory.sources.column("strength_units").to_pylist()) == {"MW"}
    assert inventory.sources.num_rows + inventory.set_aside.num_rows == 10
    why = reasons(url)
    assert why["B"] == ("quarantined", "strength: -5.0 is negative")
    assert why["C"][1].startswith("coordinates: latitude 91.0")
    assert why["D"][1].startswith("coordinates: latitude nan")
    assert why["E"] == ("quarantined", "strength: 'fifty' is no number")
    assert why["F"] == ("excluded", "fuel: 'Solar' (kept: Coal, Gas, Oil, Petcoke)")
    assert why["A"] == ("quarantined", "id: 'A' appears before")
    assert why[""] == ("quarantined", "id: missing (at latitude 10.0, longitude 20.0)")


def test_weak_sources_and_other_fuels_are_excluded_by_rule(tmp_path):
    url = written(tmp_path, GPPD + "A,a,10,1,2,Coal\nB,b,500,1,2,Waste\n")
    assert reasons(url, ReferenceRules(fuels=("Coal", "Waste"), min_strength=50.0)) == {
        "A": ("excluded", "strength: 10.0 (limit 50.0)")
    }


def test_geoparquet_positions_come_from_the_geometry(tmp_path):
    frame = geopandas.GeoDataFrame(
        {"source_id": ["x"], "strength": [3.0], "strength_units": ["kt a-1"]},
        geometry=[shapely.Point(179.5, -16.0)],
        crs="OGC:CRS84",
    )
    frame.to_parquet(tmp_path / "sources.parquet")
    source = read_sources(str(tmp_path / "sources.parquet")).sources.to_pylist()[0]
    assert source == {"source_id": "x", "lat": -16.0, "lon": 179.5, "strength": 3.0, "strength_units": "kt a-1"}


@pytest.mark.parametrize(
    ("text", "what"),
    [("a,b\n1,2\n", "belong to no known inventory"), ("", "not a table"), ('a,b\n"1,2\n', "not a table")],
)
def test_what_is_no_inventory_is_bad_data(tmp_path, text, what):
    with pytest.raises(DataError, match=what):
        read_sources(written(tmp_path, text))


def test_bytes_that_are_no_text_are_bad_data(tmp_path):
    (tmp_path / "plants.csv").write_bytes(b"\xff\xfe\x00\x81" * 50)
    with pytest.raises(DataError, match="not a table"):
        read_sources(str(tmp_path / "plants.csv"))
    (tmp_path / "plants.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match="not a table"):
        read_sources(str(tmp_path / "plants.parquet"))


@pytest.mark.parametrize(
    ("file", "rows", "kept"),
    [("database_ARG.csv", 338, 200), ("database_USA.csv", 11879, 2997), ("database_WRI_2018-06-10.csv", 16179, 2565)],
)
def test_wri_databases_read_whole(shared_data, file, rows, kept):
    path = shared_data / "plants" / "gppd" / file
    assert len(pd.read_csv(io.BytesIO(path.read_bytes()), usecols=["gppd_idnr"])) == rows
    inventory = read_sources(str(path))
    assert (inventory.sources.num_rows, inventory.set_aside.num_rows) == (kept, rows - kept)


def test_the_rules_are_plain_values():
    assert all(isinstance(value, tuple | float) for value in dataclasses.asdict(ReferenceRules()).values())
