"""Standard time of US plants: by state, and by place in the states that two zones share.

Source: 49 CFR part 71 (standard time zone boundaries). The lines follow counties; boxes of latitude and longitude stand
for them (inferred), so that a plant near a line should be given its offset. Offsets are hours from UTC in winter.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC, _ALASKA, _HAWAII, _ATLANTIC = -5.0, -6.0, -7.0, -8.0, -9.0, -10.0, -4.0


@dataclass(frozen=True)
class Box:
    """A part of a state that keeps another standard time than the rest of it, degrees."""

    south: float
    north: float
    west: float
    east: float
    utc_offset_h: float


# states by the standard time of most of their area
_STATES: Mapping[float, str] = {
    _EASTERN: "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
    _CENTRAL: "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
    _MOUNTAIN: "AZ CO ID MT NM UT WY",
    _PACIFIC: "CA NV OR WA",
    _ALASKA: "AK",
    _HAWAII: "HI",
    _ATLANTIC: "PR VI",
}
STATE_OFFSET_H: Mapping[str, float] = {state: hours for hours, states in _STATES.items() for state in states.split()}

# the rest of it
STATE_BOXES: Mapping[str, tuple[Box, ...]] = {
    "AK": (Box(50.0, 60.0, -180.0, -169.5, _HAWAII),),
    "FL": (Box(29.0, 31.1, -88.0, -85.0, _CENTRAL),),
    "ID": (Box(45.45, 49.1, -117.3, -114.0, _PACIFIC),),
    "IN": (Box(40.73, 41.9, -87.6, -86.48, _CENTRAL), Box(37.7, 38.52, -88.1, -86.46, _CENTRAL)),
    "KS": (Box(37.9, 40.1, -102.1, -101.48, _MOUNTAIN),),
    "KY": (Box(36.4, 38.0, -89.6, -85.9, _CENTRAL),),
    "MI": (Box(46.0, 46.65, -90.5, -89.0, _CENTRAL), Box(45.0, 46.42, -89.0, -87.6, _CENTRAL)),
    # Mercer and Oliver counties, where the large plants stand, keep central time
    "ND": (Box(45.9, 47.3, -104.1, -102.1, _MOUNTAIN), Box(45.9, 46.6, -102.1, -101.1, _MOUNTAIN)),
    "NE": (Box(40.0, 43.1, -104.1, -101.3, _MOUNTAIN),),
    "NV": (Box(40.6, 40.9, -114.2, -114.0, _MOUNTAIN),),
    "OR": (Box(42.4, 44.5, -118.3, -116.9, _MOUNTAIN),),
    "SD": (Box(42.9, 46.0, -104.1, -100.6, _MOUNTAIN),),
    "TN": (Box(35.4, 36.7, -85.0, -81.6, _EASTERN), Box(34.9, 35.4, -85.36, -81.6, _EASTERN)),
    "TX": (Box(30.5, 32.1, -106.7, -104.9, _MOUNTAIN),),
}


def standard_offset_h(state: str, position: tuple[float, float] | None) -> float | None:
    """Hours from UTC of a plant's standard time.

    Args:
        state: two letters.
        position: latitude and longitude, None where unknown.

    Returns:
        None for a name that is no state, and for a plant at an unknown place of a state with two zones.
    """
    boxes = STATE_BOXES.get(state, ())
    if state not in STATE_OFFSET_H or (boxes and position is None):
        return None
    for box in boxes:
        lat, lon = position or (0.0, 0.0)
        if box.south <= lat <= box.north and box.west <= lon <= box.east:
            return box.utc_offset_h
    return STATE_OFFSET_H[state]
