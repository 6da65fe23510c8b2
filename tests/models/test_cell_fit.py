"""The fit of cells: it learns, repeats itself, ends as the authors' does, keeps the best and can be taken up again."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from carbonray.errors import DataError
from carbonray.models.cell_batches import CellBatch
from carbonray.models.cell_fit import (
    RECIPES,
    CellFitRules,
    best_epoch,
    cell_epochs,
    predicted_ln_e,
    stopped,
)
from carbonray.models.fit import FitState, Workers, weights_of
from carbonray.models.fit_tensors import best_weights
from carbonray.models.opencarbon import OpenCarbon
from carbonray.models.opencarbon_losses import CellLoss
from carbonray.science.stats.metrics import r2
from tests.models.cell_shards import config, town

TRAIN, VALIDATION = town(), town(4, 4, seed=7)
SHAPE = {"ln_center": 10.0, "pad": "learned_mask"}
RULES = CellFitRules(
    epochs=4, weight_decay=0.0, validate_every=2, augment=True, seed=4, loss=CellLoss(alpha=0.1, contrastive_from=2)
)


def batches(epoch: int, size: int = 15, whole: CellBatch = TRAIN) -> Iterator[CellBatch]:
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(epoch))
    for first in range(0, len(order), size):
        yield whole.rows(order[first : first + size])


def run(
    rules: CellFitRules = RULES,
    state: FitState | None = None,
    stop: int = 99,
    train: CellBatch = TRAIN,
    **shape: Any,
) -> tuple[FitState, list[dict[str, float]]]:
    torch.manual_seed(rules.seed)
    network, seen, reached = OpenCarbon(config(**{**SHAPE, **shape})), [], FitState()
    given = partial(batches, size=15 if train is TRAIN else 10, whole=train)
    for metrics, reached in cell_epochs(network, given, lambda: iter([VALIDATION]), rules, state=state):
        seen.append(metrics)
        torch.rand(17)  # whatever else draws random numbers between epochs
        if reached.epoch == stop:
            break
    return reached, seen


def same(a: FitState, b: FitState) -> bool:
    return a.tensors.keys() == b.tensors.keys() and all(torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors)


def test_learns_emissions() -> None:
    loss = CellLoss(contrastive_from=2)
    rules = replace(RULES, epochs=9, learning_rate=3e-3, validate_every=1, augment=False, loss=loss, seed=6)
    state, seen = run(rules, train=town(10, 10))
    assert max(m["validation_r2"] for m in seen) > 0.5
    assert seen[-1]["train_loss"] < 0.5 * seen[0]["train_loss"]
    assert (seen[0]["train_cells"], seen[0]["train_contrast"]) == (100, 0.0) and seen[2]["train_contrast"] > 0.0
    network = OpenCarbon(config(**SHAPE))
    network.load_state_dict(best_weights(state.tensors))
    found = predicted_ln_e(network, [VALIDATION.rows(torch.arange(7)), VALIDATION.rows(torch.arange(7, 16))])
    # judged in one batch there, in two here
    assert r2(VALIDATION.ln_e.numpy(), found) == pytest.approx(max(m["validation_r2"] for m in seen), abs=1e-4)


def test_every_tile_of_a_batch_is_told_once() -> None:
    told = sum(len(batch.images) for batch in batches(0))
    _, seen = run(replace(RULES, epochs=1))
    assert seen[0]["train_tiles"] == told <= 60 < 30 * 9
    assert run(replace(RULES, epochs=1), neighborhood=False)[1][0]["train_tiles"] == 30


def test_same_seed_same_weights_and_another_seed_others() -> None:
    short = replace(RULES, epochs=2)
    first, again, other = run(short)[0], run(short)[0], run(replace(short, seed=5))[0]
    assert same(first, again) and not same(first, other)


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_a_fit_taken_up_again_ends_in_the_same_weights(stopped_after: int) -> None:
    whole, part = run()[0], run(stop=stopped_after)[0]
    resumed, seen = run(state=part)
    assert part.epoch == stopped_after and same(resumed, whole)
    assert [m["epoch"] for m in seen] == list(range(stopped_after + 1, 5))
    told = [{k: v for k, v in m.items() if k != "seconds"} for m in resumed.facts["history"]]
    assert told == [{k: v for k, v in m.items() if k != "seconds"} for m in whole.facts["history"]]


def test_epochs_between_validations_tell_the_last_one() -> None:
    _, seen = run(replace(RULES, epochs=4, validate_every=2))
    assert [m["judged"] for m in seen] == [1.0, 0.0, 1.0, 1.0]  # the last one always
    assert seen[1]["validation_r2"] == seen[0]["validation_r2"] != seen[2]["validation_r2"]


def test_best_weights_are_those_of_the_best_epoch() -> None:
    rules = replace(RULES, epochs=4, validate_every=1, learning_rate=0.05, seed=5)
    state, seen = run(rules)
    best = best_epoch(seen)
    assert best < 3, "pick a step size at which the last epoch is not the best"
    then, _ = run(rules, stop=best + 1)
    assert all(torch.equal(value, weights_of(then)[name]) for name, value in best_weights(state.tensors).items())
    assert not all(torch.equal(value, weights_of(state)[name]) for name, value in best_weights(state.tensors).items())


def test_a_weight_of_0_is_a_fit_without_the_contrastive_term() -> None:
    never = replace(RULES, loss=CellLoss(alpha=0.1, contrastive_from=1000))
    always = replace(RULES, loss=CellLoss(alpha=0.0, contrastive_from=0))
    entered = replace(RULES, loss=CellLoss(alpha=0.1, contrastive_from=0))
    assert same(run(never)[0], run(always)[0]) and not same(run(never)[0], run(entered)[0])


def history(*scores: float, every: int = 1) -> list[dict[str, float]]:
    return [{"validation_r2": s, "judged": float(k % every == 0)} for k, s in enumerate(scores)]


def test_the_fit_ends_when_more_validations_than_allowed_have_brought_nothing() -> None:
    rules = CellFitRules(stop_after=2, stop_from=0)
    assert not stopped(history(0.1, 0.0, 0.0), rules) and stopped(history(0.1, 0.0, 0.0, 0.0), rules)
    assert not stopped(history(0.1, 0.0, 0.0, 0.0, every=2), rules)  # two of them judged
    assert not stopped(history(0.1, 0.0, 0.0, 0.0), replace(rules, stop_from=4))
    assert not stopped(history(0.1, 0.0, 0.0, 0.0), replace(rules, stop_after=0))
    assert not stopped([], rules)


def test_the_authors_count_is_never_set_back() -> None:
    scores = history(0.1, 0.0, 0.2, 0.1, 0.3, 0.2)
    assert stopped(scores, CellFitRules(stop_after=2, stop_from=0))
    assert not stopped(scores, CellFitRules(stop_after=2, stop_from=0, stop_reset=True))


def test_a_stopped_fit_gives_no_further_epoch() -> None:
    rules = replace(RULES, epochs=30, validate_every=1, stop_after=1, stop_from=0, learning_rate=0.0)
    state, seen = run(rules)
    assert len(seen) < 30 and stopped(state.facts["history"], rules)
    assert run(rules, state=state)[1] == []


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_workers_take_the_step_of_one_with_all_their_cells(reduction: str) -> None:
    """Gradients of two workers, averaged, are those of one batch; encoders in eval mode have no statistics to share."""
    loss = CellLoss(reduction=reduction, alpha=0.0)
    rules = replace(RULES, loss=loss, augment=False)
    whole, halves = gradients(rules, [TRAIN]), [TRAIN.rows(torch.arange(k, 30, 2)) for k in range(2)]
    parts = [gradients(rules, [half], Workers(world=2, total=lambda numbers: 2 * numbers)) for half in halves]
    assert all(torch.allclose((a + b) / 2.0, w, atol=1e-4, rtol=1e-3) for a, b, w in zip(*parts, whole, strict=True))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_accumulated_batches_are_one_step(reduction: str) -> None:
    rules = replace(RULES, loss=CellLoss(reduction=reduction, alpha=0.0), augment=False, accumulate=2)
    halves = [TRAIN.rows(torch.arange(0, 20)), TRAIN.rows(torch.arange(20, 30))]
    whole, parts = gradients(rules, [TRAIN]), gradients(rules, halves)
    assert all(torch.allclose(p, w, atol=1e-4, rtol=1e-3) for p, w in zip(parts, whole, strict=True))


def gradients(rules: CellFitRules, train: list[CellBatch], workers: Workers | None = None) -> list[torch.Tensor]:
    """Of the one step that such batches make, BatchNorm held still."""
    torch.manual_seed(0)
    network = OpenCarbon(config(**SHAPE))
    network.train = lambda mode=True: torch.nn.Module.train(network, False)  # type: ignore[method-assign,assignment]
    next(cell_epochs(network, lambda _: train, lambda: [VALIDATION], rules, workers=workers))
    return [parameter.grad for parameter in network.parameters()]


def test_batches_that_cannot_be_learnt_from_are_refused() -> None:
    def fitted(train: list[CellBatch], validation: list[CellBatch], **shape: Any) -> None:
        next(cell_epochs(OpenCarbon(config(**shape)), lambda _: train, lambda: validation, RULES))

    unlabelled = replace(TRAIN, ln_e=torch.full_like(TRAIN.ln_e, torch.nan))
    blind = replace(TRAIN, image_present=TRAIN.image_present & False)
    for wrong, why in ((TRAIN.rows(torch.tensor([0])), "1 cells"), (unlabelled, "30 without a label")):
        with pytest.raises(DataError, match=why):
            fitted([wrong], [VALIDATION])
    with pytest.raises(DataError, match="30 without any"):
        fitted([blind], [VALIDATION], modalities=("image",))
    fitted([blind], [VALIDATION])  # points of interest are enough for the others
    with pytest.raises(DataError, match="no training cells"):
        fitted([], [VALIDATION])
    with pytest.raises(DataError, match="no validation cells"):
        fitted([TRAIN], [])
    with pytest.raises(DataError, match="R2"):
        fitted([TRAIN], [replace(VALIDATION, ln_e=torch.ones(16))])


def test_batches_are_streamed_and_never_held() -> None:
    alive, most = 0, 0

    class Held(CellBatch):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def streamed(_epoch: int) -> Iterator[CellBatch]:
        nonlocal alive, most
        for batch in batches(0, 3):
            alive += 1
            most = max(most, alive)
            yield Held(**vars(batch))

    next(cell_epochs(OpenCarbon(config()), streamed, lambda: [VALIDATION], replace(RULES, accumulate=1)))
    assert most <= 4  # of 10 batches


def test_recipes_are_the_authors() -> None:
    """SCIENCE 1.4."""
    assert {name: (rule.learning_rate, rule.loss.alpha) for name, rule in RECIPES.items()} == {
        "london": (1e-3, 1e-3),
        "beijing": (1e-3, 1e-3),
        "yinchuan": (5e-4, 1e-2),
    }
    for rule in RECIPES.values():
        assert (rule.batch_size, rule.epochs, rule.seed, rule.weight_decay) == (32, 3000, 42, 5e-3)
        assert (rule.validate_every, rule.stop_after, rule.stop_from, rule.stop_reset) == (5, 30, 100, False)
        assert (rule.loss.tau, rule.loss.contrastive_from, rule.loss.reduction) == (0.07, 100, "sum")
        assert not (rule.loss.contrastive_normalize or rule.loss.contrastive_symmetric or rule.augment)
