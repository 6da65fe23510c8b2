"""A run's laws in one process: completeness, resume without reading, quarantine, conflicts, verification."""

import json
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from packaging.utils import canonicalize_name

from carbonray.contract import Unit
from carbonray.engine import plan, verify
from carbonray.engine.plan import Pass
from carbonray.engine.run import LIBRARIES, Run, data_read, open_run
from carbonray.errors import ConflictError, ContractError, IncompleteError, QuarantineLimitError, SettingsError, revived
from carbonray.execution import EngineRules, WatchRules
from carbonray.io import ledger, objectstore
from tests import source_tree
from tests.engine.toy import reads, toy_pass

MEMORY = EngineRules(backend="memory", max_quarantine_rate=0.5, watch=WatchRules(max_passes=1))


def start(folder: Path, run_id: str = "one", digest: str = "d", rules: EngineRules = MEMORY) -> Run:
    return open_run(str(folder / "out"), run_id, "toy", digest, {}, rules)


def test_a_run_commits_every_unit_and_proves_it(tmp_path: Path) -> None:
    run = start(tmp_path)
    commits = run.execute(toy_pass(tmp_path, [3, 0, 5]))
    found = run.finish()
    assert [commit.facts["n"] for commit in commits] == [3, 0, 5]
    assert (found.planned, found.committed, found.quarantined, found.complete) == (3, 3, 0, True)
    assert found.rows == {"kept": 8, "quarantined": 0, "read": 8}
    written = json.loads(objectstore.read_bytes(f"{run.url}/verification.json"))
    assert written["sha256"] == found.sha256 and written["complete"] is True


def test_a_finished_pass_is_not_read_again(tmp_path: Path) -> None:
    start(tmp_path).execute(toy_pass(tmp_path, [3, 4]))
    before = reads(tmp_path)
    again = start(tmp_path)
    again.execute(toy_pass(tmp_path, [3, 4]))
    assert reads(tmp_path) == before
    assert again.facts["passes"][-1]["committed_before"] == 2


def test_resume_reads_only_what_is_missing_and_gives_the_bytes_of_a_clean_run(tmp_path: Path) -> None:
    clean = start(tmp_path, "clean")
    clean.execute(toy_pass(tmp_path, [3, 4, 5]))
    broken = start(tmp_path, "broken")
    whole = toy_pass(tmp_path, [3, 4, 5])
    broken._adopt(whole)
    list(broken_outcomes(broken, whole, whole.units[:1]))
    before = len(reads(tmp_path))
    resumed = start(tmp_path, "broken")
    resumed.execute(whole)
    assert reads(tmp_path).count("unit-00") == 2 and len(reads(tmp_path)) == before + 2
    assert resumed.finish().sha256 == clean.finish().sha256


def broken_outcomes(run: Run, pass_: Pass, units: tuple[Unit, ...]) -> object:
    from carbonray.engine.graph import run_in_memory

    return run_in_memory(pass_, run.url, units)


def test_a_unit_dispatched_twice_commits_once(tmp_path: Path) -> None:
    run = start(tmp_path)
    pass_ = toy_pass(tmp_path, [3])
    run._adopt(pass_)
    first, second = (next(iter(broken_outcomes(run, pass_, pass_.units))) for _ in range(2))  # type: ignore[call-overload]
    assert (first.new, second.new) == (True, False)
    assert len(ledger.read(run.url, "double")) == 1


def test_another_result_for_a_committed_unit_fails_loudly(tmp_path: Path) -> None:
    run = start(tmp_path)
    pass_ = toy_pass(tmp_path, [3])
    run.execute(pass_)
    (tmp_path / "in" / "00.txt").write_text("4")
    [outcome] = broken_outcomes(run, pass_, pass_.units)  # type: ignore[misc, attr-defined]
    error = revived(outcome.broken)
    assert isinstance(error, ConflictError) and "other bytes" in str(error)


