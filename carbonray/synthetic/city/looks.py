"""What each zone of a synthetic city looks like from above, as data: four palettes of eight zones.

Source: SCIENCE 1.8, points 4 and 7; numbers are inferred. Colours are (red, green, blue), 0 to 255, in full sun. The
fourth palette is the shift tier's: its roofs, plots and soils are found in no other.
"""

from dataclasses import dataclass

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """A zone from above.

    Attributes:
        block_m: sides of a block, middle of street to middle of street.
        street_m: width of a street.
        lot_m: sides of a lot, about; a block holds a whole number of them.
        footprint: share of a lot's sides that its building takes.
        court: share of a building's sides that is an open court.
        height_m: of buildings at middling vigor.
        uneven: relative spread of heights.
        built: share of lots with a building.
        trees: share of open ground under trees.
        cars: share of open ground under parked cars.
        ground: colour of open ground.
        roofs: colours of roofs.
    """

    block_m: tuple[float, float]
    street_m: float
    lot_m: tuple[float, float]
    footprint: tuple[float, float]
    court: float
    height_m: float
    uneven: float
    built: float
    trees: float
    cars: float
    ground: Rgb
    roofs: tuple[Rgb, ...]


@dataclass(frozen=True)
class Palette:
    """A city from above.

    Attributes:
        district_m: distance between the middles of districts, each with streets of its own direction.
        turn_deg: largest turn of a district's streets from north.
        bend_m: how far streets bend.
        asphalt, water, leaf: colours.
        looks: by zone, in the order of ZONES.
    """

    district_m: float
    turn_deg: float
    bend_m: float
    asphalt: Rgb
    water: Rgb
    leaf: Rgb
    looks: tuple[Look, ...]


_BRICK: tuple[Rgb, ...] = ((138, 92, 74), (120, 84, 72), (150, 112, 92), (104, 92, 88))
_SLATE: tuple[Rgb, ...] = ((112, 112, 118), (136, 134, 132), (162, 158, 152), (96, 94, 98), (186, 182, 176))
_HALLS: tuple[Rgb, ...] = ((214, 214, 212), (184, 188, 194), (150, 158, 170), (234, 232, 226), (128, 134, 140))
_BLUE_HALLS: tuple[Rgb, ...] = ((92, 130, 178), (78, 116, 168), (196, 200, 204), (158, 96, 84), (224, 224, 222))
_SLABS: tuple[Rgb, ...] = ((168, 162, 154), (150, 134, 124), (188, 182, 172), (144, 106, 92), (202, 196, 188))
_FIELDS: tuple[Rgb, ...] = ((112, 124, 72), (136, 140, 84), (154, 144, 100), (92, 112, 64))
_DRY: tuple[Rgb, ...] = ((196, 178, 146), (176, 156, 124), (208, 190, 158), (150, 134, 108))
_TIN: tuple[Rgb, ...] = ((196, 104, 66), (112, 158, 156), (206, 196, 178), (168, 72, 58), (232, 214, 150))

