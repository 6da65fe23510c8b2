"""Leak tests of who may teach (SCIENCE 0.4): nobody of a left-out country, or without fold or learnable year.

And of who is who: a store whose ids were minted apart from the training store's is refused.
"""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import SettingsError
from carbonray.io.ledger import Commit
from carbonray.pipelines.plant_sources import PlantStore, require_same_plants, training_plants
from carbonray.vocab.plant_tables import PLANTS, STRUCTURES, UNITS

PLANT = st.tuples(st.sampled_from(["USA", "IND", "TUR"]), st.integers(-1, 3), st.booleans(), st.booleans())


def store_of(plants: list[tuple[str, int, bool, bool]]) -> PlantStore:
    """Plants by country, fold, whether labels were made, and whether the rules on plants hold in some year."""
    rows, labelled = [], []
    for number, (country, fold, has_labels, learnable) in enumerate(plants):
        plant_id = f"P{number:07}"
        rows.append(
            dict.fromkeys(("name", "primary_fuel", "source", "source_ids", "data_tier"), "")
            | {"plant_id": plant_id, "country": country, "fold": fold, "lat": 0.0, "lon": 0.0, "capacity_mw": 1.0}
        )
        if has_labels:
            facts = {"learnable": [["NDT", 2020], ["FGD", 2020], ["NDT", 2021]] if learnable else []}
            labelled.append(commit_of(plant_id, facts))
    table = pa.Table.from_pylist(rows, schema=PLANTS)
    none: tuple[Commit, ...] = ()
    return PlantStore(
        "", "", table, UNITS.empty_table(), STRUCTURES.empty_table(), none, none, none, none, tuple(labelled)
    )


def commit_of(plant_id: str, facts: dict) -> Commit:
    return Commit("labels", plant_id, plant_id, "committed", facts=facts)


@given(st.lists(PLANT, max_size=12), st.sets(st.sampled_from(["USA", "IND", "TUR"])))
def test_exactly_the_plants_that_may_be_learned_from_are(plants, left_out) -> None:
    found = training_plants(store_of(plants), left_out)
    may = {
        f"P{number:07}": fold
        for number, (country, fold, has_labels, learnable) in enumerate(plants)
        if country not in left_out and fold >= 0 and has_labels and learnable
    }
    assert {name: plant.fold for name, plant in found.items()} == may
    for plant in found.values():
        assert plant.years == {"FGD": frozenset({2020}), "NDT": frozenset({2020, 2021})}


def listed(**sources: dict[str, list[str]]) -> pa.Table:
    """Plants by id, with their ids in the inventories."""
    plain = dict.fromkeys(("name", "country", "primary_fuel", "source", "data_tier"), "")
    rows = [
        plain | {"plant_id": name, "source_ids": json.dumps(ids), "fold": 0, "lat": 0.0, "lon": 0.0, "capacity_mw": 1.0}
        for name, ids in sources.items()
    ]
    return pa.Table.from_pylist(rows, schema=PLANTS)


TAUGHT = listed(P1={"gppd": ["A", "A2"]}, P2={"gppd": ["B"]}, P3={"gppd": ["C"]})


@pytest.mark.parametrize(
    "store",
    [
        TAUGHT,
        listed(P1={"gppd": ["A"], "gem": ["7"]}, P9={"gppd": ["Z"]}),
        listed(P3={"gppd": ["other than it taught, but it taught nothing"]}),
    ],
    ids=["the same", "grown, and some gone", "a plant that no model saw"],
)
def test_a_store_of_the_same_line_is_accepted(store: pa.Table) -> None:
    require_same_plants(store, TAUGHT, ["P1", "P2"])


@pytest.mark.parametrize(
    "store",
    [listed(P1={"gppd": ["Z"]}), listed(P7={"gppd": ["B"]}), listed(P1={"gppd": ["B"]}, P2={"gppd": ["A"]})],
    ids=["another plant under the id", "the plant under another id", "swapped"],
)
def test_a_store_with_ids_of_its_own_is_refused(store: pa.Table) -> None:
    with pytest.raises(SettingsError, match="earlier_url"):
        require_same_plants(store, TAUGHT, ["P1", "P2"])
