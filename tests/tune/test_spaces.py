"""The spaces are Appendix B as printed and, beside it, ranges that hold every default; what cannot be is said."""

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution

from carbonray.errors import SettingsError
from carbonray.models.backbones import STRIDES
from carbonray.models.cell_registry import CELL_MODELS
from carbonray.models.clean_registry import CLEAN_MODELS
from carbonray.models.registry import MODELS
from carbonray.models.sounding_cnn import PatchTooSmallError, SoundingCnnConfig
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.settings import load
from carbonray.training.learners import LEARNERS
from tests.golden_numbers import golden
from tune.distributions import Choice, IntUniform, Uniform, log_uniform
from tune.overlay import defaults_of
from tune.spaces import SPACES, family_of, narrowed, small_patch, space_of

CNN = "sentinel2_resisc_ndt"
defaults = functools.cache(load)
EVERY = [(learner, model) for learner in LEARNERS.values() for model in learner.names]


def test_the_sounding_networks_are_searched_over_appendix_b() -> None:
    printed = golden("appendix_b")["sounding_cnn"]
    found = space_of(CNN, "capacity_factor").parameters

    choices = {
        "patch_px": "patch_px",
        "truncation": "truncation",
        "heads": "heads",
        "augment.magnitude": "augmentation_magnitude",
        "weight_decay": "weight_decay",
        "patience": "patience",
        "batch_size": "batch_size",
        "epochs": "epochs",
        "loss.regression": "regression_loss",
    }
    assert set(found) == {*choices, "learning_rate"}
    for name, as_printed in choices.items():
        assert found[name] == Choice(tuple(printed[as_printed])), name
    assert found["learning_rate"] == log_uniform(*printed["learning_rate"])
    assert "54" in SPACES["sounding_cnn"].notes["batch_size"]
    assert "64" in SPACES["sounding_cnn"].notes["batch_size"]


def test_the_loss_is_searched_for_the_regression_alone() -> None:
    on, load_ = (space_of(CNN, target) for target in ("on", "capacity_factor"))

    assert set(load_.parameters) - set(on.parameters) == {"loss.regression"}
    assert on.path("patch_px") == f"soundings.fit.tuned.{CNN}.on.patch_px"


@pytest.mark.parametrize(("learner", "model"), EVERY, ids=[model for _, model in EVERY])
def test_every_model_has_a_space_whose_every_name_is_a_setting(learner, model: str) -> None:
    settings = defaults().model_copy(update={"model": model})
    for target in learner.targets(model):
        space = space_of(model, target.name)
        known = learner.defaults(settings, target.name)

        assert space.parameters
        assert {space.path(name) for name in space.parameters} <= set(known)
        assert space.contains(defaults_of(learner, settings, target, space))
        assert not space.valid(defaults_of(learner, settings, target, space))
        assert set(space.notes) <= set(SPACES[family_of(model)].parameters), "a note of what is not searched"


def test_a_model_without_a_space_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match="nothing says what is searched for 'clean'"):
        space_of("clean", "mix")


@pytest.mark.parametrize("patch_px", [8, 16, 32, 48, 64])
@pytest.mark.parametrize("truncation", list(STRIDES))
def test_what_is_pruned_is_what_the_network_refuses(patch_px: int, truncation: str) -> None:
    reason = small_patch({"patch_px": patch_px, "truncation": truncation})

    if reason:
        with pytest.raises(PatchTooSmallError):
            SoundingCnnConfig(patch_px=patch_px, truncation=truncation)
        assert str(patch_px) in reason
        assert truncation in reason
    else:
        assert SoundingCnnConfig(patch_px=patch_px, truncation=truncation).patch_px == patch_px


def test_three_of_the_fifteen_pairs_are_pruned() -> None:
    space = space_of(CNN, "on").parameters
    pairs = [(p, t) for p in space["patch_px"].values for t in space["truncation"].values]

    refused = [pair for pair in pairs if small_patch(dict(zip(("patch_px", "truncation"), pair, strict=True)))]
    assert refused == [(8, "block3_pool"), (8, "block4_pool"), (16, "block4_pool")]


def test_a_space_is_narrowed_by_choices_and_by_ranges() -> None:
    told = {
        "epochs": [4, 6],
        "augment": {"magnitude": {"low": 0.5, "high": 2}},
        "learning_rate": {"low": 1e-4, "high": 1e-3},
    }
    found = space_of(CNN, "on", told).parameters

    assert found["epochs"] == Choice((4, 6))
    assert found["augment.magnitude"] == Uniform(0.5, 2.0)
    assert found["learning_rate"] == log_uniform(1e-4, 1e-3)
    assert found["heads"] == SPACES["sounding_cnn"].parameters["heads"]
    assert space_of(CNN, "on", {"epochs": {"low": 2, "high": 9}}).parameters["epochs"] == IntUniform(2, 9)
    assert isinstance(space_of(CNN, "on", told).distributions()["epochs"], CategoricalDistribution)


def test_what_only_the_other_target_searches_may_be_narrowed_for_both() -> None:
    told = {"loss": {"regression": ["huber"]}}

    assert "loss.regression" not in space_of(CNN, "on", told).parameters
    assert space_of(CNN, "capacity_factor", told).parameters["loss.regression"] == Choice(("huber",))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"epoch": [1]}, "nothing called 'epoch'"),
        ({"epochs": []}, "is no range"),
        ({"epochs": [4, 4]}, "is no range"),
        ({"epochs": [[4]]}, "is no range"),
        ({"learning_rate": {"low": 0.0, "high": 1.0}}, "is no range"),
        ({"learning_rate": {"low": 1e-2, "high": 1e-3}}, "is no range"),
        ({"learning_rate": {"low": 1e-3}}, "is no range"),
        ({"learning_rate": 1e-3}, "is no range"),
    ],
)
def test_what_does_not_narrow_is_refused(told: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        narrowed(SPACES["sounding_cnn"], told)
    assert refused.value.where.startswith("tune.space.")


@given(st.floats(-10.0, 10.0))
def test_the_nearest_value_is_inside_and_a_value_inside_is_its_own(value: float) -> None:
    for one in (Choice((1, 4, 9)), Uniform(-1.0, 3.0), IntUniform(-2, 5)):
        near = one.nearest(value)

        assert one.contains(near)
        assert one.nearest(near) == near
        assert abs(near - value) <= 1.0 or not one.contains(value)


def test_of_words_the_first_is_nearest() -> None:
    assert Choice(("a", "b")).nearest("b") == "b"
    assert Choice(("a", "b")).nearest("c") == "a"
    assert len(MODELS) + len(SOUNDING_MODELS) + len(CELL_MODELS) + len(CLEAN_MODELS) + 2 == len(EVERY)
