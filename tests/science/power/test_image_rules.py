"""Images are rejected by the published limits; structures must lie whole in what was measured; scores tell clouds."""

import numpy as np
import pytest

from carbonray.science.power.image_rules import (
    ImageFacts,
    ImageRules,
    brightness,
    cloudiness,
    image_verdict,
    structures_inside,
)

RULES = ImageRules()
GOOD = {
    "imager": "planetscope",
    "structures_inside": True,
    "cloud_fraction": 0.19,
    "haze_fraction": 0.79,
    "brightness": 0.1,
    "cloudiness": 0.1,
}


def rule(**changed: object) -> str:
    columns = {name: np.array([value]) for name, value in {**GOOD, **changed}.items()}
    return str(image_verdict(ImageFacts(**columns), RULES).rule[0])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({}, ""),
        ({"structures_inside": False}, "structures outside"),
        ({"cloud_fraction": 0.2}, "cloud"),
        ({"haze_fraction": 0.8}, "haze"),
        ({"haze_fraction": np.nan}, ""),
        ({"brightness": 0.01}, "dark"),
        ({"cloudiness": 0.5}, "cloudiness"),
        ({"imager": "sentinel2", "brightness": 0.01, "cloudiness": 0.9}, ""),
        ({"imager": "sentinel2", "cloud_fraction": np.nan}, "cloud unknown"),
        ({"cloud_fraction": np.nan}, ""),
        ({"cloud_fraction": np.nan, "cloudiness": np.nan}, "cloud unknown"),
        ({"structures_inside": False, "cloud_fraction": 0.9}, "structures outside"),
    ],
)
def test_one_broken_limit_is_named(changed: dict[str, object], named: str) -> None:
    assert rule(**changed) == named


def test_a_structure_is_inside_where_all_pixels_around_it_are_measured() -> None:
    measured = np.ones((3, 10, 12), np.bool_)
    measured[1, 4, 5] = False
    assert structures_inside([4.9], [5.2], measured).tolist() == [True, False, True]
    assert structures_inside([6.0], [7.0], measured, half_px=2).tolist() == [True, False, True]
    assert structures_inside([6.0], [8.0], measured, half_px=2).all()
    assert not structures_inside([4.0, -0.1], [5.0, 0.0], measured).any()
    assert structures_inside([9.99], [11.99], measured).all()
    assert not structures_inside([10.0], [0.0], measured).any()
    assert structures_inside([], [], measured).all()


def test_scores_are_of_the_measured_pixels() -> None:
    hot = np.full((2, 4, 4), 0.02)
    hot[0, :2] = 0.3
    whiteness, ndvi = np.full_like(hot, 0.1), np.full_like(hot, 0.0)
    hot[0, 3] = np.nan
    hot[1] = np.nan
    assert cloudiness(hot, whiteness, ndvi, RULES) == pytest.approx([8 / 12, np.nan], nan_ok=True)
    assert cloudiness(hot[:1], whiteness[:1] + 1.0, ndvi[:1], RULES)[0] == 0.0
    assert cloudiness(hot[:1], whiteness[:1], ndvi[:1] + 0.5, RULES)[0] == 0.0
    band = np.full((1, 2, 2), 0.3)
    band[0, 0, 0] = np.nan
    assert brightness(band, band / 3, band * 0) == pytest.approx([(0.3 + 0.1) / 3])
