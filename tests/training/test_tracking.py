"""Tracked fits: an epoch stands once whatever died, numbers that JSON does not know survive, MLflow hears the same."""

import importlib
import json
import math
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from carbonray.errors import SettingsError, TransportError
from carbonray.io.objectstore import listing, put_bytes, read_bytes
from carbonray.models.fit import Epoch, FitState, Workers
from carbonray.stages.fit_checkpoints import run_here
from carbonray.training import tracking
from carbonray.training.tracking import (
    PARAMETERS_AT_ONCE,
    Tracked,
    TrackedRun,
    Tracker,
    TrackRules,
    open_tracker,
    read_metrics,
)

PARAMETERS = {"fit": {"learning_rate": 3e-4, "patience": 10, "loss": "huber"}, "folds": (1, 2), "least": -math.inf}
LINEAGE = {"run_id": "r", "settings_digest": "d" * 64}


def opened(folder: Any, rules: TrackRules | None = None, parameters: Any = PARAMETERS) -> Tracker:
    return open_tracker(rules or TrackRules(), str(folder), "unet-on", parameters, LINEAGE)


def heard(tracker: Tracker, *epochs: int, loss: float = 0.5) -> None:
    for epoch in epochs:
        tracker({"epoch": float(epoch), "loss": loss / epoch})


def test_a_fit_leaves_what_it_was_given_and_a_line_an_epoch(tmp_path: Any) -> None:
    tracker = opened(tmp_path)
    heard(tracker, 1, 2)
    tracker.finish({"validation_map": 0.9})
    url = f"{tmp_path}/unet-on"
    assert set(listing(url)) == {"lineage.json", "metrics.jsonl", "parameters.json", "summary.json"}
    given = json.loads(read_bytes(f"{url}/parameters.json"))
    assert given == {**PARAMETERS, "folds": [1, 2], "least": "-Infinity"} and float(given["least"]) == -math.inf
    assert json.loads(read_bytes(f"{url}/lineage.json")) == LINEAGE
    assert json.loads(read_bytes(f"{url}/summary.json")) == {"validation_map": 0.9}
    assert read_metrics(url) == [{"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25}]
    assert len(read_bytes(f"{url}/metrics.jsonl").splitlines()) == 2
    assert read_metrics(str(tmp_path)) == []


def test_an_epoch_that_is_fitted_again_stands_once_and_a_fit_begun_anew_forgets_the_old(tmp_path: Any) -> None:
    heard(opened(tmp_path), 1, 2, 3)
    again = pickle.loads(pickle.dumps(opened(tmp_path)))  # as it travels to a worker
    heard(again, 3, 4, loss=6.0)
    assert [(row["epoch"], row["loss"]) for row in read_metrics(again.url)] == [(1, 0.5), (2, 0.25), (3, 2.0), (4, 1.5)]
    heard(opened(tmp_path), 1, loss=9.0)
    assert read_metrics(again.url) == [{"epoch": 1.0, "loss": 9.0}]


def test_what_is_told_again_as_it_was_writes_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = opened(tmp_path)
    tracker({"epoch": 1.0, "loss": math.nan})
    heard(tracker, 2, 3)
    before = read_bytes(f"{tracker.url}/metrics.jsonl")
    monkeypatch.setattr(tracking.objectstore, "put_bytes", lambda *_: pytest.fail("written"))
    tracker({"epoch": 1.0, "loss": math.nan})
    heard(tracker, 2, 3)
    assert read_bytes(f"{tracker.url}/metrics.jsonl") == before


@dataclass(frozen=True)
class Halving:
    """A fit of a few epochs, whose loss halves."""

    name: str = "halving"

    def digest(self) -> str:
        return "d"

    def epochs(self, workers: Workers, state: FitState | None = None) -> Iterator[Epoch]:
        state = state or FitState()
        for epoch in range(state.epoch + 1, 4):
            metrics = {"epoch": float(epoch), "loss": 0.5**epoch}
            state = FitState(epoch, {}, {"history": [*state.facts.get("history", []), metrics]})
            yield Epoch(metrics, state)


def test_a_tracked_fit_is_the_fit_and_heals_what_was_not_told(tmp_path: Any) -> None:
    tracker = opened(tmp_path)
    fit = Tracked(Halving(), tracker)
    assert (fit.name, fit.digest()) == ("halving", "d")
    plain = list(Halving().epochs(Workers()))
    assert list(fit.epochs(Workers(rank=1))) == plain and not read_metrics(tracker.url), "only the first worker tells"
    assert list(fit.epochs(Workers(), plain[1].state)) == plain[2:]
    assert read_metrics(tracker.url) == [epoch.metrics for epoch in plain]


def test_runs_of_fits_are_tracked_without_a_change_to_their_states(tmp_path: Any) -> None:
    run = TrackedRun(run_here, TrackRules(), f"{tmp_path}/tracking", PARAMETERS, LINEAGE)
    first = run(Halving(), f"{tmp_path}/tracked")
    assert first == run_here(Halving(), f"{tmp_path}/plain")
    url = f"{tmp_path}/tracking/halving"
    assert [row["loss"] for row in read_metrics(url)] == [0.5, 0.25, 0.125]
    assert json.loads(read_bytes(f"{url}/summary.json")) == {"epoch": 3.0, "loss": 0.125}
    assert json.loads(read_bytes(f"{url}/lineage.json")) == {**LINEAGE, "fit_digest": "d"}
    states = {key: read_bytes(f"{tmp_path}/tracked/{key}") for key in listing(f"{tmp_path}/tracked")}
    assert states == {key: read_bytes(f"{tmp_path}/plain/{key}") for key in listing(f"{tmp_path}/plain")}
    put_bytes(f"{url}/metrics.jsonl", b"")
    assert run(Halving(), f"{tmp_path}/tracked") == first and len(read_metrics(url)) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, 5e-324])
