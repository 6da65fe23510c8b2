"""A cell of a synthetic city as a picture from above: streets, houses, shadows, trees, cars, works and water.

Source: SCIENCE 1.8, point 4; numbers are inferred. Everything is drawn where it stands on the city's plane, never per
tile: neighbouring cells meet without a seam, and a cell can be drawn alone. Pictures are (3, y, x) uint8, red first,
row 0 north; inside, colours are (3, y, x) float32, 0 to 255.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.city.activity import Activity
from carbonray.synthetic.city.blocks import Blocks, Lots, blocks_of, districts_near, lots_of
from carbonray.synthetic.city.fields import Field, Floats, hashed, interpolated, rank_of, smooth_field, unit
from carbonray.synthetic.city.geography import PLOTS, Geography
from carbonray.synthetic.city.looks import PALETTES, Palette
from carbonray.synthetic.city.photograph import PhotographRules, photographed, shadows
from carbonray.synthetic.city.works import Works, raised_works, works_of
from carbonray.synthetic.city.zones import Zones

Mask = NDArray[np.bool_]

TEXTURE_M = 2.0  # a pixel of a texture
_TEXTURE_PX = 512
_TREE_M = np.float32(7.0)
_MOTTLE = np.float32(0.055)  # relative unevenness of the ground's tone
_LIGHT_CAR, _DARK_CAR = (226, 226, 224), (46, 48, 54)
_NUMBERS = (
    "block_m", "street_m", "lot_m", "footprint", "court", "height_m", "uneven", "built", "trees", "cars", "ground",
)  # fmt: skip
_MIN_PX = 128  # a coarser picture is drawn finer and averaged


@dataclass(frozen=True)
class Scene:
    """All that a city's pictures are drawn from.

    Attributes:
        lie, zones: its geography and zones.
        palette: what its zones look like.
        works: its factories and power stations.
        flow: (y, x) traffic over plots, mean one.
        bends: (2, y, x) metres that streets are displaced by, over plots.
        sky: (2, y, x) gain and haze over plots.
        mottle, crowns, grain: textures that repeat: tone of the ground, share of places under fewer trees, noise.
        salt: of its hashes.
        rules: how it is photographed.
    """

    lie: Geography
    zones: Zones
    palette: Palette
    works: Works
    flow: Field
    bends: Field
    sky: Field
    mottle: Field
    crowns: Field
    grain: Field
    salt: np.uint64
    rules: PhotographRules


@dataclass(frozen=True)
class _Pixels:
    """Pixels of a picture: metres south and east of the window's corner, and plots from the first plot's middle."""

    south: Floats
    east: Floats
    rows: Floats
    cols: Floats


def drawn_scene(
    rules: PhotographRules, palette: str, city: tuple[Geography, Zones, Activity], coupling: float,
    rng: np.random.Generator,
) -> Scene:  # fmt: skip
    """What a city's pictures are drawn from."""
    lie, zones, activity = city
    colours = PALETTES[palette]
    flow = np.kron(activity.flow(coupling), np.ones((PLOTS, PLOTS))).astype(np.float32)
    bends = colours.bend_m * np.stack([lie.window.field(rng, 1200.0) for _ in range(2)])
    gain, haze = (lie.window.field(rng, rules.sky_km * 1e3) for _ in range(2))
    sky = np.stack([rules.exposure * (1.0 + rules.gain * np.tanh(gain)), rules.haze * rank_of(haze)])
    size, step = (_TEXTURE_PX, _TEXTURE_PX), (TEXTURE_M, TEXTURE_M)
    fine, broad = smooth_field(rng, size, step, 9.0), smooth_field(rng, size, step, 70.0)
    crowns = rank_of(smooth_field(rng, size, step, 10.0) + 0.7 * smooth_field(rng, size, step, 45.0))
    grain = rng.standard_normal(size, dtype=np.float32)
    works = works_of(lie, activity, rng)
    salt = np.uint64(rng.integers(0, 2**63))
    mottle = (0.7 * fine + 0.7 * broad).astype(np.float32)
    return Scene(lie, zones, colours, works, flow, bends, sky.astype(np.float32), mottle, crowns, grain, salt, rules)


