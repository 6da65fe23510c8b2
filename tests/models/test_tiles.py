"""Tiles: packing loses less than a step, and the wind turns with the plume."""

import math

import numpy as np
import pytest
import torch

from carbonray.models.encoding import CHANNELS, Encoding, encode_inputs
from carbonray.models.tiles import NO2_STEP_UMOL_M2, PackedTiles, TileBatch, augmented, joined, packed, turned

CPU = torch.device("cpu")


def plume_tile(direction_deg: float, side: int = 33) -> TileBatch:
    """A plume from the centre along a wind of 5 m/s, on square pixels: column falls with distance and crosswind."""
    u, v = 5 * math.cos(math.radians(direction_deg)), 5 * math.sin(math.radians(direction_deg))
    axis = torch.arange(side) - side // 2
    y, x = torch.meshgrid(-axis.float(), axis.float(), indexing="ij")
    along, across = (x * u + y * v) / 5, (-x * v + y * u) / 5
    no2 = torch.where(along > 0, 100 * torch.exp(-along / 10 - (across / (1 + along.abs() / 5)) ** 2), 0.0)
    truth = ((x.abs() <= 1) & (y.abs() <= 1)).float() * 0.5
    fill = torch.ones_like(no2)
    return TileBatch(*(f[None] for f in (no2, (no2 < 90).float(), u * fill, v * fill, truth)))


@pytest.mark.parametrize("quarter_turns", range(4))
@pytest.mark.parametrize("direction", [20.0, 135.0, 290.0])
def test_turned_tile_is_the_tile_of_the_turned_wind(quarter_turns: int, direction: float) -> None:
    encoding = Encoding(channels=CHANNELS, no2="asinh")
    plain = turned(plume_tile(direction), quarter_turns, mirrored=False)
    expected = plume_tile(direction + 90.0 * quarter_turns)
    torch.testing.assert_close(encode_inputs(plain, encoding), encode_inputs(expected, encoding), atol=1e-3, rtol=1e-3)
    mirrored = turned(plume_tile(direction), quarter_turns, mirrored=True)
    expected = plume_tile(180.0 - direction - 90.0 * quarter_turns)
    torch.testing.assert_close(
        encode_inputs(mirrored, encoding), encode_inputs(expected, encoding), atol=1e-3, rtol=1e-3
    )


def test_augmented_tiles_are_eight_kinds_with_truth_wind_and_column_together() -> None:
    corner = torch.zeros(400, 4, 4)
    corner[:, 0, 1] = 1.0  # no symmetry of the square leaves it where it is
    tiles = TileBatch(corner, corner, corner, torch.zeros_like(corner), corner)
    out = augmented(tiles, torch.Generator().manual_seed(3))
    assert len({tuple(tile.flatten().tolist()) for tile in out.no2_umol_m2}) == 8
    assert torch.equal(out.no2_umol_m2, out.truth()) and torch.equal(out.no2_umol_m2, out.mask)
    speed = torch.hypot(out.wind_u_m_s, out.wind_v_m_s)
    assert torch.equal(speed, out.no2_umol_m2)


def test_packing_loses_at_most_half_a_step_and_keeps_what_is_missing() -> None:
    rng = np.random.default_rng(0)
    fields = [torch.from_numpy(rng.uniform(low, high, (2, 8, 8)).astype(np.float32)) for low, high in
              ((-100, 900), (-1, 1), (-15, 15), (-15, 15), (0, 1))]  # fmt: skip
    fields[0][0, 0, 0] = torch.nan
    back = packed(TileBatch(*fields)).unpacked(CPU)
    assert back.no2_umol_m2[0, 0, 0].isnan() and int(back.no2_umol_m2.isnan().sum()) == 1
    off = (back.no2_umol_m2 - fields[0]).nan_to_num(0).abs().max().item()
    assert 0 < off <= NO2_STEP_UMOL_M2 * 0.51
    torch.testing.assert_close(back.wind_u_m_s, fields[2], atol=0.0051, rtol=0)
    torch.testing.assert_close(back.truth(), fields[4], atol=1.6e-5, rtol=0)
    assert torch.equal(back.mask, (fields[1] > 0).float())


def test_columns_beyond_int16_are_clipped_not_wrapped() -> None:
    wild = TileBatch(*(torch.full((1, 2, 2), value) for value in (1e6, 1.0, 0.0, 0.0, 0.0)))
    assert packed(wild).unpacked(CPU).no2_umol_m2.max().item() == pytest.approx(3276.7, abs=0.01)


def test_rows_and_joined_are_inverse() -> None:
    tiles = PackedTiles(*(torch.arange(24).reshape(6, 2, 2) for _ in range(5)))
    again = joined([tiles.rows(torch.tensor([0, 1])), tiles.rows(torch.arange(2, 6))])
    assert torch.equal(again.no2, tiles.no2) and len(again) == 6
