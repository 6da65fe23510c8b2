"""The page of plants' years: figures 5 to 7 and the tables, whole, escaped, inside their axes, honest where empty."""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.publish.bubble_map import round_sizes
from carbonray.publish.generation_charts import DayLine, PlantSeries, Scatter, scatter_chart, series_chart
from carbonray.publish.generation_facts import GenerationFacts, chosen_plants
from carbonray.publish.generation_tables import country_totals, score_cells
from carbonray.publish.report_generation import generation_sections, image_answers
from carbonray.vocab.product_tables import PLANTS_30DAY, PLANTS_ANNUAL, SOUNDINGS
from tests.publish.example import NASTY
from tests.publish.example_generation import annual_rows, example_generation, example_page, soundings_of
from tests.publish.test_report import Outline

SECTIONS = {"emissions", "time-series", "against-reports", "annual", "models"}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def facts() -> GenerationFacts:
    return example_generation(16)


@pytest.fixture(scope="module")
def page(facts: GenerationFacts) -> str:
    return example_page(facts).decode()


def drawn(page: str, class_: str) -> list[dict[str, str | None]]:
    return [attrs for _, attrs in Outline(page).tags if attrs.get("class") == class_]


def heights(path: str) -> list[float]:
    """The y of every point of a path of M, L, V and h0 steps."""
    return [float(NUMBER.findall(step)[-1]) for step in re.findall(r"[MLV][^MLVhZ]*", path)]


def test_the_page_is_whole_escaped_and_says_that_it_is_simulated(page):
    outline = Outline(page)
    assert outline.open == []
    assert set(outline.values("id")) >= SECTIONS
    assert NASTY not in page
    assert NASTY in outline.text
    assert "SYNTHETIC-T1 (8 plants), SYNTHETIC-T2 (8 plants): simulated, nothing of it was measured" in outline.text
    assert "16 power plants in 2021" in outline.text
    assert not re.search(r"[\"> ]nan[\"< ]", page)


def test_the_area_of_a_disc_is_its_plants_co2(facts, page):
    discs = [attrs for attrs in drawn(page, "bubble") if attrs.get("fill") != "#fff"]
    tonnes = sorted((row["emissions_t_co2"] for row in facts.of_year()), reverse=True)
    radii = np.array([float(disc["r"] or 0) for disc in discs])
    assert len(discs) == 16
    assert np.all(np.diff(radii) <= 0)  # the largest lie lowest
    large = radii > 3
    np.testing.assert_allclose(radii[large] ** 2, (np.array(tonnes) / tonnes[0])[large] * 21.0**2, rtol=0.01)
    assert len({disc["fill"] for disc in discs}) > 8


def test_a_plant_of_unknown_co2_is_an_empty_ring_and_is_counted(facts):
    unknown = {"emissions_t_co2": float("nan")}
    rows = [row | unknown if row["plant_id"] == "P0000003" else row for row in annual_rows(16)]
    page = example_page(dataclasses.replace(facts, annual=pa.Table.from_pylist(rows, PLANTS_ANNUAL))).decode()
    assert len(drawn(page, "bubble unknown")) == 1
    assert "An empty ring marks a plant whose CO₂ is unknown (1)" in Outline(page).text
    total = next(each for each in country_totals([row for row in rows if row["year"] == 2021 and not row["unit_id"]])
                 if each["country"] == "CHN")  # fmt: skip
    assert (total["plants"], total["unknown"]) == (2, 1)


def test_scores_are_of_each_group_with_their_intervals(facts, page):
    text = Outline(page).text
    assert "training, held out" in text
    assert re.search(r"held out: n 12, RMSE 0\.\d\d\d, MBE [+−]0\.\d\d\d", text)
    pairs = facts.pairs()
    assert len(pairs) == 26  # three of sixteen plants report nothing
    error = np.array([row["capacity_factor"] - told["capacity_factor"] for row, told in pairs if row["fold"] >= 0])
    assert f"RMSE {np.sqrt((error**2).mean()):.3f}" in text


def test_a_score_of_one_plant_has_no_interval():
    values = np.array([0.5, 0.6])
    one = Scatter("Capacity factor", "", values, values + 0.1, values, values + 0.2, np.ones(2, bool), ("a", "b"))
    cells = score_cells(one, ["P1", "P1"])
    assert [cell[1:4] for cell in cells] == [("training, held out", 2, 1)]
    assert " to " not in cells[0][6]
    assert ">0.100<" in cells[0][6]


