"""The detector: weights meet exactly the network their bundle names, and everything else is refused."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError
from carbonray.models.detector import PlumeDetector, network_of
from carbonray.models.encoding import CHANNELS, Encoding, decode_output, encode_inputs
from carbonray.models.registry import MODELS
from carbonray.models.tiles import TileBatch

CONFIG = {"width": 4}
ENCODING = asdict(Encoding(channels=CHANNELS, no2="asinh", target="sqrt"))


def tensors() -> dict[str, Any]:
    torch.manual_seed(1)
    return {name: value.numpy().copy() for name, value in network_of("unet", CONFIG).state_dict().items()}


def test_detector_encodes_runs_and_decodes() -> None:
    rng = np.random.default_rng(0)
    no2, mask, u, v = (rng.random((2, 64, 64), np.float32) for _ in range(4))
    found = PlumeDetector("unet", CONFIG, ENCODING, tensors())(no2, mask, u, v)
    assert found.dtype == np.float32 and found.shape == (2, 64, 64) and found.min() >= 0 and found.max() <= 1
    network = network_of("unet", CONFIG)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors().items()})
    tiles = TileBatch(*(torch.from_numpy(a) for a in (no2, mask, u, v)))
    encoding = Encoding(channels=CHANNELS, no2="asinh", target="sqrt")
    with torch.inference_mode():
        expected = decode_output(network.eval()(encode_inputs(tiles, encoding)), encoding)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_lists_of_json_are_read_as_tuples() -> None:
    detector = PlumeDetector("unet", CONFIG, {**ENCODING, "channels": list(CHANNELS)}, tensors())
    assert detector.encoding.channels == CHANNELS


def test_sixteen_bit_weights_are_widened() -> None:
    half = {n: v.astype(np.float16) if v.dtype == np.float32 else v for n, v in tensors().items()}
    network = PlumeDetector("unet", CONFIG, ENCODING, half).network
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("spoil", [
    lambda t: t.pop("head.bias"),
    lambda t: t.update(extra=np.zeros(3, np.float32)),
    lambda t: t.update({"head.bias": np.zeros(5, np.float32)}),
], ids=["missing", "unexpected", "another shape"])  # fmt: skip
def test_tensors_of_another_network_are_refused(spoil: Any) -> None:
    spoiled = tensors()
    spoil(spoiled)
    with pytest.raises(ContractError, match="tensors are not the network's"):
        PlumeDetector("unet", CONFIG, ENCODING, spoiled)


def test_weights_that_are_not_finite_are_refused() -> None:
    spoiled = tensors()
    spoiled["head.bias"][0] = np.nan
    with pytest.raises(ContractError, match="not finite"):
        PlumeDetector("unet", CONFIG, ENCODING, spoiled)


@pytest.mark.parametrize(
    ("model", "config", "encoding", "said"),
    [
        ("resnet", {}, ENCODING, "unknown model 'resnet'"),
        ("unet", {"depth": 9}, ENCODING, "depth"),
        ("unet", {"width": "4"}, ENCODING, "width"),
        ("unet", {"width": True}, ENCODING, "width"),
        ("unet", CONFIG, {**ENCODING, "code": "x"}, "code"),
        ("unet", CONFIG, {**ENCODING, "q_max_kg_s": "3"}, "q_max_kg_s"),
        ("unet", CONFIG, {**ENCODING, "no2": "eval"}, "no such encoding"),
    ],
)
def test_bundle_of_another_version_is_refused(model: str, config: dict, encoding: dict, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        PlumeDetector(model, config, encoding, tensors())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_of_the_registry_detects_on_tiles(name: str) -> None:
    entry = MODELS[name]
    torch.manual_seed(0)
    weights = {key: value.numpy() for key, value in network_of(name).state_dict().items()}
    tile = np.full((1, 64, 64), 30.0, np.float32)
    found = PlumeDetector(name, asdict(entry.config), asdict(entry.encoding), weights)(tile, tile > 0, tile, tile)
    assert found.shape == (1, 64, 64) and np.isfinite(found).all()


def test_defaults_of_record_are_the_papers() -> None:
    paper = MODELS["plume_net_paper"]
    rules = paper.fit
    assert (rules.epochs, rules.batch_size, rules.loss, rules.precision) == (200, 32, "mse", "fp32")
    assert (rules.learning_rate, rules.min_learning_rate, rules.schedule) == (1e-3, 1e-5, "plateau")
    assert (paper.config.dropout, paper.encoding.channels, paper.encoding.no2) == (0.05, ("no2",), "minmax")
