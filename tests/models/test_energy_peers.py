"""Peers of CLEAN: what each can know exactly, what none may read, and what choosing on validation rows chooses."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.errors import ContractError, DataError
from carbonray.models.baselines import SplitRows
from carbonray.models.energy_factors import source_factors
from carbonray.models.energy_peers import (
    ENERGY_PEERS,
    Answers,
    EnergyPeerRules,
    Factors,
    RegionMean,
    Tried,
)
from carbonray.models.energy_readings import FittedEnergyPeer, Reading, Task, checked_roles
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.energy.mix import MixRows
from carbonray.science.stats.metrics import mape
from carbonray.vocab.energy import SOURCES
from tests.models.small_mixes import NAMES, regions

ROWS = regions(6, 40)
EVERY = np.arange(len(ROWS))
SPLIT, TEST = SplitRows(EVERY[EVERY % 4 < 2], EVERY[EVERY % 4 == 2]), EVERY[EVERY % 4 == 3]
RULES = EnergyPeerRules(trees=TreeRules(rounds=60, learning_rate=0.2, features_share=1.0, stop_rounds=10))
EACH = pytest.mark.parametrize("name", sorted(ENERGY_PEERS))
TASKS = pytest.mark.parametrize("task", ["emissions", "energy"])
TOTALS = pytest.mark.parametrize("total", [False, True])


def fitted(name: str, reading: Reading, rows: MixRows = ROWS, split: SplitRows = SPLIT) -> FittedEnergyPeer:
    return ENERGY_PEERS[name](RULES).fit(rows, split, reading)


def error(name: str, reading: Reading) -> float:
    test = ROWS.rows(TEST)
    return mape(np.exp(reading.asked(test)), np.exp(fitted(name, reading).predict(test)))


def changed(rows: MixRows, **parts: np.ndarray) -> MixRows:
    return replace(rows, **parts)


def test_the_peers_are_those_of_the_table_and_the_two_beside_them() -> None:
    assert set(ENERGY_PEERS) == {"lr", "knn", "dt", "xgb", "emission_factors", "region_mean"}


@EACH
@TASKS
@TOTALS
def test_what_was_seen_at_other_times_is_known(name: str, task: Task, total: bool) -> None:
    """Days at random among regions that taught: memory alone is off by no more than days differ."""
    # a line through mixes alone knows little of sizes
    assert error(name, Reading(task, total)) < (0.5 if name == "lr" and not total else 0.2)


@EACH
@TASKS
@TOTALS
def test_nothing_that_is_asked_is_read(name: str, task: Task, total: bool) -> None:
    """Totals of test rows move nothing, in the fit or in the answers; nor does the asked side's mix."""
    reading = Reading(task, total)
    asked = "emissions" if task == "emissions" else "energy"
    hidden = getattr(ROWS, asked).copy()
    hidden[TEST] = np.nan
    blind = changed(ROWS, **{asked: hidden})
    seen = fitted(name, reading).predict(ROWS.rows(TEST))
    np.testing.assert_array_equal(fitted(name, reading, blind).predict(blind.rows(TEST)), seen)
    assert np.isfinite(seen).all()


@EACH
@TASKS
def test_without_totals_size_changes_no_answer(name: str, task: Task) -> None:
    rows = ROWS.rows(TEST)
    # by a power of two: shares keep every bit
    larger = changed(rows, energy=4.0 * rows.energy, emissions=4.0 * rows.emissions)
    alone = fitted(name, Reading(task))
    np.testing.assert_array_equal(alone.predict(larger), alone.predict(rows))


@EACH
def test_the_order_of_the_table_changes_nothing(name: str) -> None:
    order = np.random.default_rng(0).permutation(len(ROWS))
    back = np.argsort(order)
    mixed = fitted(
        name, Reading("emissions", True), ROWS.rows(order), SplitRows(back[SPLIT.train], back[SPLIT.validation])
    )
    plain = fitted(name, Reading("emissions", True))
    np.testing.assert_array_equal(mixed.predict(ROWS), plain.predict(ROWS))


