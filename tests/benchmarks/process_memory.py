"""Memory of a job as a program of its own: the largest sum over all its processes, looked at each second.

Sizes are proportional (PSS: shared pages are shared out, so that a sum counts each page once): of the driver, of Ray's
own processes and of all workers.
"""

import subprocess
import sys
import time
from pathlib import Path

import psutil

EVERY_S = 1.0
OBJECT_STORE_MB = 100


def peak_pss_mb(job: str, folder: Path, run_id: str, sets: list[str]) -> float:
    """Runs `python -m jobs.JOB` on a Ray of two CPUs with a small object store; its largest summed PSS, MiB."""
    limits = ["engine.local.num_cpus=2", f"engine.local.object_store_mb={OBJECT_STORE_MB}", "engine.read_cpus=0.5"]
    words = ["-m", f"jobs.{job}", "--out", str(folder), "--run-id", run_id]
    words += [word for text in (*sets, *limits) for word in ("--set", text)]
    path = folder / f"{run_id}.log"
    with path.open("wb") as log:
        driver = subprocess.Popen([sys.executable, *words], stdout=log, stderr=log)
    largest = 0.0
    while driver.poll() is None:
        largest = max(largest, tree_pss_mb(driver.pid))
        time.sleep(EVERY_S)
    if driver.returncode:
        raise RuntimeError(f"the job ended with {driver.returncode}: {path.read_text()[-2000:]}")
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


def row(name: str, many: float, few: float, against: str, goal: float) -> dict[str, object]:
    """The longer run's peak beside the shorter one's."""
    words = f"{against}, {few:.0f} MiB; goal at most {goal}"
    return {"name": name, "value": many, "unit": "MiB PSS", "against": words, "ratio": many / few}
