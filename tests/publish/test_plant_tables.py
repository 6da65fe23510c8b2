"""The page of the power plants' scores: tiers, published figures apart, first weights, what is better and worse."""

import numpy as np
import pytest

from carbonray.publish.plant_tables import PUBLISHED, plant_summary, plant_tables_markdown
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.plant_score_tables import (
    Answers,
    PlantScoreRules,
    SoundingAnswers,
    annual_scores,
    coverage,
    generation_scores,
    sounding_scores,
)

TIER = "SYNTHETIC-T2"
RULES = PlantScoreRules(BootstrapRules(resamples=50))


def answers(error, plants=6, rows=4, **keys):
    plant = np.repeat([f"p{number}" for number in range(plants)], rows)
    observed = np.tile(np.linspace(0.0, 1.0, rows), plants)
    noise = np.repeat(np.linspace(0.9, 1.1, plants), rows) * error
    return {**keys, "data_tier": TIER}, plant, observed, observed + noise, np.full(len(plant), 0.5)


@pytest.fixture(scope="module")
def tables():
    of = {"validation": "cross", "structure_kind": "NDT"}
    said = answers(0.01, **of, imager="sentinel2", model="ben", role="model", initialisation="self-supervised")
    is_on = said[2] > 0.05
    days = [
        answers(error, **of, model=name, role=role)
        for error, name, role in ((0.02, "lasso", "model"), (0.9, "last sounding", "peer"))
    ]
    year = {"quantity": "generation_twh", "region": "all", "validation": "cross", "model": "lasso", "role": "model"}
    alone = {**year, "region": "US"}
    return {
        "soundings": sounding_scores([SoundingAnswers(*said, is_on, is_on * 1.0)], RULES),
        "generation": generation_scores([Answers(*each) for each in days], RULES),
        "annual": annual_scores([Answers(*answers(0.3, **year)), Answers(*answers(0.3, 1, **alone))], RULES),
        "coverage": coverage([{"approach": "ours", "data_tier": TIER, "n_observations": 24, "n_plants": 6,
                               "n_countries": 2, "first_year": 2020, "last_year": 2021}]),
    }  # fmt: skip


def lines(page, *words):
    return [line for line in page.splitlines() if line.startswith("|") and all(word in line for word in words)]


def test_the_page_says_what_is_synthetic_what_was_published_and_where_weights_began(tables):
    page = plant_tables_markdown(
        tables, [("run of jobs.plants p", "a" * 64)], ["ben for NDT was not trained: no image"]
    )

    assert f"Every figure is SYNTHETIC ({TIER})" in page
    assert PUBLISHED in page
    assert "a" * 64 in page
    assert "- ben for NDT was not trained: no image" in page
    (row,) = lines(page, "sentinel2", "ben")
    assert "self-supervised" in row
    assert "0.933 [0.906, 0.966]" in row  # table 3 of the paper, in its own column
    assert row.index("1.000 [1.000, 1.000]") < row.index("0.933")
    headings = [line for line in page.splitlines() if line.startswith("## ") and "Table 2" not in line]
    assert headings
    assert all(TIER in line for line in headings)


def test_what_is_better_than_the_baseline_has_a_star_what_is_worse_a_cross_and_one_plant_neither(tables):
    page = plant_tables_markdown(tables, [], [])

    (better,), (worse,) = lines(page, "| lasso | model", "| 6 | 24 | 0.020"), lines(page, "last sounding")
    assert "] *" in better
    assert "] x" in worse
    (alone,) = lines(page, "| US |", "lasso")
    assert "] *" not in alone
    assert "] x" not in alone


def test_a_baseline_and_a_peer_have_no_published_figure_beside_them(tables):
    (row,) = lines(plant_tables_markdown(tables, [], []), "last sounding")
    assert row.rstrip(" |").endswith("–")


def test_the_summary_is_of_the_models_alone_and_of_all_regions(tables):
    text = plant_summary(tables)
    assert len(text.splitlines()) == 3
    assert "mAP 1.000" in text
    assert "last sounding" not in text
    assert "US" not in text


def test_tables_without_rows_make_a_page(tables):
    empty = {name: table.slice(0, 0) for name, table in tables.items()}
    assert "no row" in plant_tables_markdown(empty, [], [])
