"""CLEAN: rows as shares and totals, answers row by row, totals read only where included, parts of own seeds."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.models.clean import Clean, CleanConfig, mix_batch, scaled_to
from carbonray.models.detector import dataclass_of
from tests.models.small_mixes import batch, config, regions

ROWS = regions(4, 10)
BATCH = batch(ROWS)
ENCODERS = pytest.mark.parametrize("encoder", ["mlp", "cnn"])


def network(seed: int = 0, **changed: object) -> Clean:
    return Clean(config(**changed), seed).eval()


@settings(max_examples=30, deadline=None)
@given(size=st.floats(1e-3, 1e3))
def test_size_moves_totals_and_leaves_shares_alone(size: float) -> None:
    scaled = mix_batch(size * ROWS.energy, size * ROWS.emissions)
    for shares in (scaled.source_share, scaled.sector_share):
        assert (shares >= 0.0).all() and torch.allclose(shares.sum(1), torch.ones(40), atol=1e-6)
    assert torch.allclose(scaled.source_share, BATCH.source_share, atol=1e-6)
    assert torch.allclose(scaled.sector_share, BATCH.sector_share, atol=1e-6)
    assert torch.allclose(scaled.ln_g - BATCH.ln_g, torch.tensor(np.log(size)).float(), atol=1e-5)
    assert torch.allclose(scaled.ln_e - BATCH.ln_e, torch.tensor(np.log(size)).float(), atol=1e-5)


def test_totals_are_logarithms_of_sums() -> None:
    np.testing.assert_allclose(BATCH.ln_g, np.log(ROWS.energy.sum(1)), rtol=1e-6)
    np.testing.assert_allclose(BATCH.ln_e, np.log(ROWS.emissions.sum(1)), rtol=1e-6)


def test_rows_that_networks_cannot_read_are_refused() -> None:
    unknown, nothing = ROWS.energy.copy(), ROWS.emissions.copy()
    unknown[3, 2], nothing[5] = np.nan, 0.0
    for energy, emissions in ((unknown, ROWS.emissions), (ROWS.energy, nothing)):
        with pytest.raises(DataError, match="1 of them unknown or of nothing"):
            mix_batch(energy, emissions)
    with pytest.raises(DataError, match="40 rows of energy, 39 of emissions"):
        mix_batch(ROWS.energy, ROWS.emissions[1:])
    with pytest.raises(ValueError, match="negative"):
        mix_batch(-ROWS.energy, ROWS.emissions)


@ENCODERS
@pytest.mark.parametrize("include_total", [False, True])
def test_answers_have_the_shapes_that_they_should(encoder: str, include_total: bool) -> None:
    answer = network(encoder=encoder, include_total=include_total)(BATCH)
    assert answer.ln_e.shape == answer.ln_g.shape == (40,)
    assert answer.z_g.shape == answer.z_s.shape == (40, 8)
    for told in (answer.told_g, answer.seen_g, answer.back_g):
        assert told.shape == (40, 8 + include_total)
        assert (told[:, :8] >= 0.0).all() and torch.allclose(told[:, :8].sum(1), torch.ones(40), atol=1e-6)
    for told in (answer.told_s, answer.seen_s, answer.back_s):
        assert told.shape == (40, 6 + include_total)
        assert (told[:, :6] >= 0.0).all() and torch.allclose(told[:, :6].sum(1), torch.ones(40), atol=1e-6)


@ENCODERS
def test_both_ways_to_ask_give_the_same_answer(encoder: str) -> None:
    asked = network(encoder=encoder, include_total=True)
    answer = asked(BATCH)
    assert torch.equal(answer.ln_e, asked.emissions(BATCH.source_share, BATCH.ln_g))
    assert torch.equal(answer.ln_g, asked.energy(BATCH.sector_share, BATCH.ln_e))


@ENCODERS
def test_a_row_depends_on_no_other(encoder: str) -> None:
    asked, shares = network(encoder=encoder), BATCH.source_share.clone()
    whole = asked.emissions(shares)
    assert torch.allclose(asked.emissions(shares[5:9]), whole[5:9], atol=1e-6)
    shares[0] = torch.nan
    found = asked.emissions(shares)
    assert found[0].isnan() and torch.equal(found[1:], whole[1:])


def test_totals_are_read_where_included_and_nowhere_else() -> None:
    alone, both = network(), network(include_total=True)
    share, ln_g = BATCH.source_share, BATCH.ln_g
    assert torch.equal(alone.emissions(share), alone.emissions(share, ln_g + 1.0))
    assert not torch.allclose(both.emissions(share, ln_g), both.emissions(share, ln_g + 1.0))
    for ask, told in ((both.emissions, share), (both.energy, BATCH.sector_share)):
        with pytest.raises(ContractError, match="shares alone"):
            ask(told)


def test_no_answer_reads_the_total_that_is_asked_for() -> None:
    asked = network(include_total=True)
    moved = replace(BATCH, ln_e=BATCH.ln_e + 3.0)
    assert torch.equal(asked(BATCH).ln_e, asked(moved).ln_e)
    moved = replace(BATCH, ln_g=BATCH.ln_g + 3.0)
    assert torch.equal(asked(BATCH).ln_g, asked(moved).ln_g)


def test_ratios_carry_a_size_over() -> None:
    """Heads that know nothing answer the total told, moved by what the middles of both totals differ by."""
    asked = Clean(scaled_to(config(include_total=True, ratio=True), BATCH)).eval()
    for head in (asked.a_e, asked.a_g):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    answer, apart = asked(BATCH), (BATCH.ln_e - BATCH.ln_g).mean()
    assert torch.allclose(answer.ln_e, BATCH.ln_g + apart, atol=1e-4)
    assert torch.allclose(answer.ln_g, BATCH.ln_e - apart, atol=1e-4)
    with pytest.raises(ContractError, match="no such network"):
        config(ratio=True)


def test_scales_are_those_of_the_rows_that_teach() -> None:
    told = scaled_to(config(), BATCH)
    assert told.energy_center[:8] == (0.0,) * 8 and told.energy_spread[:8] == (1.0,) * 8
    assert told.energy_center[8] == pytest.approx(float(BATCH.ln_g.mean()), rel=1e-5)
    assert told.emissions_spread[6] == pytest.approx(float(BATCH.ln_e.std(correction=0)), rel=1e-5)
    shares = scaled_to(config(), BATCH, shares=True)
    assert shares.emissions_center[2] == pytest.approx(float(BATCH.sector_share[:, 2].mean()), rel=1e-5)
    constant = replace(BATCH, source_share=torch.full((40, 8), 0.125))
    assert scaled_to(config(), constant, shares=True).energy_spread[:8] == (1.0,) * 8


def test_an_untaught_head_answers_around_the_middle_of_the_rows_that_teach() -> None:
    asked = Clean(scaled_to(config(), BATCH)).eval()
    for head in (asked.a_e, asked.a_g):
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    answer = asked(BATCH)
    assert torch.allclose(answer.ln_e, BATCH.ln_e.mean(), atol=1e-4)
    assert torch.allclose(answer.ln_g, BATCH.ln_g.mean(), atol=1e-4)


def test_shares_that_are_scaled_are_read_alike_in_any_unit() -> None:
    """(x - c) / s is what an encoder hears: a network scaled to its rows hears those of mean 0 and spread 1."""
    asked = Clean(scaled_to(config(include_total=True), BATCH, shares=True)).eval()
    heard: list[torch.Tensor] = []
    asked.phi_g.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    asked.emissions(BATCH.source_share, BATCH.ln_g)
    assert torch.allclose(heard[0].mean(0), torch.zeros(9), atol=1e-4)
    assert torch.allclose(heard[0].std(0, correction=0), torch.ones(9), atol=1e-3)


def test_parts_have_seeds_of_their_own() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    whole, lean, other = network(4), network(4, cycle=False), network(5)
    assert torch.equal(torch.random.get_rng_state(), before)
    tensors = lean.state_dict()
    assert {name.split(".")[0] for name in tensors} == {"phi_g", "phi_s", "a_e", "a_g"}
    assert all(torch.equal(value, whole.state_dict()[name]) for name, value in tensors.items())
    assert not torch.equal(other.state_dict()["a_e.weight"], tensors["a_e.weight"])
    assert not torch.equal(tensors["a_g.weight"], tensors["a_e.weight"])


def test_the_network_of_record_is_the_one_of_the_description() -> None:
    """SCIENCE 2.3: twice 128 with GELU, LayerNorm and dropout 0.1, an embedding of 64; or two convolutions."""
    linear = 8 * 128 + 128 + 128 * 128 + 128 + 2 * 2 * 128 + 128 * 64 + 64
    assert sum(p.numel() for p in Clean(CleanConfig()).phi_g.parameters()) == linear
    names = [type(layer).__name__ for layer in Clean(CleanConfig()).phi_g.layers]
    assert names == [*["Linear", "GELU", "LayerNorm", "Dropout"] * 2, "Linear"]
    convolved = (3 * 64 + 64) + (64 * 64 * 3 + 64)
    assert sum(p.numel() for p in Clean(CleanConfig(encoder="cnn")).phi_s.parameters()) == convolved


def test_a_configuration_survives_json() -> None:
    told = scaled_to(config(encoder="cnn"), BATCH)
    assert dataclass_of(CleanConfig, json.loads(json.dumps(asdict(told))), where="here") == told


@pytest.mark.parametrize(
    "wrong",
    [{"encoder": "rnn"}, {"d": 0}, {"dropout": 1.0}, {"energy_center": (1.0,)}, {"emissions_spread": (0.0,) * 7}],
    ids=str,
)
def test_networks_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="no such network"):
        config(**wrong)