@pytest.mark.parametrize("name", ["lr", "knn", "dt", "xgb", "emission_factors"])
def test_a_mix_that_is_unknown_has_no_answer_and_spoils_no_other(name: str) -> None:
    energy = ROWS.energy.copy()
    energy[3, 1], energy[8] = np.nan, 0.0
    peer = fitted(name, Reading("emissions", True))
    found, whole = peer.predict(changed(ROWS, energy=energy)), peer.predict(ROWS)
    assert np.isnan(found[[3, 8]]).all()
    others = np.setdiff1d(EVERY, [3, 8])
    np.testing.assert_array_equal(found[others], whole[others])


def test_a_line_finds_a_law_in_log_ratios() -> None:
    """E = G^0.9 (coal / gas)^0.4 exactly: known in regions that taught nothing, too."""
    g = ROWS.energy
    e = g.sum(1) ** 0.9 * (g[:, 0] / g[:, 1]) ** 0.4
    lawful = changed(ROWS, energy=g, emissions=e[:, None] * np.full(6, 1.0 / 6.0))
    inner = (g / g.sum(1, keepdims=True) > 1e-4).all(1)
    new = (ROWS.region == NAMES[5]) & inner
    split = SplitRows(EVERY[~new & inner & (EVERY % 2 == 0)], EVERY[~new & inner & (EVERY % 2 == 1)])
    reading = Reading("emissions", True)
    found = ENERGY_PEERS["lr"](replace(RULES, floors=(1e-4,))).fit(lawful, split, reading)
    assert new.sum() > 10
    np.testing.assert_allclose(found.predict(lawful.rows(new)), reading.asked(lawful.rows(new)), atol=1e-8)


def test_validation_rows_choose() -> None:
    """All rows but those that validate say one thing; the number that says what those say is kept."""
    told = np.ones(len(ROWS))
    told[SPLIT.validation] = np.e
    rows = changed(ROWS, emissions=told[:, None] * np.full(6, 1.0 / 6.0))

    def grown(number: float, _x: np.ndarray, _y: np.ndarray) -> Answers:
        return lambda features: np.full(len(features), number)

    model = Tried((0.0, 1.2, 1.1, 0.8), grown).fit(rows, SPLIT, Reading("emissions"))
    np.testing.assert_array_equal(model.predict(rows), 1.1)


def test_one_neighbor_remembers_what_it_was_told() -> None:
    rules = replace(RULES, neighbors=(1,))
    peer = ENERGY_PEERS["knn"](rules).fit(ROWS, SPLIT, Reading("energy", True))
    taught = ROWS.rows(SPLIT.train)
    np.testing.assert_allclose(peer.predict(taught), Reading("energy").asked(taught), rtol=1e-12)
    many = ENERGY_PEERS["knn"](replace(RULES, neighbors=(10_000,))).fit(ROWS, SPLIT, Reading("energy", True))
    np.testing.assert_allclose(many.predict(taught), Reading("energy").asked(taught).mean())


def test_a_region_is_remembered_and_a_new_one_is_like_all() -> None:
    reading = Reading("energy")
    known = np.isin(ROWS.region, NAMES[:5])
    split = SplitRows(EVERY[known & (EVERY % 2 == 0)], EVERY[known & (EVERY % 2 == 1)])
    peer = RegionMean().fit(ROWS, split, reading)
    ln_g, means = np.log(ROWS.energy.sum(1)), []
    for name in NAMES[:5]:
        means.append(ln_g[split.train][ROWS.region[split.train] == name].mean())
        np.testing.assert_allclose(peer.predict(ROWS.rows(ROWS.region == name)), means[-1])
    np.testing.assert_allclose(peer.predict(ROWS.rows(ROWS.region == NAMES[5])), np.mean(means))


