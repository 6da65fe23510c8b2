"""Peers of the networks of cells, all by name: the mean, place alone, LASSO and trees on points, and night light.

Source: SCIENCE 1.5; their forms are inferred. Night light stands beside them for ODIAC is made from it (pitfall 4). All
is learned from the labels of training cells; how much is chosen by those of validation cells. Features of any cell may
be read, as networks read them. The oracle is no peer: it is given with the truth.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.linear_model import lasso_path

from carbonray.models.baselines import SplitRows
from carbonray.models.cell_place_peers import Kriging, Nearest
from carbonray.models.cell_rows import (
    CellPeer,
    CellRows,
    best_on_validation,
    checked_split,
    poi_feature_names,
    poi_features,
)
from carbonray.models.generation import FeatureScaling, fit_scaling
from carbonray.models.sounding_trees import TreeRules, parameters

Floats = NDArray[np.float64]

TRAIN_MEAN = "train_mean"
MOST_PASSES = 10_000  # of LASSO over its features: counts of neighbouring categories go together

# form -> what the line is drawn along; light that a form does not know is NaN
LIGHTS: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "ln": lambda radiance: np.log(np.where(radiance > 0.0, radiance, np.nan)),
        "asinh": np.arcsinh,
    }
)


@dataclass(frozen=True)
class CellPeerRules:
    """What the peers may choose from; all inferred.

    Attributes:
        neighbors: numbers of nearest labels that are tried.
        length_km: lengths of kriging's correlation that are tried.
        nugget: shares of the variance that neighbours do not share that are tried.
        most_cells: training cells that have a say in an answer of kriging, the nearest; beyond them none has.
        penalties: penalties of LASSO that are tried, evenly in the logarithm.
        least_penalty: the smallest over the one at which no feature is left.
        trees: how XGBoost's are grown.
    """

    neighbors: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    length_km: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    nugget: tuple[float, ...] = (0.05, 0.2, 0.5, 0.8)
    most_cells: int = 64
    penalties: int = 40
    least_penalty: float = 1e-3
    trees: TreeRules = field(default_factory=lambda: TreeRules(max_depth=4, features_share=0.8))


@dataclass(frozen=True)
class MeanAnswer:
    """The same for every cell."""

    ln_e: float

    def predict(self, rows: CellRows) -> Floats:
        """(row,) ln of tonnes."""
        return np.full(len(rows.cell), self.ln_e)


@dataclass(frozen=True)
class TrainMean:
    """The mean of the training labels: what is trivial."""

    def fit(self, rows: CellRows, split: SplitRows) -> MeanAnswer:
        """Takes the mean; see `CellPeer.fit`."""
        return MeanAnswer(float(rows.ln_e[checked_split(rows, split).train].mean()))


@dataclass(frozen=True)
class LineAnswer:
    """A line along the night light.

    Attributes:
        form: key of `LIGHTS`.
        slope, offset: of ln of tonnes.
        unknown: the answer where there is no light to go by.
    """

    form: Literal["ln", "asinh"]
    slope: float
    offset: float
    unknown: float

    def predict(self, rows: CellRows) -> Floats:
        """(row,) ln of tonnes."""
        light = LIGHTS[self.form](rows.radiance)
        return np.where(np.isfinite(light), self.offset + self.slope * light, self.unknown)


@dataclass(frozen=True)
class NightLights:
    """Least squares on the night light; the training mean where there is none.

    Attributes:
        form: key of `LIGHTS`; `ln` knows no light of zero and below.
    """

    form: Literal["ln", "asinh"]

    def fit(self, rows: CellRows, split: SplitRows) -> LineAnswer:
        """Draws the line, flat where light does not vary; see `CellPeer.fit`."""
        train = checked_split(rows, split).train
        light, ln_e = LIGHTS[self.form](rows.radiance[train]), rows.ln_e[train]
        known, mean = np.isfinite(light), float(ln_e.mean())
        if len(np.unique(light[known])) < 2:
            return LineAnswer(self.form, 0.0, mean, mean)
        slope, offset = np.polyfit(light[known], ln_e[known], 1)
        return LineAnswer(self.form, float(slope), float(offset), mean)


@dataclass(frozen=True)
class LinearAnswer:
    """A sum of scaled features.

    Attributes:
        scaling: of the training cells; what is unknown is taken for their mean.
        coefficients: (feature,).
        intercept: mean of the training labels.
        penalty: that was chosen.
    """

    scaling: FeatureScaling
    coefficients: Floats
    intercept: float
    penalty: float

    def predict(self, rows: CellRows) -> Floats:
        """(row,) ln of tonnes."""
        return self.of_features(poi_features(rows))

    def of_features(self, features: Floats) -> Floats:
        """(row,) ln of tonnes from `poi_features`; a row's answer depends on no other, to the last bit."""
        terms = self.scaling.apply(features) * self.coefficients
        return np.asarray(self.intercept + np.ascontiguousarray(terms).sum(axis=1), np.float64)


