"""How a sounding network is computed in use: the reference, and faster ways that must answer as it does.

Source: SCIENCE 4.5; `make bench BENCH=sounding_runtime` gives speeds and differences. `fp32` is the network as it was
fitted, channels last; `bf16` is automatic mixed precision; `folded` puts every BatchNorm into the convolution before it
and keeps the trunk's weights in bfloat16. Before a faster way is used it answers probe bags, (n, K, band, s, s) of
standardised noise, beside the reference. The same way, weights and shape of batch give the same bits.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from carbonray.errors import ContractError
from carbonray.models.bags import MEAN, SPREAD
from carbonray.models.layers import channels_last
from carbonray.models.sounding_cnn import Sounding, SoundingCnn

REFERENCE = "fp32"
RUNTIMES = (REFERENCE, "bf16", "folded")
DEVICES = ("cpu", "cuda")
Answer = Callable[[Tensor, Tensor], Sounding]


@dataclass(frozen=True)
class RuntimeRules:
    """How networks are computed, and how far that may be from the reference; all numbers are inferred.

    Attributes:
        name: `fp32`, `bf16` or `folded`.
        probe_images: images of a probe bag.
        probe_structures: patches of an image of a probe bag.
        max_difference: largest difference of an on score or capacity factor on the probe bags.
        seed: of the probe bags.

    Raises:
        ContractError: the runtime is unknown, or nothing would be probed.
    """

    name: str = REFERENCE
    probe_images: int = 8
    probe_structures: int = 3
    max_difference: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in RUNTIMES or min(self.probe_images, self.probe_structures) < 1:
            raise ContractError(
                f"no such runtime: {self}",
                where="RuntimeRules",
                expected=f"a name of {RUNTIMES}, at least one image and structure to probe with",
                remedy="Correct the settings `runtime` of the soundings.",
            )


class Runtime:
    """A network on a device, in evaluation: standardised bags in, soundings in float32 out."""

    def __init__(self, network: SoundingCnn, name: str, device: str = "cpu") -> None:
        """Makes the network ready.

        Args:
            network: stays as it is.
            name: one of `RUNTIMES`.
            device: one of `DEVICES`.
        """
        copy = deepcopy(network).eval()
        if name == "folded":
            fold(copy.trunk)
            copy.trunk.bfloat16()
        self.network = channels_last(copy).to(device)
        self._device, self._mixed = torch.device(device), name == "bf16"

    def __call__(self, patches: Tensor, mask: Tensor) -> Sounding:
        """Soundings of n images, on the processor.

        Args:
            patches: (n, K, band, s, s) standardised.
            mask: (n, K) bool, True where there is a structure.
        """
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        mixed = torch.autocast(self._device.type, torch.bfloat16, enabled=self._mixed)
        with torch.inference_mode(), exact, mixed:
            found: Sounding = self.network(patches.to(self._device), mask.to(self._device))
        return Sounding(*(part.float().cpu() for part in found))


def runtime_of(network: SoundingCnn, rules: RuntimeRules, *, device: str = "cpu", where: str) -> Runtime:
    """A network made ready under rules, having passed the gate where it is not the reference.

    Args:
        network: fitted.
        rules: which way, and how far it may be from the reference.
        device: 'cpu' or 'cuda'.
        where: URL of the bundle, for errors.

    Raises:
        ContractError: it answers too differently, or there is no such device.
    """
    if device not in DEVICES or (device == "cuda" and not torch.cuda.is_available()):
        raise ContractError(
            f"no device {device!r} here",
            where=where,
            expected=f"one of {DEVICES}, and for 'cuda' a device and a build of torch that sees it",
            remedy="Set the device to cpu, or run on a machine with a GPU.",
        )
    ready = Runtime(network, rules.name, device)
    if rules.name != REFERENCE:
        gate(ready, Runtime(network, REFERENCE, device), network, rules, where=where)
    return ready


def gate(fast: Answer, reference: Answer, network: SoundingCnn, rules: RuntimeRules, *, where: str) -> float:
    """Largest difference of an on score or capacity factor over the probe bags.

    Args:
        fast: what is to be used.
        reference: what it must answer like.
        network: whose bags they read.
        rules: the probe bags and the limit.
        where: URL of the bundle, for errors.

    Raises:
        ContractError: the difference is above the limit, or no number.
    """
    found = max(_difference(fast(*bag), reference(*bag)) for bag in probe_bags(network, rules))
    if found <= rules.max_difference:
        return found
    raise ContractError(
        f"runtime {rules.name!r} answers with a difference of {found:.4f}",
        where=where,
        expected=f"at most {rules.max_difference} from fp32 on {rules.probe_images} probe images",
        remedy="Set `runtime.name` to fp32, or a larger `runtime.max_difference` if the scores allow it.",
    )


def probe_bags(network: SoundingCnn, rules: RuntimeRules) -> Iterator[tuple[Tensor, Tensor]]:
    """Standardised normal noise in the network's shape, in full bags and then padded to one structure and more."""
    n, structures, config = rules.probe_images, rules.probe_structures, network.config
    generator = torch.Generator().manual_seed(rules.seed)
    shape = (n, structures, len(config.bands), config.patch_px, config.patch_px)
    patches = MEAN + SPREAD * torch.randn(shape, generator=generator)
    counts = 1 + torch.arange(n)[:, None] % structures
    for held in (torch.full((n, 1), structures), counts):
        yield patches, torch.arange(structures) < held


def fold(trunk: nn.Module) -> None:
    """Puts every BatchNorm that directly follows a convolution into its weights, in place, in evaluation."""
    for module in list(trunk.modules()):
        for (name, first), (after, second) in pairwise(list(module.named_children())):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())


def _difference(answer: Sounding, expected: Sounding) -> float:
    """Infinite where only one of them is no number."""
    pairs = ((answer.on_score(), expected.on_score()), (answer.capacity_factor, expected.capacity_factor))
    apart = (torch.where(a.isnan() & b.isnan(), 0.0, (a - b).abs()).max() for a, b in pairs)
    return max(float(torch.nan_to_num(largest, nan=torch.inf)) for largest in apart)
