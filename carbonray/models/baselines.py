"""The peers that sounding models are compared with, from always on to those that are told the truth.

Source: SCIENCE 4.10. A peer reads one block of inputs, (row, column), and gives what a sounding model gives: a score
that the plant is on and a capacity factor, so that all stand in one table. All is learned from the training rows, but
thresholds and the number of trees, which come from the validation rows. A row of unknown capacity factor (NaN) teaches
on and off only; a row whose input is NaN gets what is right on average, for every peer is scored on the same rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.models.sounding_trees import SoundingTrees, TreeRules, fit_trees
from carbonray.science.power.peer_inputs import INDEX_COLUMNS, LATENT_COLUMNS, WEATHER_COLUMNS
from carbonray.science.stats.metrics import two_class_map

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Block = Literal["index", "weather", "latent", "latent_weather", "patches"]


@dataclass(frozen=True)
class SoundingTruth:
    """What is known of each row.

    Attributes:
        on: (row,) whether the plant was on.
        capacity_factor: (row,) 0..1, NaN where unknown.
    """

    on: NDArray[np.bool_]
    capacity_factor: Floats


@dataclass(frozen=True)
class SplitRows:
    """Rows to learn from and rows to choose on: of different folds."""

    train: Rows
    validation: Rows


@dataclass(frozen=True)
class Soundings:
    """What a model says of each row: on_score (larger is surer that it is on) and capacity_factor (0..1), (row,)."""

    on_score: Floats
    capacity_factor: Floats


class FittedPeer(Protocol):
    """A peer that has learned."""

    def predict(self, x: ArrayLike) -> Soundings:
        """Soundings of (row, column) inputs of the block that the peer reads."""


class Peer(Protocol):
    """A peer: which block it reads, and how it learns."""

    @property
    def reads(self) -> Block:
        """The block of inputs."""

    def fit(self, x: ArrayLike, y: SoundingTruth, rows: SplitRows) -> FittedPeer:
        """Learns from (row, column) inputs of its block.

        Raises:
            ContractError: training and validation share rows.
            DataError: there is nothing to learn from.
        """


@dataclass(frozen=True)
class TwoValues:
    """One answer above a threshold of one column, another below, and a third where the column is NaN.

    Attributes:
        column: which.
        threshold: answers are `above` where the column is larger.
        above, below, unknown: score and capacity factor.
    """

    column: int
    threshold: float
    above: tuple[float, float]
    below: tuple[float, float]
    unknown: tuple[float, float]

    def predict(self, x: ArrayLike) -> Soundings:
        """Soundings of (row, column) inputs."""
        value = np.asarray(x, np.float64)[:, self.column]
        score, factor = (
            np.select([np.isnan(value), value > self.threshold], [unknown, above], below)
            for unknown, above, below in zip(self.unknown, self.above, self.below, strict=True)
        )
        return Soundings(np.asarray(score, np.float64), np.asarray(factor, np.float64))


@dataclass(frozen=True)
class Constant:
    """Says the same of every row: `always_on` or the training `mean`.

    Always on gives a score of 1 and the mean capacity factor of plants that are on; the mean gives the share on.
    """

    says: Literal["always_on", "mean"]
    reads: Block = "weather"  # of which it looks at nothing but the length

    def fit(self, x: ArrayLike, y: SoundingTruth, rows: SplitRows) -> TwoValues:
        """Takes the mean of the training rows."""
        always = (1.0, _means(y, rows.train[y.on[rows.train]])[1])
        told = always if self.says == "always_on" else _means(y, rows.train)
        return TwoValues(0, np.inf, told, told, told)


@dataclass(frozen=True)
class Threshold:
    """On where one index is above a threshold, the one of best two-class mAP on the validation rows.

    The score is 1 or 0, the capacity factor the training rows' mean on that side. Where the index is unknown, both are
    the training rows' mean. Where the validation rows are of one class, the training rows judge.

    Attributes:
        index: which of `INDEX_COLUMNS`.
        candidates: quantiles of the training rows' index that are tried, inferred.
    """

    index: str
    candidates: int = 99
    reads: Block = "index"

    def fit(self, x: ArrayLike, y: SoundingTruth, rows: SplitRows) -> TwoValues:
        """Chooses the threshold, and takes the means beside it."""
        column = INDEX_COLUMNS.index(self.index)
        value = np.asarray(x, np.float64)[:, column]
        everything = _means(y, rows.train)
        known = rows.train[np.isfinite(value[rows.train])]
        if not len(known):
            return TwoValues(column, np.inf, everything, everything, everything)
        tried = np.unique(np.quantile(value[known], np.linspace(0.0, 1.0, self.candidates + 2)[1:-1]))
        judged = rows.validation[np.isfinite(value[rows.validation])]
        judged = judged if len(np.unique(y.on[judged])) == 2 else known
        skill = [two_class_map(y.on[judged], (value[judged] > at).astype(np.float64)) for at in tried]
        threshold = float(tried[int(np.argmax(skill))])
        side = value[known] > threshold
        above, below = (_means(y, known[part])[1] if part.any() else everything[1] for part in (side, ~side))
        return TwoValues(column, threshold, (1.0, above), (0.0, below), everything)


@dataclass(frozen=True)
class Line:
    """A capacity factor along a line of one column, and a score that rises or falls along the same column.

    Attributes:
        column: which.
        slope, offset: of the capacity factor.
        rises: whether the score rises with the column.
        middle, spread: of the column, where the score is 1/2 and how fast it changes.
        unknown: score and capacity factor where the column is NaN.
    """

    column: int
    slope: float
    offset: float
    rises: bool
    middle: float
    spread: float
    unknown: tuple[float, float]

    def predict(self, x: ArrayLike) -> Soundings:
        """Soundings of (row, column) inputs; the score lies in 0..1 and keeps the column's order."""
        value = np.asarray(x, np.float64)[:, self.column]
        away = (value - self.middle) / self.spread * (1.0 if self.rises else -1.0)
        # a logistic curve would make all large areas the same
        score = np.where(np.isnan(value), self.unknown[0], 0.5 + 0.5 * away / (1.0 + np.abs(away)))
        factor = np.where(np.isnan(value), self.unknown[1], np.clip(self.offset + self.slope * value, 0.0, 1.0))
        return Soundings(score, factor)


