"""Ways of computing a sounding network: each answers as the reference does, or the gate refuses it and says why."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from carbonray.errors import ContractError
from carbonray.models import sounding_runtime
from carbonray.models.backbones import trunk_of
from carbonray.models.sounding_cnn import Sounding, SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_detector import SoundingDetector
from carbonray.models.sounding_runtime import RUNTIMES, Runtime, RuntimeRules, fold, gate, probe_bags, runtime_of
from tests.models.public_checkpoints import shaken
from tests.models.test_sounding_detector import bag, bundle

CONFIG = SoundingCnnConfig(task="capacity_factor", width=8, attention_width=6, patch_px=16, heads=8)
FAST = [name for name in RUNTIMES if name != "fp32"]
VGG = replace(CONFIG, trunk="vgg16", task="on", truncation="block3_pool")
TOLERANCE = {"fp32": 1e-5, "bf16": 1e-2, "folded": 1e-5}  # of sums over structures, in the bits of the attention


def network(config: SoundingCnnConfig = CONFIG, seed: int = 0) -> SoundingCnn:
    """First weights as they are drawn, with BatchNorm's statistics moved."""
    torch.manual_seed(seed)
    made = SoundingCnn(config).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
            module.weight.data.uniform_(0.5, 1.5)
    return made


def fitted() -> dict[str, Any]:
    """A bundle whose scores are not saturated, so that a deviation shows."""
    config = replace(CONFIG, width=4, patch_px=8)
    tensors = {name: value.numpy() for name, value in network(config).state_dict().items()}
    return bundle(config) | {"tensors": tensors}


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, stride_on="conv1", truncation="block3_pool"), VGG])
@pytest.mark.parametrize("name", FAST)
def test_fast_runtimes_answer_as_the_reference_but_not_to_the_last_bit(name: str, config: SoundingCnnConfig) -> None:
    made, rules = network(config), RuntimeRules(name)
    found = gate(Runtime(made, name), Runtime(made, "fp32"), made, rules, where="bundle")
    assert 0.0 < found <= rules.max_difference
    assert isinstance(runtime_of(made, rules, where="bundle"), Runtime)


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, stride_on="conv1")])
def test_folding_leaves_no_norm_and_changes_nothing_in_full_precision(config: SoundingCnnConfig) -> None:
    patches = torch.randn(3, 3, 16, 16)
    trunk = shaken(trunk_of("resnet50", 3, "block4_pool", 4, config.stride_on))
    with torch.inference_mode():
        before = trunk(patches)
        fold(trunk)
        torch.testing.assert_close(trunk(patches), before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in trunk.modules())


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_network_given_stays_as_it_is(name: str) -> None:
    made = network()
    before = {key: value.clone() for key, value in made.state_dict().items()}
    runtime_of(made, RuntimeRules(name), where="bundle")
    torch.testing.assert_close(made.state_dict(), before, rtol=0.0, atol=0.0)


@pytest.mark.parametrize("head", ["on", "capacity_factor"])
def test_the_gate_refuses_a_planted_deviation_and_says_what_it_measured(head: str) -> None:
    made, rules = network(), RuntimeRules("folded")
    reference = Runtime(made, "fp32")

    def deviating(patches: torch.Tensor, mask: torch.Tensor) -> Sounding:
        found = reference(patches, mask)
        padded = ~mask.all(1)  # only where a bag is padded
        if head == "on":
            return found._replace(on_logits=found.on_logits + padded[:, None] * torch.tensor([0.0, 0.5]))
        return found._replace(capacity_factor=found.capacity_factor + 0.05 * padded)

    with pytest.raises(ContractError, match=r"runtime 'folded' answers with a difference of 0\.\d{4}") as caught:
        gate(deviating, reference, made, rules, where="s3://bundles/one")
    assert caught.value.where == "s3://bundles/one"
    assert "at most 0.01 from fp32" in caught.value.expected and "`runtime.name` to fp32" in caught.value.remedy
    if head == "capacity_factor":
        assert "0.0500" in caught.value.what


