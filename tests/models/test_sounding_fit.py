"""The fit of soundings: it learns, repeats itself, stops by patience, keeps the best epoch and can be resumed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
import torch

from carbonray.errors import DataError
from carbonray.models.augment import AugmentRules
from carbonray.models.bags import BagBatch, BandScaling
from carbonray.models.fit import FitState, Workers, weights_of
from carbonray.models.fit_tensors import best_weights
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_fit import SoundingFitRules, best_epoch, sounding_epochs
from carbonray.models.sounding_losses import SoundingLoss

CONFIG = SoundingCnnConfig(task="on", width=8, attention_width=8, patch_px=8, dropout=0.2)
RULES = SoundingFitRules(epochs=5, learning_rate=1e-2, seed=4, augment=AugmentRules(magnitude=0.5))
SCALING = BandScaling((0.3, 0.3, 0.3), (0.2, 0.2, 0.2))


def batches(epoch: int, count: int = 4, images: int = 12) -> Iterator[BagBatch]:
    """White spots where a plant is on, the whiter the more it runs; half of the structures are padding."""
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(count):
        load = torch.rand(images, generator=generator)
        on = torch.rand(images, generator=generator) > 0.4
        load = torch.where(on, 0.1 + 0.9 * load, 0.0)
        patches = 0.3 + 0.03 * torch.randn(images, 4, 3, 8, 8, generator=generator)
        patches[:, 0, :, 2:6, 2:6] += 0.6 * load[:, None, None, None]
        patches[:, 1, :, 0, 0] = torch.nan
        mask = torch.tensor([True, True, False, False]).expand(images, -1)
        yield BagBatch(patches, mask, load, on)


def run(
    config: SoundingCnnConfig = CONFIG, rules: SoundingFitRules = RULES, state: FitState | None = None, stop: int = 99
) -> tuple[FitState, list[dict[str, float]]]:
    torch.manual_seed(rules.seed)
    network, seen, reached = SoundingCnn(config), [], FitState()
    told = {"scaling": SCALING, "counts": (20, 30), "state": state}
    for metrics, reached in sounding_epochs(network, batches, lambda: batches(99), rules, **told):
        seen.append(metrics)
        torch.rand(17)  # whatever else draws random numbers between epochs
        if reached.epoch == stop:
            break
    return reached, seen


def same(a: FitState, b: FitState) -> bool:
    return a.tensors.keys() == b.tensors.keys() and all(torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors)


def test_learns_on_and_off() -> None:
    _, seen = run(rules=replace(RULES, epochs=8))
    assert max(m["validation_map"] for m in seen) > 0.9
    assert min(m["train_loss"] for m in seen) < seen[0]["train_loss"]
    assert seen[0]["train_samples"] == 48


@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_learns_the_capacity_factor(loss: str) -> None:
    """Better than the spread of the loads, which is what their mean would score."""
    rules = replace(RULES, epochs=10, loss=SoundingLoss(regression=loss))
    _, seen = run(replace(CONFIG, task="capacity_factor"), rules)
    spread = torch.cat([b.capacity_factor for b in batches(99)]).std(correction=0).item()
    assert min(m["validation_rmse"] for m in seen) < 0.7 * spread


def test_same_seed_same_weights_and_another_seed_others() -> None:
    short = replace(RULES, epochs=2)
    first, again, other = run(rules=short)[0], run(rules=short)[0], run(rules=replace(short, seed=5))[0]
    assert same(first, again) and not same(first, other)


@pytest.mark.parametrize("stopped_after", [1, 3])
@pytest.mark.parametrize("freeze", [False, True])
def test_a_fit_taken_up_again_ends_in_the_same_weights(stopped_after: int, freeze: bool) -> None:
    rules = replace(RULES, epochs=4, freeze_trunk=freeze)
    whole, _ = run(rules=rules)
    part, _ = run(rules=rules, stop=stopped_after)
    resumed, seen = run(rules=rules, state=part)
    assert part.epoch == stopped_after and same(resumed, whole)
    assert [m["epoch"] for m in seen] == list(range(stopped_after + 1, 5))
    assert len(resumed.facts["history"]) == 4


def test_patience_ends_the_fit_and_the_best_epoch_is_kept() -> None:
    """A step size of nothing: no epoch is better than the first."""
    rules = replace(RULES, epochs=30, patience=2, learning_rate=0.0, weight_decay=0.0, freeze_trunk=True)
    state, seen = run(rules=rules)
    assert len(seen) == 3 and best_epoch(seen, "on") == 0
    assert best_weights(state.tensors).keys() == weights_of(state).keys()


def test_best_weights_are_those_of_the_best_epoch() -> None:
    rules = replace(RULES, epochs=6, patience=0, learning_rate=0.1)
    state, seen = run(rules=rules)
    best = best_epoch(seen, "on")
    assert best < 5, "pick a step size at which the last epoch is not the best"
    then, _ = run(rules=rules, stop=best + 1)
    assert all(torch.equal(value, weights_of(then)[name]) for name, value in best_weights(state.tensors).items())
    assert not all(torch.equal(value, weights_of(state)[name]) for name, value in best_weights(state.tensors).items())


def test_best_is_the_highest_map_and_the_smallest_rmse_and_the_earliest_of_equals() -> None:
    scores = [0.2, 0.5, 0.1, 0.5, 0.1]
    assert best_epoch([{"validation_map": s} for s in scores], "on") == 1
    assert best_epoch([{"validation_rmse": s} for s in scores], "capacity_factor") == 2


def test_frozen_trunk_stays_as_it_came() -> None:
    torch.manual_seed(RULES.seed)
    before = SoundingCnn(CONFIG).state_dict()
    after = weights_of(run(rules=replace(RULES, epochs=2, freeze_trunk=True))[0])
    moved = {name.split(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {"attention", "on_head"}


def test_absent_class_and_empty_splits_are_refused() -> None:
    def fitted(train: Iterable[BagBatch], validation: Iterable[BagBatch]) -> None:
        told = {"scaling": SCALING, "counts": (1, 1)}
        next(sounding_epochs(SoundingCnn(CONFIG), lambda _: train, lambda: validation, RULES, **told))

    some = list(batches(0, count=1))
    always_on = [replace(some[0], on=torch.ones(12, dtype=torch.bool))]
    with pytest.raises(DataError, match="12 of them on"):
        fitted(some, always_on)
    with pytest.raises(DataError, match="no training images"):
        fitted([], some)
    with pytest.raises(DataError, match="no validation images"):
        fitted(some, [])


def test_batches_are_streamed_and_never_held() -> None:
    alive = 0
    most = 0

    class Held(BagBatch):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def counted(epoch: int, count: int) -> Iterator[BagBatch]:
        nonlocal alive, most
        for batch in batches(epoch, count, images=4):
            alive += 1
            most = max(most, alive)
            yield Held(**vars(batch))

    told = {"scaling": SCALING, "counts": (1, 1)}
    next(sounding_epochs(SoundingCnn(CONFIG), lambda e: counted(e, 20), lambda: counted(99, 20), RULES, **told))
    assert most <= 3


@pytest.mark.parametrize("task", ["on", "capacity_factor"])
def test_accumulated_batches_step_like_one_large_batch(task: str) -> None:
    """Uneven ones too, and the last step of an epoch with what is left: an image counts alike wherever it is."""
    rules = replace(RULES, epochs=1, augment=AugmentRules(magnitude=0.0))
    config = replace(CONFIG, trunk="vgg16", task=task, dropout=0.0)  # no BatchNorm

    def fitted(sizes: tuple[int, ...], accumulate: int) -> FitState:
        torch.manual_seed(0)
        whole = [torch.cat(parts) for parts in zip(*(vars(b).values() for b in batches(0, 2)), strict=True)]
        parts = [BagBatch(*part) for part in zip(*(tensor.split(list(sizes)) for tensor in whole), strict=True)]
        told = {"scaling": SCALING, "counts": (20, 30)}
        own = replace(rules, accumulate=accumulate)
        [epoch] = sounding_epochs(SoundingCnn(config), lambda _: parts, lambda: batches(99), own, **told)
        return epoch.state

    small, large = weights_of(fitted((5, 7, 5, 7), 3)), weights_of(fitted((17, 7), 1))
    for name, value in small.items():
        torch.testing.assert_close(value, large[name], rtol=1e-3, atol=1e-5)


def test_scores_are_means_over_workers_and_samples_sums() -> None:
    """Every worker judges the same images: two that agree report what one does, so all stop at the same epoch."""
    seen: list[dict[str, float]] = []
    for workers in (Workers(), Workers(world=2, total=lambda numbers: 2 * numbers)):
        torch.manual_seed(RULES.seed)
        told = {"scaling": SCALING, "counts": (20, 30), "workers": workers}
        seen.append(next(sounding_epochs(SoundingCnn(CONFIG), batches, lambda: batches(99), RULES, **told)).metrics)
    one, two = seen
    assert all(one[key] == two[key] for key in ("train_loss", "validation_loss", "validation_map"))
    assert two["train_samples"] == 2 * one["train_samples"]


def test_defaults_lie_in_the_range_the_paper_searched() -> None:
    """Plume paper, appendix B."""
    rules = SoundingFitRules()
    assert 40 <= rules.epochs <= 100 and rules.batch_size in (32, 54, 128) and 1e-5 <= rules.learning_rate <= 1e-2
    assert 1e-6 <= rules.weight_decay <= 1e-3 and rules.patience in (10, 20, 30)
    assert rules.augment.magnitude in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0) and rules.loss.classification_share == 0.02


def test_bf16_changes_little() -> None:
    exact, mixed = (run(rules=replace(RULES, epochs=1, precision=p))[1][0]["validation_loss"] for p in ("fp32", "bf16"))
    assert mixed == pytest.approx(exact, rel=0.3)
