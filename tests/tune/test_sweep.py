"""A sweep of a toy on a Ray of two CPUs: killed, taken up, finished, verified; and only one at a time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import ray
from optuna.trial import TrialState

from carbonray.engine.verify import verify
from carbonray.errors import IncompleteError, SettingsError
from carbonray.io import objectstore
from carbonray.io.table_store import decode_table
from carbonray.settings import load
from carbonray.training.learners import LEARNERS
from tests.tune import toy
from tune import tables
from tune.lock import only_search
from tune.spaces import SPACES
from tune.storage import JOURNAL
from tune.sweep import Sweep, run_sweep

TRIALS = 3
OVERRIDES = ("tune.trials_at_once=1", "tune.cpus=0.5", "tune.startup_trials=2", "evaluation.bootstrap.resamples=200")
DRIVER = """
from tests.tune import toy
from tune.sweep import Sweep, run_sweep
toy.register(seconds=0.2)
run_sweep(Sweep(toy.settings_of(*{overrides!r}), {out!r}, "toys", {trials}))
"""


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEARNERS, "toy", toy.ToyLearner())
    monkeypatch.setitem(SPACES, "toy", toy.SPACE)


def sweep(out: Path, *overrides: str, trials: int = TRIALS) -> Sweep:
    return Sweep(toy.settings_of(*OVERRIDES, *overrides), str(out), "toys", trials)


def ended(out: Path) -> list[tuple[int, float | None]]:
    """Trials of the first target that have ended, read beside whoever writes."""
    place = out / "toys" / JOURNAL
    if not place.exists():
        return []
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(place)))
    found = [study for study in storage.get_all_studies() if study.study_name == "toys-slow"]
    trials = storage.get_all_trials(found[0]._study_id) if found else []
    return [(t.number, t.value) for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def killed_driver(out: Path) -> list[tuple[int, float | None]]:
    """Starts a sweep on this Ray from a process of its own and kills that after its first trial; what had ended."""
    code = DRIVER.format(overrides=OVERRIDES, out=str(out), trials=TRIALS)
    address = ray.get_runtime_context().gcs_address
    driver = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "RAY_ADDRESS": address})
    try:
        until = time.monotonic() + 120.0
        while not ended(out) and time.monotonic() < until:
            assert driver.poll() is None, "the driver ended by itself"
            time.sleep(0.1)
        with pytest.raises(SettingsError, match="the study 'toys' is searched on this cluster since 20"):
            run_sweep(Sweep(toy.settings_of(*OVERRIDES), str(out), "second", TRIALS))
        assert not (out / "second").exists()
    finally:
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    return ended(out)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_sweep_is_taken_up_and_loses_no_trial(ray_local: None, registered: None, tmp_path: Path) -> None:
    known = killed_driver(tmp_path)
    assert 0 < len(known) < TRIALS

    facts = run_sweep(sweep(tmp_path))

    assert [trial for trial in ended(tmp_path) if trial in known] == known
    assert facts["status"] == "complete"
    told = facts["sweep"]["targets"]
    assert {name: one["trials"] for name, one in told.items()} == {"slow": TRIALS, "fast": TRIALS}
    assert told["slow"]["taken up again"] <= 1, "the driver had one trial under way at most"
    assert told["slow"]["value"] <= told["slow"]["value of the default"]
    check_left(tmp_path / "toys", facts)
    before = objectstore.listing(str(tmp_path / "toys"))
    assert run_sweep(sweep(tmp_path))["sha256"] == facts["sha256"]
    assert objectstore.listing(str(tmp_path / "toys")) == before
    with pytest.raises(SettingsError, match="the search is over with 3"):
        run_sweep(sweep(tmp_path, trials=6))


def check_left(folder: Path, facts: dict) -> None:
    """What a finished sweep leaves behind."""
    assert verify(str(folder)).complete
    trials = decode_table((folder / "trials.parquet").read_bytes(), tables.TRIALS).to_pylist()
    assert next(row["origin"] for row in trials if row["target"] == "fast") == "default"
    assert all(json.loads(row["parameters"]).keys() == {"rate", "width"} for row in trials)
    best = load([str(folder / "best.yaml")], ["model=toy"])
    for target, told in facts["sweep"]["targets"].items():
        assert best.training.config[target] == told["parameters"]
    assert sorted(p.name for p in (folder / "bundles" / "toy").iterdir()) == ["0", "1", "2", "3"]
    assert sorted(p.name for p in (folder / "default" / "toy").iterdir()) == ["0"]
    weights = float((folder / "bundles" / "toy" / "0" / "weights.txt").read_text())
    assert weights == pytest.approx(toy.error_of(best, "slow") + toy.error_of(best, "fast"))
    scores = decode_table((folder / "scores.parquet").read_bytes(), tables.SCORES).to_pylist()
    assert {row["data_tier"] for row in scores} == {"SYNTHETIC-TOY"}
    page = (folder / "report.html").read_text()
    for words in (
        "SYNTHETIC-TOY",
        "tuned - default",
        "toys-slow",
        "data:image/png",
        "report once",
        "at least 8 scored",
    ):
        assert words in page
    assert 'src="http' not in page


@pytest.mark.parametrize(("fails", "why"), [("data", "the fit diverged"), ("bug", "its process died or raised")])
def test_a_sweep_whose_trials_all_fail_says_why(
    ray_local: None, registered: None, tmp_path: Path, fails: str, why: str
) -> None:
    settings = toy.settings_of(*OVERRIDES, "tune.targets=[fast]", "tune.max_failures=0", fails=fails)
    with pytest.raises(IncompleteError, match=why):
        run_sweep(Sweep(settings, str(tmp_path), "toys", 1))

    assert json.loads((tmp_path / "toys" / "run.json").read_text())["status"] == "failed"


def test_the_lock_is_free_again_after_its_search(ray_local: None) -> None:
    for _ in range(2):
        with only_search("one"):
            with pytest.raises(SettingsError, match="'one' is searched") as refused, only_search("two"):
                pass
            assert "stop its job" in refused.value.remedy
