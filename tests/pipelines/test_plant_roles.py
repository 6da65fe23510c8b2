"""Leak tests of who may teach (SCIENCE 0.4): nobody of a left-out country, or without fold or learnable year."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from carbonray.io.ledger import Commit
from carbonray.pipelines.plant_sources import PlantStore, training_plants
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
