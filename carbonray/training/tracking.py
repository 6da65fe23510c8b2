"""What a fit was given and how it went, as files beside the run; to an MLflow server too where one is asked for.

Source: HOUSE, where a run is known by its own folder. `FOLDER/NAME/` holds `parameters.json`, `lineage.json`,
`metrics.jsonl` (one line an epoch) and `summary.json`. None of them is committed: they hold seconds, which no two runs
share. An object store appends to no object, so the metrics are read, the epoch put in its place and the whole put anew:
some kilobytes, and an epoch that is told or fitted again, after a death, stands there once. JSON knows neither infinity
nor not-a-number; they are written as the strings that Python's `float` and protocol buffers read.
"""

import importlib
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from carbonray.engine.run import Run
from carbonray.errors import SettingsError, TransportError
from carbonray.execution import TrackRules
from carbonray.io import objectstore
from carbonray.models.fit import Epoch, EpochFit, FitState, Workers
from carbonray.stages.fit_checkpoints import RunFit

_log = logging.getLogger(__name__)

PARAMETERS = "parameters.json"
LINEAGE = "lineage.json"
METRICS = "metrics.jsonl"
SUMMARY = "summary.json"

INSTALL = "pip install 'carbonray[mlflow]'"
FIT_TAG = "carbonray.fit"  # a run of MLflow is known by it: a fit that is taken up again goes on in the same run
PARAMETERS_AT_ONCE = 100  # MLflow's limit of a request
LONGEST_VALUE = 6000  # MLflow's limit of a parameter's text


@dataclass(frozen=True)
class Tracker:
    """Hears of every epoch of one fit (`on_epoch`): plain values, so it works in whatever process the fit runs in.

    Attributes:
        url: folder of the fit's files.
        rules: where else its numbers go.
        mlflow_run: id of its run there, empty for none.
    """

    url: str
    rules: TrackRules
    mlflow_run: str = ""

    def __call__(self, metrics: Mapping[str, float]) -> None:
        """Keeps an epoch's metrics, as `tell` does."""
        self.tell([metrics])

    def tell(self, history: Sequence[Mapping[str, float]]) -> None:
        """Keeps the metrics of some epochs, each in the place of its number, `metrics["epoch"]`.

        Told again as they stand there, nothing is written; told otherwise, the fit was begun anew from that epoch, and
        those after it are forgotten.
        """
        rows, changed = read_metrics(self.url), False
        known = {_text(row) for row in rows}
        for metrics in history:
            row = {name: float(value) for name, value in metrics.items()}
            if _text(row) not in known:
                rows, changed = [*(one for one in rows if one["epoch"] < row["epoch"]), row], True
        if not changed:
            return
        text = "".join(_text(row) + "\n" for row in rows)
        objectstore.put_bytes(objectstore.join(self.url, METRICS), text.encode())
        if self.mlflow_run:
            _Mlflow(self.rules).tell_epochs(self.mlflow_run, rows)

    def finish(self, summary: Mapping[str, float]) -> None:
        """Keeps the figures of the finished fit: all there is of one without epochs, such as trees."""
        objectstore.put_bytes(objectstore.join(self.url, SUMMARY), _text(summary, indent=1).encode())
        if self.mlflow_run:
            _Mlflow(self.rules).tell_end(self.mlflow_run, summary)


@dataclass(frozen=True)
class Tracked:
    """A fit that tells a tracker of its epochs, wherever it runs; to whoever runs it, it is the fit itself.

    Attributes:
        fit: the fit.
        tracker: hears all epochs so far after each of them, so that none is missed whatever died in between.
    """

    fit: EpochFit
    tracker: Tracker

    @property
    def name(self) -> str:
        """The fit's."""
        return self.fit.name

    def digest(self) -> str:
        """The fit's."""
        return self.fit.digest()

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        """The fit's; the first worker tells of them."""
        for epoch in self.fit.epochs(workers, state):
            if workers.rank == 0:
                self.tracker.tell(epoch.state.facts["history"])
            yield epoch


@dataclass(frozen=True)
class TrackedRun:
    """Runs fits as another does (`RunFit`), and leaves their parameters, lineage and metrics under a folder.

    Attributes:
        run: runs a fit whose states are in a folder.
        rules: where numbers go beside the files.
        folder_url: the files of a fit are under `folder_url/NAME`.
        parameters: of all fits, such as the settings of the model.
        lineage: where they come from; the fit's digest is added.
    """

    run: RunFit
    rules: TrackRules
    folder_url: str
    parameters: Mapping[str, Any]
    lineage: Mapping[str, Any]

    def __call__(self, fit: EpochFit, url: str) -> FitState:
        """The state after the fit's last epoch, whose metrics are the summary."""
        lineage = {**self.lineage, "fit_digest": fit.digest()}
        tracker = open_tracker(self.rules, self.folder_url, fit.name, self.parameters, lineage)
        state = self.run(Tracked(fit, tracker), url)
        history = state.facts["history"]
        tracker.tell(history)  # a fit that had ended before has yielded no epoch
        tracker.finish(history[-1])
        return state


