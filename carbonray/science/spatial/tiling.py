"""Square tiles over the sparse lattice pixels of one orbit: where they lie, what they hold, how answers are blended.

Source: SCIENCE 3.6 (50 % overlap, complete observation above 75 % of the area, Hann blend, normalised convolution).
Pixels are flat arrays sorted by row, then col, as `gridding.grid_swath` returns them; columns are circular. A tile is
named by its origin (row, col), its north-west pixel; tile arrays are (tile, y, x), y 0 north.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.science.spatial.gridding import LATTICE_SHAPE, lattice_area_km2

Mask = NDArray[np.bool_]
Ints = NDArray[np.integer]

_ROWS, _COLUMNS = LATTICE_SHAPE
_ROWS_AT_ONCE = 256  # of a whole lattice row each, to bound memory


@dataclass(frozen=True)
class TileRules:
    """How tiles are laid, which of them are complete observations, and how their gaps are filled."""

    tile_px: int = 64  # the network reads 64 x 64 pixels (Remote Sens. 17, 1167)
    stride_px: int = 32  # inferred: 50 % overlap
    min_covered: float = 0.75  # a complete observation covers more of the tile's area (Remote Sens. 17, 1167)
    min_new_px: int = 64  # inferred: a tile between the bands must show so many pixels that no other tile shows
    gap_sigma_px: float = 1.5  # inferred: about the footprint of a swath pixel at the edge of the swath
    gap_min_weight: float = 0.05  # inferred: share of the kernel that must be observed for it to fill a gap


def tile_origins(
    row: Ints, col: Ints, coverage: NDArray[np.floating], rules: TileRules = TileRules()
) -> NDArray[np.int32]:
    """Origins of the tiles to look at: complete observations that together see what any of them can see.

    Bands of rows start at the northernmost pixel and follow at the stride, the last flush with the southernmost. In
    a band, the columns at which a tile is complete form circular runs; each is filled at the stride, its end tiles
    flush with the covered pixels or, where a slanted edge forbids that, as near as completeness allows. What only
    tiles between the bands can see completely gets such tiles, those that see most of it first, unless that is
    fewer than `min_new_px` pixels.

    Args:
        row: (m,) lattice rows, sorted.
        col: (m,) lattice columns.
        coverage: (m,) covered fraction of each.
        rules: size, stride and the share of its area above which a tile is complete.

    Returns:
        (t, 2) origins sorted by row, then col, col in [0, 7200); none where no tile is complete.
    """
    _require_sorted(row)
    if not len(row):
        return np.zeros((0, 2), np.int32)
    first = max(0, int(row[0]) - rules.tile_px + 1)
    west, ring = _ring(col, rules.tile_px)
    y, x = np.asarray(row, np.int64) - first, (np.asarray(col, np.int64) - west) % _COLUMNS
    covered = np.zeros((int(y[-1]) + rules.tile_px, ring), np.bool_)
    covered[y, x] = coverage > 0
    complete = _complete(y, x, coverage, first, ring, rules)
    chosen = {(r, c) for r in _bands(row, first, rules) for c in _band_columns(complete, covered, r, rules)}
    unseen = covered & _under(complete, rules.tile_px)
    for r, c in chosen:
        unseen[_box(r, c, rules.tile_px, ring)] = False
    chosen.update(_stragglers(unseen, covered, complete, rules))
    origins = sorted((first + r, (west + c) % _COLUMNS) for r, c in chosen)
    return np.array(origins, np.int32).reshape(-1, 2)


def covered_share(
    row: Ints, col: Ints, coverage: NDArray[np.floating], origins: Ints, tile_px: int = 64
) -> NDArray[np.float64]:
    """(t,) share of each tile's area that is covered, 0 to 1; what lies beyond a pole counts as uncovered."""
    index = tile_index(row, col, origins, tile_px)
    rows = np.asarray(origins, np.int64)[:, :1] + np.arange(tile_px)
    area: NDArray[np.float64] = lattice_area_km2(rows)[:, :, None]
    held = np.where(index >= 0, np.append(coverage, 0.0)[index], 0.0)
    share: NDArray[np.float64] = np.sum(held * area, axis=(1, 2)) / (tile_px * np.sum(area, axis=(1, 2)))
    return share


