"""Boosted trees over patch statistics: is the plant on, and at what capacity factor.

Source: SCIENCE 4.5, plume paper section 3.5 (XGBoost; its hyperparameters are not published, all here are inferred).
Features are (row, feature), float32, NaN where missing, which XGBoost sends down a branch it learns. One thread and a
seed: the same rows give the same bytes. Saved trees are XGBoost's own UBJSON or JSON, which hold data only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xgboost
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import ContractError, DataError

Floats = NDArray[np.float64]
Task = Literal["on", "capacity_factor"]

# task -> XGBoost's objective, and what is watched on the validation rows
OBJECTIVES: dict[Task, tuple[str, str]] = {
    "on": ("binary:logistic", "logloss"),
    "capacity_factor": ("reg:squarederror", "rmse"),
}


@dataclass(frozen=True)
class TreeRules:
    """How trees are grown; all numbers are inferred.

    Attributes:
        rounds: most trees.
        learning_rate: what a tree's leaves are multiplied with.
        max_depth: of a tree.
        min_child_weight: least sum of weights, of the loss's curvature, in a leaf.
        rows_share: rows drawn for a tree.
        features_share: features drawn for a tree.
        l1, l2: penalties on leaves.
        min_split_gain: least gain of a split.
        bins: of a feature's histogram.
        stop_rounds: rounds without a better score on the validation rows that end the fit, 0 for never.
        seed: of the draws.
    """

    rounds: int = 600
    learning_rate: float = 0.05
    max_depth: int = 5
    min_child_weight: float = 4.0
    rows_share: float = 0.8
    features_share: float = 0.3
    l1: float = 0.0
    l2: float = 1.0
    min_split_gain: float = 0.0
    bins: int = 128
    stop_rounds: int = 40
    seed: int = 0


@dataclass(frozen=True)
class SoundingTrees:
    """Grown trees of one task.

    Attributes:
        task: what they tell.
        features: names of what they read, in order.
        booster: XGBoost's, cut after the best round.
    """

    task: Task
    features: tuple[str, ...]
    booster: xgboost.Booster

    @property
    def rounds(self) -> int:
        """Trees kept."""
        return int(self.booster.num_boosted_rounds())

    def predict(self, features: ArrayLike) -> Floats:
        """(row,) probability that the plant is on, or capacity factor clipped to 0..1.

        Args:
            features: (row, feature) in the order of `self.features`.

        Raises:
            ContractError: there are more or fewer features.
        """
        table = _checked(features, self.features)
        if not len(table):
            return np.zeros(0)
        raw = np.asarray(self.booster.inplace_predict(table), np.float64)
        return np.clip(raw, 0.0, 1.0)

    def importance(self) -> dict[str, float]:
        """Feature -> its share of the gain of all splits, in order of `self.features`; 0 where it splits nothing."""
        gain = self.booster.get_score(importance_type="total_gain")
        total = sum(_number(value) for value in gain.values())
        return {name: _number(gain.get(name, 0.0)) / total if total else 0.0 for name in self.features}

    def to_bytes(self, layout: Literal["ubj", "json"] = "ubj") -> bytes:
        """The trees as UBJSON or JSON; both come back the same to the last bit."""
        return bytes(self.booster.save_raw(raw_format=layout))


def fit_trees(
    task: Task,
    features: ArrayLike,
    target: ArrayLike,
    *,
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    names: Sequence[str],
    rules: TreeRules | None = None,
) -> SoundingTrees:
    """Trees grown on some rows, as many as serve others best.

    Args:
        task: `on`, whose rows weigh N / (2 N_c) by class, or `capacity_factor`.
        features: (row, feature), NaN where missing.
        target: (row,) on as booleans, or capacity factors, clipped to 0..1.
        train: rows to grow on.
        validation: rows to stop on; none of the training rows.
        names: of the features.
        rules: hyperparameters.

    Raises:
        ContractError: features and names do not agree, or rows are shared.
        DataError: there are no rows, a target is unknown, or only one class is there.
    """
    rules, table = rules or TreeRules(), _checked(features, tuple(names))
    wanted = np.clip(np.asarray(target, np.float64), 0.0, 1.0)
    check_rows(task, wanted, train, validation, stops=rules.stop_rounds > 0)
    weight = class_weights(wanted > 0.5, train) if task == "on" else np.ones(len(wanted))
    told: dict[str, Any] = {"feature_names": list(names), "max_bin": rules.bins, "nthread": 1}
    grown_on = xgboost.QuantileDMatrix(table[train], wanted[train], weight=weight[train], **told)
    watched, callbacks = [], []
    if rules.stop_rounds:
        judged = xgboost.QuantileDMatrix(
            table[validation], wanted[validation], weight=weight[validation], ref=grown_on, **told
        )
        watched = [(judged, "validation")]
        callbacks = [xgboost.callback.EarlyStopping(rounds=rules.stop_rounds, save_best=True)]
    booster = xgboost.train(
        parameters(task, rules),
        grown_on,
        num_boost_round=rules.rounds,
        evals=watched,
        callbacks=callbacks,
        verbose_eval=False,
    )
    booster.set_attr(task=task)
    return trees_from_bytes(bytes(booster.save_raw(raw_format="ubj")), where="fit_trees")


def trees_from_bytes(content: bytes, *, where: str) -> SoundingTrees:
    """Trees that `to_bytes` wrote, in either layout.

    Args:
        content: UBJSON or JSON.
        where: URL or key they came from, for the error.

    Raises:
        DataError: they are no such trees.
    """
    if not content.startswith(b"{"):  # of no bytes at all XGBoost ends the process
        raise _no_trees(where, f"{len(content)} bytes")
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(content))
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise _no_trees(where, str(error).splitlines()[0].rsplit(": ", 1)[-1]) from error
    task, names = booster.attr("task"), booster.feature_names
    if task not in OBJECTIVES or not names:
        raise _no_trees(where, f"task {task!r}, {len(names or ())} named features")
    return SoundingTrees("on" if task == "on" else "capacity_factor", tuple(names), booster)


def class_weights(on: NDArray[np.bool_], train: NDArray[np.int64]) -> Floats:
    """(row,) N / (2 N_c) with the counts of the training rows, so that both classes weigh the same there."""
    return balanced(on, float(np.mean(on[train])))


def balanced(on: NDArray[np.bool_], share: float) -> Floats:
    """(row,) weights of rows among which, or among all of which with others, a share is on."""
    return np.where(on, 0.5 / share, 0.5 / (1.0 - share))


def parameters(task: Task, rules: TreeRules) -> dict[str, Any]:
    """What XGBoost is told; one thread."""
    objective, metric = OBJECTIVES[task]
    return {
        "objective": objective,
        "eval_metric": metric,
        "tree_method": "hist",
        "device": "cpu",
        "eta": rules.learning_rate,
        "max_depth": rules.max_depth,
        "min_child_weight": rules.min_child_weight,
        "subsample": rules.rows_share,
        "colsample_bytree": rules.features_share,
        "alpha": rules.l1,
        "lambda": rules.l2,
        "gamma": rules.min_split_gain,
        "max_bin": rules.bins,
        "seed": rules.seed,
        "nthread": 1,
    }


def _checked(features: ArrayLike, names: tuple[str, ...]) -> NDArray[np.float32]:
    table = np.asarray(features, np.float32)
    if table.ndim != 2 or table.shape[1] != len(names):
        raise ContractError(
            f"features are {table.shape}",
            where="sounding_trees",
            expected=f"(row, {len(names)})",
            remedy="Make them with the imager that the trees were grown for.",
        )
    return table


def check_rows(
    task: Task, target: Floats, train: NDArray[np.int64], validation: NDArray[np.int64], *, stops: bool
) -> None:
    """Checks that trees can be grown.

    Args:
        task: what they tell.
        target: (row,) labels.
        train: rows to grow on.
        validation: rows to stop on.
        stops: whether there must be such rows.

    Raises:
        ContractError: rows are shared.
        DataError: there are no rows, a target is unknown, or only one class is there.
    """
    if np.intersect1d(train, validation).size:
        raise ContractError(
            f"{np.intersect1d(train, validation).size} rows are both trained and stopped on",
            where="fit_trees",
            expected="rows of different folds",
            remedy="Split the rows by fold.",
        )
    used = target[np.concatenate([train, validation])]
    classes = 2 if task == "on" else 0
    if not len(train) or (stops and not len(validation)) or np.isnan(used).any():
        what = f"{len(train)} training and {len(validation)} validation rows, {np.isnan(used).sum()} without target"
    elif len(np.unique(target[train] > 0.5)) < classes:
        what = "all training rows are of one class"
    else:
        return
    raise DataError(
        what,
        where=f"fit_trees, {task}",
        expected="rows with known targets, both on and off among those trained on",
        remedy="Leave out rows without a label, or add plants.",
    )


def _number(score: float | list[float]) -> float:
    return float(np.sum(score))


def _no_trees(where: str, what: str) -> DataError:
    return DataError(
        f"the bytes hold no sounding trees ({what})",
        where=where,
        expected="UBJSON or JSON of SoundingTrees.to_bytes",
        remedy="Restore the bundle from its source, or train it again.",
    )
