"""How well totals of synthetic regions can be told from a mix at all: conditional means over the generator's own draws.

Source: SCIENCE 2.8 (ceiling = conditional expectation given the mix, Monte Carlo), 0.3. Two knowers bound two ways of
splitting: one knows the region, and learns from other fates of it (rows dealt at random; what neighbouring days share
by chance it does not know); one knows only how regions are drawn, and learns from others of their kind (regions left
out). Each is told the mix alone, or the mix and its total. The mean is a local linear fit about each mix, so an
estimate: it errs by what a few hundred draws leave to chance. Values are ln t CO2 a day and ln GWh a day.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from carbonray.synthetic.regions.draws import Floats, generator
from carbonray.synthetic.regions.places import Kind
from carbonray.synthetic.regions.world import Region, RegionRules, RegionSeries, drawn_series, union_series

KNOWERS = ("known", "unseen")
TOLD = ("mix", "mix_total")
_POPULATION = 100_000  # added to the number of a region that is drawn only to be learned from
_NO_SPREAD = 1e-6  # a source that no draw has
_BLOCK = 256  # mixes that are fitted at once
_KIND_KEYS: dict[Kind, int] = {"usual": 0, "hydro": 1_000_000, "switch": 2_000_000}


@dataclass(frozen=True)
class CeilingRules:
    """How many draws a ceiling is made from; numbers are inferred.

    Attributes:
        fates: other fates of a region that the knower of the region learns from.
        others: other regions that the knower of the population learns from.
        window_d: days in a row that are drawn of each of those.
        every_d: of these every so many-th counts.
        near: draws nearest to a mix that its mean is fitted to.
        ridge: on the slopes of the fit, over the weight of its draws.
    """

    fates: int = 6
    others: int = 600
    window_d: int = 24
    every_d: int = 4
    near: int = 300
    ridge: float = 0.001


@dataclass(frozen=True)
class Draws:
    """Days to learn from.

    Attributes:
        energy: (n, 8) GWh a day.
        emissions: (n, 6) t CO2 a day.
        size_gwh: (n,) of their regions.
    """

    energy: Floats
    emissions: Floats
    size_gwh: Floats


def known_ceilings(
    rules: RegionRules, ceiling: CeilingRules, regions: tuple[Region, ...], series: RegionSeries
) -> dict[str, Floats]:
    """(day,) ceilings of one who knows the region, `known_TOLD_ln_t_co2` and `known_TOLD_ln_gwh`.

    Args:
        rules: of all regions.
        ceiling: how many draws.
        regions: the region, or the parts of a union.
        series: its days, as they were.
    """
    fates = [
        union_series(tuple(drawn_series(rules, each, series.days, turn) for each in regions))
        for turn in range(1, ceiling.fates + 1)
    ]
    of = _draws(fates, np.ones(len(fates)))
    values = {}
    for name, task in _tasks(of, series).items():
        mixes, totals, answers, own_mixes, own_totals = task
        values[f"known_mix_{name}"] = local_mean(mixes, answers, own_mixes, ceiling)
        both, own = (np.column_stack(each) for each in ((mixes, totals), (own_mixes, own_totals)))
        values[f"known_mix_total_{name}"] = local_mean(both, answers, own, ceiling)
    return values


def unseen_ceilings(rules: RegionRules, ceiling: CeilingRules, kind: Kind, series: RegionSeries) -> dict[str, Floats]:
    """(day,) ceilings of one who knows how regions of a kind are drawn, named as `known_ceilings`.

    The size of a region says nothing of its mix, so the mean of its logarithm is taken as it is; that the total of a
    region of unknown size says a little of the season is left out.
    """
    of = population(rules, ceiling, kind)
    size = np.log(of.size_gwh)
    values = {}
    for name, task in _tasks(of, series).items():
        mixes, totals, answers, own_mixes, own_totals = task
        intensive = local_mean(mixes, answers - size, own_mixes, ceiling)
        values[f"unseen_mix_{name}"] = np.log(rules.place.size_gwh) + intensive
        values[f"unseen_mix_total_{name}"] = own_totals + local_mean(mixes, answers - totals, own_mixes, ceiling)
    return values


@lru_cache(maxsize=4)
def population(rules: RegionRules, ceiling: CeilingRules, kind: Kind) -> Draws:
    """Days of other regions of a kind, each drawn for a few days anywhere in the span."""
    drawn = []
    for number in range(ceiling.others):
        region = Region(f"other {number}", _POPULATION + _KIND_KEYS[kind] + number, kind)
        window = min(ceiling.window_d, rules.days)
        first = int(generator(rules.seed, region.key, "span").integers(rules.days - window + 1))
        drawn.append(drawn_series(rules, region, rules.span[first : first + window]))
    return _draws(drawn, np.array([each.size_gwh for each in drawn]), ceiling.every_d)


def local_mean(points: Floats, answers: Floats, at: Floats, rules: CeilingRules) -> Floats:
    """(q,) conditional mean of answers at points, from a linear fit to the nearest of those that are known.

    Args:
        points: (n, k) that are known; each coordinate is scaled by its spread.
        answers: (n,) at those.
        at: (q, k).
        rules: how many are near, and the ridge of the fit.
    """
    spread = points.std(axis=0)
    scaled, asked = (each / np.where(spread > _NO_SPREAD, spread, 1.0) for each in (points, at))
    tree = cKDTree(scaled)
    blocks = (asked[first : first + _BLOCK] for first in range(0, len(asked), _BLOCK))
    return np.concatenate([_fitted(tree, scaled, answers, block, rules) for block in blocks])


def _fitted(tree: cKDTree, points: Floats, answers: Floats, at: Floats, rules: CeilingRules) -> Floats:
    """(q,) values of weighted linear fits where their offsets are zero."""
    away, place = tree.query(at, k=np.arange(1, min(rules.near, len(points)) + 1))
    weight = np.maximum(1.0 - (away / (away[:, -1:] + 1e-9)) ** 2, 1e-9)  # Epanechnikov's, never all zero
    design = np.concatenate([np.ones((*place.shape, 1)), points[place] - at[:, None]], axis=-1)
    weighted = np.swapaxes(design * weight[..., None], 1, 2)
    flat = rules.ridge * np.diag([0.0, *np.ones(points.shape[1])])  # slopes only: a mean is not drawn to zero
    normal = weighted @ design + weight.sum(axis=1)[:, None, None] * flat
    return np.asarray(np.linalg.solve(normal, weighted @ answers[place][..., None])[:, 0, 0], np.float64)


Task = tuple[Floats, Floats, Floats, Floats, Floats]


def _tasks(of: Draws, series: RegionSeries) -> dict[str, Task]:
    """By answer: mixes, ln totals and ln answers of the draws, then mixes and ln totals of the region's own days."""
    ln_gwh, ln_t = (np.log(each.sum(axis=1)) for each in (of.energy, of.emissions))
    own_gwh, own_t = (np.log(each.sum(axis=1)) for each in (series.energy, series.emissions))
    return {
        "ln_t_co2": (_root(of.energy), ln_gwh, ln_t, _root(series.energy), own_gwh),
        "ln_gwh": (_root(of.emissions), ln_t, ln_gwh, _root(series.emissions), own_t),
    }


def _root(amounts: Floats) -> Floats:
    """Square roots of shares: small shares count, and none is without bound."""
    return np.asarray(np.sqrt(amounts / amounts.sum(axis=1, keepdims=True)), np.float64)


def _draws(drawn: list[RegionSeries], size_gwh: Floats, every: int = 1) -> Draws:
    energy, emissions = (
        np.concatenate([getattr(each, name)[::every] for each in drawn]) for name in ("energy", "emissions")
    )
    return Draws(energy, emissions, np.repeat(size_gwh, [each.days[::every].size for each in drawn]))
