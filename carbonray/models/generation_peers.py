"""Peers of the generation models, and all of them by name: every one answers the same rows, so one table holds them.

Source: SCIENCE 4.10 (train mean; last sounding; mean of the window; ridge and boosted trees on the same features;
Gaussian-kernel smoother; Kalman filter). Oracle soundings are not another model but other soundings: see
`stages.generation_folds`. The forms of the smoothers are inferred; a new peer is one entry below.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from carbonray.models.generation import (
    Facts,
    Floats,
    GenerationModel,
    GenerationRules,
    PlantDays,
    check_target,
    fit_lasso,
    fit_ridge,
    opened_linear,
)
from carbonray.models.sounding_trees import SoundingTrees, fit_trees, trees_from_bytes
from carbonray.science.power.sounding_series import (
    DailyGrid,
    daily_grid,
    kalman_anomaly,
    kernel_anomaly,
    last_estimate,
    window_mean,
)

PRODUCTION, TRAIN_MEAN = "lasso", "train mean"

Fit = Callable[[PlantDays, Floats, Sequence[str], str, GenerationRules], GenerationModel]


@dataclass(frozen=True)
class SeriesGeneration:
    """A peer that reads the soundings themselves.

    Attributes:
        form: key of `FORMS`.
        target_mean: capacity factor of the training rows, the answer where there is nothing to go by.
        sounding_mean: of the training soundings; smoothers correct what soundings say too much or too little.
        first: bandwidth or memory, days; 0 where the form has none.
        second: weight of knowing nothing, or ratio of noise to signal; 0 where the form has none.
    """

    form: str
    target_mean: float
    sounding_mean: float
    first: float = 0.0
    second: float = 0.0

    def predict(self, rows: PlantDays) -> Floats:
        """(row,) capacity factors."""
        if not len(rows.day):
            return np.zeros(0)
        grid = daily_grid(rows.series, int(rows.day.max()))
        found = grid.at(FORMS[self.form](grid, self), rows.plant, rows.day, np.nan)
        return np.clip(np.where(np.isfinite(found), found, self.target_mean), 0.0, 1.0)

    def facts(self) -> Facts:
        """The few numbers."""
        return asdict(self)


@dataclass(frozen=True)
class TreeGeneration:
    """Boosted trees on the features as they are: XGBoost learns where a missing one goes."""

    trees: SoundingTrees

    def predict(self, rows: PlantDays) -> Floats:
        """(row,) capacity factors."""
        return self.trees.predict(rows.features)

    def facts(self) -> Facts:
        """XGBoost's own JSON, as text."""
        return {"trees": self.trees.to_bytes("json").decode()}


# (grid, model) -> (plant, day) capacity factors, NaN where there is nothing to go by
FORMS: Mapping[str, Callable[[DailyGrid, SeriesGeneration], Floats]] = {
    TRAIN_MEAN: lambda grid, model: np.full(grid.count.shape, model.target_mean),
    "last sounding": lambda grid, _: last_estimate(grid),
    "mean of 30 days": lambda grid, _: window_mean(grid),
    "Gaussian kernel": lambda grid, model: (
        model.target_mean + kernel_anomaly(grid, model.sounding_mean, model.first, model.second)
    ),
    "Kalman filter": lambda grid, model: (
        model.target_mean + kalman_anomaly(grid, model.sounding_mean, model.first, model.second)
    ),
}


def fit_series(form: str) -> Fit:
    """How a form of `FORMS` is fitted: its means, and the pair of numbers with the least RMSE on the training rows."""

    def fit(
        rows: PlantDays, target: Floats, _names: Sequence[str], _kind: str, rules: GenerationRules
    ) -> SeriesGeneration:
        check_target(target)
        told = rows.series.value
        means = float(target.mean()), float(told.mean()) if len(told) else float(target.mean())
        spans = {"Gaussian kernel": rules.kernel_days, "Kalman filter": rules.memory_days}.get(form)
        if spans is None:
            return SeriesGeneration(form, *means)
        tried = [SeriesGeneration(form, *means, *pair) for pair in product(spans, rules.priors)]
        errors = [float(np.mean((model.predict(rows) - target) ** 2)) for model in tried]
        return tried[int(np.argmin(errors))]

    return fit


def fit_tree_generation(
    rows: PlantDays, target: Floats, names: Sequence[str], _kind: str, rules: GenerationRules
) -> TreeGeneration:
    """Boosted trees on the same features.

    Raises:
        DataError: there are no rows, or a target is unknown.
    """
    check_target(target)
    every, none = np.arange(len(target)), np.zeros(0, np.int64)
    told: dict[str, Any] = {"train": every, "validation": none, "names": names, "rules": rules.trees}
    return TreeGeneration(fit_trees("capacity_factor", rows.features, target, **told))


@dataclass(frozen=True)
class GenerationEntry:
    """One line of the registry.

    Attributes:
        fit: (rows, target, feature names, structure kind, rules) -> model.
        opened: facts -> the same model.
        role: `model`, `trivial` or `peer`.
    """

    fit: Fit
    opened: Callable[[Mapping[str, Any]], GenerationModel]
    role: str


def opened_series(facts: Mapping[str, Any]) -> SeriesGeneration:
    """The model whose `facts` these are."""
    return SeriesGeneration(**facts)


def opened_trees(facts: Mapping[str, Any]) -> TreeGeneration:
    """The model whose `facts` these are; raises DataError where they are none."""
    return TreeGeneration(trees_from_bytes(str(facts["trees"]).encode(), where="generation model"))


GENERATION_MODELS: dict[str, GenerationEntry] = {
    PRODUCTION: GenerationEntry(fit_lasso, opened_linear, "model"),
    TRAIN_MEAN: GenerationEntry(fit_series(TRAIN_MEAN), opened_series, "trivial"),
    "last sounding": GenerationEntry(fit_series("last sounding"), opened_series, "peer"),
    "mean of 30 days": GenerationEntry(fit_series("mean of 30 days"), opened_series, "peer"),
    "ridge": GenerationEntry(fit_ridge, opened_linear, "peer"),
    "boosted trees": GenerationEntry(fit_tree_generation, opened_trees, "peer"),
    "Gaussian kernel": GenerationEntry(fit_series("Gaussian kernel"), opened_series, "peer"),
    "Kalman filter": GenerationEntry(fit_series("Kalman filter"), opened_series, "peer"),
}
