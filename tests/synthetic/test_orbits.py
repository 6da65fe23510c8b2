"""The simulated orbit against what is published of Sentinel-5P and seen in its files."""

from datetime import UTC, datetime

import numpy as np
import pytest

from carbonray.errors import ContractError
from carbonray.science.spatial.geodesy import distance_km, local_solar_day, wrapped_longitude
from carbonray.synthetic.orbits import (
    across_track_edges_km,
    node_utc_s,
    orbits_over,
    swath_geometry,
)
from carbonray.vocab.sensors import SWATHS

TROPOMI = SWATHS["tropomi"]
CHINA = (110.0, 30.0, 118.0, 38.0)
FIJI = (176.0, -20.0, -178.0, -14.0)  # across 180
BEFORE, AFTER = 18110, 18125  # 2019-08-02 and 2019-08-17, about the change of pixel size on 2019-08-06


def test_swath_has_the_published_widths():
    edges = across_track_edges_km(TROPOMI)
    widths = np.diff(edges)
    assert widths.size == 450
    assert edges[-1] - edges[0] == pytest.approx(2600.0)
    assert widths[[224, 225]] == pytest.approx([3.5, 3.5], abs=0.01)
    assert widths[[0, -1]] == pytest.approx([14.5, 14.5], abs=0.2)
    assert widths == pytest.approx(widths[::-1])


def test_orbit_19594_passes_matimba_when_it_did():
    # the real granule of ../shared/data: 23.67 S at 11:44:52 UTC on 2021-07-25
    overpass = datetime.fromtimestamp(node_utc_s(19594) - 23.67 / 360 * 16 * 86400 / 227, tz=UTC)
    assert abs((overpass - datetime(2021, 7, 25, 11, 44, 52, tzinfo=UTC)).total_seconds()) < 300


@pytest.mark.parametrize("region", [CHINA, FIJI])
@pytest.mark.parametrize(("day", "along_km"), [(BEFORE, 7.0), (AFTER, 5.5)])
def test_pixels_cover_the_ground_at_the_size_of_their_era(region, day, along_km):
    geometry = swath_geometry(orbits_over(region, day, TROPOMI, 1)[0], region, TROPOMI)
    middle = geometry.lat.shape[1] // 2
    steps = distance_km(geometry.lat[1:], geometry.lon[1:], geometry.lat[:-1], geometry.lon[:-1])
    assert steps[:, middle] == pytest.approx(along_km, rel=0.03)
    across = distance_km(geometry.lat[:, 1:], geometry.lon[:, 1:], geometry.lat[:, :-1], geometry.lon[:, :-1])
    assert 3.45 < across.min() <= across.max() < 14.6


@pytest.mark.parametrize("region", [CHINA, FIJI])
def test_corners_run_around_their_centre_and_neighbours_overlap(region):
    geometry = swath_geometry(orbits_over(region, AFTER, TROPOMI, 1)[0], region, TROPOMI)
    lon = wrapped_longitude(geometry.lon_corners - geometry.lon[..., None])
    lat = geometry.lat_corners - geometry.lat[..., None]
    turns = lon * np.roll(lat, -1, axis=-1) - np.roll(lon, -1, axis=-1) * lat
    assert np.all(turns > 0)  # counter-clockwise, with the centre inside
    overlap = geometry.lat_corners[:-1, :, 3] - geometry.lat_corners[1:, :, 0]  # late left over the next early left
    assert np.all(overlap > 0)  # bow-tie: scan lines overlap everywhere, the more the further out
    assert overlap[:, 0].mean() != pytest.approx(overlap[:, -1].mean(), rel=0.05)


@pytest.mark.parametrize("region", [CHINA, FIJI])
def test_a_day_is_the_local_solar_date_near_half_past_one(region):
    for day in (BEFORE, AFTER):
        for orbit in orbits_over(region, day, TROPOMI, 2):
            geometry = swath_geometry(orbit, region, TROPOMI)
            hours = (geometry.time_utc_ns[:, None] / 3.6e12 + geometry.lon / 15.0) % 24
            assert np.all(np.abs(hours - 13.5) < 1.7)  # a swath of 2600 km is more than an hour and a half wide
            beyond = (region is FIJI) & (geometry.lon < 0)  # east of the date line it is still the day before
            np.testing.assert_array_equal(local_solar_day(geometry.time_utc_ns[:, None], geometry.lon) + beyond, day)


def test_most_days_are_seen_and_the_best_orbit_is_kept():
    both = [orbits_over(CHINA, day, TROPOMI, 2) for day in range(BEFORE, BEFORE + 16)]
    best = [orbits_over(CHINA, day, TROPOMI, 1) for day in range(BEFORE, BEFORE + 16)]
    assert all(len(orbits) == 1 and orbits[0] in pair for orbits, pair in zip(best, both, strict=True))
    assert any(len(pair) == 2 for pair in both)


def test_an_orbit_elsewhere_is_refused():
    orbit = orbits_over(CHINA, AFTER, TROPOMI, 1)[0]
    with pytest.raises(ContractError, match="does not see the region"):
        swath_geometry(orbit + 5, CHINA, TROPOMI)
