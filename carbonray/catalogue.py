"""The jobs there are, and the one path each of them takes: plan, stream, commit, verify, publish.

A new product is one module here and one line in `JOBS`.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from carbonray.contract import Unit
from carbonray.engine.run import FILE, Run, open_run
from carbonray.errors import CarbonrayError, SettingsError
from carbonray.io import objectstore
from carbonray.pipelines import energy, evaluate, evaluate_plants, grid, hotspots, ingest, plants, world
from carbonray.settings import Settings
from carbonray.training import job as train
from carbonray.training import plants as train_plants

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        summary: what it does, for the help.
        sections: settings that can change its bytes; their digest enters every unit id.
        plan: the work units that can be planned before anything is read.
        run: executes the passes.
        publish: makes what readers look at, once the run is verified.
        takes_model: whether it needs `--model`.
    """

    summary: str
    sections: tuple[str, ...]
    plan: Callable[[Settings, str], tuple[Unit, ...]]
    run: Callable[[Run, Settings], None]
    publish: Callable[[Run, Settings], None]
    takes_model: bool = False


JOBS: dict[str, Job] = {
    "world": Job(world.SUMMARY, world.SECTIONS, world.plan, world.run, world.publish),
    "ingest": Job(ingest.SUMMARY, ingest.SECTIONS, ingest.plan, ingest.run, ingest.publish),
    "train": Job(train.SUMMARY, train.SECTIONS, train.plan, train.run, train.publish, takes_model=True),
    "evaluate": Job(evaluate.SUMMARY, evaluate.SECTIONS, evaluate.plan, evaluate.run, evaluate.publish),
    "hotspots": Job(hotspots.SUMMARY, hotspots.SECTIONS, hotspots.plan, hotspots.run, hotspots.publish),
    "plants": Job(plants.SUMMARY, plants.SECTIONS, plants.plan, plants.run, plants.publish),
    "grid": Job(grid.SUMMARY, grid.SECTIONS, grid.plan, grid.run, grid.publish),
    "energy": Job(energy.SUMMARY, energy.SECTIONS, energy.plan, energy.run, energy.publish),
}
# the job of a name for one `--model`, where that is a whole product
OF_MODEL: dict[tuple[str, str], Job] = {
    ("train", "plants"): Job(
        train_plants.SUMMARY,
        train_plants.SECTIONS,
        train_plants.plan,
        train_plants.run,
        train_plants.publish,
        takes_model=True,
    ),
    ("evaluate", "plants"): Job(
        evaluate_plants.SUMMARY,
        evaluate_plants.SECTIONS,
        evaluate_plants.plan,
        evaluate_plants.run,
        evaluate_plants.publish,
    ),
}


def find_job(name: str, model: str = "") -> Job:
    """The job of a name, for the model of `--model`.

    Raises:
        SettingsError: there is no such job, or no such model to train.
    """
    if name not in JOBS:
        raise SettingsError(
            f"there is no job {name!r}", where="JOB", expected=f"one of {', '.join(JOBS)}", remedy="Correct the name."
        )
    if name == "train" and model and (name, model) not in OF_MODEL:
        return replace(JOBS[name], sections=train.sections(model))
    return OF_MODEL.get((name, model), JOBS[name])


def digest(name: str, settings: Settings) -> str:
    """Digest of the settings that can change a job's bytes."""
    return settings.digest(find_job(name, settings.model).sections)


def rewrite_report(run_url: str) -> str:
    """Publishes a finished run again, from its committed products; answers where the page is.

    Raises:
        SettingsError: there is no run, or it is not complete.
    """
    url = objectstore.join(run_url, FILE)
    facts = json.loads(objectstore.read_bytes(url)) if objectstore.exists(url) else {}
    if facts.get("status") != "complete":
        raise SettingsError(
            f"the run is {facts.get('status', 'absent')}",
            where=run_url,
            expected="a complete run",
            remedy="Run the job again under its --run-id first.",
        )
    if facts["job"] not in JOBS:
        raise SettingsError(
            f"the run is of {facts['job']!r}",
            where=run_url,
            expected=f"a run of {', '.join(JOBS)}",
            remedy="The page of a sweep was written when it ended: report.html in its folder.",
        )
    settings = Settings.model_validate(facts["settings"])
    job = find_job(facts["job"], settings.model)
    job.publish(Run(run_url, facts["job"], facts["settings_digest"], settings.engine, facts), settings)
    return objectstore.join(run_url, "report.html")


def run_job(name: str, settings: Settings, out_url: str, run_id: str) -> dict[str, Any]:
    """Runs a job from plan to publication, or resumes it, or finds it complete; answers the facts of `run.json`.

    Raises:
        CarbonrayError: the run failed; what it had committed is kept for the next attempt.
    """
    job = find_job(name, settings.model)
    run = open_run(out_url, run_id, name, digest(name, settings), settings.model_dump(mode="json"), settings.engine)
    if run.complete():
        _log.info("run %s is complete: nothing to do", run.url)
        return run.facts
    try:
        job.run(run, settings)
        run.finish()
        run.facts["status"] = "complete"  # what the page says; the file says so once the page is there
        job.publish(run, settings)
    except CarbonrayError as error:
        run.facts["error"] = str(error)
        run.write("failed")
        raise
    run.facts.pop("error", None)
    run.write("complete")
    return run.facts
