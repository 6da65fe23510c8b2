"""Answers about cells: pooled once each, with each fit's own factor; peers learn from their rotation's cells alone."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.errors import ContractError
from carbonray.models.cell_peers import CELL_PEERS, TRAIN_MEAN, CellPeerRules
from carbonray.science.urban.cell_splits import TEST, TRAIN, UNUSED, VALIDATE
from carbonray.science.urban.labels import BackTransform, BandRules
from carbonray.stages.cell_answers import FitAnswers, cell_rows, peer_fits, pooled, role_of
from tests.models.small_city import city_roles, small_city

CITY = small_city(side=16)
QUICK = ("train_mean", "nearest", "lasso", "lights_ln")


def test_every_fit_brings_its_own_factor_and_band() -> None:
    first = FitAnswers(np.array([7, 3]), np.log([10.0, 20.0]), BackTransform(1.0, 0.0))
    second = FitAnswers(np.array([5]), np.log([30.0]), BackTransform(2.0, np.log(2.0)))
    said = pooled([first, second])
    assert said.cell.tolist() == [3, 5, 7]
    assert said.tonnes.mean_t_co2 == pytest.approx([20.0, 60.0, 10.0])
    assert said.tonnes.low_t_co2 == pytest.approx([20.0, 15.0, 10.0])
    assert said.tonnes.high_t_co2 == pytest.approx([20.0, 60.0, 10.0])
    assert said.of(np.array([5, 7]), "a").ln_e == pytest.approx(np.log([30.0, 10.0]))


def test_a_cell_is_answered_once_and_by_somebody() -> None:
    fit = FitAnswers(np.array([7, 3]), np.zeros(2), BackTransform(1.0, 0.0))
    with pytest.raises(ContractError, match="1 cells were answered by two fits"):
        pooled([fit, FitAnswers(np.array([3]), np.zeros(1), fit.back)])
    with pytest.raises(ContractError, match="says nothing of 1 of 2 cells"):
        pooled([fit]).of(np.array([3, 4]), "some model")


def test_peers_answer_for_the_cells_that_test_with_the_residuals_of_those_that_validate() -> None:
    role = city_roles(CITY, "random")
    fits = peer_fits(CITY, role, QUICK, block_km=2.0)
    assert list(fits) == list(QUICK)
    for fit in fits.values():
        assert fit.cell.tolist() == CITY.cell[role == TEST].tolist() and np.isfinite(fit.ln_e).all()
    mean = CITY.ln_e[role == TRAIN].mean()
    spread = np.var(CITY.ln_e[role == VALIDATE] - mean)
    assert fits[TRAIN_MEAN].back.factor == pytest.approx(np.exp(spread / 2.0))
    assert 0.0 < fits["nearest"].back.half_width < fits[TRAIN_MEAN].back.half_width
    medians = peer_fits(CITY, role, (TRAIN_MEAN,), band=BandRules(smearing="none"))
    assert medians[TRAIN_MEAN].back.factor == 1.0


def test_cells_of_no_role_teach_nothing_but_their_points_count() -> None:
    role = city_roles(CITY, "random")
    unused = np.where(np.arange(len(role)) % 3 == 0, UNUSED, role).astype(np.int8)
    no_label = np.where(unused == UNUSED, np.nan, CITY.ln_e)
    rows = cell_rows(table(no_label))
    fits, same = (peer_fits(cells, unused, QUICK) for cells in (rows, CITY))
    assert all(fits[name].ln_e == pytest.approx(same[name].ln_e, rel=1e-6) for name in QUICK)
    kept = np.flatnonzero(unused != UNUSED)
    fewer = peer_fits(CITY.only(kept), unused[kept], ("lasso",))
    assert fewer["lasso"].ln_e != pytest.approx(fits["lasso"].ln_e, rel=1e-3)


def table(ln_e: np.ndarray) -> pa.Table:
    counts = pa.FixedSizeListArray.from_arrays(pa.array(CITY.counts.ravel().astype(np.int32)), CITY.counts.shape[1])
    columns = {"cell_id": CITY.cell, "city": CITY.city, "ln_t_co2": ln_e, "radiance": CITY.radiance.astype(np.float32)}
    return pa.table({name: pa.array(values) for name, values in columns.items()} | {"counts": counts})


def test_a_table_of_samples_is_read_as_it_stands() -> None:
    rows = cell_rows(pa.concat_tables([table(CITY.ln_e).slice(0, 50), table(CITY.ln_e).slice(50)]))
    for name in ("cell", "city", "ln_e", "counts"):
        assert np.array_equal(getattr(rows, name), getattr(CITY, name))
    assert rows.radiance == pytest.approx(CITY.radiance, rel=1e-6)


def test_roles_and_defaults_of_the_registry() -> None:
    assert [name for name in CELL_PEERS if role_of(name) == "trivial"] == [TRAIN_MEAN]
    assert CellPeerRules().trees.stop_rounds > 0