def cell_picture(scene: Scene, row: int, col: int, px: int) -> NDArray[np.uint8]:
    """(3, px, px) picture of the cell in a row and column of the window."""
    times = -(-_MIN_PX // px)
    fine = px * times
    south, east = (
        side * (at + (np.arange(fine) + 0.5) / fine)
        for at, side in zip((row, col), scene.lie.window.cell_m, strict=True)
    )
    colours = ground_picture(scene, south, east)
    if times > 1:
        colours = colours.reshape(3, px, times, px, times).mean(axis=(2, 4), dtype=np.float32)
    plots = [PLOTS * (at + (np.arange(px) + 0.5) / px) - 0.5 for at in (row, col)]
    gain, haze = interpolated(scene.sky, *plots)
    bits = hashed(scene.salt, np.array(row), np.array(col))
    starts = (int(unit(bits, part) * _TEXTURE_PX) for part in (0, 1))
    grain = scene.grain[np.ix_(*[(start + np.arange(px)) % _TEXTURE_PX for start in starts])]
    return photographed(colours, gain, haze, grain, scene.rules)


def ground_picture(scene: Scene, south: Floats, east: Floats) -> Field:
    """(3, y, x) colours on the ground at (y,) metres south and (x,) metres east of the window's corner, evenly spaced.

    Shadows fall to the north-west, so the picture is drawn with a margin to its south and east.
    """
    step = float(south[1] - south[0]), float(east[1] - east[0])
    extra = [int(np.ceil(reach / each)) + 1 for reach, each in zip(scene.rules.shadow_reach_m, step, strict=True)]
    south, east = (
        np.concatenate([at, at[-1] + by * np.arange(1, more + 1)])
        for at, by, more in zip((south, east), step, extra, strict=True)
    )
    plots = [at / by - 0.5 for at, by in zip((south, east), scene.lie.window.plot_m, strict=True)]
    at = _Pixels(south, east, *plots)
    colours, height = _built(scene, at)
    raised_works(scene.works, (south, east), colours, height)
    keep = slice(0, south.size - extra[0]), slice(0, east.size - extra[1])
    return colours[:, *keep] * shadows(height, step, keep, scene.rules)


def _built(scene: Scene, at: _Pixels) -> tuple[Field, Field]:
    """(3, y, x) colours in full sun and (y, x) heights in metres."""
    looks = _looks(scene.palette)
    blocks = _blocks(scene, at, looks)
    plot = _plot_of(scene, blocks.south, blocks.east)
    zone = scene.zones.look[plot]
    lots = lots_of(blocks, looks["street_m"][zone], looks["lot_m"][zone].T)
    roof, lot_height = _roofs(scene, lots, zone, scene.zones.vigor[plot])
    texture = np.ix_(*[(np.floor(each / TEXTURE_M) % _TEXTURE_PX).astype(np.intp) for each in (at.south, at.east)])
    crowns, grain = scene.crowns[texture], scene.grain[texture]
    main = _main_roads(scene, at)
    street, water = main | _streets(blocks, looks["street_m"][zone]), _water(scene, at) & ~main
    raised = lot_height.take(lots.of)
    roofed = _under_roof(lots, looks, zone) & (raised > 0) & ~street & ~water
    trees = (crowns < looks["trees"][zone].take(blocks.of)) & ~(roofed | street | water)
    cars = _cars(scene.flow[plot], looks["cars"][zone], blocks, (street & ~water, ~(roofed | trees | water)), grain)
    # each pixel has one colour out of a list: the blocks' ground, the lots' roofs, and the few that are everywhere
    ground = looks["ground"][zone] * (0.88 + 0.24 * unit(blocks.bits, 3))[:, None]
    palette = scene.palette
    colours = np.concatenate([ground, roof, [palette.asphalt, palette.water, palette.leaf, _LIGHT_CAR, _DARK_CAR]])
    which = np.where(roofed, lots.of + len(ground), blocks.of)
    for mask, number in ((street, -5), (water, -4), (trees, -3), (cars & (grain > 0), -2), (cars & (grain <= 0), -1)):
        np.putmask(which, mask, len(colours) + number)
    tone = np.where(trees, np.float32(0.85) + np.float32(0.5) * crowns, 1 + _MOTTLE * scene.mottle[texture])
    height = np.where(roofed, raised, _TREE_M * trees)
    return np.stack([each.take(which) for each in colours.astype(np.float32).T]) * tone, height


def _blocks(scene: Scene, at: _Pixels, looks: dict[str, Field]) -> Blocks:
    bend = interpolated(scene.bends, at.rows, at.cols)
    south, east = at.south[:, None].astype(np.float32) + bend[0], at.east[None, :].astype(np.float32) + bend[1]
    box = float(south.min()), float(south.max()), float(east.min()), float(east.max())
    districts = districts_near(box, scene.palette.district_m, scene.salt)
    zone = scene.zones.look[_plot_of(scene, districts.south, districts.east)]
    turn = np.deg2rad(scene.palette.turn_deg) * (2 * unit(districts.bits, 2) - 1)
    stretch = 0.85 + 0.3 * unit(districts.bits, 3)
    return blocks_of(south, east, districts, looks["block_m"][zone].T * stretch, turn)


def _roofs(scene: Scene, lots: Lots, zone: NDArray[np.int8], vigor: Field) -> tuple[Field, Field]:
    """(lot, 3) colours and (lot,) heights of what stands on lots, 0 where nothing does."""
    looks, of = _looks(scene.palette), zone[lots.block]
    lively = vigor[lots.block]
    roofs = [np.array(look.roofs, np.float32) for look in scene.palette.looks]
    count = np.array([len(each) for each in roofs])
    start = np.cumsum(count) - count
    pick = (unit(lots.bits, 0) * count[of]).astype(np.intp)
    colour = np.concatenate(roofs)[start[of] + pick] * (0.9 + 0.2 * unit(lots.bits, 1))[:, None]
    standing = unit(lots.bits, 2) < looks["built"][of] * np.clip(0.55 + 0.9 * lively, 0, 1)
    spread = 1.0 + looks["uneven"][of] * (2.0 * unit(lots.bits, 3) - 1.0)
    height = np.where(standing, looks["height_m"][of] * (0.5 + lively) * spread, 0.0)
    return colour.astype(np.float32), np.clip(height, 0.0, None).astype(np.float32)


def _under_roof(lots: Lots, looks: dict[str, Field], zone: NDArray[np.int8]) -> Mask:
    of = zone[lots.block]
    shrink = 0.85 + 0.15 * unit(lots.bits, 1)
    scale = 2 / (looks["footprint"][of].T * lots.side * shrink)
    reach = np.maximum(np.abs(lots.down) * scale[0].take(lots.of), np.abs(lots.along) * scale[1].take(lots.of))
    return np.asarray((reach < np.float32(1.0)) & (reach >= looks["court"][of].take(lots.of)))


def _streets(blocks: Blocks, width: Field) -> Mask:
    """Pixels on local streets and on the streets between districts."""
    # from the middle of a block: its inner sides end where the street begins
    inner = [((side - width) / 2).take(blocks.of) for side in blocks.side]
    middle = [(side / 2).take(blocks.of) for side in blocks.side]
    street = (np.abs(blocks.down - middle[0]) > inner[0]) | (np.abs(blocks.along - middle[1]) > inner[1])
    return np.asarray(street | (blocks.edge < np.float32(7.0)))


def _main_roads(scene: Scene, at: _Pixels) -> Mask:
    """Pixels on main roads, which cross water on bridges."""
    low, high = np.array([at.south[0], at.east[0]]) - 50.0, np.array([at.south[-1], at.east[-1]]) + 50.0
    roads = scene.lie.roads
    first, last = np.minimum(roads[:, :2], roads[:, 2:4]), np.maximum(roads[:, :2], roads[:, 2:4])
    near = ((last >= low) & (first <= high)).all(axis=1)
    street = np.zeros((at.south.size, at.east.size), bool)
    for start_y, start_x, end_y, end_x, road_m in roads[near].astype(np.float32):
        street |= _along_segment(at, (start_y, start_x), (end_y - start_y, end_x - start_x)) < np.square(road_m / 2)
    return street


def _along_segment(at: _Pixels, start: tuple[np.float32, np.float32], run: tuple[np.float32, np.float32]) -> Field:
    """(y, x) squared distance to a segment."""
    down, across = at.south[:, None].astype(np.float32) - start[0], at.east[None, :].astype(np.float32) - start[1]
    length = run[0] ** 2 + run[1] ** 2
    share = np.clip(down * (run[0] / length) + across * (run[1] / length), 0.0, 1.0)
    return np.asarray(np.square(down - share * run[0]) + np.square(across - share * run[1]), np.float32)


def _water(scene: Scene, at: _Pixels) -> Mask:
    half = scene.lie.rules.river_m / 2.0
    shore = interpolated(scene.lie.shore, at.rows, at.cols) < 0
    if half == 0.0:
        return np.asarray(shore)
    return np.asarray(shore | (np.abs(interpolated(scene.lie.river, at.rows, at.cols)) < half))


def _cars(flow: Field, parked: Field, blocks: Blocks, where: tuple[Mask, Mask], grain: Field) -> Mask:
    """Pixels with a car: on streets by the traffic of the block, on other ground by its zone."""
    street, ground = where
    moving = np.clip(0.05 * flow, 0.0, 0.4).astype(np.float32)
    share = np.where(street, moving.take(blocks.of), np.where(ground, parked.take(blocks.of), np.float32(0.0)))
    return np.asarray((share > 0) & (np.abs(grain) > np.float32(2.6) - np.float32(3.0) * share))


def _plot_of(scene: Scene, south: Floats, east: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, cols = (
        np.clip(np.floor(at / step), 0, size - 1).astype(np.intp)
        for at, step, size in zip((south, east), scene.lie.window.plot_m, scene.zones.zone.shape, strict=True)
    )
    return rows, cols


def _looks(palette: Palette) -> dict[str, Field]:
    """Each number of the looks, (zone, ...)."""
    return {name: np.array([getattr(look, name) for look in palette.looks], np.float32) for name in _NUMBERS}
