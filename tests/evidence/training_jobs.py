"""Every registered model trained and searched as a submitted job, killed and submitted again: the page that says so.

    python -m tests.evidence.training_jobs --store STORE --cities WORLD --work DIR --out docs/evidence/training-jobs

A local head with token authentication takes `ray job submit ... -- python -m jobs.train --model M` and `... -- python
-m tune.sweep --model M --trials 2` for every model of every learner. Each job's driver is killed with -9 once
something is there to lose, and the same command is submitted again. STORE is a finished ingest, WORLD a finished world
with cities; sizes are in `training_jobs.yaml` and teach nothing: this is about the machinery. `--kinds` runs some kinds
of models alone, onto a page of their own; kinds that need no store or no world run without.
"""

import argparse
import contextlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from carbonray.engine import verify
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.publish.markdown import table
from carbonray.training.learners import LEARNERS
from tests.jobs.local_head import PATIENCE_S, Head, started_head

OVERLAY = Path(__file__).with_suffix(".yaml")
TRIALS = 2
# as small as a network of each kind can be
SMALL = {"unet": {"width": 4}, "unet_large": {"width": 8}}
CPUS = 4  # offered, so that a job and its workers fit beside each other; the machine's own do the work
PRODUCT = "product"
KINDS = (PRODUCT, *LEARNERS)
INPUTS = {
    "mask": "mask/*.geojson",
    "poi": "poi/*.csv",
    "basemap": "basemap/*/*.tif",
    "co2_grid": "co2/odiac_like/*.tif",
}
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class Attempt:
    """What came of one submitted job, killed once."""

    job: str
    model: str
    killed_after: str
    kept: int
    rewritten: int
    status: str
    units: int
    complete: bool
    sha256: str
    seconds: float


def main() -> None:
    """Parses the command line, runs what is not there yet, and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("store"), help="folder of a finished ingest")
    parser.add_argument("--cities", type=Path, default=Path("world"), help="folder of a finished world with cities")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="kinds of models, and the product")
    parser.add_argument("--models", nargs="+", default=[], help="some of them alone")
    flags = parser.parse_args()
    work = flags.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    kinds = tuple(flags.kinds)
    lines = commands(work, flags.store.resolve(), flags.cities.resolve(), kinds)
    with started_head(CPUS) as head:
        rows = attempts(head, work, [line for line in lines if not flags.models or line[1] in flags.models])
    flags.out.mkdir(parents=True, exist_ok=True)
    name = "README" if kinds == KINDS else "-".join(kinds)
    asked = "".join(
        f"--{flag} {' '.join(words)} " for flag, words in (("kinds", kinds), ("models", flags.models)) if words
    )
    (flags.out / f"{name}.md").write_text(page(rows, "" if name == "README" else asked), encoding="utf-8")
    bad = [row.model for row in rows if not row.complete or row.rewritten]
    raise SystemExit(f"not complete, or rewritten: {bad}" if bad else 0)


def attempts(head: Head, work: Path, lines: list[tuple[str, str, list[str]]]) -> list[Attempt]:
    """All of them: the product first, then fits two at a time beside the searches, of which a cluster runs one."""

    def run(line: tuple[str, str, list[str]]) -> Attempt:
        kept = work / "attempts" / f"{line[0]}-{line[1]}.json"
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(asdict(attempt(head, work, *line))))
        print(kept.read_text(), flush=True)
        return Attempt(**json.loads(kept.read_text()))

    first = [run(line) for line in lines if line[1] == "plants"]
    rest = [line for line in lines if line[1] != "plants"]
    with ThreadPoolExecutor(2) as fits, ThreadPoolExecutor(1) as searches:
        running = [(searches if line[0] == "tune.sweep" else fits).submit(run, line) for line in rest]
        return first + [each.result() for each in running]


def commands(work: Path, store: Path, cities: Path, kinds: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """Job, model and command line; the product is trained first, for generation models read its soundings."""
    shared = ["--settings", str(OVERLAY), "--out", str(work)]
    stored = ["--set", f"plants.store_url={store}"]
    told = ["--set", f"generation.soundings_url={work}/train-plants"]
    placed = [word for name, path in INPUTS.items() for word in ("--set", f"inputs.{name}={cities}/{path}")]
    reads = {"scenes": [], "soundings": stored, "generation": [*stored, *told], "cells": placed}
    trees = [name for name, entry in SOUNDING_MODELS.items() if not entry.trunk]
    product = [*stored, "--set", f"soundings.models={json.dumps(trees)}", "--set", "engine.max_quarantine_rate=0.2"]
    made = [("jobs.train", "plants", [*shared, "--run-id", "train-plants", *product])] if PRODUCT in kinds else []
    for name, model in [(kind, model) for kind in LEARNERS if kind in kinds for model in LEARNERS[kind].names]:
        more = [*reads[name], *(["--set", f"training.config={json.dumps(SMALL[model])}"] if model in SMALL else [])]
        fitted = [*more, *(["--set", "training.run.ray_train=true"] if name == "scenes" else [])]
        made.append(("jobs.train", model, [*shared, "--run-id", f"train-{model}", *fitted]))
        searched = [*more, "--set", f"tune.space={json.dumps(narrow(name, model))}"]
        study = ["--trials", str(TRIALS), "--study", f"sweep-{model}"]
        made.append(("tune.sweep", model, [*shared, *study, *searched]))
    return made


def narrow(kind: str, model: str) -> dict[str, object]:
    """Ranges of the size of this machine, where a model's own ask for more."""
    if kind == "scenes":
        wide = {"config.width": [2, 4]} if model == "unet" else {}
        return {"fit.epochs": [1, 2], "fit.batch_size": [16, 32], **wide}
    if kind == "soundings" and SOUNDING_MODELS[model].trunk:
        return {"epochs": [1, 2], "patience": [1, 2], "patch_px": [16, 32], "truncation": ["block2_pool"]}
    if kind == "cells":
        return {"fit.batch_size": [16, 32]}
    return {}


