"""Random numbers of scenes are keyed, not ordered."""

import numpy as np
import pytest

from carbonray.science.no2.variates import SceneVariates, log_between


def test_a_scene_has_its_own_numbers_in_any_batch():
    whole, part = (SceneVariates.of(3, "g1", np.asarray(i)) for i in ([0, 1, 2], [2, 0]))
    np.testing.assert_array_equal(whole.columns(5)[[2, 0]], part.columns(5))
    np.testing.assert_array_equal(whole.normals((4, 2))[[2, 0]], part.normals((4, 2)))


@pytest.mark.parametrize(("seed", "tag", "index"), [(4, "g1", 2), (3, "g2", 2), (3, "g1", 1)])
def test_seed_tag_and_index_each_change_them(seed, tag, index):
    first = SceneVariates.of(3, "g1", np.array([2])).columns(8)
    assert not np.any(first == SceneVariates.of(seed, tag, np.array([index])).columns(8))


def test_distributions():
    variates = SceneVariates.of(0, "t", np.arange(4000))
    normal, inside = variates.normal(), variates.between((2.0, 5.0))
    assert abs(normal.mean()) < 0.06
    assert normal.std() == pytest.approx(1.0, abs=0.05)
    assert 2.0 <= inside.min() < inside.max() < 5.0
    spread = log_between(variates.column(), (0.01, 3.0))
    assert np.median(spread) == pytest.approx(np.sqrt(0.03), rel=0.15)


def test_running_out_is_an_error():
    with pytest.raises(IndexError, match="uniforms"):
        SceneVariates.of(0, "t", np.arange(1)).columns(10_000)
