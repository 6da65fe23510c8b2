"""The energy product over files in the forms of their publishers: yearly mixes, network regions, daily power."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carbonray.catalogue import run_job
from carbonray.pipelines.energy_rows import file_keys
from carbonray.settings import load
from carbonray.vocab.energy import SOURCES
from carbonray.vocab.energy_tables import ENERGY_ANSWERS
from tests.io.energy.energy_files import OWID_HEAD, SECTOR_NAMES, Series, opennem_text
from tests.pipelines.small_regions import region_world, save_untrained

DAYS = [day.strftime("%d/%m/%Y") for day in pd.date_range("2021-12-28", periods=8)]
MT = (0.15, 0.08, 0.04, 0.03, 0.001, 0.002)  # of the sectors, a day
# bioenergy, coal, generation, fossil, gas, hydro, nuclear, oil, other without and with bioenergy, solar, wind
CHILE = (2, 10, 58, 17, 4, 20, 0, 3, 1, 3, 8, 10)
TASKS = ("emissions_t_co2", "energy_gwh")
Run = tuple[dict[str, Any], pa.Table, pd.DataFrame, str]  # facts, answers without scenarios, refused rows, page


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles")
    region_world(out)
    save_untrained(out)
    return out / "bundles"


def answered(bundles: Path, out: Path, *told: str) -> Run:
    settings = load(overrides=["engine.backend=memory", f"inputs.bundles={bundles}", *told])
    facts = run_job("energy", settings, str(out), "run")
    rows = pq.read_table(out / "run" / "energy.parquet").cast(ENERGY_ANSWERS)
    rows = rows.filter(pa.compute.equal(rows["scenario"], "factual")).sort_by([("region", "ascending"), ("start", "ascending")])  # fmt: skip  # noqa: E501
    refused = pq.read_table(out / "run" / "refused_rows").to_pandas()
    return facts, rows, refused, (out / "run" / "report.html").read_text("utf-8")


def monitor(out: Path, regions: Sequence[str], head: str = "country,date,sector,MtCO2 per day,timestamp") -> str:
    """Carbon Monitor's days, each region half as large again as the one before."""
    lines = [
        f"{region},{day},{sector},{amount * 1.5**at * (1 + 0.01 * number):.6f},16e8"
        for at, region in enumerate(regions)
        for number, day in enumerate(DAYS)
        for sector, amount in zip(SECTOR_NAMES, MT, strict=True)
    ]
    (out / "carbon_monitor.csv").write_bytes(("\ufeff" + "\n".join([head, *lines, ""]) + "\n").encode())
    return f"inputs.emissions={out}/carbon_monitor.csv"


def yearly(out: Path, *lines: tuple[object, ...]) -> str:
    text = "\n".join([OWID_HEAD, *(",".join(map(str, line)) for line in lines)])
    (out / "owid.csv").write_text(text + "\n")
    return f"inputs.energy={out}/owid.csv"


def network(out: Path, region: str, scale: float) -> None:
    """Five days of one region of a network: coal, gas and the sun, and the emissions of the first two."""
    days = 1.0 + 0.1 * np.arange(5)
    series: list[Series] = [
        ("energy", "coal_black", "GWh", (90.0 * scale * days).tolist()),
        ("energy", "gas_ocgt", "GWh", (10.0 * scale * days).tolist()),
        ("energy", "solar_rooftop", "GWh", [8.0 * scale] * 5),
        ("energy", "imports", "GWh", [3.0] * 5),
        ("emissions", "coal_black", "tCO2e", (81_000.0 * scale * days).tolist()),
        ("emissions", "gas_ocgt", "tCO2e", (5_000.0 * scale * days).tolist()),
    ]
    text = opennem_text(series, "2023-03-01T00:00:00+10:00", "1d", "2023-03-05T00:00:00+10:00")
    (out / f"nem_{region}.json").write_text(text.replace("abc1", region))


@pytest.mark.parametrize("block", [64, 1])
def test_yearly_mixes_answer_daily_emissions(bundles: Path, tmp_path: Path, block: int) -> None:
    """Names meet, the last mix before a day counts, and every row says that its mix is that of a year.

    In blocks of one region, some have emissions and no mix at all.
    """
    energy = yearly(
        tmp_path, ("Chile", 2020, *CHILE), ("United Kingdom", 2021, *CHILE), ("United Kingdom", 2019, *CHILE[::-1]),
        ("Europe", 2020, *CHILE), ("Norway", 2010, *CHILE),
    )  # fmt: skip
    emissions = monitor(tmp_path, ["Chile", "UK", "Norway", "Atlantis", "WORLD", "EU27 & UK"])
    facts, rows, refused, page = answered(
        bundles, tmp_path, energy, emissions, "energy.rows.join=constant", f"energy.blocks.regions={block}"
    )
    assert rows["region"].to_pylist() == ["Chile"] * 8 + ["United Kingdom"] * 8
    assert all(rows["constant_mix"].to_pylist()) and facts["data_tier"] == "REAL"
    own = {"coal": 10, "gas": 4, "oil": 3, "nuclear": 0, "hydro": 20, "solar": 8, "wind": 10, "other": 3}
    days = np.where(rows["region"].to_numpy(zero_copy_only=False) == "Chile", 366, 365)  # of 2020 and of 2021
    for name in SOURCES:
        assert np.allclose(rows[f"{name}_gwh"].to_numpy(), own[name] * 1e3 / days)
    assert rows["power_t_co2"].to_pylist()[0] == pytest.approx(1.5e5)
    assert all(np.isfinite(rows[name].to_numpy()).all() for name in TASKS)
    assert set(rows["instances"].to_pylist()) == {"0,1"} and not any(rows["seen"].to_pylist())
    reasons = refused.groupby("region")["reason"].unique().map(list).to_dict()
    assert set(reasons) == {"Atlantis", "EU27 & UK", "Norway"}, "a mix of 2010 is too old"
    assert list(reasons.values()) == [["missing: all energy"]] * 3
    assert facts["notes"]["no country"] == 1 and facts["refused"] == {"missing": 24}
    assert "Made from real data" in page and "United Kingdom" in page


