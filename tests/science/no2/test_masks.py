"""The z-test mask: its false alarm rate, its power, gaps, and the join to the source."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.science.no2.masks import (
    MaskRules,
    plume_mask,
    plume_mask_ztest,
    smooth_background,
    source_disc,
    touching,
)
from tests.science.no2.plume_views import plume_view

RULES = MaskRules()


def test_pure_noise_raises_the_false_alarm_of_the_quantile():
    noise = np.random.default_rng(0).normal(20.0, RULES.sd_random_umol_m2, (8, 64, 64))
    assert plume_mask_ztest(noise, 20.0, RULES).mean() == pytest.approx(1 - RULES.quantile, abs=0.002)
    wider = replace(RULES, smoothing_px=1.5)
    assert plume_mask_ztest(noise, 20.0, wider).mean() == pytest.approx(1 - RULES.quantile, abs=0.004)


def test_a_systematic_error_raises_the_bar():
    noise = np.random.default_rng(0).normal(0.0, 15.0, (64, 64))
    assert plume_mask_ztest(noise, 0.0, replace(RULES, sd_systematic_umol_m2=20.0)).sum() == 0


@given(st.floats(-20.0, 200.0))
def test_a_constant_in_field_and_background_changes_nothing(constant):
    field = np.random.default_rng(1).normal(0.0, 30.0, (12, 12))
    np.testing.assert_array_equal(
        plume_mask_ztest(field + constant, constant, RULES), plume_mask_ztest(field, 0.0, RULES)
    )


def test_gaps_widen_the_error_and_are_never_in_the_mask():
    field = np.full((9, 9), 25.0)  # 25 over a pixel's 15 is not significant, over a smoothed mean's it is
    assert plume_mask_ztest(field, 0.0, RULES)[4, 4]
    alone = np.full((9, 9), np.nan)
    alone[4, 4] = 25.0
    mask = plume_mask_ztest(alone, 0.0, RULES)
    assert not mask.any()
    alone[4, 4] = 40.0  # 40 / 15 > 2.33
    assert plume_mask_ztest(alone, 0.0, RULES).sum() == 1


def test_background_is_smooth_and_free_of_the_plume():
    view = plume_view(q_kg_s=2.0, background_umol_m2=30.0)
    plume = view.no2_umol_m2 > 31.0
    background = smooth_background(view.no2_umol_m2, plume, 12.0)
    np.testing.assert_allclose(background, 30.0, atol=0.5)
    assert smooth_background(view.no2_umol_m2, np.zeros_like(plume), 12.0).max() > 40.0
    assert np.isnan(smooth_background(np.full((3, 3), np.nan), np.zeros((3, 3), bool), 1.0)).all()


def test_a_plume_is_found_and_joined_to_its_source():
    rng = np.random.default_rng(2)
    view = plume_view(q_kg_s=1.0, wind=(4.0, 2.0), background_umol_m2=25.0)
    noisy = view.no2_umol_m2 + rng.normal(0.0, 15.0, view.x_m.shape)
    mask = plume_mask(noisy, RULES)
    disc = source_disc(view.x_m, view.y_m, view.source_x_m, view.source_y_m, 10_000.0)
    plume = touching(mask, disc)
    strong = view.no2_umol_m2 > 25.0 + 75.0  # five sd
    assert plume[strong].all()
    upwind = view.along_across_m(view.x_m, view.y_m)[0] < -20_000.0
    assert (mask & upwind).any()  # the false alarms of 2000 pixels at 99 %
    assert not (plume & upwind).any()
    assert not touching(mask, np.zeros_like(disc)).any()


def test_scenes_of_a_stack_do_not_mix():
    rng = np.random.default_rng(3)
    stack = rng.normal(20.0, 15.0, (3, 32, 32))
    stack[1] += plume_view(side_px=32, position_px=(16.2, 10.1)).no2_umol_m2
    together = plume_mask(stack, RULES)
    for scene, mask in zip(stack, together, strict=True):
        np.testing.assert_array_equal(plume_mask(scene, RULES), mask)
