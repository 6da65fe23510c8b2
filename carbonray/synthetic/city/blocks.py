"""The pattern of streets, blocks and lots under any pixels of a synthetic city.

Source: SCIENCE 1.8, point 4; numbers are inferred. Districts are the Voronoi cells of a jittered lattice; each has
streets of its own direction and blocks of its own size, divided into lots. Everything follows from the place and from
hashes of whole numbers, so a pixel has the same block whatever picture it is drawn in. Pixels are (y, x), places are
metres south and east of the window's corner.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.synthetic.city.fields import Field, Floats, Hashes, hashed, unit

Index = NDArray[np.intp]
_SPAN = 64  # blocks along a district, at most
_LOTS = 16  # lots along a block, at most


@dataclass(frozen=True)
class Districts:
    """The districts that may own a pixel of a picture.

    Attributes:
        south, east: (district,) middles, metres.
        bits: (district,) hashes.
    """

    south: Floats
    east: Floats
    bits: Hashes


@dataclass(frozen=True)
class Blocks:
    """The blocks in a picture.

    Attributes:
        of: (y, x) the block of each pixel.
        down, along: (y, x) metres from the block's corner, along its two sides.
        edge: (y, x) about the metres to the next district.
        south, east: (block,) middles, metres.
        side: (2, block) metres.
        bits: (block,) hashes.
    """

    of: Index
    down: Field
    along: Field
    edge: Field
    south: Floats
    east: Floats
    side: Field
    bits: Hashes


@dataclass(frozen=True)
class Lots:
    """The lots in a picture.

    Attributes:
        of: (y, x) the lot of each pixel.
        down, along: (y, x) metres from the lot's middle, along its two sides.
        block: (lot,) its block.
        side: (2, lot) metres.
        bits: (lot,) hashes.
    """

    of: Index
    down: Field
    along: Field
    block: Index
    side: Field
    bits: Hashes


def districts_near(box: tuple[float, float, float, float], spacing_m: float, salt: np.uint64) -> Districts:
    """Districts whose middles lie so near a box (south from, south to, east from, east to) that they may own a part."""
    rows, cols = (
        np.arange(np.floor(low / spacing_m) - 1, np.floor(high / spacing_m) + 2).astype(np.int64)
        for low, high in (box[:2], box[2:])
    )
    row, col = (each.ravel() for each in np.meshgrid(rows, cols, indexing="ij"))
    bits = hashed(salt, row, col)
    south, east = (row + 0.15 + 0.7 * unit(bits, 0)) * spacing_m, (col + 0.15 + 0.7 * unit(bits, 1)) * spacing_m
    beyond = np.hypot(
        np.maximum(np.maximum(box[0] - south, south - box[1]), 0),
        np.maximum(np.maximum(box[2] - east, east - box[3]), 0),
    )
    near = beyond < 1.25 * spacing_m
    return Districts(south[near], east[near], bits[near])


def blocks_of(south: Field, east: Field, districts: Districts, side: Field, turn: Field) -> Blocks:
    """Blocks under pixels at (y, x) places.

    Args:
        south, east: (y, x) metres.
        districts: those near.
        side: (2, district) metres of a block.
        turn: (district,) radians by which its streets are turned.
    """
    owner, edge = _nearest(south, east, districts)
    sine, cosine = np.sin(turn), np.cos(turn)
    axes = np.stack([cosine, sine]), np.stack([-sine, cosine])  # (axis, district) of down and along, from south, east
    places = []
    for towards_south, towards_east, length in zip(*axes, side, strict=True):
        start = -(towards_south * districts.south + towards_east * districts.east) / length
        slopes = ((each / length).astype(np.float32).take(owner) for each in (towards_south, towards_east))
        places.append(south * next(slopes) + east * next(slopes) + start.astype(np.float32).take(owner))
    row, col = (np.floor(each) for each in places)
    half = _SPAN // 2
    number = (owner * _SPAN + (row + half).astype(np.intp)) * _SPAN + (col + half).astype(np.intp)
    of, used = _numbered(number, len(turn) * _SPAN**2)
    in_, at = used // _SPAN**2, [used // _SPAN % _SPAN - half, used % _SPAN - half]
    sides = side[:, in_]
    v, u = ((each + 0.5) * length for each, length in zip(at, sides, strict=True))
    middle = (
        districts.south[in_] + v * cosine[in_] + u * sine[in_],
        districts.east[in_] - v * sine[in_] + u * cosine[in_],
    )
    bits = hashed(np.uint64(1), districts.bits[in_].view(np.int64), *(each.astype(np.int64) for each in at))
    within = [(at - cell) * length.take(of) for at, cell, length in zip(places, (row, col), sides, strict=True)]
    return Blocks(of, within[0], within[1], edge, *middle, sides, bits)


def lots_of(blocks: Blocks, street: Field, lot: Field) -> Lots:
    """Lots of blocks whose streets are `street` (block,) metres wide and whose lots about `lot` (2, block) metres."""
    inner = blocks.side - street
    count = np.clip(np.rint(inner / lot), 1, _LOTS).astype(np.float32)
    pitch = inner / count
    start, per_metre, last = street / 2, (1 / pitch), count - 1
    at = [
        (place - start.take(blocks.of)) * each.take(blocks.of)
        for place, each in zip((blocks.down, blocks.along), per_metre, strict=True)
    ]
    turn = [np.clip(np.floor(each), 0, most.take(blocks.of)) for each, most in zip(at, last, strict=True)]
    number = (blocks.of * _LOTS + turn[0].astype(np.intp)) * _LOTS + turn[1].astype(np.intp)
    of, used = _numbered(number, len(street) * _LOTS**2)
    block = used // _LOTS**2
    bits = hashed(np.uint64(2), blocks.bits[block].view(np.int64), used % _LOTS**2)
    down, along = (
        (each - step - np.float32(0.5)) * length.take(blocks.of)
        for each, step, length in zip(at, turn, pitch, strict=True)
    )
    return Lots(of, down, along, block, pitch[:, block], bits)


def _nearest(south: Field, east: Field, districts: Districts) -> tuple[Index, Field]:
    """(y, x) the nearest middle, and about the distance to the border of its cell."""
    first, second = (np.full(south.shape, np.inf, np.float32) for _ in range(2))
    owner: Index = np.zeros(south.shape, np.intp)
    for number, (y, x) in enumerate(zip(districts.south, districts.east, strict=True)):
        away = np.square(south - np.float32(y)) + np.square(east - np.float32(x))
        np.minimum(second, np.maximum(first, away), out=second)
        np.putmask(owner, away < first, number)
        np.minimum(first, away, out=first)
    return owner, np.asarray((np.sqrt(second) - np.sqrt(first)) / 2, np.float32)


def _numbered(number: Index, size: int) -> tuple[Index, Index]:
    """Numbers without gaps in place of those that occur, and which occur."""
    seen = np.zeros(size, bool)
    seen[number] = True
    used = np.flatnonzero(seen)
    place = np.zeros(size, np.intp)
    place[used] = np.arange(used.size)
    return place.take(number), used
