"""Bags of patches for the sounding networks: physical values with gaps, brought to the scale that networks read.

Source: every band is brought to mean 0.5 and standard deviation 0.25 by statistics of the training folds (plume paper,
section 3.2). A bag holds the patches of one image: (n, K, band, s, s), row 0 north, padded to K with a mask (n, K) that
is True where there is a structure. Values are reflectances, of thermal bands kelvin; NaN where nothing was measured.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from carbonray.errors import ContractError

MEAN, SPREAD = 0.5, 0.25  # of a standardised band, as in science.power.band_math


@dataclass(frozen=True)
class BagBatch:
    """Images of plants with what is known of their activity.

    Attributes:
        patches: (n, K, band, s, s) physical values, NaN where nothing was measured.
        mask: (n, K) bool, True where there is a structure.
        capacity_factor: (n,) at the overpass, clipped to 0 to 1 when learnt.
        on: (n,) bool, whether the plant was on (capacity factor above 0.05, SCIENCE 4.3).
    """

    patches: Tensor
    mask: Tensor
    capacity_factor: Tensor
    on: Tensor

    def __len__(self) -> int:
        return len(self.patches)

    def to(self, device: torch.device) -> "BagBatch":
        """The batch on a device."""
        return BagBatch(
            *(t.to(device, non_blocking=True) for t in (self.patches, self.mask, self.capacity_factor, self.on))
        )


@dataclass(frozen=True)
class BandScaling:
    """Mean and standard deviation of each band over the training folds; stored in the bundle.

    Attributes:
        mean: of each band, in its physical unit.
        sd: of each band, above zero.

    Raises:
        ContractError: the lengths differ or a spread is not above zero.
    """

    mean: tuple[float, ...] = (0.5,)
    sd: tuple[float, ...] = (0.25,)

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.sd) or not all(value > 0.0 for value in self.sd):
            raise ContractError(
                f"bands of means {self.mean} and spreads {self.sd}",
                where="BandScaling",
                expected="one mean and one spread above zero for each band",
                remedy="Leave a constant band out, or measure over more images.",
            )

    def standardised(self, patches: Tensor) -> Tensor:
        """0.5 + 0.25 (x - mean) / sd, of the shape (..., band, y, x) given; what is not measured enters as the mean."""
        if patches.shape[-3] != len(self.mean):
            raise ContractError(
                f"patches have {patches.shape[-3]} bands",
                where="BandScaling",
                expected=f"{len(self.mean)}, as many as the statistics",
                remedy="Cut the bands that the network names, in its order.",
            )
        mean, sd = (torch.tensor(v, device=patches.device)[:, None, None] for v in (self.mean, self.sd))
        return torch.nan_to_num(MEAN + SPREAD * (patches.float() - mean) / sd, nan=MEAN)
