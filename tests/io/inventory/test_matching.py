"""Likeness of plants: names, places, capacities, fuels, and one partner each; across the date line too."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.io.inventory.identity import IdentityRules, joined
from carbonray.io.inventory.matching import (
    MatchRules,
    capacity_ratio,
    fuel_likeness,
    name_fuel,
    name_likeness,
    neighbours,
    one_to_one,
    plain_name,
    scored_pairs,
)
from carbonray.science.spatial.geodesy import distance_km


def plants(*rows, source="a", namespace=""):
    """(name, lat, lon, MW, fuel) as a frame of one inventory."""
    frame = pd.DataFrame(rows, columns=["name", "lat", "lon", "capacity_mw", "fuel"])
    ids = [f"{source}{number}" for number in range(len(rows))]
    return frame.assign(source=source, namespace=namespace or source, source_id=ids, country="AAA")


def clusters(*parts, links=(), minted=None, rules=None):
    rows = pd.concat(parts, ignore_index=True)
    return joined(rows, links, minted or {}, rules or IdentityRules())


def test_accents_signs_and_common_words_do_not_count():
    assert plain_name("Centrale thermique d'Éxample-Nord (CCGT)") == "thermique example nord"
    assert plain_name("Power Plant") == "power plant"  # nothing else to go by
    shared, whole = name_likeness(["Foo Wind Farm", "Foo", "Foo"], ["PARQUE EOLICO FOO", "Foo Norte", "Bar"])
    assert (shared[0], whole[0], shared[1]) == (1.0, 1.0, 1.0)
    assert whole[1] < 1.0
    assert shared[2] < 0.5


@pytest.mark.parametrize(
    ("name", "fuel"), [("Foo Solar LLC", "solar"), ("Bar Wind", "wind"), ("Solar and Wind", ""), ("Windsor", "")]
)
def test_a_name_tells_a_fuel_only_by_a_whole_word(name, fuel):
    assert name_fuel(name) == fuel


def test_fuels_that_exclude_each_other_are_never_alike():
    pairs = [
        ("coal", "lignite"),
        ("coal", "gas"),
        ("coal", "wind"),
        ("", "wind"),
        ("solar", "wind"),
        ("hydro", "hydro"),
    ]
    assert fuel_likeness(*zip(*pairs, strict=True)).tolist() == [1.0, 0.3, -1.0, 0.5, -1.0, 1.0]


def test_an_unknown_or_no_capacity_has_no_ratio():
    np.testing.assert_array_equal(capacity_ratio([50, 100, 0, np.nan], [100, 50, 10, 10]), [0.5, 0.5, np.nan, np.nan])


@given(st.integers(0, 2**32 - 1))
def test_neighbours_are_those_that_the_great_circle_says(seed):
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(-1, 1, 24), (rng.uniform(-1, 1, 24) + 180 + 180) % 360 - 180  # about the date line
    frame = pd.DataFrame({"lat": lat, "lon": lon})
    left, right = frame.iloc[:12], frame.iloc[12:]
    i, j, km = neighbours(left, right, 50.0)
    apart = distance_km(left["lat"].to_numpy()[:, None], left["lon"].to_numpy()[:, None], right["lat"], right["lon"])

    assert {*zip(i.tolist(), j.tolist(), strict=True)} == {*zip(*np.nonzero(apart < 50.0), strict=True)}
    np.testing.assert_allclose(km, apart[i, j], atol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_one_to_one_takes_the_best_pairs_together(seed):
    rng = np.random.default_rng(seed)
    cells = np.flatnonzero(rng.random(16) < 0.6)
    left, right = np.unravel_index(cells, (4, 4))
    score = rng.uniform(0.1, 10, len(cells))
    kept = one_to_one(left, right, score)

    assert len(set(left[kept])) == len(kept) == len(set(right[kept]))
    best = max(
        score[list(chosen)].sum()
        for size in range(min(4, len(cells)) + 1)
        for chosen in itertools.combinations(range(len(cells)), size)
        if len({*left[list(chosen)]}) == size == len({*right[list(chosen)]})
    )
    assert score[kept].sum() == pytest.approx(best)


def test_a_pair_is_likelier_the_nearer_it_stands_and_the_more_it_shares():
    base = ("Foo", 50.0, 8.0, 100.0, "coal")
    others = [base, ("Foo", 50.05, 8.0, 100.0, "coal"), ("Bar", 50.0, 8.0, 100.0, "coal"),
              ("Foo", 50.0, 8.0, 20.0, "coal"), ("Foo", 50.0, 8.0, 100.0, "gas")]  # fmt: skip
    odds = scored_pairs(plants(base), plants(*others), MatchRules()).sort_values("right")["log_odds"].to_numpy()

    assert odds[0] > 4.0
    assert (odds[1:] < odds[0]).all()


def test_rows_of_one_plant_across_the_date_line_are_joined():
    found = clusters(
        plants(("Foo", -17.0, 179.999, 10, "oil")), plants(("Foo", -17.0, -179.999, 10, "oil"), source="b")
    )

    assert found.cluster.tolist() == [0, 0]
    assert found.rule == ["first", "match"]


def test_a_solar_farm_at_a_coal_plant_stays_itself():
    found = clusters(
        plants(("Foo", 50.0, 8.0, 100, "coal")), plants(("Foo Solar", 50.0, 8.0, 100, "solar"), source="b")
    )
    assert found.cluster.tolist() == [0, 1]


def test_each_plant_finds_its_own_of_two_neighbours():
    found = clusters(
        plants(("Foo Nord", 50.0, 8.0, 100, "wind"), ("Foo Sud", 50.01, 8.0, 60, "wind")),
        plants(("Foo Sud", 50.01, 8.0, 61, "wind"), ("Foo Nord", 50.0, 8.0, 99, "wind"), source="b"),
    )
    assert found.cluster.tolist() == [0, 1, 1, 0]


def test_a_link_joins_what_no_likeness_would_but_not_across_a_country():
    a = plants(("Foo", 50.0, 8.0, 100, "coal"), ("Qux", 40.0, 8.0, 100, "coal"))
    b = plants(("Bar", 50.1, 8.0, 7, "wind"), ("Qux", 42.0, 8.0, 100, "coal"), source="b")
    found = clusters(a, b, links=[("a", "a0", "b", "b0"), ("a", "a1", "b", "b1")])

    assert found.cluster.tolist() == [0, 1, 0, 3]
    assert found.rule[2] == "link"
    assert [(one, two, why.split(":")[0]) for one, two, why in found.refused] == [(1, 3, "link")]


def test_rows_that_name_one_thing_of_a_third_inventory_are_one():
    a, b = plants(("Foo", 50.0, 8.0, 100, "coal")), plants(("Bar", 50.1, 8.0, 90, "gas"), source="b")
    found = clusters(a, b, links=[("a", "a0", "eic", "X"), ("b", "b0", "eic", "X")])

    assert found.cluster.tolist() == [0, 0]


def test_links_never_make_one_station_of_distant_plants_of_one_inventory():
    a = plants(("Foo", 50.0, 8.0, 100, "hydro"), ("Bar", 50.2, 8.0, 100, "hydro"))
    b = plants(("Cascade", 50.1, 8.0, 200, "hydro"), source="b")
    found = clusters(a, b, links=[("b", "b0", "a", "a0"), ("b", "b0", "a", "a1")])

    assert len(set(found.cluster[:2].tolist())) == 2
    assert "22 km apart" in found.refused[0][2]


def test_a_block_beside_its_station_is_a_part_of_it():
    a = plants(("Foo", 50.0, 8.0, 1000, "coal"))
    b = plants(("Foo", 50.0, 8.0, 900, "coal"), ("Foo GT", 50.001, 8.0, 700, "gas"), source="b")

    assert clusters(a, b).rule == ["first", "match", "part"]
    wind = b.assign(fuel="wind")
    assert clusters(a.assign(fuel="wind"), wind).rule == ["first", "match", "first"]  # farms are built side by side


def test_a_row_without_a_place_is_joined_by_a_name_that_is_its_alone():
    a = plants(("Foo", 50.0, 8.0, 100, "coal"), ("Bar", 51.0, 8.0, 50, "gas"), ("Bar", 52.0, 8.0, 50, "gas"))
    b = plants(("FOO", np.nan, np.nan, 100, "coal"), ("Bar", np.nan, np.nan, 50, "gas"), source="b")
    found = clusters(a, b)

    assert found.cluster.tolist() == [0, 1, 2, 0, 4]
    assert found.rule[3] == "name"


def test_plants_minted_apart_are_never_joined():
    a, b = plants(("Foo", 50.0, 8.0, 100, "coal")), plants(("Foo", 50.0, 8.0, 100, "coal"), source="b")
    found = clusters(a, b, minted={("a", "a0"): "P1", ("b", "b0"): "P2"})

    assert found.cluster.tolist() == [0, 1]
    assert [why for _, _, why in found.refused] == ["match: minted apart earlier"]


def test_plants_minted_together_stay_together():
    a, b = plants(("Foo", 50.0, 8.0, 100, "coal")), plants(("Bar", 10.0, 80.0, 1, "wind"), source="b")

    assert clusters(a, b, minted={("a", "a0"): "P1", ("b", "b0"): "P1"}).cluster.tolist() == [0, 0]
