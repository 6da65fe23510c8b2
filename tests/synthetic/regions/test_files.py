"""The regions' files: read back by the readers of real ones, the same bytes each time, summing to what is true."""

import dataclasses
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carbonray.contract import Unit
from carbonray.io.energy.carbon_monitor import read_carbon_monitor
from carbonray.io.energy.power_mix import read_power_mix
from carbonray.io.energy.reading import EnergyRules
from carbonray.io.energy.records import MixRules, mix_rows
from carbonray.synthetic.regions.files import (
    REGION_TRUTH,
    TIERS,
    MakeRegions,
    daily_file,
    region_parts,
    truth_file,
)
from carbonray.synthetic.regions.world import UNION, composites_of, regions_of
from tests.synthetic.regions.drawn import FEW, REPORTS, RULES, series

SHORT = dataclasses.replace(RULES, days=100)
T1, T2 = TIERS
NAMES = {T1: {f"Synland {number:03d}" for number in range(1, 9)} | {UNION}, T2: {"Synland Hydro", "Synland Switch"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("regions")
    for part in region_parts(SHORT):
        if part["kind"] != "truth":
            name, data = daily_file(SHORT, REPORTS, part["kind"], part["tier"])
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(data)
    return root


def read(folder, tier):
    stem = tier[-2:].lower()
    return (
        read_carbon_monitor(str(folder / f"emissions/carbon_monitor_{stem}.csv"), EnergyRules(), tier),
        read_power_mix(str(folder / f"energy/power_mix_{stem}.csv"), EnergyRules(), tier),
    )


@pytest.mark.parametrize("tier", TIERS)
def test_readers_of_real_files_take_them_in(folder, tier):
    emissions, energy = read(folder, tier)
    assert emissions.refused.num_rows == energy.refused.num_rows == 0
    count = len(NAMES[tier]) * 100
    assert (emissions.kept, energy.kept) == (6 * count, 8 * count)
    for reading in (emissions, energy):
        assert set(reading.records.column("region").to_pylist()) == NAMES[tier]
        assert set(reading.records.column("data_tier").to_pylist()) == {tier}
    if tier == T1:  # the world and its rest
        assert emissions.dropped >= 2 * 6 * 100


@pytest.mark.parametrize("tier", TIERS)
def test_every_day_makes_a_row(folder, tier):
    records = pa.concat_tables([reading.records for reading in read(folder, tier)])
    found = mix_rows(records, MixRules(), composites_of(SHORT))
    assert found.refused.num_rows == 0
    assert len(found.rows) == len(NAMES[tier]) * 100


def test_a_union_that_is_not_declared_is_found_out(folder):
    records = pa.concat_tables([reading.records for reading in read(folder, T1)])
    found = mix_rows(records, MixRules(), {})
    assert set(found.refused.column("region").to_pylist()) == {UNION}


def test_files_look_like_those_of_the_publishers(folder):
    first = (folder / "emissions/carbon_monitor_t1.csv").read_bytes()
    assert first.startswith("\ufeffcountry,date,sector,value\nROW,01/01/2019,Power,".encode())
    assert first.rstrip().endswith(b"Unit: Mt CO2 per day")
    second = (folder / "emissions/carbon_monitor_t2.csv").read_text()
    assert second.startswith("country,date,sector,MtCO2 per day\nSynland Hydro,01/01/2019,")
    assert second.endswith("\n\n\n")
    assert "International Aviation" in second
    assert "ROW" not in (folder / "energy/power_mix_t1.csv").read_text()


def test_the_world_is_all_regions_and_the_rest(folder):
    lines = (folder / "emissions/carbon_monitor_t1.csv").read_text("utf-8-sig").splitlines()
    rows = [line.split(",") for line in lines[1:] if line.count(",") == 3]
    day = {row[0]: float(row[3]) for row in rows if row[1] == "03/02/2019" and row[2] == "Industry"}
    assert set(day) == NAMES[T1] | {"ROW", "WORLD"}
    parts = sum(value for name, value in day.items() if name not in ("WORLD", UNION))
    assert day["WORLD"] == pytest.approx(parts, rel=1e-4)
    assert day[UNION] == pytest.approx(sum(day[name] for name in composites_of(SHORT)[UNION]), rel=1e-4)


def test_the_earlier_release_ends_earlier(folder):
    text = (folder / "superseded/carbon_monitor_t1.csv").read_text()
    assert "09/02/2019" in text and "10/02/2019" not in text  # 60 days before the hundredth


@pytest.mark.parametrize("name", ["Synland 002", "Synland Switch", UNION])
def test_the_truth_adds_up_and_says_its_tier(name):
    (path, data), tier = truth_file(SHORT, FEW, name)
    table = pq.read_table(io.BytesIO(data))
    assert path == f"truth/{name.lower().replace(' ', '_')}.parquet"
    assert table.schema.equals(REGION_TRUTH)
    frame = table.to_pandas()
    sources, sectors = ([field.name for field in REGION_TRUTH if field.name.endswith(end) and "total" not in field.name
                         and "mix" not in field.name and field.name not in ("energy_gwh", "emissions_t_co2")]
                        for end in ("_gwh", "_t_co2"))  # fmt: skip
    assert (len(sources), len(sectors)) == (8, 6)
    np.testing.assert_allclose(frame[sources].sum(axis=1), frame["energy_gwh"])
    np.testing.assert_allclose(frame[sectors].sum(axis=1), frame["emissions_t_co2"])
    assert set(frame["data_tier"]) == {tier}
    unseen, known = ([field for field in frame if field.startswith(who)] for who in ("unseen_", "known_"))
    assert (len(unseen), len(known)) == (4, 4)
    assert frame[known].notna().all().all()
    assert (frame[unseen].isna() if name == UNION else frame[unseen].notna()).all().all()


def test_the_truth_is_that_of_the_files(folder):
    (_, data), _ = truth_file(SHORT, FEW, "Synland 002")
    truth = pq.read_table(io.BytesIO(data)).to_pandas()
    records = pa.concat_tables([reading.records for reading in read(folder, T1)])
    rows = mix_rows(records, MixRules(), composites_of(SHORT)).rows
    mine = rows.rows(rows.region == "Synland 002")
    np.testing.assert_allclose(mine.energy.sum(axis=1), truth["energy_gwh"], rtol=0.2)
    np.testing.assert_allclose(mine.energy[:40].sum(axis=1), truth["energy_gwh"][:40], rtol=0.02)
    np.testing.assert_array_equal(mine.start_ns, truth["start"].astype("int64"))


def test_units_make_the_same_bytes():
    make = MakeRegions(dataclasses.replace(SHORT, days=20), REPORTS, dataclasses.replace(FEW, others=30))
    for part in ({"kind": "energy", "tier": T2}, {"kind": "truth", "region": "Synland Hydro"}):
        unit = Unit("world", "id", "key", part, (), ())
        one, two = make(unit), make(unit)
        assert list(one.batch["object_key"]) == list(two.batch["object_key"])
        assert list(one.batch["data"]) == list(two.batch["data"])
        assert one.facts == {"data_tier": T2}


def test_parts_are_all_files_once():
    parts = region_parts(RULES)
    assert [part["tier"] for part in parts if part["kind"] == "emissions"] == [T1, T2]
    assert [part["region"] for part in parts if part["kind"] == "truth"] == [
        *(region.name for region in regions_of(RULES)),
        UNION,
    ]
    without = region_parts(dataclasses.replace(RULES, shift=False))
    assert T2 not in {part.get("tier") for part in without}
    assert series().days.size == 731