def test_the_gate_refuses_what_is_no_number() -> None:
    made = network()
    reference = Runtime(made, "fp32")

    def lost(patches: torch.Tensor, mask: torch.Tensor) -> Sounding:
        found = reference(patches, mask)
        return found._replace(capacity_factor=found.capacity_factor * torch.nan)

    with pytest.raises(ContractError, match="difference of inf"):
        gate(lost, reference, made, RuntimeRules("folded"), where="bundle")


def test_a_wrong_folding_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounding_runtime, "fuse_conv_bn_eval", lambda conv, norm: conv)
    with pytest.raises(ContractError, match="runtime 'folded'"):
        SoundingDetector(**fitted(), runtime=RuntimeRules("folded"))


def test_a_detector_passes_its_limit_on() -> None:
    with pytest.raises(ContractError, match="runtime 'bf16'") as caught:
        SoundingDetector(**fitted(), runtime=RuntimeRules("bf16", max_difference=0.0))
    assert caught.value.where == "bundle"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: RuntimeRules("fp8"), "fp8.*fp32.*bf16.*folded"),
        (lambda: RuntimeRules("folded", probe_images=0), "probe_images=0"),
        (lambda: runtime_of(network(), RuntimeRules(), device="tpu", where="bundle"), "no device 'tpu'.*bundle"),
    ],
)
def test_what_is_unknown_is_named(made: Any, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        made()


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(ContractError, match="no device 'cuda'"):
        SoundingDetector(**fitted(), device="cuda")


@pytest.mark.parametrize("name", RUNTIMES)
def test_the_same_batch_gives_the_same_bits(name: str) -> None:
    patches, mask = bag()
    runs = [SoundingDetector(**fitted(), runtime=RuntimeRules(name)) for _ in range(2)]
    first, other, again = runs[0](patches, mask), runs[1](patches, mask), runs[0](patches, mask)
    np.testing.assert_array_equal(first, other)
    np.testing.assert_array_equal(first, again)
    assert all(part.dtype == np.float32 for part in first)


@pytest.mark.parametrize("name", RUNTIMES)
def test_padding_may_hold_anything(name: str) -> None:
    ready, (patches, mask) = Runtime(network(), name), list(probe_bags(network(), RuntimeRules()))[1]
    filled = torch.where(mask[..., None, None, None], patches, torch.nan)
    assert not mask.all()
    torch.testing.assert_close(ready(filled, mask), ready(patches, mask), rtol=0.0, atol=0.0)


@pytest.mark.parametrize("name", RUNTIMES)
def test_no_order_of_structures_matters(name: str) -> None:
    ready, (patches, mask) = Runtime(network(), name), list(probe_bags(network(), RuntimeRules()))[1]
    order = torch.tensor([2, 0, 1])
    found, turned = ready(patches, mask), ready(patches[:, order], mask[:, order])
    for a, b in ((turned.on_score(), found.on_score()), (turned.capacity_factor, found.capacity_factor)):
        torch.testing.assert_close(a, b, rtol=0.0, atol=TOLERANCE[name])
    torch.testing.assert_close(turned.attention, found.attention[:, :, order], rtol=0.0, atol=TOLERANCE[name])


def test_probe_bags_are_standardised_seeded_full_and_padded() -> None:
    rules = RuntimeRules(probe_images=16)
    (full, every), (again, some) = probe_bags(network(), rules)
    assert full.shape == (16, 3, 3, 16, 16) and every.all() and set(some.sum(1).tolist()) == {1, 2, 3}
    assert abs(float(full.mean()) - 0.5) < 0.01 and abs(float(full.std()) - 0.25) < 0.01
    torch.testing.assert_close(full, again, rtol=0.0, atol=0.0)
    other = next(iter(probe_bags(network(), replace(rules, seed=1))))[0]
    assert not torch.equal(full, other)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", RUNTIMES)
def test_a_gpu_answers_as_the_processor_does(name: str) -> None:
    made = network()
    on_gpu = runtime_of(made, RuntimeRules(name), device="cuda", where="bundle")
    found = gate(on_gpu, Runtime(made, "fp32"), made, RuntimeRules(name), where="bundle")
    assert found < (1e-4 if name == "fp32" else 1e-2)  # 1e-4 holds only without TF32
