"""Standard time of large plants near the lines between zones, by the counties they stand in."""

import pytest

from carbonray.io.reported.us_time_zones import STATE_BOXES, STATE_OFFSET_H, standard_offset_h


@pytest.mark.parametrize(
    ("plant", "state", "lat", "lon", "offset_h"),
    [
        ("Gibson", "IN", 38.3722, -87.7658, -6),
        ("Rockport", "IN", 37.9256, -87.0372, -6),
        ("Schahfer", "IN", 41.2178, -87.0264, -6),
        ("Petersburg", "IN", 38.5281, -87.2525, -5),
        ("Merom", "IN", 39.0694, -87.5108, -5),
        ("Clifty Creek", "IN", 38.7386, -85.4203, -5),
        ("Paradise", "KY", 37.2608, -86.9783, -6),
        ("Mill Creek", "KY", 38.0525, -85.9106, -5),
        ("Ghent", "KY", 38.7497, -85.0350, -5),
        ("Kingston", "TN", 35.8992, -84.5194, -5),
        ("Sequoyah", "TN", 35.2264, -85.0919, -5),
        ("Cumberland", "TN", 36.3903, -87.6539, -6),
        ("Crist", "FL", 30.5661, -87.2247, -6),
        ("Crystal River", "FL", 28.9594, -82.7000, -5),
        ("Newman", "TX", 31.9836, -106.4314, -7),
        ("Oklaunion", "TX", 34.0825, -99.1753, -6),
        ("Antelope Valley", "ND", 47.3700, -101.8353, -6),
        ("Coal Creek", "ND", 47.3778, -101.1571, -6),
        ("Gerald Gentleman", "NE", 41.0808, -101.1408, -6),
        ("Big Stone", "SD", 45.3047, -96.5083, -6),
        ("Holcomb", "KS", 37.9308, -100.9725, -6),
        ("Presque Isle", "MI", 46.5800, -87.3950, -5),
        ("Boardman", "OR", 45.6933, -119.8056, -8),
    ],
)
def test_a_plant_keeps_the_time_of_its_county(plant: str, state: str, lat: float, lon: float, offset_h: float) -> None:
    assert standard_offset_h(state, (lat, lon)) == offset_h, plant


def test_a_state_with_one_zone_needs_no_place_and_one_with_two_does() -> None:
    assert standard_offset_h("AZ", None) == -7
    assert all(standard_offset_h(state, None) is None for state in STATE_BOXES)
    assert standard_offset_h("XX", (0.0, 0.0)) is None


def test_every_state_and_every_box_keeps_another_time_than_its_state() -> None:
    assert len(STATE_OFFSET_H) == 53  # fifty states, the District of Columbia, Puerto Rico, the Virgin Islands
    for state, boxes in STATE_BOXES.items():
        assert all(box.utc_offset_h != STATE_OFFSET_H[state] for box in boxes)
        assert all(box.south < box.north and box.west < box.east for box in boxes)
