"""Peers of cells: none reads a label it must not, none knows the order of rows, each finds what it is made for."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.errors import ContractError, DataError
from carbonray.models.baselines import SplitRows
from carbonray.models.cell_peers import (
    CELL_PEERS,
    TRAIN_MEAN,
    Boosted,
    CellPeerRules,
    Lasso,
    NightLights,
    TrainMean,
)
from carbonray.models.cell_rows import CellRows
from carbonray.science.spatial.cells import neighbor_ids
from carbonray.science.stats.metrics import r2
from carbonray.science.urban.cell_splits import TEST, TRAIN, VALIDATE
from tests.models.small_city import city_roles, small_city, split_of, together

RULES = CellPeerRules(neighbors=(1, 4, 16), length_km=(2.0, 8.0), nugget=(0.1, 0.5), most_cells=24)
CITY = small_city()
PEERS = pytest.mark.parametrize("name", sorted(CELL_PEERS))


def answers(name: str, rows: CellRows, split: SplitRows, about: CellRows | None = None) -> np.ndarray:
    return CELL_PEERS[name](RULES).fit(rows, split).predict(about or rows)


@PEERS
@pytest.mark.parametrize("by", ["random", "blocks"])
def test_labels_of_tested_cells_change_no_answer(name: str, by: str) -> None:
    role = city_roles(CITY, by)
    for told in (np.nan, 1e6):
        other = replace(CITY, ln_e=np.where(role == TEST, told, CITY.ln_e))
        assert np.array_equal(answers(name, other, split_of(role)), answers(name, CITY, split_of(role)))


@PEERS
def test_labels_that_are_learned_from_do_change_answers(name: str) -> None:
    role = city_roles(CITY)
    other = replace(CITY, ln_e=np.where(role == TRAIN, CITY.ln_e[::-1], CITY.ln_e))
    assert not np.array_equal(answers(name, other, split_of(role)), answers(name, CITY, split_of(role)))


@PEERS
def test_nothing_of_a_tested_cell_is_learned_beyond_the_buffer(name: str) -> None:
    """Counts and light of tested cells: answers differ there and beside them only."""
    role = city_roles(CITY)
    tested = role == TEST
    other = replace(
        CITY,
        counts=np.where(tested[:, None], 500.0 - CITY.counts, CITY.counts),
        radiance=np.where(tested, 77.0, CITY.radiance),
    )
    apart = ~np.isin(CITY.cell, neighbor_ids(CITY.cell[tested]))
    before, after = (answers(name, rows, split_of(role)) for rows in (CITY, other))
    assert set(np.flatnonzero(apart)) > set(np.flatnonzero(role == TRAIN))
    assert np.array_equal(before[apart], after[apart])


@PEERS
def test_order_of_rows_changes_nothing(name: str) -> None:
    role, order = city_roles(CITY), np.random.default_rng(1).permutation(len(CITY.cell))
    found = answers(name, CITY.only(order), split_of(role[order]))
    assert np.array_equal(found, answers(name, CITY, split_of(role))[order])


@PEERS
def test_every_cell_has_an_answer_even_where_inputs_are_unknown(name: str) -> None:
    role, unknown = city_roles(CITY), np.arange(len(CITY.cell)) % 5 == 0
    holes = replace(
        CITY,
        counts=np.where(unknown[:, None], np.nan, CITY.counts),
        radiance=np.select([unknown, np.arange(len(unknown)) % 7 == 0], [np.nan, 0.0], CITY.radiance),
    )
    assert np.isfinite(answers(name, holes, split_of(role))).all()
    assert len(answers(name, holes, split_of(role), holes.only(np.zeros(0, np.int64)))) == 0


@PEERS
def test_skill_stands_where_it_should(name: str) -> None:
    role = city_roles(CITY, "random")
    test = role == TEST
    skill = r2(CITY.ln_e[test], answers(name, CITY, split_of(role))[test])
    assert skill < 0.05 if name == TRAIN_MEAN else skill > 0.5


def test_the_mean_explains_nothing_of_its_own_rows() -> None:
    role = city_roles(CITY)
    train = role == TRAIN
    assert r2(CITY.ln_e[train], answers(TRAIN_MEAN, CITY, split_of(role))[train]) == pytest.approx(0.0, abs=1e-12)


def test_lasso_leaves_out_what_does_not_matter_and_is_the_mean_at_its_largest_penalty() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(5.0, (len(CITY.cell), 6)).astype(np.float64)
    rows = replace(CITY, counts=counts, ln_e=6.0 + 2.0 * np.log1p(counts[:, 2]) + 0.1 * rng.normal(size=len(counts)))
    split = split_of(city_roles(rows))
    fitted = Lasso(40, 1e-3).fit(rows, split)
    weights = np.abs(fitted.coefficients)
    assert weights.argmax() == 2 and np.delete(weights, 2).max() < 0.1 * weights[2]
    assert r2(rows.ln_e, fitted.predict(rows)) > 0.95
    alone = Lasso(1, 1.0).fit(rows, split)
    assert alone.predict(rows) == pytest.approx(answers(TRAIN_MEAN, rows, split))


def test_trees_are_the_same_to_the_byte_and_stop_by_the_validation_cells() -> None:
    role = city_roles(CITY)
    first, second = (Boosted(RULES.trees).fit(CITY, split_of(role)).booster for _ in range(2))
    assert bytes(first.save_raw()) == bytes(second.save_raw())
    assert first.num_boosted_rounds() < RULES.trees.rounds
    noise = replace(CITY, ln_e=np.where(role == VALIDATE, np.random.default_rng(0).permutation(CITY.ln_e), CITY.ln_e))
    assert Boosted(RULES.trees).fit(noise, split_of(role)).booster.num_boosted_rounds() < first.num_boosted_rounds()


@pytest.mark.parametrize(("form", "light"), [("ln", np.exp), ("asinh", np.sinh)])
def test_lights_find_the_line_they_are_drawn_along(form, light) -> None:  # type: ignore[no-untyped-def]
    rows = replace(CITY, radiance=light((CITY.ln_e - 7.0) / 2.0))
    fitted = NightLights(form).fit(rows, split_of(city_roles(rows)))
    assert (fitted.slope, fitted.offset) == pytest.approx((2.0, 7.0))


def test_no_light_at_all_is_the_mean() -> None:
    dark, split = replace(CITY, radiance=np.zeros(len(CITY.cell))), split_of(city_roles(CITY))
    mean = TrainMean().fit(dark, split).ln_e
    for form in ("ln", "asinh"):
        assert NightLights(form).fit(dark, split).predict(dark) == pytest.approx(mean)  # type: ignore[arg-type]


@PEERS
def test_a_city_left_out_is_answered_for(name: str) -> None:
    three = together(CITY, small_city(1, 40.0, 116.4, "b"), small_city(2, 38.5, 179.95, "c"))
    role = city_roles(three, "cities")
    found, away = answers(name, three, split_of(role)), role != TEST
    seen = answers(name, three.only(np.flatnonzero(away)), split_of(role[away]))
    assert np.isfinite(found).all() and np.array_equal(found[away], seen)
    if name in ("nearest", "kriging"):
        unseen = role != TRAIN
        assert found[unseen] == pytest.approx(answers(TRAIN_MEAN, three, split_of(role))[unseen])


@PEERS
def test_rows_that_teach_and_choose_must_be_others_and_labelled(name: str) -> None:
    some, none = np.arange(30), np.zeros(0, np.int64)
    with pytest.raises(ContractError, match="learned from and chosen by"):
        answers(name, CITY, SplitRows(some, some[-1:]))
    for split in (SplitRows(some, none), SplitRows(none, some)):
        with pytest.raises(DataError, match="to learn from"):
            answers(name, CITY, split)
    unknown = replace(CITY, ln_e=np.where(np.arange(len(CITY.cell)) == 3, np.nan, CITY.ln_e))
    with pytest.raises(DataError, match="1 of them without label"):
        answers(name, unknown, SplitRows(some, some + 50))