def lineage_of(run: Run) -> dict[str, Any]:
    """Where the fits of a run come from: its place, revision, libraries, settings and data."""
    known = {name: run.facts.get(name) for name in ("git_revision", "versions", "settings_digest", "data")}
    return {"run": run.url, **known}


def open_tracker(
    rules: TrackRules, folder_url: str, name: str, parameters: Mapping[str, Any], lineage: Mapping[str, Any]
) -> Tracker:
    """Writes what a fit or trial is given, and answers what hears of its epochs.

    Args:
        rules: where numbers go beside the files.
        folder_url: of the run; the files are under `folder_url/name`.
        name: of the fit.
        parameters: what it is fitted with, values that JSON knows, nested or not.
        lineage: where it comes from: run, command, settings digest, revision, data.

    Raises:
        SettingsError: MLflow is asked for and not installed.
        TransportError: its server does not answer.
    """
    url = objectstore.join(folder_url, name)
    for key, facts in ((PARAMETERS, parameters), (LINEAGE, lineage)):
        objectstore.put_bytes(objectstore.join(url, key), _text(facts, indent=1).encode())
    run = _Mlflow(rules).opened_run(url, name, parameters, lineage) if rules.mlflow_url else ""
    return Tracker(url, rules, run)


def read_metrics(url: str) -> list[dict[str, float]]:
    """Metrics of every epoch so far, in order, of the fit whose files are in a folder; none where there are none."""
    file = objectstore.join(url, METRICS)
    if not objectstore.exists(file):
        return []
    lines = objectstore.read_bytes(file).decode().splitlines()
    return [{name: float(value) for name, value in json.loads(line).items()} for line in lines]


class _Mlflow:
    """One server's client; MLflow is imported here, where it is asked for, and nowhere else."""

    def __init__(self, rules: TrackRules) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would tell its makers of every run
        try:
            self._entities = importlib.import_module("mlflow.entities")
            self._error = importlib.import_module("mlflow.exceptions").MlflowException
            self._client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=rules.mlflow_url)
        except ImportError as error:
            raise SettingsError(
                f"MLflow cannot be imported ({error})",
                where="tracking.mlflow_url",
                expected="the extra `mlflow`, on every machine that fits",
                remedy=f"Run {INSTALL}, or leave the setting empty: metrics are kept as files anyway.",
            ) from error
        self._rules = rules

    def opened_run(self, url: str, name: str, parameters: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
        """Id of the fit's run, made unless an earlier attempt made it; other parameters are another run."""
        tag = objectstore.sha256(f"{url} {_text(parameters)}".encode())[:32]
        try:
            experiment = self._experiment()
            found = self._client.search_runs([experiment], f"tags.`{FIT_TAG}` = '{tag}'", max_results=1)
            if found:
                return str(found[0].info.run_id)
            tags = {FIT_TAG: tag} | {f"lineage.{key}": value for key, value in _flat(lineage)}
            run = str(self._client.create_run(experiment, run_name=name, tags=tags).info.run_id)
            told = iter([self._entities.Param(*item) for item in _flat(parameters)])
            while some := list(islice(told, PARAMETERS_AT_ONCE)):
                self._client.log_batch(run, params=some)
        except self._error as error:
            raise TransportError(
                f"MLflow does not take the run ({error})",
                where=self._rules.mlflow_url,
                expected="a tracking server or database that answers",
                remedy="Check tracking.mlflow_url and the server, or leave the setting empty.",
            ) from error
        return run

    def tell_epochs(self, run: str, rows: list[dict[str, float]]) -> None:
        """Tells of the epochs that the server has not heard of; where it fails, the next epoch tries again."""
        try:
            heard = float(self._client.get_run(run).data.metrics.get("epoch", 0.0))
            for row in rows:
                if row["epoch"] > heard:
                    self._tell(run, row, int(row["epoch"]))
        except self._error as error:
            self._warn(error)

    def tell_end(self, run: str, summary: Mapping[str, float]) -> None:
        """Tells of the finished fit; its figures stand apart from those of epochs."""
        try:
            self._tell(run, {f"summary/{name}": value for name, value in summary.items()}, 0)
            self._client.set_terminated(run)
        except self._error as error:
            self._warn(error)

    def _tell(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        now = int(1000 * time.time())
        # the epoch last: once it is there, all of it is
        ordered = sorted(metrics.items(), key=lambda item: item[0] == "epoch")
        told = [self._entities.Metric(name, float(value), now, step) for name, value in ordered]
        self._client.log_batch(run, metrics=told)

    def _experiment(self) -> str:
        """Id of the experiment; trials that start at once may all want to make it."""
        name = self._rules.experiment
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name))
            except self._error:
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _warn(self, error: Exception) -> None:
        _log.warning("MLflow at %s was not told (the file of metrics has it): %s", self._rules.mlflow_url, error)


def _text(facts: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(_plain(facts), indent=indent, sort_keys=True, allow_nan=False)


def _plain(value: Any) -> Any:
    """The same with strings where JSON has no number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    return value


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and texts, as MLflow lists parameters."""
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(_plain(value))
            yield f"{prefix}{key}", text[:LONGEST_VALUE]
