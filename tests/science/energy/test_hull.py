"""Distance to the training hull: from below, against the exact one, and nothing inside."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import nnls

from carbonray.science.energy.hull import CHUNK_ROWS, Hull, HullRules, hull, hull_threshold, part_directions

RULES = HullRules()
PARTS = 8


def exact_distance(mixes: np.ndarray, point: np.ndarray) -> float:  # type: ignore[type-arg]
    """Euclidean distance of a point to the convex hull: least squares over weights that sum to 1."""
    heavy = 1e3  # of the row that binds the sum
    weights, _ = nnls(np.vstack([mixes.T, np.full(len(mixes), heavy)]), np.append(point, heavy))
    return float(np.linalg.norm(mixes.T @ (weights / weights.sum()) - point))


def clouds(seed: int, regions: int = 12, rows: int = 30, spread: float = 0.3) -> np.ndarray:  # type: ignore[type-arg]
    """Mixes of regions that each keep near their own."""
    rng = np.random.default_rng(seed)
    own = rng.dirichlet(np.full(PARTS, spread), regions)
    return np.vstack([rng.dirichlet(200.0 * mix + 1e-3, rows) for mix in own])


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31))
def test_a_mix_of_training_mixes_is_inside_and_the_bound_never_exceeds_the_distance(seed: int) -> None:
    mixes, rng = clouds(seed), np.random.default_rng(seed)
    seen = hull(mixes, RULES)
    inside = rng.dirichlet(np.full(len(mixes), 0.1), 50) @ mixes
    assert (seen.outside(np.vstack([mixes, inside])) == 0.0).all()
    points = rng.dirichlet(np.full(PARTS, 0.5), 10)
    exact = np.array([exact_distance(mixes, point) for point in points])
    assert (seen.outside(points) <= exact + 1e-9).all()


def test_far_out_the_bound_is_within_a_factor_of_two_nearly_always() -> None:
    ratios = []
    for seed in range(6):
        mixes, rng = clouds(seed, spread=1.0 if seed % 2 else 0.3), np.random.default_rng(seed + 100)
        points = rng.dirichlet(np.full(PARTS, 0.5), 60)
        exact = np.array([exact_distance(mixes, point) for point in points])
        far = exact > 0.1
        ratios.append((hull(mixes, RULES).outside(points) / exact)[far])
    ratio = np.concatenate(ratios)
    assert len(ratio) > 150 and ratio.max() <= 1.0 + 1e-9
    assert np.quantile(ratio, 0.05) > 0.5 and np.median(ratio) > 0.8


def test_viewpoints_are_what_makes_the_bound_tight() -> None:
    mixes, points = clouds(1), np.random.default_rng(3).dirichlet(np.full(PARTS, 0.5), 200)
    few, many = (hull(mixes, HullRules(viewpoints=n)).outside(points).mean() for n in (0, 128))
    assert many > 1.5 * few


def test_the_distance_to_a_single_mix_along_an_edge_is_exact() -> None:
    coal, gas = np.eye(PARTS)[0], np.eye(PARTS)[1]
    for share in (0.0, 0.1, 0.5, 1.0):
        moved = (1.0 - share) * coal + share * gas
        assert hull([coal], RULES).outside([moved])[0] == pytest.approx(share * np.sqrt(2.0))


def test_directions_are_of_length_one_in_the_plane_of_mixes() -> None:
    along = hull(clouds(0), RULES).directions
    assert np.allclose(np.linalg.norm(along, axis=1), 1.0) and np.allclose(along.sum(axis=1), 0.0)
    assert len(part_directions(PARTS)) == 2 * 8 + 8 * 7 < len(along) <= 2 * 8 + 8 * 7 + RULES.viewpoints
    assert len(part_directions(2)) == 6


def test_many_rows_are_looked_at_in_parts_and_the_unknown_stays_unknown() -> None:
    mixes = clouds(2)
    seen, points = hull(mixes, RULES), np.random.default_rng(0).dirichlet(np.ones(PARTS), CHUNK_ROWS + 7)
    points[5, 3] = np.nan
    far = seen.outside(points)
    assert far.shape == (CHUNK_ROWS + 7,) and np.flatnonzero(np.isnan(far)).tolist() == [5]
    assert far[-1] == pytest.approx(seen.outside(points[-1:])[0]) and seen.outside(points[:0]).shape == (0,)


def test_more_rows_than_a_part_reach_as_far_as_all_of_them() -> None:
    mixes = np.random.default_rng(1).dirichlet(np.ones(3), 2 * CHUNK_ROWS + 5)
    seen = hull(mixes, RULES)
    assert np.allclose(seen.support, (mixes @ seen.directions.T).max(axis=0))


def test_the_threshold_is_how_far_held_out_regions_lie() -> None:
    mixes = np.repeat(np.eye(3), 4, axis=0)
    # each corner of a triangle of side sqrt 2 from the side across: its height
    assert hull_threshold(mixes, np.repeat([*"ABC"], 4), RULES) == pytest.approx(np.sqrt(1.5))
    near = np.vstack([clouds(4, regions=1, rows=40)] * 12)
    assert hull_threshold(near, np.repeat([*"ABCDEFGHIJKL"], 40), RULES) == 0.0


def test_a_region_or_two_far_out_do_not_set_the_threshold() -> None:
    crowd = np.vstack([np.tile([0.5, 0.3, 0.2], (19, 1)), [[0.0, 0.0, 1.0]]])
    names = np.array([f"region {at:02d}" for at in range(20)], object)
    assert hull_threshold(crowd, names, RULES) == 0.0
    assert hull_threshold(crowd, names, HullRules(level=0.99)) == pytest.approx(np.sqrt(0.5**2 + 0.3**2 + 0.8**2))


def test_what_has_no_hull_is_refused() -> None:
    for wrong in (np.zeros((0, 3)), [[0.5, np.nan, 0.5]]):
        with pytest.raises(ValueError, match="hull of mixes"):
            hull(wrong, RULES)
    with pytest.raises(ValueError, match="two and more"):
        hull_threshold([[0.5, 0.5]], ["A"], RULES)
    assert isinstance(hull([[0.5, 0.5]], RULES), Hull)


def test_corners_are_found_wherever_they_stand() -> None:
    mixes, points = clouds(5), np.random.default_rng(6).dirichlet(np.full(PARTS, 0.5), 100)
    late = np.vstack([np.repeat(mixes[:1], CHUNK_ROWS, axis=0), mixes])
    assert np.allclose(hull(late, RULES).outside(points), hull(mixes, RULES).outside(points))