def test_yearly_mixes_and_days_do_not_meet_unless_they_are_told_to(bundles: Path, tmp_path: Path) -> None:
    """Nothing is answered, everything is accounted for, and the page says why."""
    energy = yearly(tmp_path, ("Chile", 2021, *CHILE))
    facts, rows, refused, page = answered(bundles, tmp_path, energy, monitor(tmp_path, ["Chile"]))
    assert rows.num_rows == 0 and facts["summary"]["rows"] == 0 and facts["status"] == "complete"
    assert sorted(refused["reason"].unique()) == ["missing: all emissions", "missing: all energy"]
    assert facts["refused"] == {"missing": 9}
    assert "0 of 0 intervals have both answers" in page and "missing" in page


def test_a_network_answers_with_the_emissions_of_its_power_alone(bundles: Path, tmp_path: Path) -> None:
    for region, scale in (("nsw1", 1.0), ("tas1", 0.2)):
        network(tmp_path, region, scale)
    told = [f"inputs.{side}={tmp_path}/nem_*.json" for side in ("energy", "emissions")]
    facts, rows, refused, _ = answered(bundles, tmp_path, *told, "energy.rows.sectors=[power]")
    assert rows["region"].to_pylist() == ["NSW1"] * 5 + ["TAS1"] * 5 and len(refused) == 0
    assert np.allclose(rows["power_t_co2"].to_numpy()[:2], [86_000.0, 94_600.0])
    assert all((rows[f"{name}_t_co2"].to_numpy() == 0).all() for name in ("industry", "residential"))
    assert rows["start"].to_pylist()[0] == pd.Timestamp("2023-02-28T14:00", tz="UTC"), "days of the network's clock"
    assert all(np.isfinite(rows[name].to_numpy()).all() for name in TASKS)
    assert facts["notes"]["energy of imports: no generation"] == 10
    assert {entry["pass"]: entry["planned"] for entry in facts["passes"]}["records"] == 2, "a file in both inputs once"


def test_a_network_without_its_other_sectors_is_refused_by_name(bundles: Path, tmp_path: Path) -> None:
    network(tmp_path, "nsw1", 1.0)
    told = [f"inputs.{side}={tmp_path}/nem_*.json" for side in ("energy", "emissions")]
    facts, rows, refused, _ = answered(bundles, tmp_path, *told)
    assert rows.num_rows == 0 and facts["refused"] == {"missing": 5}
    assert set(refused["reason"]) == {
        "missing: industry, ground_transport, residential, domestic_aviation, international_aviation"
    }


@pytest.mark.parametrize("unit", ["GWh", "TWh", "MWh"])
def test_days_of_power_in_any_unit_that_the_head_names(bundles: Path, tmp_path: Path, unit: str) -> None:
    """The reader is named, for nothing in a file in semicolons says whose it is but its words."""
    per = {"GWh": 1.0, "TWh": 1e3, "MWh": 1e-3}[unit]
    lines = [
        f"{region};{day};{source.title()};{(10.0 + at) * (1 + 0.1 * number) / per:.9g}"
        for region in ("Chile", "Peru")
        for number, day in enumerate(DAYS)
        for at, source in enumerate(SOURCES)
    ]
    (tmp_path / "power.csv").write_text("\n".join([f"Country;Date;Sector;{unit}", *lines]) + "\n")
    emissions = monitor(tmp_path, ["Chile", "Peru"])
    _, rows, refused, _ = answered(bundles, tmp_path, f"inputs.energy=[power_mix={tmp_path}/power.csv]", emissions)
    assert rows.num_rows == 16 and len(refused) == 0 and not any(rows["constant_mix"].to_pylist())
    assert np.allclose(rows["wind_gwh"].to_numpy()[:3], [16.0, 17.6, 19.2])


