"""The toy pass as a job in a process of its own, which a test may kill or stop at a chosen step.

python -m tests.engine.toy_job FOLDER OUT RUN_ID [--backend ray] [--seconds 0.1] [--stop-at STEP]

A process that is stopped leaves the mark `stopped` in its folder and sleeps until it is killed.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from carbonray import catalogue
from carbonray.catalogue import Job, run_job
from carbonray.contract import Batch, Encoded, Unit
from carbonray.engine.run import Run
from carbonray.io import ledger, objectstore
from carbonray.publish.report import ReportFacts
from carbonray.settings import Settings, load
from tests.engine.toy import encode, toy_pass

COUNTS = [7 * n + 1 for n in range(16)]
PATIENCE_S = 120.0  # far more than anything takes: waits end by what they wait for
# where the driver is stopped: before it puts a file that ends so and holds these bytes
STEPS = {
    "plan": ("plan.parquet", b""),
    "verify": ("verification.json", b""),
    "publish": ("report.html", b""),
    "done": ("run.json", b'"status": "complete"'),
}


def stop(folder: Path) -> None:
    """Says so and sleeps."""
    (folder / "stopped").touch()
    time.sleep(10 * PATIENCE_S)


class StopWhenRead(Mapping[str, int]):
    """Facts that are read after a unit's objects are put and before its record is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[str]:
        stop(self._folder)
        return iter(())

    def __getitem__(self, name: str) -> int:
        raise KeyError(name)

    def __len__(self) -> int:
        return 1


@dataclass(frozen=True)
class EncodeAndStop:
    """The toy's encoder, stopped in the middle of one unit's commit."""

    folder: Path
    key: str

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
        encoded = encode(unit, batch, facts)
        return replace(encoded, facts=StopWhenRead(self.folder)) if unit.key == self.key else encoded


def run_toy(
    folder: Path,
    out: str,
    run_id: str,
    *,
    backend: str = "memory",
    seconds: float = 0.0,
    stop_at: str = "",
    inputs: str = "",
) -> dict[str, Any]:
    """Runs the toy from plan to publication, the way every job is run."""

    def run(run: Run, settings: Settings) -> None:
        pass_ = toy_pass(folder, COUNTS, inputs=inputs, seconds=seconds)
        if stop_at == "commit":
            pass_ = replace(pass_, encode=EncodeAndStop(folder, "unit-07"))
        run.execute(pass_)

    def report(run: Run, settings: Settings) -> ReportFacts:
        return ReportFacts("Numbers, doubled", run.facts)

    engine = {"backend": backend, "read_cpus": 0.5, "local.num_cpus": 2, "local.object_store_mb": 100}
    settings = load([], [f"engine.{name}={value}" for name, value in engine.items()])
    job = Job("numbers, doubled", (), lambda settings, digest: (), run, report)
    with mock.patch.dict(catalogue.JOBS, toy=job):
        return run_job("toy", settings, out, run_id)


def stop_before(folder: Path, step: str) -> None:
    """Makes this process stop at a step of the driver's."""
    ending, content = STEPS[step]
    put = objectstore.put_bytes

    def put_or_stop(url: str, data: bytes) -> None:
        if url.endswith(ending) and content in data:
            stop(folder)
        put(url, data)

    objectstore.put_bytes = put_or_stop


def start(folder: Path, out: str, run_id: str, *flags: str) -> "subprocess.Popen[bytes]":
    """The job as a process that leads its own group."""
    (folder / "stopped").unlink(missing_ok=True)
    words = [sys.executable, "-m", "tests.engine.toy_job", str(folder), out, run_id, *flags]
    with (folder / "driver.log").open("wb") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)


def kill_when(driver: "subprocess.Popen[bytes]", folder: Path, ready: Callable[[], bool]) -> None:
    """Kills a driver, with all that it started, as soon as something is there to be seen."""
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert driver.poll() is None, f"ended before it was killed:\n{(folder / 'driver.log').read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"never came so far:\n{(folder / 'driver.log').read_text()[-3000:]}"
        time.sleep(0.02)
    started = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGKILL)
    assert driver.wait(30) == -signal.SIGKILL
    _, alive = psutil.wait_procs(started, timeout=30)
    alive = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]  # dead, and nobody's child
    assert not alive, f"Ray's processes outlive their driver: {alive}"


def committed(run_url: str) -> set[str]:
    """Keys of the units that are committed."""
    return {commit.key for commit in ledger.read(run_url, "double").values()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out")
    parser.add_argument("run_id")
    parser.add_argument("--backend", default="memory")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--stop-at", default="")
    parser.add_argument("--inputs", default="")
    given = vars(parser.parse_args())
    if given["stop_at"] in STEPS:
        stop_before(given["folder"], given["stop_at"])
    facts = run_toy(given.pop("folder"), given.pop("out"), given.pop("run_id"), **given)
    print(facts["sha256"])


if __name__ == "__main__":
    main()
