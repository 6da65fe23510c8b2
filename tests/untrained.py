"""Bundles of networks that learned nothing, for tests that need a whole bundle and no skill."""

from dataclasses import asdict

import torch

from carbonray.io.model_store import Bundle, Lineage, save_bundle
from carbonray.models.detector import network_of
from carbonray.models.registry import MODELS
from carbonray.science.no2.scenes import generator_sha256


def untrained_bundle(url: str, model: str = "unet", generator: str | None = None, cut: float = 0.05) -> str:
    """Saves one, of a seed of its own, and answers its URL."""
    torch.manual_seed(3)
    network = network_of(model)
    lineage = Lineage(
        command="none",
        run_id="none",
        seed=3,
        scenes=0,
        validation_scenes=0,
        epochs=0,
        generator_sha256=generator or generator_sha256(),
        settings_digest="none",
        versions={},
        fit={},
        validation={},
    )
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    save_bundle(url, Bundle(model, asdict(network.config), asdict(MODELS[model].encoding), cut, lineage, tensors))
    return url