def test_a_plant_without_reports_is_drawn_and_says_so(facts, page):
    silent = next(iter(facts.chosen))
    assert silent not in facts.reported_days
    assert Outline(page).text.count("It has no reports.") == 1
    lines = [attrs["d"] for attrs in drawn(page, "line reported") if (attrs["d"] or "").count("L") > 100]
    assert len(lines) == len(facts.chosen) - 1


def test_towers_and_stacks_stand_beside_what_they_tell_together(facts, page):
    both = [plant for plant, days in facts.days.items() if len(pc.unique(days.column("structure_kind"))) == 3]
    assert both
    for kind in ("ndt", "fgd"):
        assert sum((attrs["d"] or "").count("L") > 100 for attrs in drawn(page, f"line part {kind}")) == len(both)


def test_the_table_tells_who_scored_a_plant_and_who_is_missing(page):
    text = Outline(page).text
    assert {"fold 1", "external"} <= set(re.findall(r"fold \d|external", text))
    assert 'title="scored by instance 0,1,2,3"' in page
    assert "3 of the paper's 16 sounding models told the soundings; 2 are missing" in text
    assert "only one class in fold 2" in text
    assert {"random", "none: trees"} <= set(re.findall(r">([^<>]+)</td>", page))


@pytest.mark.parametrize("missing", ["all", "reports", "days"])
def test_without_rows_a_sentence_stands_in_the_place_of_a_figure(facts, missing):
    bare = {
        "all": GenerationFacts(PLANTS_ANNUAL.empty_table()),
        "reports": dataclasses.replace(facts, reported_annual=None, reported_days={}),
        "days": dataclasses.replace(facts, days=dict.fromkeys(facts.chosen, PLANTS_30DAY.empty_table())),
    }[missing]
    page = example_page(bare).decode()
    text = Outline(page).text
    said = {
        "all": "No plant has a year in this run, so there is no map to draw",
        "reports": "No plant of this run has a reported year to hold the model against",
        "days": "No plant has days in this run, so there is no series to draw",
    }
    assert said[missing] in text
    assert set(Outline(page).values("id")) >= SECTIONS
    sections = generation_sections(bare)
    empty = {"all": "Emissions", "reports": "Against reports", "days": "Time series"}[missing]
    assert "<svg" not in str(sections[empty])


def test_plants_without_soundings_or_emissions_still_make_a_page(facts):
    unknown = pa.array([float("nan")] * facts.reported_annual.num_rows)
    told = facts.reported_annual.set_column(4, "emissions_t_co2", unknown)
    text = Outline(example_page(dataclasses.replace(facts, soundings={}, reported_annual=told)).decode()).text
    assert "0 image readings" in text
    assert "Emissions: no plant has both a modelled and a reported year" in text


share = st.floats(-0.3, 1.6)


@given(st.lists(st.tuples(share, share, share, share), min_size=1, max_size=12), st.sampled_from(["", "Mt"]))
def test_dots_and_intervals_lie_inside_the_axes(values, units):
    reported, modelled, low, high = np.array(values).T
    half = np.zeros(len(values), bool)
    picture = str(scatter_chart(Scatter("x", units, reported, modelled, low, high, half, ("n",) * len(values))))
    paths = [attrs["d"] or "" for name, attrs in Outline(picture).tags if name == "path" and attrs["class"] in
             ("whisker external", "dots external")]  # fmt: skip
    points = [y for path in paths for y in heights(path)]
    assert len(points) == 3 * len(values)
    assert min(points) >= 46.0 - 0.06
    assert max(points) <= 300.0 + 0.06


@given(st.lists(st.tuples(share, share), min_size=2, max_size=12), st.lists(share, max_size=5))
def test_a_series_lies_inside_its_axes(days, dots):
    value, reported = np.array(days).T
    day = 18_000 + np.arange(len(value))
    series = PlantSeries(
        "x", DayLine(day, value), value - 0.2, value + 0.2, {}, DayLine(day, reported),
        18_000.5 + np.arange(len(dots)), np.array(dots), np.zeros(len(dots), bool),
    )  # fmt: skip
    outline = Outline(str(series_chart(series)))
    paths = [attrs["d"] or "" for name, attrs in outline.tags if name == "path" and attrs["class"] != "grid"]
    points = [y for path in paths for y in heights(path)]
    assert len(points) >= 4 * len(value)
    assert min(points) >= 14.0 - 0.06
    assert max(points) <= 240.0 + 0.06