PALETTES: dict[str, Palette] = {
    "temperate": Palette(820.0, 45.0, 26.0, (98, 98, 100), (62, 76, 78), (62, 84, 46), (
        Look((120, 90), 16, (52, 40), (0.86, 0.86), 0.30, 38, 0.55, 0.95, 0.06, 0.05, (140, 138, 132), _SLATE),
        Look((110, 85), 14, (26, 32), (0.90, 0.80), 0.25, 15, 0.35, 0.92, 0.10, 0.08, (138, 134, 124), _SLATE + _BRICK),
        Look((140, 66), 12, (9, 26), (0.98, 0.46), 0.0, 11, 0.15, 0.94, 0.20, 0.03, (112, 118, 84), _BRICK),
        Look((190, 84), 11, (17, 36), (0.56, 0.34), 0.0, 8, 0.15, 0.88, 0.34, 0.01, (102, 118, 70), _BRICK),
        Look((260, 180), 18, (86, 70), (0.74, 0.66), 0.0, 11, 0.40, 0.84, 0.05, 0.07, (144, 140, 132), _HALLS),
        Look((340, 220), 24, (150, 96), (0.66, 0.60), 0.0, 13, 0.20, 0.74, 0.03, 0.14, (130, 130, 130), _HALLS),
        Look((330, 260), 6, (330, 260), (0.10, 0.10), 0.0, 6, 0.30, 0.10, 0.40, 0.0, (104, 126, 66), _FIELDS),
        Look((300, 260), 14, (120, 100), (0.52, 0.48), 0.0, 22, 0.50, 0.62, 0.06, 0.02, (132, 126, 114), _HALLS),
    )),
    "continental": Palette(1050.0, 4.0, 5.0, (112, 110, 108), (78, 92, 86), (76, 88, 54), (
        Look((210, 170), 24, (68, 56), (0.64, 0.64), 0.0, 62, 0.55, 0.86, 0.10, 0.06, (158, 154, 146), _SLATE),
        Look((170, 230), 20, (42, 76), (0.48, 0.84), 0.0, 30, 0.50, 0.90, 0.12, 0.08, (152, 146, 136), _SLABS),
        Look((210, 290), 16, (44, 66), (0.34, 0.84), 0.0, 34, 0.40, 0.94, 0.22, 0.04, (136, 132, 112), _SLABS),
        Look((160, 110), 9, (20, 17), (0.84, 0.60), 0.24, 6, 0.15, 0.94, 0.16, 0.02, (142, 132, 114), _SLATE + _BRICK),
        Look((330, 250), 20, (104, 54), (0.82, 0.62), 0.0, 12, 0.35, 0.88, 0.04, 0.05, (158, 150, 138), _BLUE_HALLS),
        Look((400, 300), 26, (180, 84), (0.78, 0.62), 0.0, 12, 0.15, 0.80, 0.03, 0.12, (150, 146, 138), _BLUE_HALLS),
        Look((250, 160), 5, (250, 160), (0.12, 0.12), 0.0, 5, 0.30, 0.06, 0.30, 0.0, (122, 122, 78), _FIELDS),
        Look((340, 280), 16, (130, 110), (0.50, 0.50), 0.0, 26, 0.50, 0.66, 0.05, 0.02, (142, 134, 120), _HALLS),
    )),
    "arid": Palette(1200.0, 7.0, 6.0, (134, 128, 118), (82, 104, 98), (92, 98, 62), (
        Look((260, 210), 30, (84, 70), (0.58, 0.58), 0.0, 48, 0.55, 0.76, 0.06, 0.05, (182, 170, 148), _SLATE),
        Look((200, 260), 26, (48, 82), (0.46, 0.80), 0.0, 22, 0.45, 0.84, 0.08, 0.07, (178, 164, 140), _SLABS),
        Look((240, 330), 20, (50, 70), (0.32, 0.82), 0.0, 26, 0.35, 0.92, 0.12, 0.03, (166, 154, 126), _SLABS),
        Look((130, 100), 9, (22, 25), (0.80, 0.62), 0.30, 5, 0.15, 0.82, 0.07, 0.01, (186, 168, 136), _DRY),
        Look((430, 320), 22, (130, 66), (0.76, 0.58), 0.0, 13, 0.35, 0.74, 0.02, 0.04, (190, 172, 142), _BLUE_HALLS),
        Look((470, 350), 28, (200, 96), (0.74, 0.58), 0.0, 12, 0.15, 0.68, 0.02, 0.10, (186, 170, 144), _BLUE_HALLS),
        Look((220, 120), 5, (220, 120), (0.12, 0.12), 0.0, 4, 0.30, 0.05, 0.10, 0.0, (150, 146, 96), _DRY + _FIELDS),
        Look((400, 340), 16, (140, 120), (0.48, 0.48), 0.0, 28, 0.50, 0.62, 0.02, 0.01, (178, 162, 134), _HALLS),
    )),
    "tropical": Palette(640.0, 30.0, 55.0, (136, 120, 108), (104, 118, 92), (48, 92, 40), (
        Look((100, 80), 13, (34, 34), (0.78, 0.78), 0.0, 46, 0.70, 0.92, 0.10, 0.08, (164, 140, 120), _SLATE + _TIN),
        Look((86, 64), 9, (14, 21), (0.96, 0.88), 0.0, 12, 0.50, 0.96, 0.08, 0.06, (168, 136, 110), _TIN),
        Look((64, 48), 6, (8, 9), (0.94, 0.90), 0.0, 5, 0.30, 0.97, 0.06, 0.01, (172, 122, 92), _TIN),
        Look((130, 100), 9, (26, 30), (0.52, 0.48), 0.0, 6, 0.20, 0.80, 0.48, 0.01, (128, 118, 70), _TIN),
        Look((220, 170), 14, (60, 80), (0.80, 0.72), 0.0, 9, 0.40, 0.80, 0.10, 0.05, (176, 128, 98), _TIN + _HALLS),
        Look((300, 220), 20, (110, 90), (0.70, 0.66), 0.0, 11, 0.20, 0.74, 0.05, 0.16, (168, 132, 104), _HALLS),
        Look((190, 150), 5, (190, 150), (0.14, 0.14), 0.0, 5, 0.30, 0.16, 0.62, 0.0, (86, 112, 52), _FIELDS),
        Look((260, 230), 12, (100, 90), (0.50, 0.50), 0.0, 20, 0.50, 0.64, 0.14, 0.02, (164, 124, 96), _HALLS),
    )),
}  # fmt: skip
