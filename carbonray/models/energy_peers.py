"""Peers of CLEAN, all by name: a line through log-ratios, neighbours, trees, emission factors and a region's mean.

Source: SCIENCE 2.5: LR, KNN, DT and XGB of the published table, and two that must stand beside them. Their forms are
inferred. All answer ln of a total; they learn from training rows, and how much is chosen by the MAPE of validation
rows. Of the rows that a peer answers it reads the side that is told, never the total that is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from carbonray.models.baselines import SplitRows
from carbonray.models.energy_factors import source_factors
from carbonray.models.energy_readings import EnergyPeer, Reading, checked_roles, ln_known, refused
from carbonray.models.sounding_trees import TreeRules, parameters
from carbonray.science.energy.factors import (
    FactorModel,
    RegionMeans,
    factor_emissions,
    factor_energy,
    factor_model,
    region_means,
)
from carbonray.science.energy.mix import MixRows
from carbonray.science.stats.metrics import mape
from carbonray.vocab.energy import SECTORS

Floats = NDArray[np.float64]
Answers = Callable[[Floats], Floats]  # (row, feature) -> (row,) ln of the total


@dataclass(frozen=True)
class EnergyPeerRules:
    """What the peers may choose from; all inferred.

    Attributes:
        floors: shares below which a share is taken for that in log-ratios, that are tried.
        neighbors: numbers of nearest rows that are tried.
        depths: of a single tree that are tried.
        least_leaf: fewest rows of a leaf of a single tree.
        trees: how XGBoost's are grown.
        factors_t_per_mwh: of the sources.
        seed: of a single tree, for splits that are as good.
    """

    floors: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    neighbors: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    depths: tuple[int, ...] = (2, 3, 4, 6, 8, 12, 16)
    least_leaf: int = 1
    trees: TreeRules = field(default_factory=lambda: TreeRules(features_share=1.0))
    factors_t_per_mwh: tuple[float, ...] = field(default_factory=source_factors)
    seed: int = 0


@dataclass(frozen=True)
class FeatureAnswer:
    """Answers to features.

    Attributes:
        reading: what they are made from.
        answers: to complete ones.
        ratio_floor: of log-ratios, 0 for shares as they are.
    """

    reading: Reading
    answers: Answers
    ratio_floor: float = 0.0

    def predict(self, rows: MixRows) -> Floats:
        """See `FittedEnergyPeer`."""
        features, answer = self.reading.features(rows, self.ratio_floor), np.full(len(rows), np.nan)
        known = np.isfinite(features).all(axis=1)
        if known.any():
            answer[known] = self.answers(features[known])
        return answer


@dataclass(frozen=True)
class Tried:
    """One fit a number of those that are tried, the one with the least MAPE on the validation rows kept.

    Attributes:
        tried: numbers, such as those of neighbours.
        grown: (number, (row, feature), (row,) ln of totals) -> answers.
        floors: whether the numbers are floors of log-ratios.
    """

    tried: Sequence[float]
    grown: Callable[[float, Floats, Floats], Answers]
    floors: bool = False

    def fit(self, rows: MixRows, split: SplitRows, reading: Reading) -> FeatureAnswer:
        """Tries them; see `EnergyPeer.fit`."""
        train, judged = checked_roles(rows, split, reading)
        asked, models = reading.asked(train), []
        for number in self.tried:
            floor = number if self.floors else 0.0
            models.append(FeatureAnswer(reading, self.grown(number, reading.features(train, floor), asked), floor))
        truth = np.exp(reading.asked(judged))
        return models[int(np.argmin([mape(truth, np.exp(model.predict(judged))) for model in models]))]


@dataclass(frozen=True)
class Boosted:
    """XGBoost, cut after the round that served the validation rows best; one thread and a seed.

    Attributes:
        rules: how trees are grown.
    """

    rules: TreeRules

    def fit(self, rows: MixRows, split: SplitRows, reading: Reading) -> FeatureAnswer:
        """Grows them; see `EnergyPeer.fit`."""
        train, judged = checked_roles(rows, split, reading)
        told: dict[str, Any] = {"max_bin": self.rules.bins, "nthread": 1}
        grown_on = xgboost.QuantileDMatrix(_single(reading.features(train)), reading.asked(train), **told)
        watched = xgboost.QuantileDMatrix(
            _single(reading.features(judged)), reading.asked(judged), ref=grown_on, **told
        )
        stop = self.rules.stop_rounds or self.rules.rounds
        booster = xgboost.train(
            parameters("capacity_factor", self.rules),  # squared error: of any number, not of capacity factors alone
            grown_on,
            num_boost_round=self.rules.rounds,
            evals=[(watched, "validation")],
            callbacks=[xgboost.callback.EarlyStopping(rounds=stop, save_best=True)],
            verbose_eval=False,
        )
        return FeatureAnswer(reading, lambda x: np.asarray(booster.inplace_predict(_single(x)), np.float64))


@dataclass(frozen=True)
class FactorAnswer:
    """What factors give; where that is nothing, which has no logarithm, the region's mean."""

    reading: Reading
    model: FactorModel
    otherwise: RegionMeans

    def predict(self, rows: MixRows) -> Floats:
        """See `FittedEnergyPeer`."""
        share, total = self.reading.told(rows)
        answer = factor_emissions if self.reading.task == "emissions" else factor_energy
        found = answer(self.model, share, rows.region, total if self.reading.include_total else None)
        known = np.isfinite(share).all(axis=1)
        return np.where(
            known & (found <= 0.0), self.otherwise.of(rows.region), ln_known(np.where(known, found, np.nan))
        )


