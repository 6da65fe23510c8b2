"""Physical values and derived bands: published formulas, and laws of each."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from carbonray.errors import ContractError
from carbonray.science.power.band_math import (
    brightness_temperature,
    channel_names,
    channels,
    derived,
    hot,
    normalised_difference,
    reflectance,
    standardised,
    values,
    whiteness,
)
from carbonray.vocab.sensors import IMAGERS

bright = st.floats(2.0**-6, 1.0, width=32)
pixels = hnp.arrays(np.float32, (3, 4), elements=bright)


def test_reflectance_is_linear_in_the_products_integers_and_nan_where_nothing_is() -> None:
    dn = np.array([[[0, 1000]], [[65535, 0]]], np.uint16)

    found = reflectance(dn, np.array([1e-4, 2e-5]), np.array([-0.1, 0.0]))

    assert found == pytest.approx(np.array([[[np.nan, 0.0]], [[1.3107, np.nan]]]), abs=1e-6, nan_ok=True)


def test_brightness_temperature_of_a_published_pixel() -> None:
    """K1 and K2 of Landsat 8 band 10; 300 K has L = K1 / (exp(K2 / 300) - 1) = 9.58 W m-2 sr-1 um-1."""
    radiance = np.array([774.8853 / (np.exp(1321.0789 / 300.0) - 1.0), 0.0, -1.0, np.nan], np.float32)

    found = brightness_temperature(radiance, np.array(774.8853), np.array(1321.0789))

    assert radiance[0] == pytest.approx(9.588, abs=0.01)
    assert found == pytest.approx([300.0, np.nan, np.nan, np.nan], rel=1e-6, nan_ok=True)


def test_thermal_bands_become_kelvin_and_the_others_stay() -> None:
    dn = np.full((2, 3, 2, 2), 25000, np.uint16)
    scale = np.array([[2e-5, 3.342e-4, 2e-5], [4e-5, 3.342e-4, 2e-5]])
    constants = np.array([[np.nan, 774.8853, np.nan]] * 2), np.array([[np.nan, 1321.0789, np.nan]] * 2)

    found = values(dn, scale, np.array([[0.0, 0.1, 0.0]] * 2), *constants)

    assert found[:, 0, 0, 0] == pytest.approx([0.5, 1.0])
    assert found[:, 1, 0, 0] == pytest.approx(1321.0789 / np.log(774.8853 / 8.455 + 1.0))


@given(pixels, pixels, pixels, st.floats(0.5, 2.0))
def test_whiteness_is_never_negative_and_does_not_know_brightness(b, g, r, factor: float) -> None:
    one = whiteness(b, g, r)

    assert (one >= 0.0).all()
    assert whiteness(b * factor, g * factor, r * factor) == pytest.approx(one, abs=1e-4)


@given(pixels)
def test_a_grey_pixel_is_white(grey) -> None:
    assert whiteness(grey, grey, grey) == pytest.approx(0.0, abs=1e-6)


@given(pixels, pixels)
def test_normalised_differences_are_bounded_and_antisymmetric(a, b) -> None:
    found = normalised_difference(a, b)

    assert (np.abs(found) <= 1.0).all()
    assert found == pytest.approx(-normalised_difference(b, a))


def test_what_has_no_meaning_is_missing() -> None:
    dark, negative, lit = (np.array([value], np.float32) for value in (0.0, -0.01, 0.3))

    assert np.isnan(whiteness(dark, dark, dark)) and np.isnan(whiteness(negative, negative, negative))
    assert np.isnan(normalised_difference(dark, dark)) and np.isnan(normalised_difference(negative, lit))
    assert np.isnan(normalised_difference(np.array([np.nan], np.float32), lit))


def test_haze_optimised_transform_has_no_threshold_in_it() -> None:
    """Zhu and Woodcock 2012, eq. 3, without the 0.08."""
    assert hot(np.float32(0.2), np.float32(0.1)) == pytest.approx(0.15)


@pytest.mark.parametrize(("name", "count"), [("landsat8", 16), ("sentinel2", 17), ("planetscope", 7)])
def test_channels_are_as_many_as_the_paper_has(name: str, count: int) -> None:
    """SCIENCE 4.2: L8 11 + 5, S2 13 + 4, PlanetScope 4 + 3."""
    imager = IMAGERS[name]
    physical = np.random.default_rng(0).uniform(0.1, 0.5, (2, len(imager.bands), 3, 4)).astype(np.float32)

    found = channels(imager, physical)

    assert len(channel_names(imager)) == count and found.shape == (2, count, 3, 4)
    assert np.array_equal(found[:, : len(imager.bands)], physical)


def test_each_derived_band_takes_the_bands_it_is_named_for() -> None:
    landsat = IMAGERS["landsat8"]
    physical = np.arange(1.0, 12.0, dtype=np.float32)[:, None, None] / 20  # band B1 is 0.05, B2 0.1 ...
    blue, red, nir, swir1, swir2, tir1, tir2 = 0.1, 0.2, 0.25, 0.3, 0.35, 0.5, 0.55

    found = {name: float(derived(landsat, name, physical)[0, 0]) for name in landsat.derived}

    assert found["hot"] == pytest.approx(blue - red / 2, abs=1e-6)
    assert found["whiteness"] == pytest.approx((0.05 + 0.0 + 0.05) / 0.15, rel=1e-5)
    assert found["ndvi"] == pytest.approx((nir - red) / (nir + red))
    assert found["ndswir"] == pytest.approx((swir2 - swir1) / (swir2 + swir1))
    assert found["ndtir"] == pytest.approx((tir2 - tir1) / (tir2 + tir1))


@pytest.mark.parametrize("name", ["ndtir", "greenness"])
def test_a_derived_band_that_an_imager_cannot_have_is_refused(name: str) -> None:
    sentinel = dataclasses.replace(IMAGERS["sentinel2"], derived=(name,))

    with pytest.raises(ContractError, match=name):
        channels(sentinel, np.ones((13, 2, 2), np.float32))


@given(st.floats(0.05, 400.0), st.floats(0.01, 30.0))
def test_a_standardised_band_has_mean_half_and_spread_a_quarter(mean: float, sd: float) -> None:
    drawn = np.random.default_rng(0).normal(size=(1, 64, 64))
    drawn = (drawn - drawn.mean()) / drawn.std() * sd + mean

    found = standardised(drawn.astype(np.float32), np.array([mean]), np.array([sd]))

    assert found.mean() == pytest.approx(0.5, abs=5e-3) and found.std() == pytest.approx(0.25, rel=5e-3)


def test_a_band_that_does_not_vary_cannot_be_standardised() -> None:
    with pytest.raises(ContractError, match="spreads"):
        standardised(np.ones((2, 1, 1), np.float32), np.zeros(2), np.array([1.0, 0.0]))
