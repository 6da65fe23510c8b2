"""What the NO2 networks read and answer: physical tiles to channels, relative emission to targets and back.

Sources: global min-max of the column and relative emission 0 to 1 are the NO2 hotspot paper's (Remote Sensing 17, 1167,
2025); asinh input, square-root target and the wind and mask channels are named deviations. Tiles are (n, y, x), row 0
north: NO2 in umol m-2, mask 1 where measured, wind toward east and north in m s-1, relative emission e' = Q / q_max.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from carbonray.errors import ContractError
from carbonray.models.tiles import TileBatch

CHANNELS = ("no2", "mask", "wind_u", "wind_v")


@dataclass(frozen=True)
class Encoding:
    """How one bundle scales its inputs and its target; stored in the bundle, never in the data store.

    Attributes:
        channels: inputs in order, of 'no2', 'mask', 'wind_u', 'wind_v'.
        no2: 'minmax' over a whole store (the paper's), 'asinh', or 'tile_max' (Finch's, per tile).
        no2_low_umol_m2: column that becomes 0 under 'minmax'.
        no2_high_umol_m2: column that becomes 1 under 'minmax'.
        no2_scale_umol_m2: column at which 'asinh' turns from linear to logarithmic.
        wind_scale_m_s: wind that becomes 1.
        target: 'linear' relative emission, or its square root 'sqrt'.
        q_max_kg_s: source strength that is relative emission 1, as NO2.

    Raises:
        ContractError: a channel, scaling or target is unknown.
    """

    channels: tuple[str, ...] = ("no2",)
    no2: str = "minmax"
    no2_low_umol_m2: float = 0.0
    no2_high_umol_m2: float = 1000.0
    no2_scale_umol_m2: float = 20.0  # inferred
    wind_scale_m_s: float = 10.0  # inferred
    target: str = "linear"
    q_max_kg_s: float = 3.0  # the generator's strongest source, inferred

    def __post_init__(self) -> None:
        known = set(self.channels) <= set(CHANNELS) and self.no2 in _SCALINGS and self.target in ("linear", "sqrt")
        if not (known and self.channels):
            raise ContractError(
                f"no such encoding: {self}",
                where="Encoding",
                expected=f"channels of {CHANNELS}, no2 of {tuple(_SCALINGS)}, target 'linear' or 'sqrt'",
                remedy="Correct the encoding, or install the version of carbonray that wrote the bundle.",
            )

    def with_range(self, low_umol_m2: float, high_umol_m2: float) -> "Encoding":
        """The encoding with the column range measured over a store."""
        return replace(self, no2_low_umol_m2=low_umol_m2, no2_high_umol_m2=high_umol_m2)


def encode_inputs(tiles: TileBatch, encoding: Encoding) -> Tensor:
    """The network's input of a batch of tiles.

    Pixels whose column or wind is still NaN (no neighbour to fill from, outside the weather file) enter as 0, which the
    mask channel says of the column.

    Returns:
        (n, channel, y, x) float32.
    """
    makers = {
        "no2": lambda: _SCALINGS[encoding.no2](tiles.no2_umol_m2, encoding),
        "mask": lambda: tiles.mask,
        "wind_u": lambda: tiles.wind_u_m_s / encoding.wind_scale_m_s,
        "wind_v": lambda: tiles.wind_v_m_s / encoding.wind_scale_m_s,
    }
    stacked = torch.stack([makers[name]().float() for name in encoding.channels], 1)
    return torch.nan_to_num(stacked, nan=0.0)


def encode_target(rel_emission: Tensor, encoding: Encoding) -> Tensor:
    """Relative emission (n, y, x) as the network is asked for it."""
    return torch.sqrt(rel_emission) if encoding.target == "sqrt" else rel_emission


def decode_output(output: Tensor, encoding: Encoding) -> Tensor:
    """The network's (n, y, x) answer as relative emission, clipped to 0 to 1."""
    clipped = output.float().clamp(0.0, 1.0)
    return clipped**2 if encoding.target == "sqrt" else clipped


def _minmax(no2: Tensor, encoding: Encoding) -> Tensor:
    return (no2 - encoding.no2_low_umol_m2) / (encoding.no2_high_umol_m2 - encoding.no2_low_umol_m2)


def _asinh(no2: Tensor, encoding: Encoding) -> Tensor:
    return torch.asinh(no2 / encoding.no2_scale_umol_m2)


def _tile_max(no2: Tensor, _encoding: Encoding) -> Tensor:
    """Each tile over its own largest column (Finch et al., AMT 15, 721, 2022); missing pixels are left to be 0."""
    largest = torch.nan_to_num(no2, nan=-torch.inf).amax((-2, -1), keepdim=True)
    return no2 / torch.where(largest > 0, largest, torch.ones_like(largest))


_SCALINGS = {"minmax": _minmax, "asinh": _asinh, "tile_max": _tile_max}
