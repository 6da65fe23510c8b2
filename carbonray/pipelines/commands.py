"""The commands that make a run again and prove it, for its page: inputs as they were named, settings that differ."""

import json
import shlex
from collections.abc import Sequence

from carbonray.engine.run import Run
from carbonray.settings import Settings, overrides_of


def again(run: Run, settings: Settings, sections: Sequence[str], told: Sequence[str] = ()) -> tuple[str, ...]:
    """A command line for the job, and one for the proof.

    Args:
        run: the run.
        settings: what it ran with.
        sections: dotted paths of the settings that can change it.
        told: further settings as `a.b=VALUE`, such as places of stores.
    """
    named = [f"inputs.{name}={json.dumps(urls)}" for name, urls in settings.inputs.model_dump().items() if urls]
    flags = " ".join(f"--set {shlex.quote(text)}" for text in [*named, *told, *overrides_of(settings, sections)])
    folder, _, run_id = run.url.rpartition("/")
    return (f"python -m jobs.{run.job} --out {folder} --run-id {run_id} {flags}", f"carbonray verify {run.url}")
