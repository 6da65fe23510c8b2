"""Fitted sounding networks in use: the same answer as in the fit, by structures alone, and bad bundles refused."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError
from carbonray.models.bags import BandScaling
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_detector import SoundingDetector
from tests.models.public_checkpoints import shaken

CONFIG = SoundingCnnConfig(task="capacity_factor", width=4, attention_width=6, patch_px=8, heads=8)
SCALING = BandScaling((0.1, 0.2, 0.3), (0.1, 0.1, 0.2))


def bundle(config: SoundingCnnConfig = CONFIG) -> dict[str, Any]:
    """What a bundle holds, through JSON as it travels."""
    tensors = {name: value.numpy() for name, value in shaken(SoundingCnn(config)).state_dict().items()}
    facts = json.loads(json.dumps({"config": asdict(config), "scaling": asdict(SCALING)}))
    return facts | {"tensors": tensors, "where": "bundle"}


def bag() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    patches = rng.normal(0.2, 0.1, (3, 4, 3, 8, 8)).astype(np.float32)
    patches[0, 0, 1, 2, 2] = np.nan
    return patches, np.arange(4) < np.array([[4], [2], [1]])


@pytest.mark.parametrize("task", ["on", "capacity_factor"])
def test_answers_as_the_network_it_was_saved_from(task: str) -> None:
    config = replace(CONFIG, task=task)
    patches, mask = bag()
    on, load = SoundingDetector(**bundle(config))(patches, mask)
    network = shaken(SoundingCnn(config))
    with torch.inference_mode():
        expected = network(SCALING.standardised(torch.from_numpy(patches)), torch.from_numpy(mask))
    np.testing.assert_allclose(on, expected.on_score().numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(load, expected.capacity_factor.numpy(), rtol=1e-4, atol=1e-5)
    assert np.isnan(load).all() == (task == "on") and ((on >= 0) & (on <= 1)).all()


def test_padding_may_hold_anything() -> None:
    detector, (patches, mask) = SoundingDetector(**bundle()), bag()
    patches_too = patches.copy()
    patches_too[~mask] = np.nan
    for a, b in zip(detector(patches, mask), detector(patches_too, mask), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_batch_gives_the_same_bytes() -> None:
    patches, mask = bag()
    first, again = (SoundingDetector(**bundle())(patches, mask) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda b: b["config"].update(depth=3), "config"),
        (lambda b: b["config"].update(heads="8"), "config"),
        (lambda b: b["scaling"].update(median=[0.1]), "scaling"),
        (lambda b: b["config"].update(truncation="block3_pool"), "patch of 8 pixels"),
        (lambda b: b["config"].update(width=8), "tensors are not the network's"),
        (lambda b: b["tensors"].pop("attention.w"), "tensors are not the network's"),
        (lambda b: b["tensors"]["attention.w"].fill(np.nan), "not finite"),
    ],
)
def test_bundles_that_do_not_fit_are_refused(change, said: str) -> None:
    facts = bundle()
    change(facts)
    with pytest.raises(ContractError, match=said):
        SoundingDetector(**facts)
