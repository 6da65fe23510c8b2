"""Leak tests of the rotations, plant by plant (SCIENCE 0.4, 4.7, 4.12): who learns, who stops a fit, who is judged."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.spatial.folds import N_FOLDS, assigned_folds, plant_blocks, rotation
from carbonray.science.spatial.geodesy import distance_km

TIE_KM = 10.0


def fleet(seed: int, plants: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Plants in dense clusters, so that blocks of one degree have neighbours across their edges; their folds."""
    rng = np.random.default_rng(seed)
    centres = np.array([[51.0, 7.0], [-23.7, 27.6], [33.0, -85.0]])[rng.integers(0, 3, plants)]
    lat, lon = centres[:, 0] + rng.normal(0, 1.5, plants), centres[:, 1] + rng.normal(0, 1.5, plants)
    weight, region = rng.lognormal(3, 1, plants), rng.integers(0, 3, plants).astype(str)
    return lat, lon, assigned_folds(lat, lon, weight, region).fold, plant_blocks(lat, lon)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_every_plant_is_judged_once_stops_once_and_teaches_twice(seed: int) -> None:
    _, _, fold, _ = fleet(seed)
    turns = [rotation(k) for k in range(N_FOLDS)]

    assert (np.sum([fold == turn.test for turn in turns], axis=0) == 1).all()
    assert (np.sum([fold == turn.val for turn in turns], axis=0) == 1).all()
    assert (np.sum([fold == turn.generation_train for turn in turns], axis=0) == 1).all()
    assert (np.sum([np.isin(fold, turn.train) for turn in turns], axis=0) == 2).all()


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, N_FOLDS - 1))
def test_no_plant_block_or_close_neighbour_has_two_roles(seed: int, k: int) -> None:
    lat, lon, fold, blocks = fleet(seed)
    turn = rotation(k)
    pairs = (
        ((fold == turn.test), np.isin(fold, turn.train)),  # judged, and taught soundings
        ((fold == turn.test), (fold == turn.val)),  # judged, and stopped the fit
        ((fold == turn.val), np.isin(fold, turn.train)),  # stopped the fit, and taught it
        ((fold == turn.test), (fold == turn.generation_train)),  # judged, and taught generation
        ((fold == turn.generation_train), np.isin(fold, turn.train)),  # generation learns from unseen plants only
    )
    for one, other in pairs:
        assert not (one & other).any()
        assert not {*map(tuple, blocks[one].tolist())} & {*map(tuple, blocks[other].tolist())}
        a, b = (index.ravel() for index in np.meshgrid(np.flatnonzero(one), np.flatnonzero(other)))
        assert distance_km(lat[a], lon[a], lat[b], lon[b]).min(initial=np.inf) >= TIE_KM
