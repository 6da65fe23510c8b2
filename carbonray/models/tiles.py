"""Batches of tiles for the networks: packed as integers on the way, physical float32 on the device, turned at will.

Tiles are (n, y, x), row 0 north: NO2 in umol m-2, mask 1 where measured, wind toward east and north in m s-1, relative
emission e' = Q / q_max in 0 to 1.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

NO2_STEP_UMOL_M2 = 0.1  # a hundredth of a retrieval's noise
WIND_STEP_M_S = 0.01
REL_EMISSION_STEP = 1.0 / 32767.0
MISSING = -32768  # of a packed column that no neighbour could fill


@dataclass(frozen=True)
class TileBatch:
    """Physical tiles with their truth, (n, y, x) float32 each; `rel_emission` is left out where it is asked for."""

    no2_umol_m2: Tensor
    mask: Tensor
    wind_u_m_s: Tensor
    wind_v_m_s: Tensor
    rel_emission: Tensor | None = None

    def __len__(self) -> int:
        return len(self.no2_umol_m2)

    def truth(self) -> Tensor:
        """The relative emission of tiles that have it."""
        assert self.rel_emission is not None
        return self.rel_emission


@dataclass(frozen=True)
class PackedTiles:
    """The same tiles as int16 (and a bool mask), a quarter of the bytes, as they are stored and moved."""

    no2: Tensor
    mask: Tensor
    wind_u: Tensor
    wind_v: Tensor
    rel_emission: Tensor

    def __len__(self) -> int:
        return len(self.no2)

    def rows(self, index: Tensor) -> "PackedTiles":
        """Some of the tiles."""
        return PackedTiles(*(getattr(self, f.name)[index] for f in fields(self)))

    def unpacked(self, device: torch.device) -> TileBatch:
        """Physical tiles on a device: integers travel, floats are made where they are used."""
        no2, mask, u, v, truth = (getattr(self, f.name).to(device, non_blocking=True).float() for f in fields(self))
        column = torch.where(no2 == MISSING, torch.nan, no2 * NO2_STEP_UMOL_M2)
        return TileBatch(column, mask, u * WIND_STEP_M_S, v * WIND_STEP_M_S, truth * REL_EMISSION_STEP)


def packed(tiles: TileBatch) -> PackedTiles:
    """Physical tiles as integers; columns beyond +-3276.7 umol m-2 are clipped, NaN wind becomes 0."""
    return PackedTiles(
        _int16(tiles.no2_umol_m2, NO2_STEP_UMOL_M2, missing=MISSING),
        tiles.mask > 0,
        _int16(tiles.wind_u_m_s, WIND_STEP_M_S, missing=0),
        _int16(tiles.wind_v_m_s, WIND_STEP_M_S, missing=0),
        _int16(tiles.truth(), REL_EMISSION_STEP, missing=0),
    )


def joined(batches: list[PackedTiles]) -> PackedTiles:
    """Several batches as one."""
    return PackedTiles(*(torch.cat([getattr(b, f.name) for b in batches]) for f in fields(PackedTiles)))


def turned(tiles: TileBatch, quarter_turns: int, *, mirrored: bool) -> TileBatch:
    """The tiles turned counter-clockwise by quarter turns, then mirrored east to west, the wind turned along.

    A quarter turn also swaps the pixel's sides, so away from the equator, where pixels are narrower than they are
    tall, it makes a tile of another latitude's shape; the mirrors are exact everywhere.
    """

    def turn(pixels: Tensor) -> Tensor:
        turned_pixels = torch.rot90(pixels, quarter_turns, (-2, -1))
        return torch.flip(turned_pixels, (-1,)) if mirrored else turned_pixels

    u, v = turn(tiles.wind_u_m_s), turn(tiles.wind_v_m_s)
    for _ in range(quarter_turns % 4):
        u, v = -v, u
    truth = None if tiles.rel_emission is None else turn(tiles.rel_emission)
    return TileBatch(turn(tiles.no2_umol_m2), turn(tiles.mask), -u if mirrored else u, v, truth)


def augmented(tiles: TileBatch, generator: torch.Generator) -> TileBatch:
    """Every tile under one of the eight symmetries of the square, drawn for it; they come back grouped by symmetry."""
    drawn = torch.randint(8, (len(tiles),), generator=generator)
    chosen = [(k, torch.nonzero(drawn == k)[:, 0]) for k in range(8)]
    groups = [turned(_rows(tiles, rows), k % 4, mirrored=k >= 4) for k, rows in chosen if len(rows)]
    columns = ([getattr(group, f.name) for group in groups] for f in fields(TileBatch))
    return TileBatch(*(torch.cat(column) for column in columns))


def _rows(tiles: TileBatch, rows: Tensor) -> TileBatch:
    rows = rows.to(tiles.no2_umol_m2.device)
    return TileBatch(*(getattr(tiles, f.name)[rows] for f in fields(TileBatch)))


def _int16(values: Tensor, step: float, *, missing: int) -> Tensor:
    steps = torch.round(values / step).clamp(-32767, 32767)
    return torch.where(torch.isnan(values), float(missing), steps).to(torch.int16)
