"""Shadows fall to the north-west, haze whitens, the archive rounds, and no pixel is zero."""

import numpy as np

from carbonray.synthetic.city.photograph import PhotographRules, photographed, shadows

RULES = PhotographRules()
CLEAN = PhotographRules(noise=0.0, jpeg_step=0.0)


def picture(value=100.0, gain=1.0, haze=0.0, rules=CLEAN, size=(32, 40)):
    field = np.zeros(size, np.float32)
    grain = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    return photographed(np.full((3, *size), value, np.float32), field + gain, field + haze, grain, rules)


def test_a_tower_shades_what_lies_to_its_north_west():
    height = np.zeros((140, 140), np.float32)
    height[70:74, 70:74] = 30.0
    bright = shadows(height, (2.0, 2.0), (slice(0, 110), slice(0, 110)), RULES)
    rows, cols = np.nonzero(bright < 1)
    assert rows.size > 30
    assert rows.min() < 66 and rows.max() < 74 and cols.max() < 74
    assert rows.mean() < 70 and cols.mean() < 70
    length = 2.0 * (70 - rows.min()), 2.0 * (70 - cols.min())
    expected = 30.0 / np.tan(np.deg2rad(46.0))
    assert abs(np.hypot(*length) - expected) < 8.0
    assert set(np.unique(bright)) == {np.float32(RULES.dark), np.float32(1.0)}


def test_level_ground_is_in_the_sun():
    assert (shadows(np.full((90, 90), 5.0, np.float32), (3.0, 2.0), (slice(0, 50), slice(0, 50)), RULES) == 1).all()


def test_gain_and_haze_change_the_picture_as_light_does():
    plain, bright, hazy = picture(), picture(gain=1.15), picture(haze=0.5)
    assert (plain == 100).all() and (bright == 115).all()
    assert (hazy > plain).all() and hazy[2].mean() > hazy[0].mean()
    assert picture(value=-50.0).min() == 1
    assert picture(value=900.0).max() == 255


def test_the_archive_loses_detail_but_no_brightness():
    lossy = PhotographRules(noise=6.0, jpeg_step=30.0)
    kept, lost = (picture(rules=rules).astype(float) for rules in (PhotographRules(noise=6.0, jpeg_step=0.0), lossy))
    assert lost.std() < 0.7 * kept.std()
    assert abs(lost.mean() - kept.mean()) < 1.5
    np.testing.assert_array_equal(picture(rules=lossy), picture(rules=lossy))
