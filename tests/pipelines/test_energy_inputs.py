"""Bad inputs of the energy product: each is refused by name, and the rest is answered as before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from carbonray.catalogue import run_job
from carbonray.stages.energy_blocks import FAULTS
from tests.pipelines.small_regions import DECLARED, SUMS, energy_settings, region_world, save_untrained

Lines = Callable[[str], list[str]]  # a line of a file -> the lines that stand in its place

REGION, DAY = "Synland 002", "25/12/2019"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles")
    region_world(out)
    save_untrained(out)
    return out


def changed(out: Path, kind: str, of: Lines) -> None:
    """The world of `OUT`, with lines of the first tier's file of a kind put otherwise."""
    region_world(out)
    path = next((out / "world" / kind).glob("*_t1.csv"))
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(line for before in lines for line in of(before)) + "\n", "utf-8")


def answered(bundles: Path, out: Path, *more: str, declared: str = DECLARED) -> tuple[dict[str, Any], set[str], Path]:
    """The run's facts, the regions that it answers for, and its folder."""
    told = [f"inputs.bundles={bundles}/bundles", *more]
    facts = run_job("energy", energy_settings(out, *told, declared=declared), str(out), "run")
    found = pq.read_table(out / "run" / "energy.parquet", columns=["region"])["region"].unique().to_pylist()
    return facts, set(found), out / "run"


def scaled(line: str, factor: float) -> str:
    head, _, amount = line.rpartition(",")
    return f"{head},{float(amount) * factor:.6g}"


def is_of(line: str, day: str, *names: str) -> bool:
    return line.startswith(f"{REGION},{day}") and (not names or line.split(",")[2] in names)


@pytest.mark.parametrize(
    ("kind", "lines", "rule", "rows"),
    [
        ("emissions", lambda line: [] if is_of(line, DAY, "Industry") else [line], "missing", 1),
        ("energy", lambda line: [scaled(line, -1.0)] if is_of(line, DAY, "Coal") else [line], "negative", 1),
        ("energy", lambda line: [scaled(line, 1e-3)] if is_of(line, "") else [line], "units", 20),
        ("emissions", lambda line: [scaled(line, 1e3)] if is_of(line, DAY) else [line], "units", 1),
        (
            "emissions",
            lambda line: [line, scaled(line, 1.1)] if is_of(line, DAY, "Residential") else [line],
            "doubled",
            1,
        ),
        ("energy", lambda line: [scaled(line, 1e3)] if is_of(line, DAY) else [line], "units", 1),
        ("emissions", lambda line: [scaled(line, -1.0)] if is_of(line, DAY, "Power") else [line], "negative", 1),
        ("energy", lambda line: [scaled(line, 0.0)] if is_of(line, DAY) else [line], "total", 1),
    ],
    ids=[
        "missing sector",
        "negative generation",
        "GWh as TWh",
        "Mt as kt",
        "a day told twice",
        "TWh as GWh",
        "negative emissions",
        "a day without generation",
    ],
)
def test_a_bad_row_is_refused_by_name(
    bundles: Path, tmp_path: Path, kind: str, lines: Lines, rule: str, rows: int
) -> None:
    changed(tmp_path, kind, lines)
    facts, _, run = answered(bundles, tmp_path)
    refused = pq.read_table(run / "refused_rows").to_pylist()
    assert {row["region"] for row in refused} == {REGION} | ({*SUMS} & {row["region"] for row in refused})
    own = [row for row in refused if row["region"] == REGION]
    assert len(own) == rows and all(row["reason"].startswith(f"{rule}:") for row in own)
    assert facts["refused"][rule] >= rows
    set_aside = [row for row in pq.read_table(run / "quarantine.parquet").to_pylist() if row["pass_name"] == "rows"]
    mine = [row for row in set_aside if row["reason"].startswith(f"{rule}:")]
    assert sum(row["rows"] for row in mine) == (facts["refused"][rule] if rule in FAULTS else 0)
    assert {row["key"] for row in mine} <= {"0000-2019", "0000-2020"}, "of the block and year that they are in"
    table = pq.read_table(run / "energy.parquet", columns=["region", "scenario"])
    kept = table.filter((table["region"].to_numpy() == REGION) & (table["scenario"].to_numpy() == "factual"))
    assert kept.num_rows == 20 - rows


def test_a_sum_that_nobody_declared_is_left_out(bundles: Path, tmp_path: Path) -> None:
    """Found among all regions, wherever the blocks are cut."""
    region_world(tmp_path)
    facts, regions, run = answered(bundles, tmp_path, declared="energy.blocks.regions=2")
    union = next(iter(SUMS))
    assert union not in regions and len(regions) == 8
    assert "which is not declared among the composites" in facts["left_out"][union]
    assert facts["refused"] == {"sum of others": 20}
    set_aside = pq.read_table(run / "quarantine.parquet").to_pylist()
    assert {row["pass_name"] for row in set_aside} == {"answers"} and sum(row["rows"] for row in set_aside) == 20
    assert all(row["reason"].startswith(f"sum of others: {union} is a sum: equals ") for row in set_aside)
    refused = pq.read_table(run / "refused_rows").to_pylist()
    assert [row["region"] for row in refused] == [union] * 20
    assert np.unique([row["start"] for row in refused]).size == 20
    assert union in (run / "report.html").read_text(encoding="utf-8")


def test_a_broken_file_is_set_aside_with_its_reason(bundles: Path, tmp_path: Path) -> None:
    region_world(tmp_path)
    (tmp_path / "world/energy/more.csv").write_text("what,is,this\n1,2,3\n")
    _, regions, run = answered(bundles, tmp_path, "engine.max_quarantine_rate=0.5")
    lost = pq.read_table(run / "quarantine.parquet").to_pylist()
    assert [row["key"] for row in lost] == ["more"] and "nothing tells whose file this is" in lost[0]["reason"]
    assert len(regions) == 9
