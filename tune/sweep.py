"""`python -m tune.sweep`: searches the hyperparameters of one model, fits the winner, holds it against the default.

One path, taken up again under the same --study wherever it stopped: prepare, search every target, commit the winners as
`best.yaml` with all trials, fit the winner in four rotations and the default in one, judge both on the fold that no
trial saw, verify, publish. The fold is `tune.test_fold`.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import optuna
import pyarrow as pa
import typer

from carbonray.cli import AsJson, Out, Overrides, SettingsFiles, guarded, print_facts
from carbonray.contract import encode_object_rows
from carbonray.engine import cluster
from carbonray.engine.plan import Pass
from carbonray.engine.run import FILE, Run, open_run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.table_store import encode_table
from carbonray.pipelines.planning import WriteObjects, unit_of
from carbonray.settings import Settings, load, overrides_of
from carbonray.training.learner import Learner, Target
from carbonray.training.learners import learner_of
from tune import page, record, tables
from tune.lock import only_search
from tune.overlay import defaults_of, overlaid, with_room
from tune.record import Searched
from tune.scores import Judging, score_rows
from tune.spaces import Space, space_of
from tune.storage import kind_of, masked, name_of, opened, place_of, storage_at
from tune.study import DEFAULT, asked_first, counted, taken_up, warm_started
from tune.trials import Search, run_study

JOB = "sweep"
# settings of the search that make it another search; the rest says where and how long it runs
STUDIED = tuple(
    f"tune.{name}"
    for name in (
        "targets", "test_fold", "splits", "seed", "startup_trials", "grace_epochs", "reduction_factor", "space",
    )
)  # fmt: skip
BEST, TRIALS, SCORES, REPORT = "best.yaml", "trials.parquet", "scores.parquet", "report.html"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """What is searched.

    Attributes:
        settings: of the model, its data and the search.
        out_url: folder of runs.
        name: of the run and of its studies.
        trials: of every target.
    """

    settings: Settings
    out_url: str
    name: str
    trials: int

    def command(self) -> str:
        """What runs it again, but for places."""
        changed = overrides_of(self.settings, ("tune", *learner_of(self.settings.model).sections))
        sets = " ".join(f"--set '{text}'" for text in changed)
        return masked(
            f"python -m tune.sweep --model {self.settings.model} --trials {self.trials} --study {self.name} {sets}"
        )


def run_sweep(sweep: Sweep) -> dict[str, Any]:
    """Runs a sweep from preparation to page, or resumes it, or finds it complete; answers the facts of `run.json`.

    Raises:
        CarbonrayError: the sweep failed; ended trials and finished fits are kept for the next attempt.
    """
    settings = sweep.settings
    learner = learner_of(settings.model)
    wanted = {target: space_of(settings.model, target.name, settings.tune.space) for target in _targets(sweep, learner)}
    place = place_of(objectstore.join(sweep.out_url, sweep.name), settings.tune.storage_url)
    if objectstore.exists(objectstore.join(sweep.out_url, sweep.name, FILE)):
        run = _opened(sweep, learner)
        if run.complete():
            _log.info("sweep %s is complete: nothing to do", run.url)
            return run.facts
    cluster.connect(settings.engine.local)
    cluster.quiet_data()
    with only_search(sweep.name):  # before anything is written: the same sweep may be at work
        run = _opened(sweep, learner)
        with run.ended():
            _execute(run, sweep, learner, wanted, place)
    return run.facts


def _opened(sweep: Sweep, learner: Learner) -> Run:
    settings = sweep.settings
    digest = settings.digest(("model", *learner.sections, *STUDIED))
    run = open_run(sweep.out_url, sweep.name, JOB, digest, _recorded(settings), settings.engine)
    _check_number(run, sweep)
    return run


def _execute(run: Run, sweep: Sweep, learner: Learner, wanted: dict[Target, Space], place: str) -> None:
    settings = sweep.settings
    prepared = learner.prepare(run, with_room(settings, wanted.values()))
    found = _searched(run, sweep, learner, prepared, wanted, place)
    best = record.encode_best(found, sweep.command())
    trials = [row for one in found for row in record.trial_rows(one)]
    _commit(run, "best", {BEST: best, TRIALS: encode_table(_table(trials, tables.TRIALS), ("target", "number"))})
    fold = settings.tune.test_fold
    tuned = overlaid(settings, record.best_overlay(found))
    learner.fit(run, prepared, tuned, learner.instances(prepared, tuned), "bundles")
    learner.fit(run, prepared, settings, (fold,), "default")
    tier = str(run.facts.get("data_tier", "unknown"))
    judging = Judging(fold, settings.evaluation.bootstrap, settings.tune.seed, tier)
    scores = [
        row
        for one in found
        for row in score_rows(
            one.target,
            learner.held_out(prepared, tuned, one.target.name, objectstore.join(run.url, "bundles"), fold),
            learner.held_out(prepared, settings, one.target.name, objectstore.join(run.url, "default"), fold),
            judging,
        )
    ]
    _commit(run, "scores", {SCORES: encode_table(_table(scores, tables.SCORES), ("target", "model"))})
    run.facts["summary"] = _summary(run, scores)
    run.finish()
    run.facts["status"] = "complete"  # what the page says; the file says so once the page is there
    html = page.render_page(run.facts, found, trials, scores, best.decode(), sweep.command())
    objectstore.put_bytes(objectstore.join(run.url, REPORT), html)


def _searched(
    run: Run, sweep: Sweep, learner: Learner, prepared: Any, wanted: dict[Target, Space], place: str
) -> list[Searched]:
    """Every target's study with all its trials, one target after the other; each has its share of the time."""
    rules, closed = sweep.settings.tune, "sweep" in run.facts
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = storage_at(place)
    begun, found = time.monotonic(), []
    for number, (target, space) in enumerate(wanted.items(), start=1):
        study = opened(storage, name_of(sweep.name, target), target)
        if not closed:
            asked_first(study, defaults_of(learner, sweep.settings, target, space), DEFAULT)
            warm_started(study, rules.warm_start, target, space)
            again = taken_up(study)
            _log.info("%s: %d trials ended, %d taken up again", study.study_name, len(counted(study)), again)
            until = begun + rules.budget_s * number / len(wanted) if rules.budget_s else float("inf")
            run_study(Search(learner, prepared, sweep.settings, target, space), study, sweep.trials, until)
        found.append(Searched(target, space, study))
    targets = record.lineage(found, kind_of(place), rules.seed)
    # from here on no trial is added: what follows is made from the winners
    run.facts["sweep"] = {"trials": sweep.trials, "test_fold": rules.test_fold, "targets": targets}
    run.write("running")
    return found


