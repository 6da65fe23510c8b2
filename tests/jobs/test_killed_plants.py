"""The plants' jobs under fire: driver and actor killed, in a fit too; what is run again ends in the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from carbonray.catalogue import run_job
from carbonray.engine import verify
from carbonray.io import ledger
from tests.evidence.resume import kill_tree, title, wait_until
from tests.pipelines.small_product import FLEET, MODELS, make_store, plant_settings, train_settings

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1800)]  # minutes more on a crowded machine
PATIENCE_S = 600.0
EPOCHS = 12
FITS = (f"soundings.fit.fit.epochs={EPOCHS}", "soundings.fit.fit.patience=0")
RAY = ("engine.backend=ray", "engine.read_cpus=0.5", "engine.local.num_cpus=2", "engine.local.object_store_mb=100")
CLEAN = {"train": "models", "plants": "plants"}  # job -> its run that nothing disturbed
SETTINGS = {"train": train_settings, "plants": plant_settings}


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet, its models and its year, in memory and in peace."""
    out = tmp_path_factory.mktemp("fire")
    make_store(out)
    for job, run_id in CLEAN.items():
        run_job(job, SETTINGS[job](out, *FITS), str(out), run_id)
    return out


def start(earth: Path, job: str, run_id: str) -> "subprocess.Popen[bytes]":
    """The job as a process that leads its own group."""
    known = {
        "train": ("--model", "plants", "--set", f"plants.store_url={earth}/store"),
        "plants": ("--set", f"plants.store_url={earth}/store", "--set", f"inputs.bundles={earth}/models"),
    }
    settings = [word for text in (*FLEET, *MODELS, *FITS, *RAY) for word in ("--set", text)]
    words = ["--out", str(earth), "--run-id", run_id, *settings, *known[job]]
    with (earth / "driver.log").open("wb") as log:
        command = [sys.executable, "-m", f"jobs.{job}", *words]
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def kill_at(earth: Path, job: str, run_id: str, ready: Callable[[], bool]) -> None:
    """Starts the job, and kills the driver and all it started at once: Ray's processes outlive a driver by seconds."""
    driver = start(earth, job, run_id)
    wait_until(ready, driver)
    kill_tree(driver)


def records(run: Path) -> dict[str, tuple[int, bytes]]:
    """Time of change and bytes of every ledger record."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted((run / "ledger").rglob("*.json"))
    }


def committed(run: Path, pass_name: str) -> int:
    return len(ledger.committed_ids(str(run), pass_name))


def fits(run: Path) -> dict[str, list[dict[str, float]]]:
    """`MODEL-K-TASK` -> what its checkpoint tells of every epoch, with the seconds that each took."""
    found = (run / "checkpoints").glob("*/state.json")
    return {path.parent.name: json.loads(path.read_bytes())["facts"]["history"] for path in sorted(found)}


def unfinished(run: Path) -> dict[str, list[dict[str, float]]]:
    """Fits in the middle of their epochs."""
    return {name: history for name, history in fits(run).items() if len(history) < EPOCHS}


def taken_up(run: Path, before: dict[str, list[dict[str, float]]]) -> bool:
    """Whether fits went on from their checkpoints: an epoch that is fitted anew takes other nanoseconds."""
    now = fits(run)
    return all(now[name][: len(history)] == history and len(now[name]) == EPOCHS for name, history in before.items())


def kept(run: Path, before: dict[str, tuple[int, bytes]]) -> bool:
    """Whether every record is there as it was: not written again, not even with the same bytes."""
    now = records(run)
    return all(now.get(path) == told for path, told in before.items())


def after(run: Path, clean: Path, pass_name: str, rng: random.Random) -> Callable[[], bool]:
    """A random moment of a pass: so many units that some are left."""
    count = rng.randrange(1, committed(clean, pass_name))
    return lambda: committed(run, pass_name) >= count


def finish_and_prove(earth: Path, job: str, run_id: str) -> None:
    """Runs the killed run to its end, in this process, and holds it against the undisturbed one."""
    before = records(earth / run_id)
    facts = run_job(job, SETTINGS[job](earth, *FITS), str(earth), run_id)
    found, clean = (verify.verify(str(earth / name)) for name in (run_id, CLEAN[job]))
    assert facts["status"] == "complete" and found.complete
    assert (found.sha256, found.committed) == (clean.sha256, clean.committed)
    assert kept(earth / run_id, before)


def test_training_killed_three_times(earth: Path) -> None:
    """Among samples, in the middle of a network's fit, and among the soundings that generation is fitted to."""
    run, clean, rng = earth / "killed-train", earth / "models", random.Random(2021)
    kill_at(earth, "train", run.name, after(run, clean, "samples", rng))
    sampled = records(run)
    kill_at(earth, "train", run.name, lambda: bool(unfinished(run)))
    cut, fitted = unfinished(run), records(run)
    assert cut, "no fit was cut short"
    assert kept(run, sampled), "a committed record was written again"
    kill_at(earth, "train", run.name, after(run, clean, "soundings", rng))
    assert kept(run, fitted), "a committed record was written again"
    finish_and_prove(earth, "train", run.name)
    assert taken_up(run, cut), "a fit was begun again"


def test_scoring_killed_twice(earth: Path) -> None:
    """Among soundings, and among the plants' years."""
    run, clean, rng = earth / "killed-plants", earth / "plants", random.Random(2022)
    kill_at(earth, "plants", run.name, after(run, clean, "soundings", rng))
    sounded = records(run)
    kill_at(earth, "plants", run.name, after(run, clean, "generation", rng))
    assert kept(run, sounded), "a committed record was written again"
    finish_and_prove(earth, "plants", run.name)


@pytest.mark.parametrize("job", ["train", "plants"])
def test_a_killed_actor_is_replaced(ray_local: None, earth: Path, job: str) -> None:
    """The process that holds the models dies, in the middle of a fit or between units; the job goes on by itself."""
    run = earth / f"actor-{job}"
    ready = {"train": lambda: bool(unfinished(run)), "plants": lambda: committed(run, "soundings") >= 2}[job]
    death: dict[str, Any] = {}

    def kill() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not ready() and time.monotonic() < deadline:
            time.sleep(0.02)
        death.update(cut=unfinished(run), records=records(run))
        found = [child.pid for child in psutil.Process().children(recursive=True) if "MapWorker" in title(child)]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        death["actors"] = len(found)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    run_job(job, SETTINGS[job](earth, *FITS, *RAY), str(earth), run.name)
    killer.join(PATIENCE_S)
    assert death["actors"] >= 1, "no actor was found to kill"
    assert bool(death["cut"]) == (job == "train"), "it was to be killed in the middle of a fit"
    found, clean = (verify.verify(str(earth / name)) for name in (run.name, CLEAN[job]))
    assert found.complete and found.sha256 == clean.sha256
    assert kept(run, death["records"])
    assert taken_up(run, death["cut"]), "a fit was begun again"
