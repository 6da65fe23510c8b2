"""Generation models: 30-day mean capacity factor of a plant from the features of its soundings, by sparse regression.

Source: SCIENCE 4.6, plume paper section 3.6 and appendix C. Features are (row, feature), float64, NaN where missing;
a row is a plant and a day, the target is the mean hourly capacity factor of the 30 days that end with it. Everything
that is fitted is a few numbers by name, which travel as JSON and come back the same to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Lasso, Ridge

from carbonray.errors import ContractError, DataError
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.power.lookback import MISSING
from carbonray.science.power.sounding_series import Series
from carbonray.vocab.plants import FGD, NDT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Facts = dict[str, Any]  # a fitted model as JSON holds it


@dataclass(frozen=True)
class GenerationRules:
    """How generation models are fitted.

    Attributes:
        ndt_l1: weight of the L1 penalty for towers (plume paper, section 3.6); scaled as scikit-learn does (inferred).
        fgd_l1: for stacks (ibid.).
        first_year: of training (ibid.).
        last_year: of training (ibid.).
        max_passes: of coordinate descent (inferred).
        tolerance: of its dual gap (inferred).
        ridge: weight of the squared penalty of the ridge peer, a row (inferred).
        trees: of the boosted peer (inferred: fewer and shallower ones than on patches, a plant's days are alike).
        kernel_days: bandwidths the kernel smoother chooses from (inferred).
        memory_days: memories the Kalman filter chooses from (inferred).
        priors: weights of knowing nothing, and ratios of noise to signal, that both choose from (inferred).
    """

    ndt_l1: float = 0.005
    fgd_l1: float = 0.01
    first_year: int = 2018
    last_year: int = 2022
    max_passes: int = 20_000
    tolerance: float = 1e-5
    ridge: float = 0.1
    trees: TreeRules = field(default_factory=lambda: TreeRules(rounds=200, max_depth=3, stop_rounds=0))
    kernel_days: tuple[float, ...] = (10.0, 20.0, 40.0)
    memory_days: tuple[float, ...] = (15.0, 60.0, 240.0)
    priors: tuple[float, ...] = (0.3, 1.0, 3.0)

    def l1(self, structure_kind: str) -> float:
        """Weight of a structure kind; raises KeyError for another one."""
        return {NDT: self.ndt_l1, FGD: self.fgd_l1}[structure_kind]


@dataclass(frozen=True)
class PlantDays:
    """What a generation model may read.

    Attributes:
        plant: (row,) int64 number of the plant.
        day: (row,) int64 days since 1970-01-01.
        features: (row, feature) of `science.power.lookback`, NaN where missing.
        series: one capacity factor an image, of the rows' plants.
    """

    plant: Ints
    day: Ints
    features: Floats
    series: Series


class GenerationModel(Protocol):
    """Anything that tells a 30-day mean capacity factor: models and peers stand in one table."""

    def predict(self, rows: PlantDays) -> Floats:
        """(row,) capacity factors in 0..1, never NaN."""
        ...

    def facts(self) -> Facts:
        """All that was fitted, as JSON holds it."""
        ...


@dataclass(frozen=True)
class FeatureScaling:
    """Imputes, flags and standardises features with the numbers of the training fold.

    Attributes:
        names: of the features, then of the flags where there are any.
        impute: (feature,) means over all training rows in which the feature is known, over all plants of the fold (the
            paper's words leave open whether plants or rows weigh the same: rows, inferred, so that an imputed value
            is 0 after scaling); 0 for a feature that no training row knows, which then has no effect.
        mean: (column,) of the imputed training rows and their flags.
        sd: (column,) of them; 1 for a column that does not vary.
        indicators: whether flags of imputed features follow (FGD only).
    """

    names: tuple[str, ...]
    impute: Floats
    mean: Floats
    sd: Floats
    indicators: bool

    def apply(self, features: Floats) -> Floats:
        """(row, feature) -> (row, column), standardised; an imputed value is 0, a flag is 1 before scaling.

        Raises:
            ContractError: there are more or fewer features than were fitted.
        """
        if features.ndim != 2 or features.shape[1] != len(self.impute):
            raise ContractError(
                f"features of shape {features.shape}",
                where="generation model",
                expected=f"(row, {len(self.impute)})",
                remedy="Derive the features from the same sounding models and windows as the bundle's.",
            )
        return (_imputed(features, self.impute, indicators=self.indicators) - self.mean) / self.sd


@dataclass(frozen=True)
class LinearGeneration:
    """A linear model over standardised features, clipped to 0..1 (the clipping is inferred).

    Attributes:
        scaling: of the training fold.
        coefficients: (column,).
        intercept: capacity factor of a plant with average features.
        penalty: the word for how it was fitted.
    """

    scaling: FeatureScaling
    coefficients: Floats
    intercept: float
    penalty: str

    def predict(self, rows: PlantDays) -> Floats:
        """(row,) capacity factors; a row's answer does not depend on the rows beside it, to the last bit."""
        used = np.flatnonzero(self.coefficients)
        terms = self.scaling.apply(rows.features)[:, used] * self.coefficients[used]
        # a sum along each row: a matrix product adds in an order that depends on the number of rows
        answer: Floats = np.clip(self.intercept + np.ascontiguousarray(terms).sum(axis=1), 0.0, 1.0)
        return answer

    def facts(self) -> Facts:
        """Names, imputation, scaling and coefficients."""
        of = self.scaling
        return {
            "names": list(of.names),
            "indicators": of.indicators,
            **{name: getattr(of, name).tolist() for name in ("impute", "mean", "sd")},
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
            "penalty": self.penalty,
        }


def opened_linear(facts: Mapping[str, Any]) -> LinearGeneration:
    """The model whose `facts` these are."""
    arrays = {name: np.array(facts[name], np.float64) for name in ("impute", "mean", "sd")}
    scaling = FeatureScaling(tuple(facts["names"]), **arrays, indicators=bool(facts["indicators"]))
    coefficients = np.array(facts["coefficients"], np.float64)
    return LinearGeneration(scaling, coefficients, float(facts["intercept"]), str(facts["penalty"]))


def fit_scaling(features: Floats, names: Sequence[str], *, indicators: bool) -> FeatureScaling:
    """Numbers of the training rows.

    Args:
        features: (row, feature) of the training fold's plants only, NaN where missing.
        names: of the features.
        indicators: whether flags of imputed features follow.
    """
    known = np.isfinite(features)
    count = known.sum(axis=0)
    total = np.where(known, features, 0.0).sum(axis=0)
    impute = np.divide(total, count, out=np.zeros(len(count)), where=count > 0)
    filled = _imputed(features, impute, indicators=indicators)
    sd = filled.std(axis=0)
    # a constant column differs from its own mean by rounding alone
    steady = sd <= 1e-12 * np.maximum(1.0, np.abs(filled).max(axis=0, initial=0.0))
    flags = tuple(f"{name}/{MISSING}" for name in names) if indicators else ()
    return FeatureScaling((*names, *flags), impute, filled.mean(axis=0), np.where(steady, 1.0, sd), indicators)


def fit_lasso(
    rows: PlantDays, target: Floats, names: Sequence[str], structure_kind: str, rules: GenerationRules
) -> LinearGeneration:
    """The paper's model: least squares with an L1 penalty, indicators for stacks.

    Raises:
        DataError: there are no rows, or a target is unknown.
    """
    check_target(target)
    penalty = rules.l1(structure_kind)
    scaling = fit_scaling(rows.features, names, indicators=structure_kind == FGD)
    model = Lasso(alpha=penalty, max_iter=rules.max_passes, tol=rules.tolerance)
    model.fit(scaling.apply(rows.features), target)
    return LinearGeneration(scaling, np.asarray(model.coef_, np.float64), float(model.intercept_), f"L1 {penalty:g}")


def fit_ridge(
    rows: PlantDays, target: Floats, names: Sequence[str], structure_kind: str, rules: GenerationRules
) -> LinearGeneration:
    """The same features with a squared penalty.

    Raises:
        DataError: there are no rows, or a target is unknown.
    """
    check_target(target)
    scaling = fit_scaling(rows.features, names, indicators=structure_kind == FGD)
    model = Ridge(alpha=rules.ridge * len(target), solver="cholesky")
    model.fit(scaling.apply(rows.features), target)
    return LinearGeneration(scaling, np.asarray(model.coef_, np.float64), float(model.intercept_), "L2")


def check_target(target: Floats) -> None:
    """Raises DataError unless there are targets and all are known."""
    if not len(target) or not np.isfinite(target).all():
        raise DataError(
            f"{int(np.isfinite(target).sum())} of {len(target)} targets are known",
            where="fitting a generation model",
            expected="rows, each with its 30-day mean capacity factor",
            remedy="Train on the days that reported generation covers.",
        )


def _imputed(features: Floats, impute: Floats, *, indicators: bool) -> Floats:
    missing = ~np.isfinite(features)
    filled = np.where(missing, impute, features)
    return np.concatenate([filled, missing], axis=1) if indicators else filled
