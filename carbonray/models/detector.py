"""A trained network made ready for use: tiles in, relative emission out, nothing left to configure.

The weights come from a bundle that `carbonray.io.model_store` has checked; here they meet the network that its JSON
names. Tiles are (n, y, x): NO2 in umol m-2 with gaps filled, mask 1 where measured, wind toward east and north, m s-1.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from carbonray.errors import ContractError
from carbonray.models.encoding import Encoding, decode_output, encode_inputs
from carbonray.models.layers import channels_last
from carbonray.models.neural_peers import FinchConfig, presence_map
from carbonray.models.registry import MODELS
from carbonray.models.tiles import TileBatch

Config = TypeVar("Config")
_NO_OVERRIDES: Mapping[str, Any] = MappingProxyType({})


class PlumeDetector:
    """One network of the registry with trained weights, in float32, channels last, for inference."""

    def __init__(
        self,
        model: str,
        config: Mapping[str, Any],
        encoding: Mapping[str, Any],
        tensors: Mapping[str, NDArray[Any]],
    ) -> None:
        """Builds the network and loads its weights.

        Raises:
            ContractError: the model is unknown, a setting of it too, or the tensors are not exactly the network's.
        """
        self.encoding = dataclass_of(Encoding, encoding, where=f"bundle of {model}: encoding")
        self.network = channels_last(network_of(model, config))
        load_tensors(self.network, tensors, where=f"bundle of {model}: tensors")
        self.network.eval()

    def __call__(
        self,
        no2_umol_m2: NDArray[np.float32],
        mask: NDArray[Any],
        wind_u_m_s: NDArray[np.float32],
        wind_v_m_s: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Relative emission (n, y, x) in 0 to 1 of the bundle's strongest source."""
        arrays = (no2_umol_m2, mask, wind_u_m_s, wind_v_m_s)
        tiles = TileBatch(*(torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in arrays))
        with torch.inference_mode():
            found = detect(self.network, tiles, self.encoding)
        return found.numpy()


def detect(network: nn.Module, tiles: TileBatch, encoding: Encoding) -> torch.Tensor:
    """Relative emission of a batch of tiles, by a network that answers with a map or, tile by tile, with a class."""
    if isinstance(getattr(network, "config", None), FinchConfig):
        return presence_map(network, tiles, encoding)
    inputs = encode_inputs(tiles, encoding).contiguous(memory_format=torch.channels_last)
    return decode_output(network(inputs), encoding)


def network_of(model: str, config: Mapping[str, Any] = _NO_OVERRIDES) -> nn.Module:
    """A network of the registry with some of its settings changed, first weights from torch's global generator.

    Raises:
        ContractError: the model or a setting is unknown.
    """
    if model not in MODELS:
        raise ContractError(
            f"unknown model {model!r}",
            where="carbonray/models/registry.py",
            expected=f"one of {sorted(MODELS)}",
            remedy="Name a model of the registry, or install the version of carbonray that wrote the bundle.",
        )
    entry = MODELS[model]
    merged = {f.name: getattr(entry.config, f.name) for f in fields(entry.config)} | dict(config)
    return entry.build(dataclass_of(type(entry.config), merged, where=f"config of {model}"))


def dataclass_of(kind: type[Config], values: Mapping[str, Any], *, where: str) -> Config:
    """A frozen dataclass from JSON values, lists read as tuples.

    Raises:
        ContractError: a key is unknown or a value of another type than its default.
    """
    assert is_dataclass(kind)
    known = {f.name: f.default for f in fields(kind)}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    wrong = {name for name, value in plain.items() if name not in known or not of_kind(value, known[name])}
    if wrong:
        raise ContractError(
            f"settings {sorted(wrong)} are unknown or of the wrong type",
            where=where,
            expected=", ".join(f"{name}: {type(default).__name__}" for name, default in known.items()),
            remedy="The bundle was written by another version: train it again, or install that version.",
        )
    return kind(**plain)


def of_kind(value: object, default: object) -> bool:
    """Whether a value is of the type of a default; an integer may stand for a float."""
    if isinstance(value, bool) or isinstance(default, bool):  # a bool is an int to Python, not to a reader
        return isinstance(value, bool) and isinstance(default, bool)
    return isinstance(value, (float, int) if isinstance(default, float) else type(default))


def load_tensors(network: nn.Module, tensors: Mapping[str, NDArray[Any]], *, where: str) -> None:
    """Puts a bundle's tensors into a network, in float32.

    Raises:
        ContractError: they are not exactly the network's by name and shape, or not finite.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in tensors.items()}
    if wanted != given:
        differing = sorted(set(wanted.items()) ^ set(given.items()))[:6]
        raise ContractError(
            f"tensors are not the network's: {differing}",
            where=where,
            expected=f"{len(wanted)} tensors of the network's names and shapes, found {len(given)}",
            remedy="The bundle's config and weights do not belong together: train it again.",
        )
    bad = sorted(name for name, value in tensors.items() if not np.isfinite(value).all())
    if bad:
        raise ContractError(
            f"tensors {bad[:6]} hold values that are not finite",
            where=where,
            expected="finite weights",
            remedy="The fit diverged: train again with a smaller learning rate.",
        )
    network.load_state_dict({name: torch.from_numpy(np.array(value)).float() for name, value in tensors.items()})