def test_a_line_breaks_where_days_are_missing_and_so_does_its_band():
    day = np.array([10, 11, 12, 20, 21, 22])
    value = np.array([0.5, 0.5, np.nan, 0.5, 0.5, 0.5])
    series = PlantSeries("x", DayLine(day, value), value - 0.1, value + 0.1, {}, DayLine(day[:0], value[:0]),
                         np.zeros(0), np.zeros(0), np.zeros(0, bool))  # fmt: skip
    outline = Outline(str(series_chart(series)))
    line, band = (next(a["d"] or "" for _, a in outline.tags if a.get("class") == kind) for kind in ("line", "band"))
    assert line.count("M") == 2
    assert band.count("Z") == 2
    np.testing.assert_array_equal(DayLine(day, value).spaced().day, [10, 11, 12, 13, 20, 21, 22])


def test_an_image_is_told_once_a_kind_as_the_mean_of_its_models():
    rows = [
        {"plant_id": "P", "imager": "landsat8", "image_id": "a", "time_utc_ns": 86_400_000_000_000 // 2,
         "structure_kind": kind, "model": model, "instance": k, "head": head, "value": value, "model_version": "",
         "data_tier": "REAL"}
        for kind, model, k, head, value in (
            ("NDT", "xgb", 0, "reg", 0.2), ("NDT", "xgb", 1, "reg", 0.4), ("NDT", "xgb", 0, "cls", 0.7),
            ("NDT", "ben", 0, "cls", 0.5), ("FGD", "xgb", 0, "reg", 0.9), ("FGD", "xgb", 0, "cls", 0.1),
        )
    ]  # fmt: skip
    day, height, on = image_answers(pa.Table.from_pylist(rows, SOUNDINGS))
    np.testing.assert_allclose(day, [0.5, 0.5])
    np.testing.assert_allclose(height, [0.3, 0.9], rtol=1e-6)
    assert on.tolist() == [True, False]
    assert len(image_answers(soundings_of(2, "BOTH", 7))[0]) == 14


def test_the_handful_has_the_best_seen_the_worst_and_one_of_each_kind(facts):
    chosen = chosen_plants(facts.annual, facts.reported_annual)
    rows = {row["plant_id"]: row for row in facts.plants() if row["plant_id"] in chosen}
    assert {row["structure_kind"] for row in rows.values()} == {"NDT", "FGD", "BOTH"}
    assert len(chosen) == 6
    best = max(facts.plants(), key=lambda row: row["coverage"])
    worst = max(facts.pairs(), key=lambda pair: abs(pair[0]["capacity_factor"] - pair[1]["capacity_factor"]))
    assert [*chosen][:2] == [best["plant_id"], worst[0]["plant_id"]]
    assert "farthest off what was reported" not in chosen_plants(facts.annual).values()
    assert chosen_plants(PLANTS_ANNUAL.empty_table()) == {}


def test_a_countrys_interval_is_widest_if_all_plants_err_alike(facts):
    rows = facts.of_year()
    for total in country_totals(rows):
        own = [row for row in rows if row["country"] == total["country"]]
        assert total["mt"] == pytest.approx(sum(row["emissions_t_co2"] for row in own) / 1e6)
        assert total["high"] == pytest.approx(sum(row["emissions_t_co2_p95"] for row in own) / 1e6)
        assert total["high"] - total["mt"] >= total["up"] - 1e-9
        assert total["mt"] - total["low"] >= total["down"] - 1e-9


@given(st.floats(1e-6, 1e6))
def test_sizes_of_the_legend_are_round_and_not_larger_than_the_largest(top):
    sizes = round_sizes(top)
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 3
    assert top / 2.5 <= sizes[0] * (1 + 1e-9)
    assert sizes[0] <= top * (1 + 1e-6)


def test_the_same_facts_give_the_same_bytes(facts, page):
    assert example_page(facts).decode() == page
