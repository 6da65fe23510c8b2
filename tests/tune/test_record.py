"""What a search leaves: winners as settings that load, rows of trials, scores with paired intervals, a page."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pyarrow as pa
import pytest
import yaml
from optuna.trial import TrialState

from carbonray.errors import ContractError, SettingsError
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.settings import load
from carbonray.training.learner import HeldOutAnswers, Target
from tests.tune.toy import AT_ONCE, BY_EPOCH, SPACE, ToyLearner, rms, settings_of
from tune import tables
from tune.overlay import defaults_of, encode_overlay, overlaid, overlay_of
from tune.page import render_page
from tune.plots import study_plots
from tune.record import Searched, best_overlay, encode_best, lineage, trial_rows
from tune.scores import Judging, score_rows
from tune.spaces import space_of
from tune.storage import name_of, opened

CNN = "sentinel2_resisc_ndt"
JUDGING = Judging(0, BootstrapRules(resamples=200), 0, "SYNTHETIC-TOY")


def searched(target: Target, trials: int = 4) -> Searched:
    """A study without a sampler: what is tried is told."""
    study = opened(optuna.storages.InMemoryStorage(), name_of("toys", target), target)
    for number in range(trials):
        trial = study.ask(SPACE.distributions())
        if target.by_epoch:
            for epoch in (1, 2):
                trial.report(1.0 / (number + epoch), epoch)
        if number == 1:
            study.tell(trial, state=TrialState.PRUNED if target.by_epoch else TrialState.FAIL)
        else:
            study.tell(trial, 1.0 / (number + 2))
    return Searched(target, replace(SPACE, prefix=SPACE.prefix.format(target=target.name)), study)


def answers(error: float, rows: int = 60) -> HeldOutAnswers:
    truth = np.random.default_rng(0).normal(size=rows)
    wrong = np.random.default_rng(1).normal(size=rows)
    groups = tuple(f"plant{row // 4}" for row in range(rows))
    return HeldOutAnswers(groups, truth, truth + error * wrong, np.zeros(rows), rms)


def test_winners_are_settings_that_load(tmp_path: Path) -> None:
    found = [searched(BY_EPOCH), searched(AT_ONCE)]
    (tmp_path / "best.yaml").write_bytes(encode_best(found, "python -m tune.sweep"))
    loaded = load([tmp_path / "best.yaml"], ["model=toy"])

    for one, number in zip(found, (3, 0), strict=True):
        assert loaded.training.config[one.target.name] == one.study.get_trials()[number].params
    assert loaded.training.config == best_overlay(found)["training"]["config"]
    assert "# toys-slow: trial 3 (4 counted), validation_error 0.2" in (tmp_path / "best.yaml").read_text()


@pytest.mark.parametrize("target", ["on", "capacity_factor"])
def test_a_network_takes_the_parameters_of_its_space_to_the_last_bit(tmp_path: Path, target: str) -> None:
    space = space_of(CNN, target)
    told = {"patch_px": 48, "heads": 8, "augment.magnitude": 2.5, "weight_decay": 1e-6, "learning_rate": 1.2345e-5 / 3}
    overlay = overlay_of(space, told | ({"loss.regression": "huber"} if target != "on" else {}))
    (tmp_path / "best.yaml").write_bytes(encode_overlay(overlay, ["a search"]))
    rules = load([tmp_path / "best.yaml"]).soundings.fit

    shape, fit = rules.network(CNN, target), rules.network_fit(CNN, target)
    assert (shape.patch_px, shape.heads) == (48, 8)
    assert (fit.augment.magnitude, fit.weight_decay, fit.learning_rate) == (2.5, 1e-6, 1.2345e-5 / 3)
    assert fit.loss.regression == ("huber" if target != "on" else "mse")
    untouched = "capacity_factor" if target == "on" else "on"
    assert rules.network_fit(CNN, untouched) == load().soundings.fit.network_fit(CNN, untouched)


def test_a_value_that_settings_refuse_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"generation\.models\.ndt_l1"):
        overlaid(settings_of(), {"generation": {"models": {"ndt_l1": "much"}}})


def test_a_default_that_the_learner_does_not_tell_is_an_error_of_the_space() -> None:
    space = replace(SPACE, prefix="training.config.fast")
    with pytest.raises(ContractError, match=r"no default of \['training\.config\.fast\.rate'"):
        defaults_of(ToyLearner(), settings_of(), BY_EPOCH, space)


def test_every_trial_is_a_row() -> None:
    rows = trial_rows(searched(BY_EPOCH)) + trial_rows(searched(AT_ONCE))

    assert pa.Table.from_pylist(rows, schema=tables.TRIALS).num_rows == 8
    assert [row["state"] for row in rows[:3]] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert [row["epochs"] for row in rows] == [2, 2, 2, 2, 0, 0, 0, 0]
    assert rows[1]["value"] == 1.0 / 3, "of a stopped trial its last score"
    assert np.isnan(rows[5]["value"])
    assert json.loads(rows[0]["parameters"]).keys() == {"rate", "width"}


def test_a_paired_interval_is_narrower_than_either_models() -> None:
    rows = {row["model"]: row for row in score_rows(BY_EPOCH, answers(1.0), answers(1.1), JUDGING)}
    difference = rows["tuned - default"]

    assert difference["value"] == pytest.approx(rows["tuned"]["value"] - rows["default"]["value"])
    assert difference["high"] < 0.0
    assert difference["better"]
    width = {name: row["high"] - row["low"] for name, row in rows.items()}
    assert width["tuned - default"] < 0.3 * width["tuned"]
    assert rows["tuned"]["high"] > rows["default"]["low"], "apart they would overlap"
    assert (difference["rows"], difference["groups"], difference["fold"]) == (60, 15, 0)


@pytest.mark.parametrize(("mode", "tuned", "better"), [("min", 1.1, False), ("max", 1.1, True), ("min", 1.0, False)])
def test_better_is_what_the_score_calls_good(mode: str, tuned: float, better: bool) -> None:
    target = Target("slow", "x", "min" if mode == "min" else "max", by_epoch=True)

    assert score_rows(target, answers(tuned), answers(1.0), JUDGING)[-1]["better"] is better


def test_models_are_compared_on_the_same_rows_alone() -> None:
    with pytest.raises(ContractError, match="60 rows of the tuned model and 56 of the default"):
        score_rows(BY_EPOCH, answers(1.0), answers(1.0, rows=56), JUDGING)


def test_a_picture_that_needs_more_trials_says_so() -> None:
    few, many = (study_plots(searched(AT_ONCE, trials).study, AT_ONCE) for trials in (1, 12))

    assert [bool(plot.uri) for plot in few] == [True, False, False, False]
    assert [bool(plot.uri) for plot in many] == [True, False, True, True]
    assert few[3].instead == "Importances need at least 8 scored trials; 1 are there."
    assert "report once" in many[1].instead
    assert study_plots(searched(BY_EPOCH).study, BY_EPOCH)[1].uri.startswith("data:image/png;base64,")


def test_the_page_says_what_won_and_that_it_is_simulated() -> None:
    found = [searched(BY_EPOCH), searched(AT_ONCE)]
    scores = score_rows(BY_EPOCH, answers(1.0), answers(1.1), JUDGING)
    run = {
        "run_id": "toys",
        "data_tier": "SYNTHETIC-TOY",
        "settings": {"model": "toy <b>"},
        "sweep": {"targets": lineage(found, "journal", 0)},
    }
    trials = [row for one in found for row in trial_rows(one)]
    overlay = encode_best(found, "again").decode()
    html = render_page(run, found, trials, scores, overlay, "python -m tune.sweep --model toy").decode()

    for words in (
        "SYNTHETIC-TOY", "Simulated input", "tuned is better than the default on fold 0", "toy &lt;b&gt;",
        "training.config.slow.rate", "0.001 to 1, logarithmic", "range inferred", "python -m tune.sweep --model toy",
        "All 4 trials", yaml.safe_load(overlay) and "training:",
    ):  # fmt: skip
        assert words in html
    assert html.count("data:image/png") == 5
    assert 'src="http' not in html
    assert 'href="http' not in html