def test_bad_data_is_quarantined_with_key_and_reason(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.execute(toy_pass(tmp_path, [3, -1, 5]))
    found = run.finish()
    assert (found.committed, found.quarantined) == (2, 1)
    rows = pq.read_table(f"{run.url.removeprefix('file://')}/quarantine.parquet").to_pylist()
    assert [(row["key"], row["rows"]) for row in rows] == [("unit-01", -1)]
    assert "a negative count" in rows[0]["reason"]


def test_too_much_quarantine_fails_the_run_with_code_3(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.execute(toy_pass(tmp_path, [-1, -1, 5]))
    with pytest.raises(QuarantineLimitError, match="2 of 3 units"):
        run.finish()
    assert QuarantineLimitError.exit_code == 3


def test_a_transport_failure_is_neither_committed_nor_quarantined(tmp_path: Path) -> None:
    run = start(tmp_path)
    with pytest.raises(IncompleteError, match="1 of 2 units"):
        run.execute(toy_pass(tmp_path, [3, 4], unmoved_on="unit-01"))
    assert [commit.key for commit in ledger.read(run.url, "double").values()] == ["unit-00"]
    healed = start(tmp_path)
    healed.execute(toy_pass(tmp_path, [3, 4]))
    assert healed.finish().complete


def test_a_run_id_belongs_to_its_settings_and_inputs(tmp_path: Path) -> None:
    start(tmp_path).execute(toy_pass(tmp_path, [3]))
    with pytest.raises(SettingsError, match="other settings"):
        start(tmp_path, digest="other")
    with pytest.raises(SettingsError, match=r"added \['unit-01'\]"):
        start(tmp_path).execute(toy_pass(tmp_path, [3, 4]))
    with pytest.raises(SettingsError, match="cannot be a run id"):
        start(tmp_path, "../elsewhere")


def test_two_units_of_one_key_are_refused(tmp_path: Path) -> None:
    pass_ = toy_pass(tmp_path, [3])
    with pytest.raises(ContractError, match="share the key"):
        start(tmp_path).execute(
            Pass(
                "double",
                (pass_.units[0], pass_.units[0].__class__(**vars(pass_.units[0]) | {"inputs": ("x",)})),
                pass_.read,
                pass_.encode,
            )
        )


@pytest.mark.parametrize("damage", ["changed", "gone", "orphan", "ledger"])
def test_verification_sees_every_kind_of_damage(tmp_path: Path, damage: str) -> None:
    run = start(tmp_path)
    run.execute(toy_pass(tmp_path, [3, 4]))
    root = Path(run.url.removeprefix("file://"))
    victim = root / "numbers" / "unit-01.f32"
    if damage == "changed":
        victim.write_bytes(b"\0" * victim.stat().st_size)
    elif damage == "gone":
        victim.unlink()
    elif damage == "orphan":
        (root / "numbers" / "stray.f32").write_bytes(b"?")
    else:
        next((root / "ledger" / "double").glob("*.json")).unlink()
    found = verify.verify(run.url)
    assert not found.complete
    with pytest.raises(IncompleteError):
        verify.check(found, max_quarantine_rate=1.0)


def test_a_damaged_object_is_made_again_after_its_record_is_deleted(tmp_path: Path) -> None:
    run = start(tmp_path)
    pass_ = toy_pass(tmp_path, [3, 4])
    run.execute(pass_)
    whole = run.finish().sha256
    root = Path(run.url.removeprefix("file://"))
    (root / "numbers" / "unit-01.f32").unlink()
    (root / "ledger" / "double" / f"{pass_.units[1].unit_id}.json").unlink()
    run.execute(pass_)
    assert run.finish().sha256 == whole


def test_the_plan_survives_its_file(tmp_path: Path) -> None:
    units = list(toy_pass(tmp_path, [3, 4]).units)
    plan.write(str(tmp_path), units)
    assert plan.read(str(tmp_path)) == units


def test_a_units_id_changes_with_what_can_change_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1")

    def make(**changed: object) -> str:
        arguments = {"settings_digest": "d", "partition": {"year": 2020}, "extra_hashes": ("b",)} | changed
        return plan.plan_unit("p", "k", [str(path)], **arguments).unit_id  # type: ignore[arg-type]

    same, others = make(), [make(settings_digest="e"), make(partition={"year": 2021}), make(extra_hashes=("c",))]
    assert make() == same and len({same, *others}) == 4
    path.write_text("22")
    assert make() != same


def test_a_run_tells_what_data_it_read_wherever_that_lay_and_whatever_the_settings(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.execute(toy_pass(tmp_path, [3, 14]))
    told = json.loads(objectstore.read_bytes(f"{run.url}/run.json"))["data"]["double"]
    assert (told["units"], told["inputs"], told["bytes"]) == (2, 2, 3)
    units = toy_pass(tmp_path, [3, 14]).units
    moved = [replace(unit, unit_id=unit.unit_id[::-1], inputs=("s3://elsewhere/it",)) for unit in units[::-1]]
    assert data_read(moved)["sha256"] == told["sha256"]
    (tmp_path / "in" / "00.txt").write_text("999")
    read_otherwise = [
        toy_pass(tmp_path, [3, 14]).units,
        units[:1],
        [replace(units[0], partition={"year": 2020}), units[1]],
        [replace(units[0], input_sha256=units[1].input_sha256), units[1]],
    ]
    assert told["sha256"] not in {data_read(other)["sha256"] for other in read_otherwise}


def test_an_input_of_several_units_is_one_input(tmp_path: Path) -> None:
    first = toy_pass(tmp_path, [3]).units[0]
    told = data_read([first, replace(first, key="again", unit_id="again")])
    assert (told["units"], told["inputs"], told["bytes"]) == (2, 1, 2)


def test_a_run_records_every_library_that_can_change_its_bytes(tmp_path: Path) -> None:
    told = json.loads(objectstore.read_bytes(f"{start(tmp_path).url}/run.json"))
    assert told["versions"].keys() == {"python", *LIBRARIES}
    assert told["versions"]["scikit-learn"] == metadata.version("scikit-learn")
    assert "absent" in told["versions"].values()  # there is one of the two builds of XGBoost, never both
    # they move, draw or configure, but make no number
    silent = {"botocore", "fsspec", "matplotlib", "mlflow", "mlflow-skinny", "pydantic", "pyyaml", "rich", "s3fs"}
    silent |= {"dask", "jinja2", "markupsafe", "sqlalchemy", "tenacity", "typer"}
    wheels = metadata.packages_distributions()
    modules = {name.split(".")[0] for path in source_tree.modules() for name in source_tree.imports(path)}
    modules -= {*sys.stdlib_module_names, "jobs", "tune"}
    used = {canonicalize_name(wheel) for module in modules for wheel in wheels.get(module, ())}
    assert len(used) > 20
    assert {name for name in used - silent if not name.startswith("pystac-")} <= set(LIBRARIES)