def test_factors_know_power_and_remember_the_rest() -> None:
    """Other sectors held still: the answer is exact at any mix and total, as the towns were made with these factors."""
    still = ROWS.emissions.copy()
    for name in NAMES[:6]:
        still[ROWS.region == name, 1:] = still[ROWS.region == name, 1:].mean(0)
    exact = changed(ROWS, emissions=still)
    reading = Reading("emissions", True)
    peer = Factors(source_factors()).fit(exact, SPLIT, reading)
    np.testing.assert_allclose(peer.predict(exact), reading.asked(exact), rtol=1e-9)


def test_factors_of_the_sources_are_those_of_the_table() -> None:
    """SCIENCE 4.8: bituminous 0.946, gas the mean of 0.381, 0.561, 0.594 and 0.505, residual oil 0.796 t per MWh."""
    found: Mapping[str, float] = dict(zip(SOURCES, source_factors(), strict=True))
    assert found["coal"] == pytest.approx(0.946, abs=5e-4)
    assert found["gas"] == pytest.approx((0.381 + 0.561 + 0.594 + 0.505) / 4, abs=5e-4)
    assert found["oil"] == pytest.approx(0.796, abs=5e-4)
    assert all(found[name] == 0.0 for name in ("nuclear", "hydro", "solar", "wind", "other"))


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.0, 1.0), row=st.integers(0, len(ROWS) - 1))
def test_gas_in_place_of_coal_never_raises_what_factors_answer(share: float, row: int) -> None:
    """SCIENCE 2.7, at the same total."""
    before = ROWS.rows([row])
    energy = before.energy.copy()
    energy[0, 1] += share * energy[0, 0]
    energy[0, 0] *= 1.0 - share
    peer = fitted("emission_factors", Reading("emissions", True))
    assert peer.predict(changed(before, energy=energy))[0] <= peer.predict(before)[0] + 1e-12


def test_a_power_sector_that_emits_nothing_is_answered_from_memory() -> None:
    emissions = ROWS.emissions.copy()
    emissions[5, 0] = 0.0
    peer = fitted("emission_factors", Reading("energy", True))
    mean = RegionMean().fit(ROWS, SPLIT, Reading("energy", True)).predict(ROWS)
    found = peer.predict(changed(ROWS, emissions=emissions))
    assert found[5] == mean[5] and found[6] != mean[6]


def test_the_same_rows_grow_the_same_trees() -> None:
    for name in ("xgb", "dt"):
        first, again = (fitted(name, Reading("emissions")).predict(ROWS) for _ in range(2))
        np.testing.assert_array_equal(first, again)


@EACH
def test_rows_that_cannot_teach_are_refused(name: str) -> None:
    reading, none = Reading("emissions"), np.zeros(0, np.int64)
    with pytest.raises(ContractError, match="1 rows are both learned from and chosen by"):
        fitted(name, reading, split=SplitRows(EVERY[:10], EVERY[9:]))
    for split in (SplitRows(none, EVERY[:5]), SplitRows(EVERY[:5], none)):
        with pytest.raises(DataError, match="rows to learn from"):
            fitted(name, reading, split=split)
    for side in ("energy", "emissions"):
        amounts = getattr(ROWS, side).copy()
        amounts[SPLIT.train[0], 2] = np.nan
        with pytest.raises(DataError, match="1 totals unknown"):
            fitted(name, reading, changed(ROWS, **{side: amounts}))


def test_factors_without_fuel_know_nothing_of_energy() -> None:
    energy = ROWS.energy.copy()
    energy[:, :3] = 0.0
    with pytest.raises(DataError, match="no training row burns"):
        fitted("emission_factors", Reading("energy"), changed(ROWS, energy=energy))


def test_roles_come_in_the_order_of_region_and_time() -> None:
    train, judged = checked_roles(ROWS, SplitRows(SPLIT.train[::-1], SPLIT.validation), Reading("energy"))
    assert train.region.tolist() == sorted(train.region.tolist()) and len(judged) == len(SPLIT.validation)
    assert all((np.diff(train.start_ns[train.region == name]) > 0).all() for name in NAMES[:6])
