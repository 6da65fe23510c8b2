"""Countries that never were: weighted sums of the whole series of two or three real regions, of another size.

Source: SCIENCE 2.4 (inferred throughout; the paper says only that countries were synthesised). Amounts are mixed, not
proportions, so that totals stay additive and a row is what two scaled countries together would show. Arrays are
`MixRows`: GWh and t CO2 a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.energy.mix import MixRows, stacked

Interval = tuple[int, int]  # start and end, ns
Days = dict[Interval, int]  # interval -> its row

SYNTHESISED = "synthesised-"  # opens the names of what is synthesised, and of nothing else


@dataclass(frozen=True)
class SynthesisRules:
    """How countries are synthesised (inferred: SCIENCE 2.4).

    Attributes:
        n: how many; fewer are the first of more.
        seed: of every draw, with the country's number.
        least_parts: fewest regions of a country.
        most_parts: most regions of one.
        concentration: of the Dirichlet distribution of weights; at 1 every division is as likely.
        least_size: smallest factor of size, which is even in its logarithm.
        most_size: largest.
    """

    n: int = 10
    seed: int = 42
    least_parts: int = 2
    most_parts: int = 3
    concentration: float = 1.0
    least_size: float = 0.2
    most_size: float = 5.0

    def __post_init__(self) -> None:
        """Refuses numbers that no draw can follow, with ValueError."""
        if self.n < 0 or not 1 <= self.least_parts <= self.most_parts:
            raise ValueError(f"{self}: expected n of 0 and more, and 1 <= least_parts <= most_parts")
        if not (self.concentration > 0.0 and 0.0 < self.least_size <= self.most_size):
            raise ValueError(f"{self}: expected a positive concentration and 0 < least_size <= most_size")


@dataclass(frozen=True)
class Recipe:
    """Of what one country is made, for its whole series.

    Attributes:
        name: such as 'synthesised-0007'.
        regions: the regions in it, as drawn.
        weights: share of each, together 1.
        size: factor on their weighted sum.
    """

    name: str
    regions: tuple[str, ...]
    weights: tuple[float, ...]
    size: float


def is_synthesised(region: ArrayLike) -> NDArray[np.bool_]:
    """(row,) whether the name is that of a synthesised country."""
    return np.array([str(name).startswith(SYNTHESISED) for name in np.asarray(region, object)], np.bool_)


def recipes(rows: MixRows, rules: SynthesisRules) -> tuple[Recipe, ...]:
    """What each country is made of: the same for the same regions and days, in any order of the rows.

    Regions of one country share at least one interval in which both are known.

    Args:
        rows: of real regions, such as those that teach.
        rules: how many, and of what.

    Raises:
        ValueError: rows are synthesised themselves, a region has two rows of one interval, or no regions share days.
    """
    return _recipes(_days(rows), rules)


def parts_of(rows: MixRows, rules: SynthesisRules) -> dict[str, tuple[str, ...]]:
    """Name of each synthesised country -> the regions in it; raises as `recipes` does."""
    return {recipe.name: recipe.regions for recipe in recipes(rows, rules)}


def synthesised(rows: MixRows, rules: SynthesisRules) -> MixRows:
    """The rows of all countries: by number, then by time, on the intervals that all parts of a country have.

    Args:
        rows: of real regions; a row with an unknown amount counts as none.
        rules: how many, and of what.

    Raises:
        ValueError: as `recipes`.
    """
    days = _days(rows)
    none = rows.rows(np.zeros(0, np.int64))
    return stacked([none, *(_mixed(rows, days, recipe) for recipe in _recipes(days, rules))])


def country(parts: Sequence[MixRows], recipe: Recipe) -> MixRows:
    """Rows of a country, size * sum of weight * amount.

    Args:
        parts: rows of each of its regions, all of the same intervals.
        recipe: of the country.
    """
    factor, first = recipe.size * np.array(recipe.weights), parts[0]
    return MixRows(
        np.full(len(first), recipe.name, object),
        first.start_ns,
        first.end_ns,
        np.tensordot(factor, np.stack([part.energy for part in parts]), axes=1),
        np.tensordot(factor, np.stack([part.emissions for part in parts]), axes=1),
    )


def _recipes(days: Mapping[str, Days], rules: SynthesisRules) -> tuple[Recipe, ...]:
    return tuple(_recipe(days, number, rules) for number in range(rules.n))


def _recipe(days: Mapping[str, Days], number: int, rules: SynthesisRules) -> Recipe:
    """One country: a number of parts, the first so many regions of a shuffle that share days, weights, a size."""
    rng = np.random.default_rng(np.random.SeedSequence((rules.seed, number)))
    name = f"{SYNTHESISED}{number:04d}"
    parts = int(rng.integers(rules.least_parts, min(rules.most_parts, max(len(days), rules.least_parts)) + 1))
    order = [sorted(days)[at] for at in rng.permutation(len(days))]
    # a region that shares days with too few others gives the first place to the next
    walks = (_sharing(days, order[at:] + order[:at], parts) for at in range(len(order)))
    regions = next((walk for walk in walks if len(walk) == parts), None)
    if regions is None:
        raise ValueError(f"{name} of {parts} regions: of {len(days)}, no {parts} share an interval; lower most_parts")
    weights = rng.dirichlet(np.full(parts, rules.concentration))
    size = float(np.exp(rng.uniform(np.log(rules.least_size), np.log(rules.most_size))))
    return Recipe(name, regions, tuple(weights.tolist()), size)


def _sharing(days: Mapping[str, Days], order: list[str], parts: int) -> tuple[str, ...]:
    """The first regions of an order, as many as asked where there are, that have an interval in common."""
    taken: list[str] = []
    left = set(days[order[0]])
    for region in order:
        if len(taken) == parts:
            break
        if both := left & days[region].keys():
            taken, left = [*taken, region], both
    return tuple(taken)


def _days(rows: MixRows) -> dict[str, Days]:
    """Region -> its known intervals and their rows."""
    if is_synthesised(rows.region).any():
        raise ValueError(f"regions named {SYNTHESISED}...: expected real ones, nothing is synthesised twice")
    days: dict[str, Days] = {str(region): {} for region in rows.region}
    known = np.isfinite(rows.energy).all(axis=1) & np.isfinite(rows.emissions).all(axis=1)
    for row in np.flatnonzero(known).tolist():
        of, interval = days[str(rows.region[row])], (int(rows.start_ns[row]), int(rows.end_ns[row]))
        if interval in of:
            raise ValueError(f"{rows.region[row]} has two rows that start at {interval[0]} ns: expected one")
        of[interval] = row
    return {region: of for region, of in days.items() if of}


def _mixed(rows: MixRows, days: Mapping[str, Days], recipe: Recipe) -> MixRows:
    """The series of one country."""
    shared = sorted(set.intersection(*(set(days[region]) for region in recipe.regions)))
    return country([rows.rows([days[region][interval] for interval in shared]) for region in recipe.regions], recipe)
