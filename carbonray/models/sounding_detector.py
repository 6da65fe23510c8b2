"""A trained sounding network made ready for use: physical patches in, on scores and capacity factors out.

The weights come from a bundle that `carbonray.io.model_store` has checked, the scaling of the bands with them: folds
differ in both. Bags are (n, K, band, s, s), row 0 north, reflectances (thermal bands kelvin), NaN where nothing was
measured, with a mask (n, K) that is True where there is a structure.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.models.bags import BandScaling
from carbonray.models.detector import dataclass_of, load_tensors
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_runtime import RuntimeRules, runtime_of


class SoundingDetector:
    """One fitted network for inference, computed as a runtime's rules say."""

    def __init__(
        self,
        config: Mapping[str, Any],
        scaling: Mapping[str, Any],
        tensors: Mapping[str, NDArray[Any]],
        *,
        where: str,
        device: str = "cpu",
        runtime: RuntimeRules | None = None,
    ) -> None:
        """Builds the network and loads its weights.

        Args:
            config: of the network, as the bundle has it.
            scaling: of the bands, as the bundle has it.
            tensors: weights by name.
            where: URL of the bundle, for errors.
            device: 'cpu' or 'cuda'.
            runtime: float32 where none is given.

        Raises:
            ContractError: a setting or the device is unknown, the tensors are not exactly the network's, or the
                runtime answers too differently from float32.
        """
        self.config = dataclass_of(SoundingCnnConfig, config, where=f"{where}: config")
        self.scaling = dataclass_of(BandScaling, scaling, where=f"{where}: scaling")
        network = SoundingCnn(self.config)
        load_tensors(network, tensors, where=f"{where}: tensors")
        self._answer = runtime_of(network, runtime or RuntimeRules(), device=device, where=where)

    def __call__(
        self, patches: NDArray[np.float32], mask: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """On scores (n,) and capacity factors (n,), both in 0 to 1; the latter NaN of a network for on/off.

        Args:
            patches: (n, K, band, s, s) physical values of the configuration's bands.
            mask: (n, K) True where there is a structure.

        Raises:
            ContractError: bands, sides or masks do not fit.
        """
        with torch.inference_mode():
            scaled = self.scaling.standardised(torch.from_numpy(np.ascontiguousarray(patches, np.float32)))
        found = self._answer(scaled, torch.from_numpy(np.ascontiguousarray(mask)))
        return found.on_score().numpy(), found.capacity_factor.numpy()