@dataclass(frozen=True)
class Regression:
    """Least squares of the capacity factor on one index, such as the plume's area."""

    index: str
    reads: Block = "index"

    def fit(self, x: ArrayLike, y: SoundingTruth, rows: SplitRows) -> Line:
        """Fits the line to the training rows."""
        column = INDEX_COLUMNS.index(self.index)
        value = np.asarray(x, np.float64)[:, column]
        everything = _means(y, rows.train)
        known = rows.train[np.isfinite(value[rows.train])]
        both = known[np.isfinite(y.capacity_factor[known])]
        varies = len(both) > 1 and float(np.std(value[both])) > 0.0
        slope, offset = np.polyfit(value[both], y.capacity_factor[both], 1) if varies else (0.0, everything[1])
        on, off = (_mean(value[known[y.on[known] == side]]) for side in (True, False))
        spread = float(np.std(value[known])) if len(known) else 0.0
        return Line(column, float(slope), float(offset), not on < off, _mean(value[known]), spread or 1.0, everything)


@dataclass(frozen=True)
class TreePair:
    """Trees for on and off, and trees for the capacity factor, none where no capacity factor was known."""

    on: SoundingTrees
    capacity_factor: SoundingTrees | None

    def predict(self, x: ArrayLike) -> Soundings:
        """Soundings of (row, column) inputs; capacity factors are NaN where none could be learned."""
        score = self.on.predict(x)
        factor = self.capacity_factor.predict(x) if self.capacity_factor else np.full(len(score), np.nan)
        return Soundings(score, factor)


@dataclass(frozen=True)
class Boosted:
    """The trees of `sounding_trees` on any block: patches, or as a peer the weather or the latent truth.

    Attributes:
        reads: the block.
        names: of its columns.
        rules: hyperparameters.
    """

    reads: Block
    names: tuple[str, ...]
    rules: TreeRules = field(default_factory=TreeRules)

    def fit(self, x: ArrayLike, y: SoundingTruth, rows: SplitRows) -> TreePair:
        """Grows both sets of trees."""
        known = np.isfinite(y.capacity_factor)
        train, validation = (part[known[part]] for part in (rows.train, rows.validation))
        on = fit_trees("on", x, y.on, train=rows.train, validation=rows.validation, names=self.names, rules=self.rules)
        if not len(train) or not len(validation):
            return TreePair(on, None)
        factor = fit_trees(
            "capacity_factor", x, y.capacity_factor, train=train, validation=validation, names=self.names,
            rules=self.rules,
        )  # fmt: skip
        return TreePair(on, factor)


# name in the tables -> the peer, given the hyperparameters of trees
PEERS: Mapping[str, Callable[[TreeRules], Peer]] = MappingProxyType(
    {
        "always_on": lambda _: Constant("always_on"),
        "train_mean": lambda _: Constant("mean"),
        "weather_only": lambda rules: Boosted("weather", WEATHER_COLUMNS, _every_column(rules)),
        "hot_threshold": lambda _: Threshold("hot"),
        "white_threshold": lambda _: Threshold("white_brightness"),
        "plume_area": lambda _: Regression("plume_area_m2"),
        "oracle": lambda rules: Boosted("latent", LATENT_COLUMNS, _every_column(rules)),
        "oracle_weather": lambda rules: Boosted(
            "latent_weather", (*LATENT_COLUMNS, *WEATHER_COLUMNS), _every_column(rules)
        ),
    }
)


def _every_column(rules: TreeRules) -> TreeRules:
    # a share that suits a thousand features would hide most of a few columns from every tree
    return replace(rules, features_share=1.0)


def _means(y: SoundingTruth, rows: Rows) -> tuple[float, float]:
    """Share on, and mean of the known capacity factors; NaN of none."""
    factor = y.capacity_factor[rows]
    factor = factor[np.isfinite(factor)]
    return _mean(y.on[rows].astype(np.float64)), _mean(factor)


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else float("nan")
