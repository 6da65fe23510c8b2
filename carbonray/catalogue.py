"""The jobs there are, by name. A new product is one module of pipelines and one line here."""

import json
from dataclasses import replace
from typing import Any

from carbonray.engine.run import FILE, Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.pipelines import annual, evaluate, evaluate_plants, ingest, world
from carbonray.pipelines.job import REPORT, Job, run_to_end, write_report
from carbonray.settings import Settings, recorded
from carbonray.training import job as train
from carbonray.training import plants as train_plants

JOBS: dict[str, Job] = {
    "world": Job(world.SUMMARY, world.SECTIONS, world.plan, world.run),
    "ingest": Job(ingest.SUMMARY, ingest.SECTIONS, ingest.plan, ingest.run, ingest.report),
    "train": Job(train.SUMMARY, train.SECTIONS, train.plan, train.run, takes_model=True),
    "evaluate": Job(evaluate.SUMMARY, evaluate.SECTIONS, evaluate.plan, evaluate.run),
    **annual.PRODUCTS,
    "annual": Job(annual.SUMMARY, annual.SECTIONS, annual.plan, annual.run, annual.report),
}
# the job of a name for one `--model`, where that is a whole product
OF_MODEL: dict[tuple[str, str], Job] = {
    ("train", "plants"): Job(
        train_plants.SUMMARY,
        train_plants.SECTIONS,
        train_plants.plan,
        train_plants.run,
        takes_model=True,
    ),
    ("evaluate", "plants"): Job(
        evaluate_plants.SUMMARY,
        evaluate_plants.SECTIONS,
        evaluate_plants.plan,
        evaluate_plants.run,
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
    return find_job(name, settings.model).digest(settings)


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
    settings = recorded(facts["settings"], url)
    job = find_job(facts["job"], settings.model)
    whole = objectstore.absolute(run_url)  # as the page named it when the run ended
    write_report(job, Run(whole, facts["job"], facts["settings_digest"], settings.engine, facts), settings)
    return objectstore.join(run_url, REPORT)


def run_job(name: str, settings: Settings, out_url: str, run_id: str) -> dict[str, Any]:
    """Runs a job from plan to publication, or resumes it, or finds it complete; answers the facts of `run.json`.

    Raises:
        CarbonrayError: the run failed; what it had committed is kept for the next attempt.
    """
    return run_to_end(name, find_job(name, settings.model), settings, out_url, run_id)