@dataclass(frozen=True)
class Factors:
    """Emission factors of power and the other sectors' mean.

    Attributes:
        factors_t_per_mwh: of the sources.
    """

    factors_t_per_mwh: tuple[float, ...]

    def fit(self, rows: MixRows, split: SplitRows, reading: Reading) -> FactorAnswer:
        """Takes the means; see `EnergyPeer.fit`; DataError too where energy is asked and nothing is burnt."""
        train, _ = checked_roles(rows, split, reading)
        model = factor_model(train, self.factors_t_per_mwh, SECTORS.index("power"))
        if reading.task == "energy" and not model.power_t_per_gwh.of_all > 0.0:
            raise refused("no training row burns coal, gas or oil", "fuel burnt in some region, to tell energy from")
        return FactorAnswer(reading, model, region_means(train.region, reading.asked(train)))


@dataclass(frozen=True)
class MeanAnswer:
    """The same for every row of a region."""

    means: RegionMeans

    def predict(self, rows: MixRows) -> Floats:
        """See `FittedEnergyPeer`; nothing but the region is read."""
        return self.means.of(rows.region)


@dataclass(frozen=True)
class RegionMean:
    """The mean ln of the total of each region, and for a new region that of all: what memory alone achieves."""

    def fit(self, rows: MixRows, split: SplitRows, reading: Reading) -> MeanAnswer:
        """Takes the means; see `EnergyPeer.fit`."""
        train, _ = checked_roles(rows, split, reading)
        return MeanAnswer(region_means(train.region, reading.asked(train)))


# name in the tables -> the peer, given what it may choose from; a new peer is one entry
ENERGY_PEERS: Mapping[str, Callable[[EnergyPeerRules], EnergyPeer]] = MappingProxyType(
    {
        "lr": lambda rules: Tried(rules.floors, _line, floors=True),
        "knn": lambda rules: Tried(rules.neighbors, _neighbors),
        "dt": lambda rules: Tried(rules.depths, _tree(rules.least_leaf, rules.seed)),
        "xgb": lambda rules: Boosted(rules.trees),
        "emission_factors": lambda rules: Factors(rules.factors_t_per_mwh),
        "region_mean": lambda _: RegionMean(),
    }
)


def _line(_: float, x: Floats, y: Floats) -> Answers:
    # least norm among the least squares: log-ratios of all parts are bound to sum 0
    center, mean = x.mean(axis=0), float(y.mean())
    slope = np.linalg.lstsq(x - center, y - mean, rcond=None)[0]
    return lambda features: np.asarray(mean + ((features - center) * slope).sum(axis=1), np.float64)


def _neighbors(count: float, x: Floats, y: Floats) -> Answers:
    # each feature over its spread; one that does not vary in training rows says nothing
    spread = x.std(axis=0)
    weight = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0.0)
    model = KNeighborsRegressor(min(int(count), len(y))).fit(x * weight, y)
    return lambda features: np.asarray(model.predict(features * weight), np.float64)


def _tree(least_leaf: int, seed: int) -> Callable[[float, Floats, Floats], Answers]:
    def grown(depth: float, x: Floats, y: Floats) -> Answers:
        model = DecisionTreeRegressor(max_depth=int(depth), min_samples_leaf=least_leaf, random_state=seed).fit(x, y)
        return lambda features: np.asarray(model.predict(features), np.float64)

    return grown


def _single(table: Floats) -> NDArray[np.float32]:
    return table.astype(np.float32)
