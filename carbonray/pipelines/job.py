"""What a job is, and the one path every job takes: plan, stream, commit, verify, publish."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from carbonray.contract import Unit
from carbonray.engine.run import Run, open_run
from carbonray.io import objectstore
from carbonray.publish.report import ReportFacts, render_report
from carbonray.settings import Settings

_log = logging.getLogger(__name__)

REPORT = "report.html"


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        summary: what it does, for the help.
        sections: settings that can change its bytes; their digest enters every unit id.
        plan: the work units that can be planned before anything is read.
        run: executes the passes.
        report: what the page of the verified run is made of, None where it has none.
        takes_model: whether it needs `--model`.
    """

    summary: str
    sections: tuple[str, ...]
    plan: Callable[[Settings, str], tuple[Unit, ...]]
    run: Callable[[Run, Settings], None]
    report: Callable[[Run, Settings], ReportFacts | None] | None = None
    takes_model: bool = False

    def digest(self, settings: Settings) -> str:
        """Digest of the settings that can change its bytes."""
        return settings.digest(self.sections)


def run_to_end(name: str, job: Job, settings: Settings, out_url: str, run_id: str) -> dict[str, Any]:
    """Runs a job from plan to publication, or resumes it, or finds it complete; answers the facts of `run.json`.

    Raises:
        CarbonrayError: the run failed; what it had committed is kept for the next attempt.
    """
    run = open_run(out_url, run_id, name, job.digest(settings), settings.model_dump(mode="json"), settings.engine)
    if run.complete():
        _log.info("run %s is complete: nothing to do", run.url)
        return run.facts
    with run.ended():
        job.run(run, settings)
        run.finish()
        run.facts["status"] = "complete"  # what the page says; the file says so once the page is there
        write_report(job, run, settings)
    return run.facts


def write_report(job: Job, run: Run, settings: Settings) -> None:
    """Writes the page of a run, where its job has one."""
    facts = job.report(run, settings) if job.report else None
    if facts:
        write_page(run, facts)


def write_page(run: Run, facts: ReportFacts) -> None:
    """Renders a page into a run's folder."""
    objectstore.put_bytes(objectstore.join(run.url, REPORT), render_report(facts))