def _targets(sweep: Sweep, learner: Learner) -> tuple[Target, ...]:
    known = learner.targets(sweep.settings.model)
    strange = sorted(set(sweep.settings.tune.targets) - {target.name for target in known})
    if strange:
        raise SettingsError(
            f"{sweep.settings.model} has no target {strange[0]!r}",
            where="tune.targets",
            expected=f"some of {', '.join(target.name for target in known)}; none given is all",
            remedy="Correct the names.",
        )
    return tuple(target for target in known if target.name in (sweep.settings.tune.targets or {t.name for t in known}))


def _check_number(run: Run, sweep: Sweep) -> None:
    closed = run.facts.get("sweep", {}).get("trials", sweep.trials)
    if sweep.trials < 1 or closed != sweep.trials:
        raise SettingsError(
            f"{sweep.trials} trials are asked for, the search is over with {closed}",
            where="--trials",
            expected=f"--trials {closed}" if closed > 0 else "at least one",
            remedy="Search on under a new --study, with tune.warm_start=STORAGE#STUDY of this one.",
        )


def _recorded(settings: Settings) -> dict[str, Any]:
    """The settings as `run.json` keeps them: without a password."""
    dumped = settings.model_dump(mode="json")
    tune = dumped["tune"]
    told = {"storage_url": masked(tune["storage_url"]), "warm_start": [masked(each) for each in tune["warm_start"]]}
    return {**dumped, "tune": {**tune, **told}}


def _commit(run: Run, pass_name: str, objects: dict[str, bytes]) -> None:
    hashes = [objectstore.sha256(data) for data in objects.values()]
    unit = unit_of(run.settings_digest, pass_name, pass_name, {}, {}, hashes)
    run.execute(Pass(pass_name, (unit,), WriteObjects(objects), encode_object_rows, on_driver=True))


def _table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def _summary(run: Run, scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {"data tier": run.facts.get("data_tier", "unknown")}
    for row in scores:
        name = f"{row['target']}: {row['metric']}, {row['model']}"
        told[name] = f"{row['value']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
    return told


def main() -> None:
    """The command line."""
    script = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @script.command(help="Search the hyperparameters of a model, or take up a search that stopped.")
    def command(
        model: Annotated[str, typer.Option("--model", metavar="NAME", help="Model of any registry.")],
        trials: Annotated[int, typer.Option("--trials", metavar="N", help="Trials of every target, in all.")],
        study: Annotated[str, typer.Option("--study", metavar="NAME", help="The same name again resumes it.")],
        out: Out,
        settings: SettingsFiles = None,
        set_: Overrides = None,
        as_json: AsJson = False,  # noqa: FBT002  # a flag of the command line
    ) -> None:
        tree = load(settings or [], [*(set_ or []), f"model={model}"])
        print_facts(run_sweep(Sweep(tree, out, study, trials)), out, study, as_json=as_json)

    guarded(script)


if __name__ == "__main__":
    main()
