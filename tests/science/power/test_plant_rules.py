"""Plants are rejected by the published limits, one rule named each, and inference asks for every year."""

import numpy as np
import pytest

from carbonray.science.power.plant_rules import PlantFacts, PlantRules, every_year_verdict, plant_verdict
from carbonray.science.power.selection import Verdict
from carbonray.vocab.plants import FGD, NDT

GOOD = {
    "capacity_mw": 500.0,
    "coal_share": 0.5,
    "ndt_share": 0.7,
    "fgd_generation_share": 0.9,
    "fgd_coal_share": 1.0,
    "structures": 1,
    "reported_share": 1.0,
    "reported_past_retirement_days": 0.0,
    "fgd_use": np.nan,
    "fgd_use_images": 0,
}


def facts(**changed: float) -> PlantFacts:
    return PlantFacts(**{name: np.array([value]) for name, value in {**GOOD, **changed}.items()})


def rule(kind: str, train: bool, **changed: float) -> str:
    verdict = plant_verdict(facts(**changed), kind, PlantRules().criteria(kind, train=train))
    assert (verdict.rule[0] == "") == (verdict.reason[0] == "")
    return str(verdict.rule[0])


@pytest.mark.parametrize("kind", [NDT, FGD])
@pytest.mark.parametrize("train", [True, False])
def test_a_plant_on_every_limit_is_kept(kind: str, train: bool) -> None:
    assert rule(kind, train) == ""


@pytest.mark.parametrize(
    ("kind", "changed", "named"),
    [
        (NDT, {"coal_share": 0.49}, "coal share"),
        (NDT, {"coal_share": np.nan}, "coal share"),
        (NDT, {"ndt_share": 0.69}, "natural draft"),
        (NDT, {"capacity_mw": 499.0}, "capacity"),
        (NDT, {"capacity_mw": -1.0}, "capacity"),
        (NDT, {"structures": 0}, "structures"),
        (NDT, {"reported_share": 0.89}, "reported generation"),
        (NDT, {"reported_past_retirement_days": 90.0}, "reported past retirement"),
        (FGD, {"fgd_generation_share": 0.89}, "wet FGD of generation"),
        (FGD, {"fgd_coal_share": 0.99}, "wet FGD of coal"),
        (FGD, {"fgd_use": 0.4, "fgd_use_images": 10}, "sporadic FGD"),
        (FGD, {"fgd_use": 0.4, "fgd_use_images": 9}, ""),
        (FGD, {"ndt_share": 0.0}, ""),
        (NDT, {"fgd_coal_share": 0.0, "fgd_use": 0.0, "fgd_use_images": 99}, ""),
    ],
)
def test_in_training_one_broken_limit_is_named(kind: str, changed: dict[str, float], named: str) -> None:
    assert rule(kind, True, **changed) == named


@pytest.mark.parametrize(
    ("kind", "changed", "named"),
    [
        (NDT, {"ndt_share": 0.01, "capacity_mw": 50.0, "reported_share": 0.0}, ""),
        (NDT, {"ndt_share": 0.0}, "natural draft"),
        (NDT, {"ndt_share": np.nan}, "natural draft"),
        (NDT, {"capacity_mw": 49.9}, "capacity"),
        (FGD, {"reported_share": 0.0, "reported_past_retirement_days": 999.0}, ""),
        (FGD, {"capacity_mw": 499.0}, "capacity"),
        (FGD, {"fgd_use": 0.0, "fgd_use_images": 99}, ""),
    ],
)
def test_in_inference_the_limits_are_the_relaxed_ones(kind: str, changed: dict[str, float], named: str) -> None:
    assert rule(kind, False, **changed) == named


def test_inference_needs_every_year_and_names_the_first_bad_one() -> None:
    rules = {"whole": ["", "", ""], "once": ["", "capacity", "coal share"], "short": ["", ""], "late": ["", "", ""]}
    plant = [name for name, years in rules.items() for _ in years]
    year = [2015, 2016, 2017, 2015, 2016, 2017, 2015, 2016, 2016, 2017, 2018]
    names = np.array([word for years in rules.values() for word in years], dtype=object)
    order = np.random.default_rng(1).permutation(len(plant))
    yearly = Verdict(names[order], np.where(names == "", "", "why")[order].astype(object))
    ids, verdict = every_year_verdict(np.array(plant)[order], np.array(year)[order], yearly, (2015, 2017))
    told = dict(zip(ids.tolist(), zip(verdict.rule.tolist(), verdict.reason.tolist(), strict=True), strict=True))
    assert told == {
        "whole": ("", ""),
        "once": ("capacity", "in 2016: why"),
        "short": ("every year", "in 2017: nothing is known of the plant"),
        "late": ("every year", "in 2015: nothing is known of the plant"),
    }


def test_no_plants_at_all() -> None:
    empty = PlantFacts(**{name: np.zeros(0) for name in GOOD})
    assert len(plant_verdict(empty, NDT, PlantRules().ndt_train).rule) == 0
    ids, verdict = every_year_verdict([], [], Verdict(np.zeros(0, object), np.zeros(0, object)), (2015, 2022))
    assert len(ids) == len(verdict.rule) == 0
