"""Rows divided without their amounts: turns by name, searches that see nothing of one, what a bundle remembers."""

from dataclasses import replace

import numpy as np
import pytest

from carbonray.errors import DataError, SettingsError
from carbonray.science.energy.splits import TEST, TRAIN, UNUSED, VALIDATE, overlap
from carbonray.science.energy.synthesis import SynthesisRules
from carbonray.stages.energy_roles import TrainingEnergy, divided_energy
from tests.stages.small_energy import COMPOSITES, DAYS, NAMES, SPLIT, SYNTHESIS, UNION, divided, land, stored

LAND = land()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return stored(LAND, str(tmp_path_factory.mktemp("land")))


def regions(found, role):
    return set(found.real.region[found.role == role])


def test_an_index_holds_every_row_once_and_no_amount(data):
    of = divided(data)
    assert len(of.index) == len(NAMES) * DAYS and of.index.energy.shape[1] == of.index.emissions.shape[1] == 0
    assert of.turns == NAMES and of.index.region[:DAYS].tolist() == ["Aland"] * DAYS
    assert all(np.all(np.diff(of.index.start_ns[of.index.region == name]) > 0) for name in NAMES)
    assert len({id(name) for name in of.index.region[:DAYS]}) <= 2, "a name is held once a table"


def test_regions_that_nobody_may_use_are_in_no_turn(data):
    of = divided(replace(data, left_out=("Florin",)))
    assert of.turns == NAMES[:-1] and len(of.index) == (len(NAMES) - 1) * DAYS


@pytest.mark.parametrize("instance", range(len(NAMES)))
def test_a_turn_holds_out_a_region_and_the_sum_it_is_in(data, instance):
    of = divided(data)
    found = of.rows_of(of.turn(instance))
    assert regions(found, TEST) == {NAMES[instance]}
    for seen in (regions(found, TRAIN), regions(found, VALIDATE)):
        assert seen and not any(overlap(name, NAMES[instance], COMPOSITES) for name in seen)
    told = of.seen(found)
    assert told.turn == NAMES[instance] and NAMES[instance] not in told.taught
    assert {name for name, role in told.table.items() if role in (TRAIN, VALIDATE)} == set(told.taught)
    assert told.table[NAMES[instance]] == TEST
    if NAMES[instance] == "Aland":
        assert told.table[UNION] == UNUSED


@pytest.mark.parametrize("protocol", ["region", "time"])
def test_searches_see_nothing_of_the_turn_that_tests(data, protocol):
    of = divided(data, protocol=protocol)
    own = of.rows_of(of.turn(0))
    held = np.isin(own.role, (TEST, UNUSED))
    turns = of.search_turns(0, 2)
    assert len(turns) == 2 and len(set(turns)) == 2
    for turn in turns:
        found = of.rows_of(turn)
        assert set(found.role[held]) == {UNUSED} and not found.count(TEST)
        assert min(found.count(TRAIN), found.count(VALIDATE)) > 0 and set(found.made_role) == {TRAIN}
    assert len(of.search_turns(0, 99)) <= len(NAMES)
    validated = [regions(of.rows_of(turn), VALIDATE) for turn in of.search_turns(0, 99)]
    assert protocol == "time" or set().union(*validated) >= set(NAMES) - {"Aland", UNION}


def test_rows_at_random_are_searched_over_in_their_one_turn(data):
    of = divided(data, protocol="paper")
    assert of.turns == ("random",) and of.search_turns(0, 3) == (of.turn(0),)
    told = of.seen(of.rows_of(of.turn(0)))
    assert told.taught == tuple(sorted(NAMES)) and set(told.table.values()) == {TRAIN}


def test_blocks_of_time_are_remembered_by_name(data):
    of = divided(data, protocol="time")
    told = of.seen(of.rows_of(of.turn(2)))
    assert of.turns == ("2019-11..2019-12", "2020-01..2020-01", "2020-02..2020-02")
    assert told.table == {"2019-11": VALIDATE, "2019-12": VALIDATE, "2020-01": TRAIN, "2020-02": TEST}
    region, start = np.array(["Aland", "Aland", "Nowhere"], object), of.index.start_ns[[0, DAYS - 1, 0]]
    assert told.saw(region, start, start + 1).tolist() == [True, False, False]


def test_what_cannot_be_divided_is_named(data):
    of = divided(data)
    with pytest.raises(SettingsError, match="there is no turn 7") as found:
        of.turn(7)
    assert "Florin" in found.value.expected
    with pytest.raises(SettingsError, match="there is no turn 9") as found:
        of.search_turns(9, 2)
    assert found.value.where == "tune.test_fold"
    with pytest.raises(DataError, match="4 months in 9 runs"):
        _ = divided(data, protocol="time", folds=9).turns
    pair = replace(data, left_out=tuple(name for name in NAMES if name not in ("Aland", "Florin")))
    with pytest.raises(DataError, match="too few others"):
        divided(pair).rows_of(divided(pair).turn(0))
    many = divided(data, SynthesisRules(n=1, least_parts=9, most_parts=9))
    with pytest.raises(DataError, match="no 9 share an interval"):
        many.rows_of(many.turn(0))
    with pytest.raises(DataError, match="no row of energy"):
        divided_energy(TrainingEnergy("memory", (), {}), SPLIT, SYNTHESIS)