def attempt(head: Head, work: Path, job: str, model: str, words: list[str]) -> Attempt:
    """Submits, kills the driver once there is something to lose, submits again, and proves the run complete."""
    run = work / words[words.index("--run-id" if "--run-id" in words else "--study") + 1]
    begun = time.monotonic()
    first = f"{job}-{model}-{int(time.time())}"
    submit(head, first, job, model, words)
    driver = started(job, run.name)
    what = wait_for_progress(driver, run)
    with contextlib.suppress(psutil.NoSuchProcess):
        driver.kill()
    wait(head, first, driver)
    before = committed(run)
    submit(head, f"{first}-again", job, model, words)
    status = wait(head, f"{first}-again", started(job, run.name))
    now = committed(run)
    found = verify.verify(str(run)) if status == "SUCCEEDED" else None
    return Attempt(
        job,
        model,
        what or "nothing: it had ended",
        len(before),
        sum(now.get(name) != when for name, when in before.items()),
        status,
        found.planned if found else 0,
        bool(found and found.complete),
        found.sha256[:16] if found else "",
        time.monotonic() - begun,
    )


def submit(head: Head, name: str, job: str, model: str, words: list[str]) -> None:
    """`ray job submit`, without waiting."""
    line = ["python", "-m", job, "--model", model, *words]
    flags = ["--address", head.address, "--no-wait", "--submission-id", name]
    done = head.call("ray", "job", "submit", *flags, "--", *line)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def status_of(head: Head, name: str) -> str:
    """Of a job, as Ray has it."""
    done = head.call("ray", "job", "status", "--address", head.address, name)
    return next((word for word in ENDED if word in (done.stdout + done.stderr).upper()), "RUNNING")


def driver_of(job: str, run_id: str) -> psutil.Process | None:
    """The driver of a run, None where none is at work: asking Ray costs a second of a processor each time."""
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if job in words and run_id in words and "-m" in words:
            return process
    return None


def started(job: str, run_id: str) -> psutil.Process:
    """The driver of a run that was just submitted, once it is there."""
    deadline = time.monotonic() + PATIENCE_S
    while (driver := driver_of(job, run_id)) is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{job} of {run_id} never started")
        time.sleep(0.2)
    return driver


def wait(head: Head, name: str, driver: psutil.Process) -> str:
    """The job's status once its driver has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        driver.wait()
    while (status := status_of(head, name)) not in ENDED:
        time.sleep(3.0)
    return status


def wait_for_progress(driver: psutil.Process, run: Path) -> str:
    """Waits until a checkpoint or a committed unit is there, or the driver has ended; says which."""
    while driver.is_running():
        if any((run / "checkpoints").rglob("state.json")):
            return "a checkpoint of a fit"
        if any((run / "ledger").rglob("*.json")):
            return "a committed unit"
        time.sleep(0.05)
    return ""


def committed(run: Path) -> dict[str, int]:
    """Time of change of every record of the ledger."""
    return {str(path): path.stat().st_mtime_ns for path in (run / "ledger").rglob("*.json")}


def page(rows: list[Attempt], asked: str) -> str:
    """The evidence as Markdown."""
    heads = ("job", "model", "killed after", "records then", "rewritten", "then", "units", "complete", "digest", "s")
    lines = [
        (f"`{r.job}`", f"`{r.model}`", r.killed_after, r.kept, r.rewritten, r.status, r.units, r.complete,
         f"`{r.sha256}`", round(r.seconds))
        for r in rows
    ]  # fmt: skip
    return f"""# {"Some models" if asked else "Every model"} trained and searched as a submitted job

Each line is one job on a local head with token authentication (SYNTHETIC fleet, scenes and cities): submitted with
`ray job submit`, its driver killed with -9 once a checkpoint or a commit was there, the same command submitted again.
Networks of scenes are trained under Ray Train, all else in processes of their own. Seconds are of both attempts, three
jobs at a time on two CPUs, for orientation only. Sizes (`tests/evidence/training_jobs.yaml`) are the smallest that run:
nothing is learned here. {TRIALS} trials a target.

    python -m tests.evidence.training_jobs {asked}--store STORE --cities WORLD \\
        --work DIR --out docs/evidence/training-jobs

{table(heads, lines)}
"""


if __name__ == "__main__":
    main()
