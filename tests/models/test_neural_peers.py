"""The peers: sizes, shapes, and where Finch's classifier puts a plume."""

import torch

from carbonray.models.encoding import Encoding
from carbonray.models.neural_peers import (
    FinchCNN,
    FinchConfig,
    UNet,
    UNetConfig,
    presence_map,
    presence_pair,
    window_origins,
)
from carbonray.models.registry import MODELS
from carbonray.models.tiles import TileBatch
from tests.models.test_plume_net import count


def test_large_unet_is_the_size_of_plume_net_and_the_small_one_a_sixth() -> None:
    large, small = (count(MODELS[name].build(MODELS[name].config)) for name in ("unet_large", "unet"))
    assert abs(large / 2_157_523 - 1) < 0.01
    assert small == 337_796


def test_unet_keeps_the_tiles_size() -> None:
    network = UNet(UNetConfig(width=8)).eval()
    assert network(torch.randn(2, 4, 64, 64)).shape == (2, 64, 64)
    assert network(torch.randn(1, 4, 32, 96)).shape == (1, 32, 96)


def test_unet_follows_a_shift_by_its_coarsest_pixel() -> None:
    """Fold 2 and three poolings: equivariant under shifts of 16 pixels, away from the edges."""
    torch.manual_seed(0)
    network = UNet(UNetConfig(width=4)).eval()
    x = torch.zeros(1, 4, 192, 192)
    x[..., 90:94, 90:94] = 1.0
    shifted = torch.roll(x, (16, -16), (-2, -1))
    torch.testing.assert_close(
        torch.roll(network(x), (16, -16), (-2, -1))[:, 64:128, 64:128], network(shifted)[:, 64:128, 64:128]
    )


def test_finch_has_the_layers_of_its_public_script() -> None:
    """160 + 8256 + 32896 + 131328 in convolutions, 9216 -> 512 -> 2 in dense layers."""
    network = FinchCNN(FinchConfig())
    assert count(network) == 160 + 8_256 + 32_896 + 131_328 + 9_216 * 512 + 512 + 512 * 2 + 2
    assert network(torch.rand(3, 1, 28, 28)).shape == (3, 2)


def test_windows_reach_both_edges() -> None:
    assert window_origins(64, 28, 12)[:, 1].unique().tolist() == [0, 12, 24, 36]
    assert window_origins(64, 28, 20)[:, 1].unique().tolist() == [0, 20, 36]


def _tile(**changes: torch.Tensor) -> TileBatch:
    zero = torch.zeros(1, 64, 64)
    return TileBatch(**{"no2_umol_m2": zero, "mask": zero + 1, "wind_u_m_s": zero, "wind_v_m_s": zero, **changes})


def test_presence_labels_the_window_that_holds_a_source() -> None:
    truth, no2 = torch.zeros(1, 64, 64), torch.rand(1, 64, 64)
    truth[0, 50:54, 5:9] = 0.3
    inputs, label = presence_pair(_tile(no2_umol_m2=no2, rel_emission=truth), Encoding(no2="tile_max"), FinchConfig())
    assert inputs.shape == (4, 1, 28, 28) and inputs.amax() == 1.0
    assert label.tolist() == [0, 0, 1, 0]


class _Sure(torch.nn.Module):
    config = FinchConfig()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bright = x.amax((1, 2, 3)) > 0
        return torch.stack([torch.where(bright, -9.0, 9.0), torch.where(bright, 9.0, -9.0)], 1)


def test_presence_map_marks_the_largest_column_of_valid_windows() -> None:
    no2 = torch.zeros(1, 64, 64)
    no2[0, 20, 30] = 100.0
    found = presence_map(_Sure(), _tile(no2_umol_m2=no2), Encoding(no2="tile_max"))
    assert (found > 0.9).nonzero()[:, 1:].aminmax(dim=0).min.tolist() == [19, 29]
    assert int((found > 0).sum()) == 16
    hidden = _tile(no2_umol_m2=no2, mask=torch.zeros(1, 64, 64))
    assert not presence_map(_Sure(), hidden, Encoding(no2="tile_max")).any()
