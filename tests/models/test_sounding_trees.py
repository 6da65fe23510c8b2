"""Trees: weights, early stopping, the same bytes from the same rows, and back from their bytes to the last bit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.models.sounding_trees import TreeRules, class_weights, fit_trees, trees_from_bytes

NAMES = tuple(f"image.4px.b{k}.mean.max" for k in range(8))
RULES = TreeRules(rounds=60, learning_rate=0.2, max_depth=3, features_share=0.8, stop_rounds=10)
TRAIN, VALIDATION, TEST = np.split(np.arange(600), [300, 450])


def rows(seed=0, gaps=0.1):
    """Features of which the first tells most; capacity factors that follow it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(600, len(NAMES))).astype(np.float32)
    factor = np.clip(0.5 + 0.3 * x[:, 0] + rng.normal(0.0, 0.1, 600), 0.0, 1.0)
    x[rng.random(x.shape) < gaps] = np.nan
    return x, factor


def grown(task="capacity_factor", rules=RULES, seed=0):
    x, factor = rows(seed)
    target = factor > 0.3 if task == "on" else factor
    return fit_trees(task, x, target, train=TRAIN, validation=VALIDATION, names=NAMES, rules=rules), x, target


@pytest.mark.parametrize("task", ["on", "capacity_factor"])
def test_trees_learn_and_their_answers_lie_between_0_and_1(task):
    trees, x, target = grown(task)
    said = trees.predict(x[TEST])
    assert np.corrcoef(said, target[TEST])[0, 1] > 0.6
    assert said.min() >= 0.0 and said.max() <= 1.0 and trees.task == task


@pytest.mark.parametrize("layout", ["ubj", "json"])
@pytest.mark.parametrize("task", ["on", "capacity_factor"])
def test_bytes_come_back_to_the_last_bit(task, layout):
    trees, x, _ = grown(task)
    content = trees.to_bytes(layout)
    back = trees_from_bytes(content, where="here")
    assert np.array_equal(back.predict(x), trees.predict(x))
    assert (back.task, back.features, back.rounds, back.importance()) == (
        task, NAMES, trees.rounds, trees.importance(),
    )  # fmt: skip
    assert back.to_bytes(layout) == content and content[:1] == b"{"


def test_the_same_rows_give_the_same_bytes_and_another_seed_others():
    assert grown("on")[0].to_bytes() == grown("on")[0].to_bytes()
    assert grown("on", dataclasses.replace(RULES, seed=1))[0].to_bytes() != grown("on")[0].to_bytes()


def test_a_row_is_scored_the_same_alone_and_in_a_batch():
    trees, x, _ = grown("on")
    alone = np.concatenate([trees.predict(x[k : k + 1]) for k in range(60)])
    assert np.array_equal(alone, trees.predict(x)[:60])
    assert trees.predict(x[:0]).shape == (0,)


def test_fitting_stops_where_validation_rows_gain_nothing():
    x, factor = rows()
    noise = np.random.default_rng(5).permutation(factor)
    fit = {"train": TRAIN, "validation": VALIDATION, "names": NAMES}
    stopped = fit_trees("capacity_factor", x, noise, rules=RULES, **fit)
    endless = fit_trees("capacity_factor", x, noise, rules=dataclasses.replace(RULES, stop_rounds=0), **fit)
    assert stopped.rounds < endless.rounds == RULES.rounds
    assert np.var(stopped.predict(x[TEST])) < np.var(endless.predict(x[TEST]))


def test_test_rows_and_their_targets_are_never_looked_at():
    trees, x, target = grown()
    x[TEST], target[TEST] = 7.0, np.nan
    again = fit_trees("capacity_factor", x, target, train=TRAIN, validation=VALIDATION, names=NAMES, rules=RULES)
    assert again.to_bytes() == trees.to_bytes()


@given(st.integers(1, 50), st.integers(1, 50))
def test_classes_weigh_the_same_and_all_weights_are_one_on_average(n_on, n_off):
    on = np.repeat([True, False], [n_on, n_off])
    weight = class_weights(on, np.arange(len(on)))
    assert weight[on].sum() == pytest.approx(weight[~on].sum()) and weight.mean() == pytest.approx(1.0)
    assert weight[0] == pytest.approx(len(on) / (2 * n_on))  # SCIENCE 4.5: N / (2 N_c)


def test_class_weights_move_the_scores_of_a_rare_class_to_the_middle():
    x = np.zeros((400, 1), np.float32)  # nothing to be learned but the prior
    on = np.arange(400) % 5 > 0
    trees = fit_trees("on", x, on, train=np.arange(300), validation=np.arange(300, 400), names=["nothing"])
    assert trees.predict(x[:1])[0] == pytest.approx(0.5, abs=1e-3)


def test_importance_is_a_share_of_all_features():
    importance = grown()[0].importance()
    assert list(importance) == list(NAMES) and sum(importance.values()) == pytest.approx(1.0)
    assert max(importance, key=importance.__getitem__) == NAMES[0]


def test_capacity_factors_above_one_are_clipped():
    x, factor = rows()
    fit = {"train": TRAIN, "validation": VALIDATION, "names": NAMES, "rules": RULES}
    above = np.where(factor >= 1.0, 1.07, factor)
    assert (above > 1.0).any()
    assert (
        fit_trees("capacity_factor", x, above, **fit).to_bytes()
        == fit_trees("capacity_factor", x, factor, **fit).to_bytes()
    )


def test_shared_rows_and_other_features_are_refused():
    x, factor = rows()
    with pytest.raises(ContractError, match="1 rows are both"):
        fit_trees("capacity_factor", x, factor, train=TRAIN, validation=np.arange(299, 310), names=NAMES)
    with pytest.raises(ContractError, match="features are"):
        fit_trees("capacity_factor", x[:, :5], factor, train=TRAIN, validation=VALIDATION, names=NAMES)
    with pytest.raises(ContractError, match="features are"):
        grown()[0].predict(x[:, :5])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda on: np.where(np.arange(600) == 3, np.nan, on), "1 without target"),
        (lambda on: np.where(np.arange(600) < 300, 1.0, on), "one class"),
    ],
)
def test_targets_that_teach_nothing_are_refused(spoil, message):
    x, factor = rows()
    with pytest.raises(DataError, match=message):
        fit_trees("on", x, spoil((factor > 0.3).astype(float)), train=TRAIN, validation=VALIDATION, names=NAMES)
    with pytest.raises(DataError, match="300 training and 0 validation"):
        fit_trees("on", x, factor > 0.3, train=TRAIN, validation=VALIDATION[:0], names=NAMES)


@pytest.mark.parametrize(
    "spoil", [lambda b: b"", lambda b: b"junk", lambda b: b"{}", lambda b: b[:-1], lambda b: b[:90]]
)
@pytest.mark.parametrize("layout", ["ubj", "json"])
def test_bytes_that_are_no_trees_are_bad_data(spoil, layout):
    with pytest.raises(DataError, match=r"no sounding trees .*bundles/x"):
        trees_from_bytes(spoil(grown()[0].to_bytes(layout)), where="bundles/x")


def test_trees_of_someone_else_are_refused():
    trees = grown()[0]
    trees.booster.set_attr(task="price")
    with pytest.raises(DataError, match="task 'price'"):
        trees_from_bytes(trees.to_bytes(), where="bundles/x")
