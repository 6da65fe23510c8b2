"""What is tuned for one model and task stands over what all share, and names nothing that is not there."""

import pytest

from carbonray.errors import SettingsError
from carbonray.models.sounding_cnn import PatchTooSmallError
from carbonray.models.sounding_fit import SoundingFitRules
from carbonray.settings import load
from carbonray.stages.sounding_rules import SoundingRules, changed, check_tuned

MODEL = "sentinel2_resisc_ndt"
TUNED = {
    MODEL: {
        "on": {"learning_rate": 1e-3, "patch_px": 16, "augment": {"magnitude": 2.0}},
        "capacity_factor": {"heads": 8, "loss": {"regression": "huber"}},
    },
    "sentinel2_xgb_ndt": {"on": {"max_depth": 3}},
}


def test_a_task_of_a_model_has_its_own_and_all_else_is_shared() -> None:
    rules = SoundingRules(config={"width": 16}, tuned=TUNED, fit=SoundingFitRules(epochs=7))
    assert (rules.network(MODEL, "on").patch_px, rules.network(MODEL, "on").width) == (16, 16)
    assert rules.network(MODEL, "capacity_factor").heads == 8 and rules.network(MODEL, "on").heads == 1
    fit = rules.network_fit(MODEL, "on")
    assert (fit.learning_rate, fit.augment.magnitude, fit.augment.zoom, fit.epochs) == (1e-3, 2.0, 0.04, 7)
    huber = rules.network_fit(MODEL, "capacity_factor")
    assert (huber.loss.regression, huber.loss.classification_share) == ("huber", 0.02)
    assert rules.network_fit("sentinel2_ben_ndt", "on") == rules.fit
    assert rules.tree_rules("sentinel2_xgb_ndt", "on").max_depth == 3
    assert rules.tree_rules("sentinel2_xgb_ndt", "capacity_factor") == rules.trees


def test_bags_hold_the_largest_patch_that_is_read_or_asked_for() -> None:
    assert max(SoundingRules(tuned=TUNED).patch_px(MODEL)) == 48
    assert max(SoundingRules(bag_px=64).patch_px(MODEL)) == 64
    assert SoundingRules(bag_px=64).patch_px("sentinel2_xgb_ndt") == ()


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"learning_rat": 1e-3}, "unknown setting .*learning_rat"),
        ({"learning_rate": "fast"}, "learning_rate = 'fast'"),
        ({"epochs": 1.5}, "epochs = 1.5"),
        ({"loss": {"regression": "mae"}}, "cannot be"),
        ({"loss": {"regresion": "mse"}}, r"unknown setting at\.loss\.regresion"),
    ],
)
def test_what_no_fit_has_is_refused_by_its_path(told: dict[str, object], what: str) -> None:
    with pytest.raises(SettingsError, match=what):
        changed(SoundingFitRules(), told, where="at")


def test_a_patch_too_small_for_its_truncation_is_refused() -> None:
    with pytest.raises(PatchTooSmallError):
        SoundingRules(tuned={MODEL: {"on": {"patch_px": 8, "truncation": "block3_pool"}}}).network(MODEL, "on")


@pytest.mark.parametrize("tuned", [{"no_model": {"on": {}}}, {MODEL: {"off": {}}}])
def test_tuned_names_models_and_tasks(tuned: dict[str, dict[str, object]]) -> None:
    with pytest.raises(SettingsError, match=r"soundings\.fit\.tuned names"):
        check_tuned(tuned)


def test_the_settings_take_what_is_tuned_from_an_override() -> None:
    settings = load([], [f"soundings.fit.tuned.{MODEL}.on.{text}" for text in ("learning_rate=0.001", "heads=8")])
    assert settings.soundings.fit.network(MODEL, "on").heads == 8
    assert settings.soundings.fit.network_fit(MODEL, "on").learning_rate == 1e-3
    assert settings.digest(("soundings",)) != load().digest(("soundings",))
