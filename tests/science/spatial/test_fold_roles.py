"""Leak tests of the rotations, plant by plant (SCIENCE 0.4, 4.7, 4.12): who learns, who stops a fit, who is judged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.spatial.folds import N_FOLDS, assigned_folds, plant_blocks, rotation, search_turns
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


@given(st.integers(3, 12), st.data())
def test_a_search_never_meets_its_test_fold_and_every_other_fold_validates_once(
    n_folds: int, data: st.DataObject
) -> None:
    test = data.draw(st.integers(0, n_folds - 1))
    turns = search_turns(test, n_folds)

    assert turns[0] == rotation(test, n_folds)
    assert sorted(turn.val for turn in turns) == sorted(set(range(n_folds)) - {test})
    for turn in turns:
        assert turn.test == test
        assert sorted((*turn.train, turn.val, turn.test)) == list(range(n_folds))  # disjoint, and nothing forgotten
        assert turn.generation_train == turn.val


def test_the_turns_of_a_search_over_four_folds_are_three() -> None:
    assert [(turn.train, turn.val, turn.test) for turn in search_turns(3)] == [
        ((1, 2), 0, 3),
        ((2, 0), 1, 3),
        ((0, 1), 2, 3),
    ]


@pytest.mark.parametrize(("test", "n_folds"), [(4, 4), (-1, 4), (0, 2), (3, 3)])
def test_there_is_no_search_without_a_fold_for_each_role(test: int, n_folds: int) -> None:
    with pytest.raises(ValueError, match=f"rotation {test} of {n_folds} folds"):
        search_turns(test, n_folds)
