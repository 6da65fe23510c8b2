"""Leak tests of the sounding networks' fit (SCIENCE 0.4): validation images choose an epoch and teach nothing."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from carbonray.models.augment import AugmentRules
from carbonray.models.bags import BagBatch, BandScaling
from carbonray.models.fit import FitState
from carbonray.models.fit_tensors import best_weights
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_fit import SoundingFitRules, sounding_epochs

CONFIG = SoundingCnnConfig(task="on", width=4, attention_width=4, patch_px=8)
RULES = SoundingFitRules(epochs=2, learning_rate=1e-2, patience=0, augment=AugmentRules(magnitude=0.5))
SCALING = BandScaling((0.3, 0.3, 0.3), (0.2, 0.2, 0.2))


def bags(seed: int, images: int = 8) -> BagBatch:
    """Spots that are the whiter the more a plant runs."""
    generator = torch.Generator().manual_seed(seed)
    load = torch.rand(images, generator=generator)
    on = load > 0.4
    patches = 0.3 + 0.05 * torch.randn(images, 2, 3, 8, 8, generator=generator)
    patches[:, 0, :, 2:6, 2:6] += 0.6 * (load * on)[:, None, None, None]
    return BagBatch(patches, torch.ones(images, 2, dtype=torch.bool), load * on, on)


def fitted(config: SoundingCnnConfig, validation: BagBatch, rules: SoundingFitRules = RULES) -> FitState:
    torch.manual_seed(0)

    def train(epoch: int) -> Iterator[BagBatch]:
        yield from (bags(10 * epoch), bags(10 * epoch + 1))

    told = {"scaling": SCALING, "counts": (7, 9)}
    *_, last = sounding_epochs(SoundingCnn(config), train, lambda: [validation], rules, **told)
    return last.state


def learnt(state: FitState) -> dict[str, torch.Tensor]:
    """Everything that a next epoch would go on from: weights, running statistics, the optimiser's moments."""
    return {name: value for name, value in state.tensors.items() if not name.startswith("best.")}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("trunk", ["resnet50", "vgg16"])
@pytest.mark.parametrize("task", ["on", "capacity_factor"])
def test_other_validation_images_leave_every_step_as_it_was(trunk: str, task: str) -> None:
    """BatchNorm's running statistics among them: they may not move while a fit is judged."""
    config = replace(CONFIG, trunk=trunk, task=task)
    once = bags(99)
    swapped = replace(once, patches=10.0 * once.patches.flip(0), on=~once.on, capacity_factor=1 - once.capacity_factor)
    first, again = fitted(config, once), fitted(config, swapped)

    assert same(learnt(first), learnt(again))
    assert first.facts["history"][-1]["train_loss"] == again.facts["history"][-1]["train_loss"]
    assert first.facts["history"][-1]["validation_loss"] != again.facts["history"][-1]["validation_loss"]


def test_validation_decides_which_epoch_is_kept_and_when_to_stop() -> None:
    """That is all it may do: patience ends one fit earlier, and what both did until then is alike."""
    once = bags(99)
    upside_down = replace(once, on=~once.on)  # the better the network, the worse it is judged
    rules = replace(RULES, epochs=4, patience=1)
    whole, short = fitted(CONFIG, once, rules), fitted(CONFIG, upside_down, rules)

    assert short.epoch < whole.epoch
    until = fitted(CONFIG, once, replace(rules, epochs=short.epoch, patience=0))
    assert same(learnt(until), learnt(short))
    assert not same(best_weights(whole.tensors), best_weights(short.tensors))


def test_a_training_image_that_changes_is_noticed() -> None:
    other = replace(RULES, augment=AugmentRules(magnitude=0.0))
    assert not same(learnt(fitted(CONFIG, bags(99))), learnt(fitted(CONFIG, bags(99), other)))
