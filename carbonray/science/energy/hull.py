"""How far a mix lies outside all mixes that taught: a lower bound of the distance to their convex hull.

Source: SCIENCE 2.6 (what-if inputs leave the data: report the distance to the training hull and flag extrapolation).
For any unit vector u, a point p is at least u.p - h(u) away from a convex set whose support is h(u) = max u.q; the
largest of these over many u is a bound from below, and over all u the distance itself (Rockafellar, Convex Analysis,
1970, section 13). Directions are those of the parts, and those from which points spread over all mixes see the hull, by
Gilbert's algorithm (SIAM J. Control 4, 61, 1966); that choice is inferred. Mixes are (row, part) proportions, distances
theirs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.stats.conformal import conformal_half_width

Floats = NDArray[np.float64]

CHUNK_ROWS = 8192  # rows looked at together: memory does not grow with their number
ROUNDING = 1e-12  # of a scalar product of proportions; what is nearer is inside
LEAST_LENGTH = 1e-6  # of a vector that still has a direction


@dataclass(frozen=True)
class HullRules:
    """From where the hull is looked at, and what is far (inferred).

    Attributes:
        viewpoints: points spread over all mixes, each of which adds the direction in which it sees the hull.
        concentration: of the Dirichlet distribution they are drawn from; below 1 they keep near the edges.
        corner_directions: random ones, along which the mixes that stand for the hull while it is approached are found.
        steps: of the approach.
        seed: of all draws.
        level: share of held-out regions' mixes that lie within the threshold; of a dozen regions, 90 % would leave it
            to the strangest one.
    """

    viewpoints: int = 128
    concentration: float = 0.5
    corner_directions: int = 512
    steps: int = 100
    seed: int = 42
    level: float = 0.75


@dataclass(frozen=True, eq=False)
class Hull:
    """The training mixes as seen from outside; small, whatever their number.

    Attributes:
        directions: (direction, part) unit vectors.
        support: (direction,) farthest that a training mix reaches along each.
    """

    directions: Floats
    support: Floats

    def outside(self, mixes: ArrayLike) -> Floats:
        """(row,) at least so far is a mix from the hull, Euclidean; 0 inside, NaN where a share is unknown."""
        far = [np.max(part @ self.directions.T - self.support, axis=1) for part in _chunks(mixes)]
        gap = np.concatenate([np.zeros(0), *far])
        return np.where(gap <= ROUNDING, 0.0, gap)


def part_directions(parts: int) -> Floats:
    """(direction, part) unit vectors with a sum of 0: more and less of each part, and of each against each other."""
    axes = np.vstack([np.eye(parts), -np.eye(parts)]) - np.vstack([np.ones((parts, 1)), -np.ones((parts, 1))]) / parts
    pairs = np.array([np.eye(parts)[one] - np.eye(parts)[other] for one, other in permutations(range(parts), 2)])
    return _units(np.vstack([axes, pairs]))


def hull(mixes: ArrayLike, rules: HullRules) -> Hull:
    """The hull of training mixes.

    Args:
        mixes: (row, part) proportions of two parts and more, all known.
        rules: from where it is looked at.

    Raises:
        ValueError: no mix, or an unknown share.
    """
    values = np.asarray(mixes, np.float64)
    if not len(values) or not np.all(np.isfinite(values)):
        raise ValueError("hull of mixes: expected at least one, and no unknown share")
    parts, rng = values.shape[1], np.random.default_rng(rules.seed)
    own = part_directions(parts)
    drawn = rng.standard_normal((rules.corner_directions, parts))
    corners = values[np.unique(_farthest(values, np.vstack([own, drawn]))[0])]
    views = rng.dirichlet(np.full(parts, rules.concentration), rules.viewpoints)
    along = np.vstack([own, _units(views - _nearest(corners, views, rules.steps))])
    return Hull(along, _farthest(values, along)[1])


def hull_threshold(mixes: ArrayLike, region: ArrayLike, rules: HullRules) -> float:
    """How far outside the others' hull a region's own mixes lie, at most, in a share of all.

    Beyond it a mix is stranger to the model than a new region would be, and its error has never been measured. Every
    region has the same weight; with too few for the level (fewer than 3 at 75 %, 9 at 90 %) it is the farthest.

    Args:
        mixes: (row, part) proportions of training rows, all known.
        region: (row,) name of each; without sums of other regions, which would hide how far out those lie.
        rules: viewpoints and level.

    Raises:
        ValueError: fewer than two regions.
    """
    values, (names, number) = np.asarray(mixes, np.float64), np.unique(np.asarray(region, object), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} regions: expected two and more, for each is seen from the others")
    far = np.zeros(len(values))
    for at in range(len(names)):
        own = number == at
        far[own] = hull(values[~own], rules).outside(values[own])
    return conformal_half_width(far, number, rules.level, most=float(far.max()))


def _nearest(corners: Floats, views: Floats, steps: int) -> Floats:
    """(view, part) points of the hull of some corners, close to the nearest of each view: straight on, step by step."""
    at = np.repeat(corners.mean(axis=0)[None], len(views), axis=0)
    for _ in range(steps):
        toward = views - at
        leg = corners[np.argmax(toward @ corners.T, axis=1)] - at
        length = np.sum(leg * leg, axis=1)
        stride = np.divide(np.sum(toward * leg, axis=1), length, out=np.zeros(len(views)), where=length > 0.0)
        at = at + np.clip(stride, 0.0, 1.0)[:, None] * leg
    return np.asarray(at, np.float64)


def _farthest(values: Floats, along: Floats) -> tuple[NDArray[np.int64], Floats]:
    """(direction,) which row reaches farthest along each, and how far."""
    row, best = np.zeros(len(along), np.int64), np.full(len(along), -np.inf)
    for number, part in enumerate(_chunks(values)):
        reach = part @ along.T
        farther = reach.max(axis=0) > best
        row = np.where(farther, reach.argmax(axis=0) + number * CHUNK_ROWS, row)
        best = np.maximum(best, reach.max(axis=0))
    return row, best


def _units(vectors: Floats) -> Floats:
    """Vectors of length 1; without those too short to have a direction."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    long = length[:, 0] > LEAST_LENGTH
    return np.asarray(vectors[long] / length[long], np.float64)


def _chunks(mixes: ArrayLike) -> Iterator[Floats]:
    values = np.asarray(mixes, np.float64)
    return (values[at : at + CHUNK_ROWS] for at in range(0, len(values), CHUNK_ROWS))
