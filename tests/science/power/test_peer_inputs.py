"""What peers read: more vapor is more of every index, the weather holds no pixel, seasons turn at the equator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.power.peer_inputs import (
    INDEX_COLUMNS,
    WEATHER_COLUMNS,
    IndexRules,
    index_columns,
    visible,
    weather_columns,
)
from carbonray.vocab.sensors import IMAGERS

S2 = IMAGERS["sentinel2"]
MARCH_NS = 1_616_248_800 * 10**9  # 2021-03-20


def ground(images=1, structures=2):
    """Brown ground without vapor."""
    bands = np.linspace(0.08, 0.2, len(S2.bands), dtype=np.float32)
    return np.broadcast_to(bands[:, None, None], (images, structures, len(bands), 32, 32)).copy()


@given(st.integers(1, 16))
def test_white_pixels_raise_every_index_and_are_counted_in_square_metres(side):
    seen = ground()
    seen[0, 1, :, 16 : 16 + side, 16 : 16 + side] = 0.6
    (without,) = index_columns(S2, ground(), ground()[0])
    (hot, white, area) = index_columns(S2, seen, ground()[0])[0]
    assert hot > without[0] and white > without[1] and without[2] == 0.0
    assert area == side**2 * 100.0


def test_means_are_of_the_structure_where_they_are_largest_and_areas_are_summed():
    seen = ground()
    seen[0, 0, :, 12:20, 12:20] = 0.5
    seen[0, 1, :, 14:18, 14:18] = 0.5
    hot, _, area = index_columns(S2, seen, ground()[0], IndexRules(patch_m=80.0))[0]
    assert hot == pytest.approx(0.25)  # 0.5 - 0.5 x 0.5, all of the 8 pixels
    assert area == (64 + 16) * 100.0


def test_white_brightness_is_visible_reflectance_for_grey_and_less_for_colour():
    grey, red = ground(), ground()
    grey[:] = 0.3
    red[:, :, S2.band_index("red")] += 0.2
    assert index_columns(S2, grey, grey[0])[0, 1] == pytest.approx(0.3)
    assert index_columns(S2, red, red[0])[0, 1] < visible(S2, red).mean()


def test_what_is_not_measured_is_left_out_and_where_nothing_is_all_is_missing():
    seen = ground(images=2)
    seen[0, 0] = np.nan
    seen[1] = np.nan
    found = index_columns(S2, seen, ground()[0])
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).all()
    blind = index_columns(S2, ground(), np.full_like(ground()[0], np.nan))
    assert np.isnan(blind[0, INDEX_COLUMNS.index("plume_area_m2")]) and np.isfinite(blind[0, :2]).all()


def test_weather_and_season():
    half_a_year = int(365.2425 / 2 * 86_400e9)
    north = weather_columns(5.0, 70.0, 3.0, -4.0, 0.2, [MARCH_NS, MARCH_NS + half_a_year], 50.0)
    south = weather_columns(5.0, 70.0, 3.0, -4.0, 0.2, [MARCH_NS, MARCH_NS + half_a_year], -30.0)
    assert north.shape == (2, len(WEATHER_COLUMNS))
    assert north[0, :4] == pytest.approx([5.0, 70.0, 5.0, 0.2])
    np.testing.assert_allclose(np.hypot(north[:, 4], north[:, 5]), 1.0, rtol=1e-6)
    np.testing.assert_allclose(south[0], north[1], atol=1e-5)
    assert not np.allclose(south[0], north[0])