@dataclass(frozen=True)
class Lasso:
    """Least squares with an L1 penalty on counts of points, with the penalty that serves the validation cells best.

    Attributes:
        penalties: tried, evenly in the logarithm, from the one at which no feature is left.
        least: the smallest over the largest.
    """

    penalties: int
    least: float

    def fit(self, rows: CellRows, split: SplitRows) -> LinearAnswer:
        """Follows the path of penalties; see `CellPeer.fit`."""
        ordered, features = checked_split(rows, split), poi_features(rows)
        train, judged = ordered.train, ordered.validation
        scaling = fit_scaling(features[train], poi_feature_names(rows.counts.shape[1]), indicators=False)
        scaled, mean = scaling.apply(features[train]), float(rows.ln_e[train].mean())
        around = rows.ln_e[train] - mean
        largest = float(np.abs(scaled.T @ around).max(initial=0.0)) / len(train)
        tried = max(largest, 1e-12) * np.geomspace(1.0, self.least, self.penalties)
        paths = np.asarray(lasso_path(scaled, around, alphas=tried, max_iter=MOST_PASSES)[1], np.float64)
        models = [LinearAnswer(scaling, path, mean, float(at)) for path, at in zip(paths.T, tried, strict=True)]
        answers = [model.of_features(features[judged]) for model in models]
        return models[best_on_validation(answers, rows.ln_e[judged])]


@dataclass(frozen=True)
class TreesAnswer:
    """Grown trees, cut after the round that served the validation cells best."""

    booster: xgboost.Booster

    def predict(self, rows: CellRows) -> Floats:
        """(row,) ln of tonnes; a count that is unknown goes down a branch that was learned."""
        if not len(rows.cell):
            return np.zeros(0)
        return np.asarray(self.booster.inplace_predict(poi_features(rows).astype(np.float32)), np.float64)


@dataclass(frozen=True)
class Boosted:
    """XGBoost on counts of points; one thread and a seed: the same cells give the same bytes.

    Attributes:
        rules: how trees are grown, and when they have grown enough.
    """

    rules: TreeRules

    def fit(self, rows: CellRows, split: SplitRows) -> TreesAnswer:
        """Grows them; see `CellPeer.fit`."""
        ordered, features = checked_split(rows, split), poi_features(rows).astype(np.float32)
        told: dict[str, Any] = {
            "feature_names": list(poi_feature_names(rows.counts.shape[1])),
            "max_bin": self.rules.bins,
            "nthread": 1,
        }
        grown_on = xgboost.QuantileDMatrix(features[ordered.train], rows.ln_e[ordered.train], **told)
        judged = xgboost.QuantileDMatrix(
            features[ordered.validation], rows.ln_e[ordered.validation], ref=grown_on, **told
        )
        stop = self.rules.stop_rounds or self.rules.rounds
        booster = xgboost.train(
            parameters("capacity_factor", self.rules),  # squared error: of any number, not of capacity factors alone
            grown_on,
            num_boost_round=self.rules.rounds,
            evals=[(judged, "validation")],
            callbacks=[xgboost.callback.EarlyStopping(rounds=stop, save_best=True)],
            verbose_eval=False,
        )
        return TreesAnswer(booster)


# name in the tables -> the peer, given what it may choose from; a new peer is one entry
CELL_PEERS: Mapping[str, Callable[[CellPeerRules], CellPeer]] = MappingProxyType(
    {
        TRAIN_MEAN: lambda _: TrainMean(),
        "nearest": lambda rules: Nearest(rules.neighbors),
        "kriging": lambda rules: Kriging(rules.length_km, rules.nugget, rules.most_cells),
        "lasso": lambda rules: Lasso(rules.penalties, rules.least_penalty),
        "xgboost": lambda rules: Boosted(rules.trees),
        "lights_ln": lambda _: NightLights("ln"),
        "lights_asinh": lambda _: NightLights("asinh"),
    }
)
