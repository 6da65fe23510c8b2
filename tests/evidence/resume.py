"""The hotspots job under fire: driver, actor and node killed, the bytes held against those of a clean run.

    python -m tests.evidence.resume --out docs/evidence/engine-resume

A small Earth is made, the job is run once in peace, and then again and again with something killed at random (seeded)
moments, counted in committed units. After each: the same digest over all objects, every committed record untouched.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from carbonray import demo
from carbonray.io import ledger

UNITS = 8  # days of the small Earth, one granule a day
PATIENCE_S = 1200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = evidence(Path(folder), arguments.kills)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "README.md").write_text(page(rows), encoding="utf-8")
    print(page(rows))
    sys.exit(any(row["sha256"] != rows[0]["sha256"] or row["rewritten"] for row in rows))


def evidence(folder: Path, kills: int) -> list[dict[str, Any]]:
    """One row a run: the clean one first, then those in which something was killed."""
    run("world", folder, "world", "--set", f"world.days={UNITS}").wait(PATIENCE_S)
    rows = [finished(folder, "clean", "nothing", 0, 0)]
    rng = random.Random(2021)
    for number in range(kills):
        after = rng.randrange(1, UNITS)
        rows.append(driver_killed(folder, f"driver-{number}", after))
    rows.append(process_killed(folder, "actor", 3, lambda child: "MapWorker" in title(child)))
    rows.append(process_killed(folder, "runner", 4, lambda child: "_Runner" in title(child)))
    rows.append(node_killed(folder, "node"))
    return rows


def run(
    job: str, folder: Path, run_id: str, *flags: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a job in a process group of its own."""
    command = [
        sys.executable,
        "-m",
        f"jobs.{job}",
        "--settings",
        "jobs/demo.yaml",
        "--out",
        str(folder),
        "--run-id",
        run_id,
    ]
    if job == "hotspots":
        named = [f"inputs.{name}={folder}/world/{path}" for name, path in demo.INPUTS["hotspots"].items()]
        command += [part for text in named for part in ("--set", text)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([*command, *flags], start_new_session=True, **quiet)


def driver_killed(folder: Path, run_id: str, after: int) -> dict[str, Any]:
    """The driver and all it started die once `after` units are committed; then the same command again."""
    driver = run("hotspots", folder, run_id)
    wait_until(lambda: len(done(folder, run_id)) >= after, driver)
    kill_tree(driver)
    return finished(folder, run_id, "the driver and its Ray", after, len(done(folder, run_id)), records(folder, run_id))


def process_killed(folder: Path, run_id: str, after: int, chosen: Callable[[psutil.Process], bool]) -> dict[str, Any]:
    """One process of the running job dies; the job goes on by itself."""
    driver = run("hotspots", folder, run_id)
    wait_until(lambda: len(done(folder, run_id)) >= after, driver)
    kept = records(folder, run_id)
    for child in psutil.Process(driver.pid).children(recursive=True):
        if chosen(child):
            child.kill()
            break
    else:
        raise RuntimeError(f"no process of {run_id} to kill")
    driver.wait(PATIENCE_S)
    return finished(folder, run_id, f"one {run_id}", after, len(kept), kept)


def node_killed(folder: Path, run_id: str) -> dict[str, Any]:
    """The second of two local nodes, which has all the work, dies and is replaced; the job goes on by itself."""
    program = [sys.executable, "-m", "tests.evidence.two_nodes", str(folder), run_id]
    subprocess.run(program, check=True, timeout=PATIENCE_S, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return finished(folder, run_id, "one node of two", 2, UNITS)


def finished(
    folder: Path, run_id: str, killed: str, after: int, committed: int, kept: dict[str, int] | None = None
) -> dict[str, Any]:
    """Runs the command to its end (it does nothing where the run is complete) and tells what came of it."""
    code = run("hotspots", folder, run_id).wait(PATIENCE_S)
    verification = json.loads((folder / run_id / "verification.json").read_text())
    facts = json.loads((folder / run_id / "run.json").read_text())
    now = records(folder, run_id)
    attempts = [entry for entry in facts["passes"] if entry["pass"] == "detect"]
    return {
        "run": run_id,
        "killed": killed,
        "after": after,
        "committed": committed,
        "exit": code,
        "planned": verification["planned"],
        "complete": verification["complete"],
        "rewritten": sum(now[name] != when for name, when in (kept or {}).items()),
        "read_last": attempts[-1]["planned"] - attempts[-1]["committed_before"],
        "sha256": verification["sha256"],
    }


def done(folder: Path, run_id: str) -> set[str]:
    return ledger.committed_ids(str(folder / run_id), "detect")


def records(folder: Path, run_id: str) -> dict[str, int]:
    """Time of change of every object and record that is there."""
    found = [*(folder / run_id / "ledger").rglob("*.json"), *(folder / run_id / "partials").glob("*.parquet")]
    return {str(path): path.stat().st_mtime_ns for path in found}


def wait_until(ready: Callable[[], bool], driver: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        if driver.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the job ended before anything could be killed")
        time.sleep(0.05)


def kill_tree(driver: subprocess.Popen[bytes]) -> None:
    """Kills a driver and everything it started, at once."""
    family = [*psutil.Process(driver.pid).children(recursive=True), psutil.Process(driver.pid)]
    for process in family:
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    psutil.wait_procs(family, timeout=60)
    driver.wait()


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def page(rows: list[dict[str, Any]]) -> str:
    """The evidence as a page."""
    lines = [
        "# The hotspots job under fire",
        "",
        f"A small Earth of {UNITS} granules (SYNTHETIC-T2), two CPUs, the shipped bundle. What was killed, after how",
        "many committed orbits, how much was committed then, how much of that was written again (none may be),",
        "how many orbits the last attempt still had to read, and the digest over all objects.",
        "",
        "    python -m tests.evidence.resume --out docs/evidence/engine-resume",
        "",
        "| killed | after | committed then | rewritten | read by the last attempt | exit | complete | digest |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        same = "same as clean" if row["sha256"] == rows[0]["sha256"] else "DIFFERS"
        lines.append(
            f"| {row['killed']} | {row['after']} | {row['committed']} | {row['rewritten']} | {row['read_last']} "
            f"| {row['exit']} | {row['complete']} | `{row['sha256'][:16]}` {same} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
