"""A bundle of energy and emissions comes back whole, and knows which rows it may be asked about as if they were new."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError
from carbonray.io.model_store import Lineage, bundle_sha256, open_bundle, save_bundle
from carbonray.models.clean import Clean, CleanConfig
from carbonray.science.energy.hull import Hull
from carbonray.science.energy.mix import proportions
from carbonray.science.energy.splits import TEST, TRAIN, UNUSED, VALIDATE
from carbonray.stages.energy_bundles import (
    TASKS,
    ToldHull,
    answering,
    energy_bundle,
    energy_pin,
    opened_energy,
    pooled_half_width,
)
from carbonray.stages.energy_seen import Seen
from tests.stages.small_energy import COMPOSITES, NAMES, SPLIT, SYNTHESIS, UNION, land

LAND = land()
CONFIG = CleanConfig(width=8, d=4, include_total=True, energy_center=(0.1,) * 9)
HULLS = {task: ToldHull(Hull(np.eye(k) / 3.0, np.full(k, 0.1)), 0.07) for task, k in zip(TASKS, (8, 6), strict=True)}


def seen_without(name, validates=("Florin",)):
    apart = {"Aland": (UNION,), UNION: COMPOSITES[UNION]}.get(name, (UNION,))
    table = dict.fromkeys(NAMES, TRAIN) | dict.fromkeys(validates, VALIDATE) | dict.fromkeys(apart, UNUSED)
    table[name] = TEST
    taught = tuple(one for one in NAMES if table[one] in (TRAIN, VALIDATE))
    return Seen(name, SPLIT, SYNTHESIS, COMPOSITES, taught, table)


def saved(root, instance, seen, errors=None, config=CONFIG):
    """Of a network that learned nothing."""
    tensors = {name: value.numpy() for name, value in Clean(config, instance).state_dict().items()}
    lineage = Lineage("none", "", 0, 0, 0, 1, "", "", {}, {}, {}, dict(seen.table), "SYNTHETIC-T1")
    errors = errors or {task: {"Florin": (0.1, 0.2)} for task in TASKS}
    bundle = energy_bundle(
        "clean_mlp", instance, config, tensors, told=HULLS, seen=seen, errors=errors, level=0.9, lineage=lineage
    )
    url = f"{root}/{instance}"
    save_bundle(url, bundle)
    return energy_pin(url, bundle_sha256(url))


@pytest.fixture(scope="module")
def pins(tmp_path_factory):
    """Instances that hold out the first four regions by name."""
    root = str(tmp_path_factory.mktemp("bundles"))
    return [saved(root, at, seen_without(name)) for at, name in enumerate(NAMES[:4])]


def test_what_is_saved_is_what_is_opened(pins):
    pin = pins[2]
    assert (pin.model, pin.instance, pin.include_total, pin.tier) == ("clean_mlp", 2, True, "SYNTHETIC-T1")
    assert pin.seen == seen_without("Borduria") and pin.level == 0.9
    assert pin.half_width == dict.fromkeys(TASKS, np.inf), "two errors of one region tell nothing at 90 %"
    assert pin.errors == {task: {"Florin": (0.1, 0.2)} for task in TASKS}
    model = opened_energy(pin)
    for task in TASKS:
        assert np.array_equal(model.told[task].hull.directions, HULLS[task].hull.directions), "to the last bit"
        assert np.array_equal(model.told[task].hull.support, HULLS[task].hull.support)
        assert model.told[task].threshold == 0.07
    assert not model.network.training and model.network.config == CONFIG


def test_answers_are_the_networks_and_unknown_where_nothing_is_told(pins, monkeypatch):
    monkeypatch.setattr("carbonray.stages.energy_bundles.BATCH", 7)
    model, rows = opened_energy(pins[0]), LAND.rows(np.arange(40))
    (mix, g), (sectors, e) = proportions(rows.energy), proportions(rows.emissions)
    told = [torch.from_numpy(part.astype(np.float32)) for part in (mix, np.log(g), sectors, np.log(e))]
    with torch.inference_mode():
        whole = model.network.emissions(*told[:2]), model.network.energy(*told[2:])
    mix[3, 2], g[5] = np.nan, 0.0
    for task, found, share, total in zip(TASKS, whole, (mix, sectors), (g, e), strict=True):
        answer = model.answers(task, share, total)
        dark = [3, 5] if task == "emissions" else []
        assert np.flatnonzero(np.isnan(answer)).tolist() == dark
        kept = np.setdiff1d(np.arange(40), dark)
        np.testing.assert_allclose(answer[kept], found.numpy()[kept], rtol=1e-5)
    assert not len(model.answers("energy", sectors[:0], e[:0]))


def test_a_region_is_told_by_who_held_it_out_and_a_new_one_by_all(pins):
    region = np.array([*NAMES, "Narnia"], object)
    start = np.zeros(len(region), np.int64)
    who, seen = answering(pins, region, start, start + 1)
    asked = {name: np.flatnonzero(who[:, at]).tolist() for at, name in enumerate(region)}
    assert asked["Borduria"] == [2] and asked["Narnia"] == [0, 1, 2, 3]
    assert asked["Aland"] == [0, 1] and asked["Carpania"] == [1, 3], "who held out their sum saw neither"
    assert asked[UNION] == [1], "the others saw a member of it"
    everyone = dict(zip(region, seen, strict=True))
    assert everyone["Florin"] and asked["Florin"] == [0, 1, 2, 3], "all of them chose their epoch by it"
    assert {name for name, flag in everyone.items() if flag} == {"Drakonia", "Elbonia", "Florin"}


def test_of_divided_time_it_counts_when(tmp_path):
    seen = Seen("2020-02", replace(SPLIT, protocol="time"), SYNTHESIS, COMPOSITES, ("Aland",), {"2020-01": TRAIN})
    pin = saved(str(tmp_path), 0, seen)
    start = np.array(["2020-01-31", "2020-02-01", "2020-01-05"], "datetime64[ns]").astype(np.int64)
    who, every = answering([pin], np.array(["Aland", "Aland", "Narnia"], object), start, start + 86_400_000_000_000)
    assert who.tolist() == [[True, True, True]] and every.tolist() == [True, False, False]


def test_instances_know_together_what_none_knows_alone(tmp_path):
    names = [f"region {number}" for number in range(12)]
    pins = []
    for at in range(4):
        errors = {task: {name: (0.01 * (n + 1),) for n, name in list(enumerate(names))[at::4]} for task in TASKS}
        pins.append(saved(str(tmp_path), at, seen_without("Aland"), errors))
    assert {pin.half_width["energy"] for pin in pins} == {np.inf}
    assert pooled_half_width(pins, "energy", 0.9) == 0.12, "of 13 regions 90 % are 11.7: the twelfth"
    assert pooled_half_width(pins, "energy", 0.6) == pytest.approx(0.08)


def test_other_bundles_are_refused_by_name(pins, tmp_path):
    bundle = open_bundle(pins[0].url)
    save_bundle(str(tmp_path / "cells"), replace(bundle, encoding={"half_width": 1.0}))
    flat = {name: value for name, value in bundle.tensors.items() if not name.startswith("hull.")}
    save_bundle(str(tmp_path / "flat"), replace(bundle, tensors=flat))
    for name in ("cells", "flat"):
        with pytest.raises(ContractError, match="none of energy and emissions"):
            energy_pin(str(tmp_path / name), bundle_sha256(str(tmp_path / name)))
    with pytest.raises(ContractError, match="digest is wrong"):
        opened_energy(replace(pins[0], sha256="0" * 64))
