"""What people built around a plant: halls, tanks, coal yards, roads, a river, and the rims of its towers.

Source: SCIENCE 4.13, background and white confusers; sizes are inferred from what such works look like from above.
Positions are metres east and north of the plant's middle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.canvas import Field

Floats = NDArray[np.float64]

_RIM = 1.12  # outer over inner radius of a tower's rim
_SHELL = 1.45  # foot of a tower's shell over its mouth
_WIDE_MOUTH_M = 15.0  # a mouth wider than this is a tower's


@dataclass(frozen=True)
class Shape:
    """Something painted onto the ground.

    Attributes:
        kind: `box`, `disc` or `band` (a box without ends, that bends).
        cover: key of `backgrounds.COVERS`.
        east_m, north_m: its middle.
        length_m, width_m: full size; of a disc its diameter.
        turn: of its length from east, counter-clockwise, radians.
        bend: of a band: amplitude of its bends, m.
        brightness: factor on the reflectance of its cover.
    """

    kind: str
    cover: str
    east_m: float
    north_m: float
    length_m: float
    width_m: float
    turn: float = 0.0
    bend: float = 0.0
    brightness: float = 1.0


def works(
    towers: Floats, rims_m: Floats, water_share: float, white_share: float, rng: np.random.Generator
) -> tuple[Shape, ...]:
    """Everything built around the structures, in the order of painting.

    Args:
        towers: (structure, 2) positions.
        rims_m: (structure,) radii of their mouths.
        water_share: chance of a river, and of a pond.
        white_share: chance that a building is white.
        rng: generator of the scene.
    """
    middle = towers.mean(axis=0)
    turn = _direction(towers, rng)
    half = np.abs((towers - middle) @ _axes(turn)).max(axis=0) + np.array([160.0, 170.0])
    return (
        *_water(half, turn, water_share, rng),
        *_roads(turn, rng),
        *_site(middle, half, turn, white_share, rng),
        *(shape for at, rim in zip(towers, rims_m, strict=True) for shape in _tower(at, float(rim))),
    )


def painted(
    shapes: Sequence[Shape], east: Field, north: Field, label: NDArray[np.int8], bright: Field, covers: tuple[str, ...]
) -> None:
    """Paints shapes into (y, x) labels and brightness, later over earlier."""
    for shape in shapes:
        inside = _inside(shape, east, north)
        label[inside] = covers.index(shape.cover)
        bright[inside] = shape.brightness


def _inside(shape: Shape, east: Field, north: Field) -> NDArray[np.bool_]:
    x, y = east - shape.east_m, north - shape.north_m
    along, across = x * np.cos(shape.turn) + y * np.sin(shape.turn), y * np.cos(shape.turn) - x * np.sin(shape.turn)
    if shape.kind == "disc":
        return np.asarray(x**2 + y**2 < (shape.length_m / 2) ** 2)
    if shape.kind == "band":
        bend = shape.bend * (np.sin(along / 410.0) + 0.5 * np.sin(along / 173.0 + 1.0))
        return np.asarray(np.abs(across - bend) < shape.width_m / 2)
    return np.asarray((np.abs(along) < shape.length_m / 2) & (np.abs(across) < shape.width_m / 2))


def _water(half: Floats, turn: float, share: float, rng: np.random.Generator) -> Iterator[Shape]:
    if rng.random() < share:
        away, width = half[1] + rng.uniform(80, 400), rng.uniform(40, 160)
        east, north = -np.sin(turn) * away, np.cos(turn) * away
        yield Shape("band", "water", east, north, 0.0, width, turn + rng.normal(0, 0.3), rng.uniform(20, 90))
    if rng.random() < 0.5 * share:
        away, size, angle = half.max() + rng.uniform(150, 500), rng.uniform(120, 420), rng.uniform(0, 2 * np.pi)
        yield Shape("disc", "water", away * np.cos(angle), away * np.sin(angle), size, size)


def _roads(turn: float, rng: np.random.Generator) -> Iterator[Shape]:
    for angle in turn + np.array([0.0, np.pi / 2, 0.3]):
        offset = rng.uniform(-500, 500)
        east, north = -np.sin(angle) * offset, np.cos(angle) * offset
        yield Shape("band", "asphalt", east, north, 0.0, rng.uniform(7, 16), angle + rng.normal(0, 0.1), 15.0)


def _site(middle: Floats, half: Floats, turn: float, white_share: float, rng: np.random.Generator) -> Iterator[Shape]:
    """The fenced ground with its yards, halls and tanks."""
    along, across = 2 * half

    def at(u: float, v: float) -> tuple[float, float]:
        place = middle + _axes(turn) @ (np.array([u, v]) * half)
        return float(place[0]), float(place[1])

    yield Shape("box", "soil", *at(0, 0), along, across, turn, brightness=1.15)
    yield Shape("box", "concrete", *at(0, 0), 0.8 * along, 0.62 * across, turn, brightness=0.72)
    yield Shape("box", "coal", *at(rng.uniform(-0.6, 0.6), 0.8), rng.uniform(120, 300), rng.uniform(60, 120), turn)
    yield Shape("box", "asphalt", *at(0, rng.uniform(-0.2, 0.2)), along, 10.0, turn)
    yield Shape("box", _roof(white_share, rng), *at(rng.uniform(-0.2, 0.2), -0.05), 0.5 * along, 42.0, turn)
    for _ in range(int(rng.integers(12, 24))):
        size, other = rng.uniform(15, 70), rng.uniform(10, 35)
        spot = at(rng.uniform(-0.95, 0.95), rng.uniform(-0.95, 0.95))
        yield Shape("box", _roof(white_share, rng), *spot, size, other, turn, brightness=rng.uniform(0.75, 1.1))
    for _ in range(int(rng.integers(40, 90))):  # vehicles, ducts, heaps, small roofs
        spot, cover = at(*rng.uniform(-0.95, 0.95, 2)), ("asphalt", "soil", "concrete", "dark_roof")[rng.integers(4)]
        yield Shape("box", cover, *spot, rng.uniform(4, 45), rng.uniform(3, 12), turn, brightness=rng.uniform(0.7, 1.3))
    for _ in range(int(rng.integers(3, 9))):
        tank = "white_roof" if rng.random() < white_share else "concrete"
        size, spot = rng.uniform(12, 45), at(rng.uniform(-0.95, 0.95), rng.uniform(-0.95, 0.95))
        yield Shape("disc", tank, *spot, size, size, brightness=rng.uniform(0.8, 1.15))


def _roof(white_share: float, rng: np.random.Generator) -> str:
    white = rng.random() < white_share
    return "white_roof" if white else ("dark_roof", "concrete")[int(rng.integers(2))]


def _tower(at: Floats, rim_m: float) -> Iterator[Shape]:
    """From above a tower is its shell, a bright rim and a dark mouth; a stack is a small pale disc."""
    if rim_m > _WIDE_MOUTH_M:
        shell, rim, mouth = (2 * rim_m * factor for factor in (_SHELL, _RIM, 1.0))
        yield Shape("disc", "concrete", at[0], at[1], shell, shell, brightness=0.85)
        yield Shape("disc", "concrete", at[0], at[1], rim, rim, brightness=1.25)
        yield Shape("disc", "dark_roof", at[0], at[1], mouth, mouth, brightness=0.5)
    else:
        yield Shape("disc", "concrete", at[0], at[1], 3.2 * rim_m, 3.2 * rim_m, brightness=0.9)


def _direction(towers: Floats, rng: np.random.Generator) -> float:
    """Along the row of structures; anywhere where there is only one."""
    spread = towers - towers.mean(axis=0)
    if np.abs(spread).max() < 1.0:
        return float(rng.uniform(0, np.pi))
    axis = np.linalg.svd(spread, full_matrices=False)[2][0]
    return float(np.arctan2(axis[1], axis[0]))


def _axes(turn: float) -> Floats:
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
