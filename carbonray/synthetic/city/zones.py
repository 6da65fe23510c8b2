"""What each plot of a synthetic city is for: eight functional zones, contiguous and drawn to or from the centres.

Source: SCIENCE 1.8, point 2; numbers are inferred. The zone of a plot is the one with the highest score: a level, a
slope with the nearness of a centre, and a smooth random field of its own. Arrays are (y, x) over the window's plots.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.city.fields import Field, rank_of
from carbonray.synthetic.city.geography import Geography

ZONES = ("cbd", "mixed", "dense_residential", "low_residential", "industry", "logistics", "green", "utility")
CBD, MIXED, DENSE, LOW, INDUSTRY, LOGISTICS, GREEN, UTILITY = range(len(ZONES))


@dataclass(frozen=True)
class ZoneRules:
    """How zones are drawn; numbers are inferred.

    Attributes:
        level: by zone, how common it is.
        slope: by zone, what nearness of a centre (0 to 1) adds.
        range_km: correlation of the random part, coarse and fine.
        twin_share: share of mixed commercial plots that look from above like dense residential ones: their function is
            known by points of interest alone.
    """

    level: tuple[float, ...] = (-3.3, -0.75, 0.1, 0.75, -0.55, -0.95, 0.1, -1.25)
    slope: tuple[float, ...] = (5.4, 2.2, 1.4, -1.6, -0.9, -0.6, -0.9, -0.6)
    range_km: tuple[float, float] = (1.8, 0.5)
    twin_share: float = 0.6


@dataclass(frozen=True)
class Zones:
    """The zones of a city.

    Attributes:
        zone: place in ZONES; water counts as green.
        look: the zone it looks like from above.
        vigor: rank of the population density among land plots, 0 to 1: how tall and tight it is built.
    """

    zone: NDArray[np.int8]
    look: NDArray[np.int8]
    vigor: Field


def drawn_zones(rules: ZoneRules, lie: Geography, rng: np.random.Generator) -> Zones:
    """The zones over a city's geography."""
    level, slope = (np.array(each, np.float32)[:, None, None] for each in (rules.level, rules.slope))
    coarse, fine = (np.stack([lie.window.field(rng, far * 1e3) for _ in ZONES]) for far in rules.range_km)
    score = level + slope * lie.nearness + 0.75 * coarse + 0.45 * fine
    # a lone power station is no zone of a centre, and where nobody lives there is country
    score[GREEN] += np.where(lie.people_km2 < 0.12 * lie.rules.people_km2, 2.0, 0.0)
    zone = np.where(lie.land, score.argmax(axis=0), GREEN).astype(np.int8)
    twin = rng.random(zone.shape) < rules.twin_share
    look = np.where((zone == MIXED) & twin, DENSE, zone).astype(np.int8)
    return Zones(zone, look, rank_of(lie.people_km2))
