"""Map scores as an additive law with the paper's example, and what became of each source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from carbonray.science.no2.hotspots import label_blobs
from carbonray.science.no2.scoring import (
    AttributionRules,
    counts_by_cut,
    quartiles,
    recall_by_class,
    score_maps,
    score_sources,
    strength_class,
)

LEVELS = st.sampled_from([0.0, 0.04, 0.1, 0.25, 0.5, 0.9, 1.0])
MAPS = arrays(np.float64, (4, 5, 6), elements=LEVELS)


def scene(*sources: tuple[int, int, float], side: int = 64) -> np.ndarray:
    target = np.zeros((1, side, side))
    for row, col, strength in sources:
        target[0, row : row + 4, col : col + 4] = strength
    return target


def test_twelve_of_sixteen_is_75_percent():
    target, predicted = scene((10, 20, 0.8)), scene((10, 20, 0.8))
    predicted[0, 10, 20:24] = 0.0
    counts = score_maps(target, predicted, 0.2)
    assert counts.recall()[0] == 0.75  # the paper's example
    assert counts.precision()[0] == 1.0
    assert counts.iou()[0] == 0.75
    assert counts.f1()[0] == pytest.approx(2 * 0.75 / 1.75)


def test_all_positive_has_recall_one_and_precision_four_permille():
    counts = score_maps(scene((10, 20, 0.8)), np.ones((1, 64, 64)), 0.2, pixel_km2=30.0)
    assert counts.recall()[0] == 1.0
    assert counts.precision()[0] == pytest.approx(0.0039, abs=1e-4)  # SCIENCE 3.5: .4 %
    assert counts.fp_km2[0] == 30.0 * (4096 - 16)
    assert counts.false_area()[0] == pytest.approx(1 - 16 / 4096)


def test_an_empty_scene_has_no_recall_and_does_not_enter_the_quartiles():
    counts = score_maps(np.concatenate([scene(), scene((5, 5, 0.5))]), np.zeros((2, 64, 64)), 0.05)
    assert np.isnan(counts.recall()[0])
    assert counts.recall()[1] == 0.0
    assert np.isnan(counts.precision()).all()
    assert quartiles(counts.recall()) == (0.0, 0.0, 0.0)
    assert quartiles(np.array([np.nan, 0.0, 0.5, 1.0]))[1] == 0.5
    assert np.isnan(quartiles(np.array([np.nan]))).all()


@given(MAPS, MAPS, st.sampled_from([0.05, 0.2]))
def test_scores_add_up_and_stay_within_bounds(target, predicted, theta):
    whole = score_maps(target, predicted, theta, pixel_km2=np.arange(1.0, 5.0))
    first, second = (
        score_maps(target[s], predicted[s], theta, np.arange(1.0, 5.0)[s]) for s in np.split(np.arange(4), 2)
    )
    assert (first.total() + second.total()).columns() == whole.total().columns()
    for score in (whole.recall(), whole.precision(), whole.iou(), whole.f1()):
        assert (np.isnan(score) | ((score >= 0.0) & (score <= 1.0))).all()
    np.testing.assert_array_equal(whole.tp + whole.fn, (target > theta).sum(axis=(1, 2)))
    some = np.array([True, False, True, False])
    assert whole.total(some).tp == whole.tp[0] + whole.tp[2]


@given(MAPS, MAPS)
def test_one_pass_over_many_cuts_equals_each_cut(target, predicted):
    predicted[0, 0, 0] = np.nan
    cuts = np.array([0.04, 0.2, 0.5, 0.95])
    tp, fp, fn = counts_by_cut(target, predicted, 0.2, cuts)
    for index, cut in enumerate(cuts):
        counts = score_maps(target, predicted, 0.2, cut=cut).total()
        assert (counts.tp, counts.fp, counts.fn) == (tp[index], fp[index], fn[index])


def test_hidden_pixels_and_nan_predictions_do_not_count():
    target, predicted = scene((0, 0, 1.0)), scene((0, 0, 1.0))
    predicted[0, 0, 0] = np.nan
    valid = np.ones(target.shape, bool)
    valid[0, 3] = False
    counts = score_maps(target, predicted, 0.2, valid=valid)
    assert (counts.tp[0], counts.fn[0], counts.n_pixels[0]) == (11, 1, 64 * 63)


def test_strength_classes_are_the_papers():
    assert strength_class([0.0, 0.1, 0.33, 0.66, 0.67, np.nan]).tolist() == [-1, 0, 1, 1, 2, -1]
    target = scene((0, 0, 0.2), (10, 10, 0.5), (20, 20, 1.0))
    predicted = scene((10, 10, 1.0))
    predicted[0, 20:22, 20:24] = 1.0
    np.testing.assert_array_equal(recall_by_class(target, predicted, 0.05)[:, 0], [0.0, 1.0, 0.5])
    assert np.isnan(recall_by_class(scene(), predicted, 0.05)).all()


def test_sources_are_detected_located_and_weighed():
    predicted = scene((10, 20, 0.5), (40, 40, 0.9))
    row, col = np.array([[12.0, 12.0, 60.0, np.nan]]), np.array([[22.0, 24.5, 5.0, np.nan]])
    labels, blobs = label_blobs(predicted, 0.2)
    scores = score_sources(predicted, labels, blobs, row, col, (4.0, 5.0), 3.0, AttributionRules())
    assert scores.detected.tolist() == [[True, True, False, False]]
    # the painted square runs from 10 to 14 and 20 to 24: its centre is (12, 22); a pixel is 4 km wide
    np.testing.assert_allclose(scores.error_km, [[0.0, 10.0, np.nan, np.nan]], atol=1e-12)
    np.testing.assert_allclose(scores.q_kg_s, [[1.5, 1.5, 0.0, np.nan]])
    assert (scores.n_blobs[0], scores.n_false_blobs[0]) == (2, 1)


def test_sources_at_the_edge_and_of_other_scenes():
    predicted = np.concatenate([np.zeros((1, 64, 64)), scene((0, 60, 1.0))])
    row, col = np.array([[1.0], [0.1]]), np.array([[62.0], [63.9]])
    labels, blobs = label_blobs(predicted, 0.2)
    scores = score_sources(predicted, labels, blobs, row, col, (np.array([4.0, 5.0]), 5.0), 3.0, AttributionRules())
    assert scores.detected.tolist() == [[False], [True]]
    assert scores.error_km[1, 0] == pytest.approx(5.0 * np.hypot(2.0 - 0.1, 62.0 - 63.9))
    assert scores.n_blobs.tolist() == [0, 1]
    assert scores.n_false_blobs.tolist() == [0, 0]


def test_an_empty_map_detects_nothing():
    predicted = np.zeros((2, 16, 16))
    labels, blobs = label_blobs(predicted, 0.2)
    middle = np.full((2, 6), 8.0)
    scores = score_sources(predicted, labels, blobs, middle, middle, (5.0, 5.0), 3.0, AttributionRules())
    assert not scores.detected.any()
    assert np.isnan(scores.error_km).all()
    assert (scores.q_kg_s == 0.0).all()
