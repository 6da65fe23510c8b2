"""Pixel averages of plumes: mass, accuracy against brute force, symmetries, footprints, no denormals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.science.no2.dispersion import column_plume, sigma_y_shape, umol_m2_from_kg_m2
from carbonray.science.no2.plume_pixels import PlumeSources, pixel_plumes
from tests.science.no2.particle_plumes import PIXEL_M, particle_plume


def one_source(row=30.3, col=31.8, u=5.0, v=2.0, tau_s=1.44e4, stability="C", size=1, dx=PIXEL_M, dy=PIXEL_M, k=0.0):
    slope, bend = sigma_y_shape(stability)
    values = (row, col, u, v, tau_s, slope, bend, k, dx, dy)
    return PlumeSources(*(np.atleast_1d(np.float64(value)) for value in values), np.array([size]))


def test_all_the_mass_is_there():
    """Q tau of a plume that decays inside the lattice."""
    sources = one_source(row=100.4, col=100.7, tau_s=7200.0, u=4.0, v=-3.0)
    kernel = pixel_plumes(sources, (200, 200))[0]
    assert kernel.sum() * PIXEL_M**2 == pytest.approx(7200.0, rel=1e-3)


def test_without_decay_every_slab_carries_the_emission():
    kernel = pixel_plumes(one_source(row=32.5, col=5.2, u=5.0, v=0.0, tau_s=np.inf), (64, 64))[0]
    flux = 5.0 * kernel.sum(axis=0) * PIXEL_M
    np.testing.assert_allclose(flux[8:], 1.0, rtol=1e-5)
    assert flux[5] == pytest.approx(0.8, abs=1e-4)  # the source sits at 5.2, four fifths of its pixel lie downwind


CASES = [(1.0, "A", 2, 0.0), (3.0, "B", 4, 100.0), (5.0, "C", 4, 0.0), (5.0, "D", 8, 0.0), (14.0, "D", 6, 30.0)]


@pytest.mark.parametrize(("speed", "stability", "tau_h", "k"), CASES)
def test_mass_and_pixels_within_a_hundredth_of_a_converged_reference(speed, stability, tau_h, k):
    heading = np.radians(17.0 + 31.0 * speed)
    u, v = speed * np.cos(heading), speed * np.sin(heading)
    case = {
        "row": 7.3,
        "col": 8.6,
        "u": u,
        "v": v,
        "tau_s": 3600.0 * tau_h,
        "stability": stability,
        "dx": 0.7 * PIXEL_M,
    }
    kernel = pixel_plumes(one_source(**case, k=k), (16, 16))[0]
    reference = particle_plume(**case, k=k, pixels=16)
    assert kernel.sum() == pytest.approx(reference.sum(), rel=1e-2)
    assert np.abs(kernel - reference).sum() / reference.sum() < 1e-2


def test_away_from_the_source_the_pixels_are_the_formula_averaged():
    kernel = pixel_plumes(one_source(row=8.4, col=2.2, u=4.5, v=1.0, stability="B"), (16, 16))[0]
    centres = (np.arange(16 * 32) + 0.5) / 32
    x, y = (centres - 2.2) * PIXEL_M, (8.4 - centres[:, None]) * PIXEL_M
    fine = column_plume(x, y, 1.0, 4.5, 1.0, 1.44e4, "B").reshape(16, 32, 16, 32).mean(axis=(1, 3))
    np.testing.assert_allclose(kernel[:, 7:], fine[:, 7:], rtol=0.03, atol=2e-3 * fine[:, 7:].max())


def test_the_detection_scale_of_a_class_d_plume():
    """U = 5 m/s, D, 4 h, 5.5 x 3.5 km: 0.03 kg/s peaks near 36, 0.1 kg/s near 120 umol m-2 (SCIENCE 3.7)."""
    peaks = []
    for row, col in np.random.default_rng(0).uniform(20, 21, (60, 2)):
        sources = one_source(row=row, col=col, u=3.0, v=4.0, stability="D", dx=3500.0, dy=5500.0)
        peaks.append(umol_m2_from_kg_m2(0.03 * pixel_plumes(sources, (40, 40)).max()))
    assert np.median(peaks) == pytest.approx(36, rel=0.25)


winds = st.tuples(st.floats(-10, 10), st.floats(-10, 10)).filter(lambda w: np.hypot(*w) > 1)
places = st.floats(20.0, 40.0)


@settings(max_examples=25)
@given(winds, places, places, st.sampled_from("ABCD"), st.integers(1, 6))
def test_symmetries(wind, row, col, stability, size):
    u, v = wind
    kernel = pixel_plumes(one_source(row, col, u, v, stability=stability, size=size), (64, 64))[0]
    # a whole number of pixels away
    moved = pixel_plumes(one_source(row + 3, col - 2, u, v, stability=stability, size=size), (64, 64))[0]
    np.testing.assert_allclose(moved[3:, :-2], kernel[:-3, 2:], rtol=1e-4, atol=1e-4 * kernel.max())
    # wind and coordinates turned together: a quarter turn anticlockwise takes (row, col) to (64 - col, row);
    # a source on the line between two pixels may have its neighbourhood refined to the other side
    turned = pixel_plumes(one_source(64 - col, row, -v, u, stability=stability, size=size), (64, 64))[0]
    assert np.abs(turned - np.rot90(kernel)).sum() < 1e-2 * kernel.sum()
    assert turned.sum() == pytest.approx(kernel.sum(), rel=2e-3)


@settings(max_examples=25)
@given(winds, places, places)
def test_nothing_lies_upwind_and_nothing_is_denormal(wind, row, col):
    u, v = wind
    kernel = pixel_plumes(one_source(row, col, u, v), (64, 64))[0]
    edges = np.arange(65)
    downwind = ((edges - col) * u)[None, :] + ((row - edges) * v)[:, None]  # at the corners
    wholly_upwind = np.maximum.reduce([downwind[:-1, :-1], downwind[1:, :-1], downwind[:-1, 1:], downwind[1:, 1:]]) <= 0
    assert (kernel[wholly_upwind] == 0).all()
    assert (kernel >= 0).all()
    assert kernel[kernel > 0].min() >= 1e-6 * kernel.max()


def test_a_footprint_is_the_mean_of_its_points():
    square = pixel_plumes(one_source(30.3, 31.8, size=3), (64, 64))[0]
    points = [pixel_plumes(one_source(30.3 + i, 31.8 + j), (64, 64))[0] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    np.testing.assert_allclose(square, np.mean(points, axis=0), rtol=1e-4, atol=2e-6 * square.max())


def test_sources_do_not_see_each_other_or_their_batch():
    many = {name: np.repeat(value, 40, axis=0) for name, value in vars(one_source()).items()}
    sources = replace(PlumeSources(**many), col=np.linspace(-30.0, 90.0, 40), size_px=np.arange(40) % 6 + 1)
    together = pixel_plumes(sources, (64, 64))
    for k in (0, 17, 39):
        np.testing.assert_array_equal(pixel_plumes(sources.take(np.array([k])), (64, 64))[0], together[k])


def test_no_sources_no_plumes():
    assert pixel_plumes(one_source().take(np.array([], int)), (64, 64)).shape == (0, 64, 64)
