"""The fit of CLEAN: it learns, repeats itself, is two fits where nothing couples them, and can be taken up again."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from carbonray.errors import ContractError, DataError
from carbonray.models.clean import Clean, MixBatch
from carbonray.models.clean_fit import (
    CleanFitRules,
    best_epoch,
    clean_epochs,
    clean_network,
    in_order,
    predicted_totals,
    shuffled,
    stopped,
)
from carbonray.models.clean_losses import CleanLoss
from carbonray.models.fit import FitState, Workers, weights_of
from carbonray.models.fit_tensors import best_weights
from carbonray.science.stats.metrics import mape
from tests.models.small_mixes import batch, config, regions

WHOLE = batch(regions(6, 40))
TRAIN, VALIDATION = WHOLE.rows(slice(0, None, 2)), WHOLE.rows(slice(1, None, 2))
RULES = CleanFitRules(epochs=4, batch_size=32, learning_rate=3e-3, stop_after=0, seed=4)
ALONE = replace(RULES, loss=CleanLoss(lambda_cycle=0.0, lambda_latent=0.0))


def built(rules: CleanFitRules = RULES, **changed: object) -> Clean:
    return clean_network(config(**changed), rules, TRAIN)


def run(
    rules: CleanFitRules = RULES, state: FitState | None = None, stop: int = 99, **changed: object
) -> tuple[FitState, list[dict[str, float]]]:
    network, seen, reached = built(rules, **changed), [], FitState()
    train = partial(shuffled, TRAIN, rules)
    for metrics, reached in clean_epochs(network, train, lambda: in_order(VALIDATION, 50), rules, state=state):
        seen.append(metrics)
        torch.rand(17)  # whatever else draws random numbers between epochs
        if reached.epoch == stop:
            break
    return reached, seen


def same(a: FitState, b: FitState) -> bool:
    return a.tensors.keys() == b.tensors.keys() and all(torch.equal(a.tensors[k], b.tensors[k]) for k in a.tensors)


@pytest.mark.parametrize("encoder", ["mlp", "cnn"])
def test_learns_both_totals(encoder: str) -> None:
    rules = replace(RULES, epochs=20, learning_rate=1e-2)
    state, seen = run(rules, encoder=encoder, include_total=True, dropout=0.0)
    best = seen[best_epoch(seen)]
    assert best["validation_mape"] < 0.15 and best["validation_mape"] < 0.3 * seen[0]["validation_mape"]
    assert seen[-1]["train_cycle"] < seen[0]["train_cycle"] and seen[0]["train_rows"] == len(TRAIN)
    network = built(rules, encoder=encoder, include_total=True)
    network.load_state_dict(best_weights(state.tensors))
    ln_e, ln_g = predicted_totals(network, in_order(VALIDATION, 7))
    judged = tuple(
        mape(np.exp(told.double().numpy()), np.exp(found))
        for told, found in ((VALIDATION.ln_e, ln_e), (VALIDATION.ln_g, ln_g))
    )
    assert judged == pytest.approx((best["validation_mape_emissions"], best["validation_mape_energy"]), abs=1e-4)
    assert best["validation_mape"] == pytest.approx(sum(judged) / 2, abs=1e-4)


def test_the_loss_told_is_the_one_weighed() -> None:
    _, seen = run(replace(RULES, epochs=1, loss=CleanLoss(lambda_cycle=0.5, lambda_latent=2.0, lambda_translation=0.1)))
    told = seen[0]
    terms = told["train_emissions"] + told["train_energy"] + 0.5 * told["train_cycle"] + 2.0 * told["train_latent"]
    assert told["train_loss"] == pytest.approx(terms + 0.1 * told["train_translation"], rel=1e-5)


@pytest.mark.parametrize("encoder", ["mlp", "cnn"])
def test_without_coupling_it_is_two_networks_bit_for_bit(encoder: str) -> None:
    """SCIENCE 2.7: same separate seeds, dropout 0, fixed epochs; each of the two fitted here by a loop of its own."""
    state, _ = run(ALONE, encoder=encoder, dropout=0.0)
    for phi, head, share, told, asked in (
        ("phi_g", "a_e", "source_share", "emissions_scale", "ln_e"),
        ("phi_s", "a_g", "sector_share", "energy_scale", "ln_g"),
    ):
        start = built(ALONE, encoder=encoder, dropout=0.0)
        center, spread = getattr(start, told)[:, -1]
        alone = nn.ModuleDict({phi: getattr(start, phi), head: getattr(start, head)})
        optimiser = torch.optim.AdamW(alone.parameters(), lr=3e-3, weight_decay=1e-4, fused=True)
        for epoch in range(4):
            for rows in shuffled(TRAIN, ALONE, epoch):
                optimiser.zero_grad()
                answer = center + spread * alone[head](alone[phi](getattr(rows, share)))[:, 0]
                (answer - getattr(rows, asked)).abs().mean().backward()
                optimiser.step()
        for name, value in alone.state_dict().items():
            assert torch.equal(value, weights_of(state)[name]), name
    coupled, _ = run(replace(RULES, loss=CleanLoss(lambda_cycle=0.0)), encoder=encoder, dropout=0.0)
    assert not torch.equal(weights_of(coupled)["a_e.weight"], weights_of(state)["a_e.weight"])


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


def test_best_weights_are_those_of_the_best_epoch() -> None:
    rules = replace(RULES, epochs=8, learning_rate=0.1, seed=3)
    state, seen = run(rules)
    best = best_epoch(seen)
    assert best < 7, "pick a step size at which the last epoch is not the best"
    then, _ = run(rules, stop=best + 1)
    assert all(torch.equal(value, weights_of(then)[name]) for name, value in best_weights(state.tensors).items())
    assert not all(torch.equal(value, weights_of(state)[name]) for name, value in best_weights(state.tensors).items())


def test_the_fit_ends_when_epochs_bring_nothing() -> None:
    rules = replace(RULES, stop_after=2)
    scores = [{"validation_mape": s} for s in (0.3, 0.2, 0.2, 0.4)]
    assert stopped(scores, rules) and not stopped(scores[:3], rules) and not stopped([], rules)
    assert not stopped(scores, replace(rules, stop_after=0))
    still = replace(rules, epochs=30, learning_rate=0.0)
    state, seen = run(still)
    assert len(seen) == 3 and run(still, state=state)[1] == []


def gradients(train: Iterable[MixBatch], workers: Workers | None = None) -> list[Tensor]:
    """Of the one step that such batches make."""
    network = built(dropout=0.0)
    next(clean_epochs(network, lambda _: train, lambda: [VALIDATION], RULES, workers=workers))
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def test_workers_take_the_step_of_one_with_all_their_rows() -> None:
    """Gradients of two workers of unlike parts, averaged, are those of one batch."""
    parts = [TRAIN.rows(slice(0, 90)), TRAIN.rows(slice(90, 120))]
    whole = gradients([TRAIN])

    def both(numbers: Tensor) -> Tensor:
        # the rows of a step are summed over both workers; sums of an epoch are this worker's twice
        return torch.tensor([float(len(TRAIN))]) if numbers.numel() == 1 else 2 * numbers

    a, b = (gradients([part], Workers(world=2, total=both)) for part in parts)
    assert all(torch.allclose((x + y) / 2, w, atol=1e-5, rtol=1e-3) for x, y, w in zip(a, b, whole, strict=True))


@pytest.mark.parametrize("world", [1, 3])
def test_every_row_is_seen_once_an_epoch_and_batches_go_round_the_workers(world: int) -> None:
    rules = replace(RULES, batch_size=7)
    parts = [list(shuffled(TRAIN, rules, 2, rank, world)) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1 and min(len(rows) for part in parts for rows in part) >= 1
    told = torch.cat([rows.ln_e for part in parts for rows in part]).sort().values
    left_out = len(TRAIN) % 7 if len(TRAIN) % 7 < world else 0
    assert len(told) == len(TRAIN) - left_out and len(told.unique()) == len(told)
    other = next(iter(shuffled(TRAIN, rules, 3, 0, world)))
    assert not torch.equal(other.ln_e, parts[0][0].ln_e)


def test_fits_that_cannot_be_are_refused() -> None:
    def fitted(network: Clean, train: list[MixBatch], validation: list[MixBatch]) -> None:
        next(clean_epochs(network, lambda _: train, lambda: validation, RULES))

    with pytest.raises(DataError, match="no training rows"):
        clean_network(config(), RULES, TRAIN.rows(slice(0, 0)))
    with pytest.raises(DataError, match="no training rows"):
        fitted(built(), [], [VALIDATION])
    with pytest.raises(DataError, match="no validation rows"):
        fitted(built(), [TRAIN], [])
    with pytest.raises(DataError, match="MAPE"):
        fitted(built(), [TRAIN], [replace(VALIDATION, ln_e=VALIDATION.ln_e * torch.nan)])
    with pytest.raises(ContractError, match="cycle=False"):
        fitted(Clean(config(cycle=False)), [TRAIN], [VALIDATION])
    assert built().config.cycle and not built(ALONE).config.cycle


def test_no_rows_have_no_answers() -> None:
    assert [len(answer) for answer in predicted_totals(built(), [])] == [0, 0]