def test_every_float_survives_the_file_and_other_readers_of_json_take_it(tmp_path: Any, value: float) -> None:
    tracker = opened(tmp_path)
    tracker({"epoch": 1.0, "loss": value})

    def refused(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    json.loads(read_bytes(f"{tracker.url}/metrics.jsonl"), parse_constant=refused)
    [row] = read_metrics(tracker.url)
    assert row["epoch"] == 1.0 and (row["loss"] == value or (math.isnan(row["loss"]) and math.isnan(value)))


class ServerError(Exception):
    """What the stand-in raises where MLflow raises its own."""


class Server:
    """Stands in for MLflow: its calls, and what its own database does with them."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.down = False

    def _up(self) -> None:
        if self.down:
            raise ServerError("no route")

    def get_experiment_by_name(self, name: str) -> Any:
        self._up()
        return SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        self.experiments[name] = str(len(self.experiments))
        return self.experiments[name]

    def search_runs(self, experiments: list[str], condition: str, max_results: int) -> list[Any]:
        return [
            SimpleNamespace(info=SimpleNamespace(run_id=name))
            for name, run in self.runs.items()
            if condition == f"tags.`{tracking.FIT_TAG}` = '{run['tags'][tracking.FIT_TAG]}'" and max_results
            if run["experiment"] in experiments
        ]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        run = {"experiment": experiment, "name": run_name, "tags": tags, "params": {}, "metrics": [], "ended": False}
        self.runs[f"run {len(self.runs)}"] = run
        return SimpleNamespace(info=SimpleNamespace(run_id=f"run {len(self.runs) - 1}"))

    def log_batch(self, run: str, metrics: Any = (), params: Any = ()) -> None:
        self._up()
        assert len(params) <= PARAMETERS_AT_ONCE
        self.runs[run]["params"] |= {one.key: one.value for one in params}
        self.runs[run]["metrics"] += [(one.key, one.step, one.value) for one in metrics]

    def get_run(self, run: str) -> Any:
        self._up()
        return SimpleNamespace(data=SimpleNamespace(metrics={k: v for k, _, v in self.runs[run]["metrics"]}))

    def set_terminated(self, run: str) -> None:
        self.runs[run]["ended"] = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()
    modules = {name: ModuleType(name) for name in ("mlflow.entities", "mlflow.exceptions", "mlflow.tracking")}
    modules["mlflow.entities"].Metric = lambda key, value, _now, step: SimpleNamespace(key=key, value=value, step=step)
    modules["mlflow.entities"].Param = lambda key, value: SimpleNamespace(key=key, value=value)
    modules["mlflow.exceptions"].MlflowException = ServerError
    modules["mlflow.tracking"].MlflowClient = lambda tracking_uri: found
    monkeypatch.setattr(tracking.importlib, "import_module", modules.__getitem__)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return found


ASKED = TrackRules("https://mlflow.invalid")


def test_mlflow_is_told_the_same_and_a_fit_taken_up_again_goes_on_in_its_run(tmp_path: Any, server: Server) -> None:
    heard(opened(tmp_path, ASKED), 1, 2)
    again = opened(tmp_path, ASKED)
    heard(again, 2, 3)
    again.finish({"score": 0.9})
    [(name, run)] = server.runs.items()
    assert name == again.mlflow_run and run["name"] == "unet-on" and run["ended"]
    assert run["params"]["fit.learning_rate"] == "0.0003" and run["params"]["folds"] == "[1, 2]"
    assert run["tags"]["lineage.run_id"] == "r"
    assert [(step, value) for key, step, value in run["metrics"] if key == "loss"] == [
        (1, 0.5),
        (2, 0.25),
        (3, 0.5 / 3),
    ]
    assert ("summary/score", 0, 0.9) in run["metrics"]
    opened(tmp_path, ASKED, {**PARAMETERS, "more": 1})
    opened(tmp_path / "other", ASKED)
    assert len(server.runs) == 3 and len(server.experiments) == 1, "other parameters or places are other runs"


def test_many_parameters_go_in_several_requests_and_long_ones_are_cut(tmp_path: Any, server: Server) -> None:
    tracker = opened(tmp_path, ASKED, {str(number): "x" * 7000 for number in range(250)})
    told = server.runs[tracker.mlflow_run]["params"]
    assert len(told) == 250 and {len(value) for value in told.values()} == {tracking.LONGEST_VALUE}


def test_a_server_that_is_down_stops_no_fit_and_hears_later_what_it_missed(
    tmp_path: Any, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = opened(tmp_path, ASKED)
    server.down = True
    heard(tracker, 1, 2)
    tracker.finish({})
    assert caplog.text.count("was not told") == 3 and len(read_metrics(tracker.url)) == 2
    server.down = False
    heard(tracker, 3)
    told = server.runs[tracker.mlflow_run]["metrics"]
    assert [step for key, step, _ in told if key == "epoch"] == [1, 2, 3]
    server.down = True
    with pytest.raises(TransportError, match="does not take the run"):
        opened(tmp_path, ASKED)


def test_mlflow_is_off_unless_asked_and_missing_it_is_said_with_the_remedy(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str, *arguments: Any) -> Any:
        if name.startswith("mlflow"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *arguments)

    real = importlib.import_module
    monkeypatch.setattr(tracking.importlib, "import_module", absent)
    heard(opened(tmp_path), 1)
    with pytest.raises(SettingsError, match=r"pip install 'carbonray\[mlflow\]'"):
        opened(tmp_path, ASKED)


def test_mlflow_itself_takes_what_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = pytest.importorskip("mlflow.tracking", reason="MLflow is an extra").MlflowClient
    monkeypatch.chdir(tmp_path)
    rules = TrackRules(f"sqlite:///{tmp_path}/mlflow.db", "small")
    heard(opened(tmp_path, rules), 1, 2)
    again = opened(tmp_path, rules)
    again({"epoch": 3.0, "loss": math.nan})
    again.finish({"score": math.inf})
    asked = client(tracking_uri=rules.mlflow_url)
    found = asked.search_runs([asked.get_experiment_by_name("small").experiment_id])
    assert [run.info.run_id for run in found] == [again.mlflow_run] and found[0].info.status == "FINISHED"
    assert found[0].data.params["fit.patience"] == "10" and found[0].data.tags["lineage.run_id"] == "r"
    history = asked.get_metric_history(again.mlflow_run, "loss")
    assert [(one.step, one.value) for one in history[:2]] == [(1, 0.5), (2, 0.25)] and math.isnan(history[2].value)