def tile_index(row: Ints, col: Ints, origins: Ints, tile_px: int = 64) -> NDArray[np.int32]:
    """(t, y, x) position in the pixel list of every pixel of every tile, -1 where the list has none."""
    _require_sorted(row)
    index = np.full((len(origins), tile_px, tile_px), -1, np.int32)
    x = np.arange(tile_px)
    for tile_row in np.unique(origins[:, 0]):
        start, stop = np.searchsorted(row, [tile_row, tile_row + tile_px])
        band = np.full((tile_px, _COLUMNS), -1, np.int32)
        band[np.asarray(row[start:stop], np.int64) - tile_row, col[start:stop]] = np.arange(start, stop)
        for tile in np.flatnonzero(origins[:, 0] == tile_row):
            index[tile] = band[:, (origins[tile, 1] + x) % _COLUMNS]
    return index


def planes(channels: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """(k, m + 1) channels of the m pixels, and behind them the NaN that `tile_index` -1 points at."""
    held = np.full((len(channels), len(channels[0]) + 1), np.nan, np.float32)
    for plane, channel in zip(held, channels, strict=True):
        plane[:-1] = channel
    return held


def cut_tiles(channels: NDArray[np.float32], index: NDArray[np.int32]) -> NDArray[np.float32]:
    """(k, t, y, x) channels, as `planes` holds them, at each tile's `tile_index`; NaN where there is no pixel."""
    cut: NDArray[np.float32] = channels[:, index]
    return cut


def hann_window(tile_px: int = 64) -> NDArray[np.float64]:
    """(y, x) weights of a tile's pixels: a Hann window sampled at pixel centres, so that no weight is zero."""
    taper = np.sin(np.pi * (np.arange(tile_px) + 0.5) / tile_px) ** 2
    return np.outer(taper, taper)


def blend(answers: NDArray[np.floating], index: NDArray[np.int32], n_pixels: int) -> NDArray[np.float64]:
    """(m,) sum of weight times answer over sum of weight, at each pixel over the tiles that see it; else NaN.

    Args:
        answers: (t, y, x) one value a tile pixel.
        index: (t, y, x) `tile_index` of the same tiles, in the order of summation.
        n_pixels: length of the pixel list.
    """
    inside = index >= 0
    pixel = index[inside]
    weight = np.broadcast_to(hann_window(index.shape[1]), index.shape)[inside]
    total = np.bincount(pixel, weights=weight, minlength=n_pixels)
    product = np.bincount(pixel, weights=weight * answers[inside], minlength=n_pixels)
    blended: NDArray[np.float64] = np.full(n_pixels, np.nan)
    return np.divide(product, total, out=blended, where=total > 0)


def fill_gaps(fields: NDArray[np.floating], observed: Mask, rules: TileRules = TileRules()) -> NDArray[np.float32]:
    """Fields whose gaps hold the Gaussian-weighted mean of what is observed around them, of the shape they came in.

    Observed pixels keep their value. The kernel doubles its width until enough of it is observed; the last widths
    reach over the whole tile, so only a tile without any observation stays NaN.

    Args:
        fields: (..., t, y, x) channels that were observed together.
        observed: (t, y, x) where.
        rules: widths of the kernel.
    """
    filled, mass, missing = np.array(fields, np.float32), observed.astype(np.float32), ~observed
    np.copyto(filled, np.nan, where=missing)
    known = filled.copy()
    np.copyto(known, 0.0, where=missing)
    sigma, least = rules.gap_sigma_px, rules.gap_min_weight
    todo = np.flatnonzero(observed.any(axis=(1, 2)) & missing.any(axis=(1, 2)))
    while len(todo):
        # past the size of the tile the share of an unbounded kernel says nothing: any weight will do
        least = least if sigma < fields.shape[-2] else 0.0
        kernel_y, kernel_x = _kernel(sigma, fields.shape[-2]), _kernel(sigma, fields.shape[-1])
        weight, smooth = kernel_y @ mass[todo] @ kernel_x, kernel_y @ known[..., todo, :, :] @ kernel_x
        tile, y, x = np.nonzero(missing[todo] & (weight > least))
        filled[..., todo[tile], y, x] = smooth[..., tile, y, x] / weight[tile, y, x]
        missing[todo[tile], y, x] = False
        todo, sigma = todo[missing[todo].any(axis=(1, 2))], 2 * sigma
    return filled


def _kernel(sigma: float, size: int) -> NDArray[np.float32]:
    """(size, size) matrix that convolves a line with a Gaussian of unit sum; what would be denormal is zero."""
    offset = np.subtract.outer(np.arange(size), np.arange(size))
    weight = np.exp(-0.5 * (offset / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return np.where(weight < 1e-12, 0.0, weight).astype(np.float32)


def _ring(col: Ints, tile: int) -> tuple[int, int]:
    """First column and length of the shortest circle of columns on which tiles lie as they do on the lattice's own.

    Of the widest gap between the columns that hold pixels, a tile's width is enough; a swath is a small part of 7200.
    """
    empty = np.ones(_COLUMNS, np.bool_)
    empty[col] = False
    start, gap = max(_circular_runs(empty), key=lambda run: run[1], default=(0, 0))
    return ((start + gap) % _COLUMNS, _COLUMNS - gap + tile) if gap > tile else (0, _COLUMNS)


def _complete(y: Ints, x: Ints, coverage: NDArray[np.floating], first: int, ring: int, rules: TileRules) -> Mask:
    """(y, ring) whether the tile whose origin a pixel is, is complete; the last rows hold no origins.

    Areas are whole square metres, rounded down, so that sums are exact in any order and no rounding completes a tile.
    """
    tile = rules.tile_px
    complete = np.zeros((int(y[-1]) + tile, ring), np.bool_)
    area = np.rint(1e6 * lattice_area_km2(first + np.arange(len(complete)))).astype(np.int64)
    mass = np.floor(np.asarray(coverage, np.float64) * area[y]).astype(np.int64)
    edges = np.searchsorted(y, np.arange(len(complete) + 1))
    column = np.zeros(ring, np.int64)
    for r in range(min(len(complete), _ROWS - first)):
        column[x[edges[r] : edges[r + 1]]] += mass[edges[r] : edges[r + 1]]
        origin = r - tile + 1
        if origin < 0:
            continue
        total = np.concatenate([[0], np.cumsum(np.concatenate([column, column[: tile - 1]]))])
        complete[origin] = total[tile:] - total[:-tile] > rules.min_covered * tile * area[origin : r + 1].sum()
        column[x[edges[origin] : edges[origin + 1]]] -= mass[edges[origin] : edges[origin + 1]]
    return complete


def _bands(row: Ints, first: int, rules: TileRules) -> list[int]:
    """Origin rows of the bands, relative to `first`: stride from the northernmost pixel, last flush."""
    last = min(int(row[-1]) + 1, _ROWS) - rules.tile_px
    top = max(0, min(int(row[0]), _ROWS - rules.tile_px))
    return [r - first for r in (*range(top, last, rules.stride_px), max(last, top))]


def _band_columns(complete: Mask, covered: Mask, origin_row: int, rules: TileRules) -> Iterator[int]:
    """Origin columns in one band: every circular run of complete origins, at the stride, ends flush."""
    tile, ring = rules.tile_px, covered.shape[1]
    occupied: Mask = np.any(covered[origin_row : origin_row + tile], axis=0)
    for start, length in _circular_runs(complete[origin_row]):
        if length == ring:
            yield from range(0, ring, rules.stride_px)
            return
        held = np.flatnonzero(occupied[(start + np.arange(min(length + tile - 1, ring))) % ring])
        low, high = (int(np.clip(c, 0, length - 1)) for c in (held[0], held[-1] - tile + 1))
        low = min(low, high)
        for offset in (*range(low, high, rules.stride_px), high):
            yield (start + offset) % ring


def _circular_runs(flags: Mask) -> list[tuple[int, int]]:
    """Start and length of every run of True on a circle."""
    starts = np.flatnonzero(flags > np.roll(flags, 1))
    if not len(starts):
        return [(0, len(flags))] if flags.all() else []
    ends = np.flatnonzero(flags > np.roll(flags, -1))
    following = ends[np.searchsorted(ends, starts) % len(ends)]
    return [(int(start), int(end - start) % len(flags) + 1) for start, end in zip(starts, following, strict=True)]


def _stragglers(unseen: Mask, covered: Mask, complete: Mask, rules: TileRules) -> Iterator[tuple[int, int]]:
    """Complete tiles for pixels not seen yet: from north to south, that which sees most new pixels, then most."""
    tile, ring = rules.tile_px, covered.shape[1]
    for r, c in np.argwhere(unseen & _under(_worthwhile(unseen, complete, rules), tile)):
        if not unseen[r, c]:
            continue
        north, west = max(0, r - tile + 1), c - tile + 1
        window = np.ix_(np.arange(north, r + tile), np.arange(west, c + tile) % ring)
        score = _window_sums(unseen[window], tile) * (tile * tile + 1) + _window_sums(covered[window], tile)
        score[~complete[window][: score.shape[0], : score.shape[1]]] = -1
        y, x = np.unravel_index(score.argmax(), score.shape)
        if score[y, x] < rules.min_new_px * (tile * tile + 1):
            continue
        origin = (int(north + y), int((west + x) % ring))
        unseen[_box(*origin, tile, ring)] = False
        yield origin


def _worthwhile(unseen: Mask, complete: Mask, rules: TileRules) -> Mask:
    """Complete origins whose tiles show enough unseen pixels; counts only fall, so no other origin ever will."""
    tile, worthwhile = rules.tile_px, complete.copy()
    for top in range(0, len(unseen) - tile + 1, _ROWS_AT_ONCE):
        rows = unseen[top : top + _ROWS_AT_ONCE + tile - 1]
        sums = _window_sums(np.concatenate([rows, rows[:, : tile - 1]], axis=1), tile)
        worthwhile[top : top + len(sums)] &= sums >= rules.min_new_px
    return worthwhile


def _window_sums(flags: Mask, size: int) -> NDArray[np.int32]:
    """Number of True in every size x size window."""
    total = np.pad(np.cumsum(np.cumsum(flags, axis=0, dtype=np.int32), axis=1, dtype=np.int32), ((1, 0), (1, 0)))
    sums: NDArray[np.int32] = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    return sums


def _under(origins: Mask, tile: int) -> Mask:
    """Pixels that tiles at these origins see; the last rows hold no origins, so that none comes around the pole."""
    under = origins.copy()
    for axis in (0, 1):
        reach = 1
        while reach < tile:
            step = min(reach, tile - reach)
            under |= np.roll(under, step, axis)
            reach += step
    return under


def _box(row: int, col: int, tile: int, ring: int) -> tuple[NDArray[np.int64], ...]:
    """Index of one tile in an array of whole rows."""
    return np.ix_(np.arange(row, row + tile), np.arange(col, col + tile) % ring)


def _require_sorted(row: Ints) -> None:
    if len(row) and (np.diff(np.asarray(row, np.int64)) < 0).any():
        raise ContractError(
            "lattice pixels are not sorted by row",
            where="tiling",
            expected="the order in which gridding.grid_swath returns them",
            remedy="Sort pixels by row, then col.",
        )