def test_two_releases_that_differ_refuse_the_days_on_which_they_do(bundles: Path, tmp_path: Path) -> None:
    """The same file twice is one; an amount that another file says otherwise makes its day doubled."""
    energy = yearly(tmp_path, ("Chile", 2021, *CHILE))
    emissions = monitor(tmp_path, ["Chile"])
    text = (tmp_path / "carbon_monitor.csv").read_text("utf-8-sig")
    older = text.replace(f"Chile,{DAYS[3]},Industry,0.082400", f"Chile,{DAYS[3]},Industry,0.05")
    assert older != text
    (tmp_path / "older.csv").write_text(older)
    told = f"inputs.emissions=[{tmp_path}/carbon_monitor.csv, {tmp_path}/older.csv]"
    facts, rows, refused, _ = answered(bundles, tmp_path, energy, emissions, told, "energy.rows.join=constant")
    assert rows.num_rows == 7 and facts["notes"]["said twice with equal values, counted once"] == 47
    assert refused["reason"].tolist() == ["doubled: different values of industry"]
    assert refused["start"].tolist() == [pd.Timestamp("2021-12-31", tz="UTC")]


def test_files_of_one_name_in_two_folders_are_two_files(bundles: Path, tmp_path: Path) -> None:
    energy, emissions = yearly(tmp_path, ("Chile", 2021, *CHILE)), monitor(tmp_path, ["Chile"])
    for side, told in (("energy", energy), ("emissions", emissions)):
        (tmp_path / side).mkdir()
        Path(told.partition("=")[2]).rename(tmp_path / side / "2021.csv")
    told_ = [f"inputs.{side}={tmp_path}/{side}/*.csv" for side in ("energy", "emissions")]
    _, rows, _, _ = answered(bundles, tmp_path, *told_, "energy.rows.join=constant")
    assert rows.num_rows == 8
    assert {path.stem for path in (tmp_path / "run" / "records").iterdir()} == {"energy-2021-csv", "emissions-2021-csv"}


def test_keys_of_files_are_their_names_and_folders_only_where_needed() -> None:
    urls = ["s3://a/x/1.csv", "s3://a/y/1.csv", "s3://a/y/1.json", "s3://a/y/2.csv", "s3://b/y/1.csv"]
    keys = file_keys(urls)
    assert [keys[url] for url in urls] == ["x-1-csv", "a-y-1-csv", "y-1-json", "2", "b-y-1-csv"]
    assert file_keys([]) == {}


def test_lines_that_are_set_aside_are_counted_by_fault(bundles: Path, tmp_path: Path) -> None:
    """By what is wrong with them, whatever stands in their cells; what a rule leaves out is none of them."""
    bad = list(CHILE)
    bad[2] = 99
    energy = yearly(
        tmp_path, ("Chile", 2021, *CHILE), ("Peru", 2021, *bad), ("Peru", 2020, *bad), ("Peru", "x", *CHILE)
    )
    emissions = monitor(tmp_path, ["Chile", "Atlantis"])
    facts, rows, _, page = answered(bundles, tmp_path, energy, emissions, "energy.rows.join=constant")
    assert rows.num_rows == 8
    found = pq.read_table(tmp_path / "run" / "quarantine.parquet").to_pylist()
    assert {(row["key"], row["reason"], row["rows"]) for row in found} == {
        ("owid", "generation: not the sum of its parts, TWh", 2), ("owid", "time: no year", 1)
    }  # fmt: skip
    lines = pq.read_table(tmp_path / "run" / "refused_records").to_pylist()
    assert sorted((row["line"], row["reason"]) for row in lines) == [
        (2, "generation: not the sum of its parts, TWh: '99'"),
        (3, "generation: not the sum of its parts, TWh: '99'"),
        (4, "time: no year: 'x'"),
    ]
    assert facts["refused"] == {"missing": 8} and "generation: not the sum of its parts" in page


def test_real_countries_with_the_mix_of_a_year(shared_data: Path, bundles: Path, tmp_path: Path) -> None:
    """Eleven countries of Carbon Monitor, 730 days each; of the composite no mix is known."""
    folder = shared_data / "country"
    told = [f"inputs.emissions={folder}/carbon_monitor/*.csv", f"inputs.energy={folder}/owid_*.csv"]
    facts, rows, refused, page = answered(bundles, tmp_path, *told, "energy.rows.join=constant")
    counts = rows.to_pandas()["region"].value_counts()
    assert len(counts) == 11 and set(counts) == {730} and facts["data_tier"] == "REAL"
    assert refused["reason"].value_counts()["missing: all energy"] == 730 and "Made from real data" in page


def test_real_network_regions(shared_data: Path, bundles: Path, tmp_path: Path) -> None:
    """Four Australian regions by month, with the emissions of power alone."""
    glob = f"{shared_data}/country/nem_energy_emissions/*_all.json"
    told = [f"inputs.energy={glob}", f"inputs.emissions={glob}", "energy.rows.sectors=[power]"]
    _, rows, _, _ = answered(bundles, tmp_path, *told)
    assert rows.to_pandas()["region"].value_counts().to_dict() == {"NSW1": 289, "QLD1": 289, "SA1": 289, "TAS1": 204}
