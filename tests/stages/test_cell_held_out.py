"""Held-out cells are those of the instance's own fold, answered by the bundle as it was saved."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io.model_store import Lineage, bundle_sha256, save_bundle
from carbonray.models.fit import Workers
from carbonray.science.urban.cell_splits import TEST, TRAIN
from carbonray.stages.cell_bundles import cell_bundle, cell_pin, opened_cells
from carbonray.stages.cell_held_out import held_out_cells
from carbonray.stages.cell_networks import block_names, cell_fit, fitted_cells, stream_answers
from carbonray.stages.cell_roles import divided_cells
from carbonray.stages.cell_streams import stream_for
from tests.stages.small_cells import RULES, TIER, stored, town

INSTANCE = 2


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return stored(town(), str(tmp_path_factory.mktemp("town")))


@pytest.fixture(scope="module")
def pin(data):
    """Of a bundle fitted in rotation 2."""
    divided = divided_cells(data, RULES.split)
    fit = cell_fit(RULES, "opencarbon", data, divided, divided.turn(INSTANCE))
    *_, last = fit.epochs(Workers())
    fitted = fitted_cells(fit, last.state, RULES)
    table = divided.table(divided.turn(INSTANCE))
    lineage = Lineage("none", "", 0, 0, 0, 1, "", "", {}, {}, fitted.scores, table, TIER)
    told = {"back": fitted.back, "categories": data.categories, "split": RULES.split, "lineage": lineage}
    url = f"{data.url}/bundle"
    save_bundle(url, cell_bundle("opencarbon", INSTANCE, fit.config, fitted.tensors, **told))
    return cell_pin(url, bundle_sha256(url))


def test_every_cell_of_the_fold_is_answered_once_and_as_the_network_does(data, pin):
    divided = divided_cells(data, RULES.split)
    found = held_out_cells(pin, divided, window_shards=1)
    chosen = np.flatnonzero(divided.folds.fold == INSTANCE)
    assert sorted(found.cell_id.tolist()) == divided.rows.cell_id[chosen].tolist()
    order = np.argsort(found.cell_id)
    np.testing.assert_allclose(found.truth[order], divided.rows.ln_t_co2[chosen], rtol=1e-6)
    taught = divided.of_role(divided.turn(INSTANCE), TRAIN, pin.reads)
    assert found.trivial == divided.rows.ln_t_co2[taught].mean()
    model = opened_cells(pin)
    asked = divided.shards_with(divided.of_role(divided.turn(INSTANCE), TEST, pin.reads))
    alone = stream_answers(model.network, stream_for(model.network.config, asked, 1, window_shards=9), "cpu")
    np.testing.assert_allclose(found.answer[order], alone.answer[np.argsort(alone.cell_id)], atol=1e-4)
    assert found.factor == model.back.factor and np.isfinite(found.answer).all()


def test_groups_are_blocks_however_cells_were_dealt(data, pin):
    divided = divided_cells(data, RULES.split)
    found = held_out_cells(pin, divided)
    assert 1 < len(set(found.block)) < len(found.block) / 4
    assert list(found.block) == block_names(found.cell_id, replace(RULES.split, by="random"))
    assert all(divided.folds.table[name] == INSTANCE for name in found.block)


def test_other_folds_than_the_bundles_own_are_refused(data, pin):
    with pytest.raises(DataError, match="dealt otherwise"):
        held_out_cells(pin, divided_cells(data, replace(RULES.split, block_km=4.0)))
    blind = divided_cells(data, RULES.split)
    none = replace(blind, rows=replace(blind.rows, present=np.zeros_like(blind.rows.present)))
    with pytest.raises(DataError, match="no cell of fold 2 can be seen"):
        held_out_cells(pin, none)
