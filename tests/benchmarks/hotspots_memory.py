"""Memory of the hotspots job with ten times the granules: the sum over all its processes must not follow its input.

The job runs as a program of its own on a Ray of two CPUs whose object store is capped. Each second the proportional
set sizes (PSS: shared pages are shared out, so that a sum counts each page once) of the driver, of Ray's own processes
and of all workers are added up; the figure is the largest sum.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from carbonray.catalogue import run_job
from carbonray.settings import load

GRANULES, TIMES = 8, 10  # enough that the shorter run, too, has started every process it will have
REGION = "[110.0, 30.0, 117.0, 37.0]"
OBJECT_STORE_MB = 100
GOAL = 1.15
EVERY_S = 1.0
Row = dict[str, Any]


def make_granules(folder: Path) -> None:
    """As many days of a small Earth as the longer run takes."""
    world = ["engine.backend=memory", f"world.region={REGION}", f"world.days={GRANULES * TIMES}"]
    run_job("world", load([], world), str(folder), "world")


def peak_pss_mb(folder: Path, granules: int) -> float:
    """Runs the job over so many granules and answers the largest sum of its processes' memory."""
    chosen = sorted((folder / "world" / "granules").glob("*.nc"))[:granules]
    sets = [
        f"inputs.tropomi=[{','.join(map(str, chosen))}]",
        f"inputs.weather={folder}/world/weather/*.nc",
        "engine.local.num_cpus=2",
        f"engine.local.object_store_mb={OBJECT_STORE_MB}",
        "engine.read_cpus=0.5",
    ]
    words = ["-m", "jobs.hotspots", "--out", str(folder), "--run-id", f"run-{granules}"]
    words += [word for text in sets for word in ("--set", text)]
    with (folder / f"run-{granules}.log").open("wb") as log:
        driver = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log)
    largest = 0.0
    while driver.poll() is None:
        largest = max(largest, tree_pss_mb(driver.pid))
        time.sleep(EVERY_S)
    if driver.returncode:
        raise RuntimeError(
            f"the job ended with {driver.returncode}: {(folder / f'run-{granules}.log').read_text()[-2000:]}"
        )
    return largest


def tree_pss_mb(pid: int) -> float:
    """Summed PSS of a process and of all that descend from it, MiB."""
    try:
        driver = psutil.Process(pid)
        processes = [driver, *driver.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended while we looked
            continue
    return total / 2**20


def rows() -> list[Row]:
    """The two peaks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_granules(folder)
        few, many = (peak_pss_mb(folder, count) for count in (GRANULES, GRANULES * TIMES))
    against = f"the same job over {GRANULES}, {few:.0f} MiB; goal at most {GOAL}"
    return [
        {
            "name": f"hotspots memory: {GRANULES * TIMES} granules",
            "value": many,
            "unit": "MiB PSS",
            "against": against,
            "ratio": many / few,
        }
    ]
