"""Held-out rows are those of the instance's own turn, answered by the bundle as saved, beside the means of regions."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io.model_store import Lineage, bundle_sha256, save_bundle
from carbonray.models.baselines import SplitRows
from carbonray.models.energy_peers import RegionMean
from carbonray.models.energy_readings import Reading
from carbonray.models.fit import Workers
from carbonray.science.energy.mix import proportions, stacked
from carbonray.science.energy.splits import TRAIN
from carbonray.stages.energy_bundles import TASKS, energy_bundle, energy_pin, opened_energy
from carbonray.stages.energy_held_out import held_out_energy, taught_means
from carbonray.stages.energy_networks import energy_fit, fitted_energy
from carbonray.stages.energy_streams import EnergyStream
from tests.stages.small_energy import DAYS, HULL, RULES, divided, land, stored

LAND, INSTANCE, NAME = land(), 2, "Borduria"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return stored(LAND, str(tmp_path_factory.mktemp("land")))


@pytest.fixture(scope="module")
def pin(data):
    """Of a bundle fitted without Borduria."""
    of = divided(data)
    fit = energy_fit(RULES, "mlp", of, of.turn(INSTANCE))
    *_, last = fit.epochs(Workers())
    found = fitted_energy(fit, last.state, RULES, HULL)
    lineage = Lineage("none", "", 0, 0, 0, 1, "", "", {}, {}, found.scores, dict(fit.seen.table), "SYNTHETIC-T1")
    told = {"told": found.told, "seen": fit.seen, "errors": found.errors, "level": 0.9, "lineage": lineage}
    save_bundle(f"{data.url}/bundle", energy_bundle("mlp", INSTANCE, fit.config, found.tensors, **told))
    return energy_pin(f"{data.url}/bundle", bundle_sha256(f"{data.url}/bundle"))


def test_every_row_of_the_region_is_answered_once_and_as_the_bundle_does(data, pin):
    found = held_out_energy(pin, divided(data), window_rows=9)
    rows = LAND.rows(LAND.region == NAME)
    assert found.told.rows.region.tolist() == [NAME] * DAYS
    order = np.argsort(found.told.rows.start_ns)
    np.testing.assert_allclose(found.told.truth[order, 0], np.log(rows.emissions.sum(axis=1)))
    np.testing.assert_allclose(found.told.truth[order, 1], np.log(rows.energy.sum(axis=1)))
    model = opened_energy(pin)
    for at, task in enumerate(TASKS):
        alone = model.answers(task, *proportions(rows.energy if task == "emissions" else rows.emissions))
        np.testing.assert_allclose(found.told.answer[order, at], alone, rtol=1e-5)


def test_the_trivial_answer_is_the_peer_that_memorises(data, pin):
    of = divided(data)
    taught = stacked(list(EnergyStream(of.shards(of.rows_of(of.turn(INSTANCE)), TRAIN), 13).parts()))
    found = held_out_energy(pin, of)
    split, asked = SplitRows(np.arange(len(taught)), np.array([len(taught)])), LAND.rows(LAND.region == NAME)
    for at, task in enumerate(TASKS):
        peer = RegionMean().fit(stacked([taught, asked.rows([0])]), split, Reading(task))
        np.testing.assert_allclose(found.trivial[:, at], peer.predict(asked), rtol=1e-9)


def test_a_region_that_taught_has_its_own_mean():
    parts = [LAND.rows(np.arange(first, min(first + 11, len(LAND)))) for first in range(0, len(LAND), 11)]
    means = taught_means(parts)
    for task, amounts in (("emissions", LAND.emissions), ("energy", LAND.energy)):
        ln = np.log(amounts.sum(axis=1))
        by_region = {name: ln[LAND.region == name].mean() for name in set(LAND.region)}
        assert means[task].of(["Florin"])[0] == pytest.approx(by_region["Florin"])
        assert means[task].of(["Narnia"])[0] == pytest.approx(np.mean(list(by_region.values())))


def test_rows_that_are_divided_otherwise_are_refused(data, pin):
    with pytest.raises(DataError, match="divided otherwise"):
        held_out_energy(pin, divided(data, validate_share=0.5))
    with pytest.raises(DataError, match="divided otherwise"):
        held_out_energy(pin, divided(replace(data, left_out=("Florin",))))
