"""The files of the fits as tables: scores, paired differences, what synthesised countries change, negative controls.

A block is a region, or a calendar year where time is divided; every block counts as one, whatever its number of rows or
of fits, and intervals are of resampled blocks. Models are compared on the same turns, seeds and rows. What differs from
seed to seed (fit, division and countries together) is told apart.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from carbonray.models.clean_registry import CLEAN_MODELS
from carbonray.models.energy_peers import ENERGY_PEERS
from carbonray.science.stats.bootstrap import BootstrapRules, block_draws, interval
from tests.evidence.energy_fits import ORACLE, RATIO, RATIO_NETWORK, REAL, TRIVIAL, TUNED
from tests.evidence.energy_rows import NETWORKS

Floats = NDArray[np.float64]
Fit = tuple[int, str]  # seed and turn
Blocks = dict[str, Floats]  # block -> sums
Models = Mapping[str, Mapping[Fit, Blocks]]

KEYS = ["world", "part", "protocol", "subset", "told", "n", "task"]
FIT = ["seed", "turn"]
SUMS = ["rows", "ape", "square", "error"]
METRICS = ("mape", "ln_rmse", "ln_bias")
BACKBONES: Mapping[str, str] = {"clean_mlp": "mlp", "clean_cnn": "cnn"}
PARTS = tuple(name for name in (*CLEAN_MODELS, RATIO_NETWORK) if name not in NETWORKS)
CONTROL, GAIN, LOSS = "control", "gain", "loss"
LEAST_BLOCKS = 3  # for an interval


@dataclass(frozen=True)
class EnergyScoreRules:
    """How intervals are drawn.

    Attributes:
        bootstrap: number of resamples and percentiles.
        control: number of resamples of the negative control, whose tails are looked at.
        control_level: chance that a control of many lines fails where there is nothing (inferred).
        seed: of the draws (inferred).
    """

    bootstrap: BootstrapRules = field(default_factory=BootstrapRules)
    control: BootstrapRules = field(default_factory=lambda: BootstrapRules(resamples=20_000))
    control_level: float = 0.05
    seed: int = 0


class Tables(NamedTuple):
    """All that the page is made from."""

    scores: pd.DataFrame
    differences: pd.DataFrame
    seeds: pd.DataFrame
    countries: pd.DataFrame
    controls: pd.DataFrame


def sums_of(work: Path) -> pd.DataFrame:
    """A row a fit, model, task and block."""
    rows: list[tuple[Any, ...]] = []
    for path in sorted((work / "fits").glob("*.json")):
        fit = json.loads(path.read_text())
        job = fit["job"]
        told = "mix and total" if job["total"] else "mix"
        for subset, models in fit["sums"].items():
            keys = (job["world"], job["part"], job["protocol"], subset, told, job["n"])
            for model, tasks in models.items():
                for task, blocks in tasks.items():
                    rows += [(*keys, task, job["seed"], job["turn"], model, name, *own) for name, own in blocks.items()]
    return pd.DataFrame(rows, columns=[*KEYS, *FIT, "model", "block", *SUMS])


def tables_of(work: Path, tiers: Mapping[str, str], rules: EnergyScoreRules | None = None) -> Tables:
    """Everything, of a folder of fits.

    Args:
        work: with `fits`.
        tiers: data tiers of each world.
        rules: of intervals.
    """
    rules, sums = rules or EnergyScoreRules(), sums_of(work)
    fields = {tuple(keys): _whole(own) for keys, own in sums.groupby(KEYS, sort=True)}
    scores, differences, seeds = [], [], []
    for keys, models in fields.items():
        named = dict(zip(KEYS, keys, strict=True))
        scores += [named | row for row in _scores(models, rules)]
        found = [named | row for pair in pairs_of(models) for row in _differences(models, pair, rules)]
        differences += found
        seeds += [named | row for pair in _alike(models) for row in _by_seed(models, pair)]
    changes = list(_countries(fields, rules))
    told = [pd.DataFrame(rows) for rows in (scores, differences, seeds, changes)]
    told.append(controls_of(fields, rules))
    for each in told:
        each["data_tier"] = each["world"].map(dict(tiers)) if len(each) else ""
    return Tables(told[0], told[1], told[2], told[3], told[4])


def pairs_of(models: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(first, second) that are compared: CLEAN with all others, backbones with what is trivial, tuned with the rest."""
    first, other = BACKBONES
    wanted = [(first, second) for second in models if second != first]
    wanted += [(other, second) for second in (BACKBONES[other], TRIVIAL, RATIO)]
    wanted += [(BACKBONES[first], second) for second in (TRIVIAL, RATIO, "region_mean")]
    wanted += [(f"{first}{TUNED}", second) for first in BACKBONES for second in models if second != f"{first}{TUNED}"]
    wanted += [(f"{first}{TUNED}", first) for first in BACKBONES.values()]
    return [pair for pair in dict.fromkeys(wanted) if models.keys() >= set(pair)]


def controls_of(fields: Mapping[tuple[Any, ...], Models], rules: EnergyScoreRules) -> pd.DataFrame:
    """What networks gain over what is trivial where emissions are independent of the mix given size.

    In a new region the mean that taught is trivial, or the told total times the mean ratio; at random rows the mean of
    the row's region. Energy told by sectors with their total is no control: the total tells of the size. The lines are
    judged together: a line fails where its gain is above 0 at the level that is left to one of so many (Bonferroni).
    """
    found = []
    for keys, models in fields.items():
        named = dict(zip(KEYS, keys, strict=True))
        alone = named["told"] == "mix"
        if named["world"] != CONTROL or named["subset"] != REAL or not (alone or named["task"] == "emissions"):
            continue
        trivial = "region_mean" if named["protocol"] == "paper" else TRIVIAL if alone else RATIO
        for model in (name for name in NETWORKS if {name, trivial} <= models.keys()):
            gains, drawn, blocks = _paired(models, (trivial, model), replace(rules, bootstrap=rules.control))
            named |= {"model": model, "trivial": trivial, "blocks": blocks}
            found += [(named | {"metric": metric, "gain": gains[at]}, drawn[:, at]) for at, metric in _scored()]
    level = 100.0 * rules.control_level / max(len(found), 1)
    rows = []
    for named, drawn in found:
        low, high, least = np.percentile(drawn, [5.0, 95.0, level])
        alone_says = GAIN if low > 0.0 else LOSS if high < 0.0 else "cannot be told from none"
        told = {"low": low, "high": high, "found": alone_says, "least": least}
        rows.append(named | told | {"passes": "FAIL" if least > 0.0 else "pass"})
    return pd.DataFrame(rows)


def kind_of(model: str) -> str:
    """Role of a model in the tables."""
    if model == ORACLE:
        return "oracle"
    if model in (TRIVIAL, RATIO):
        return "trivial"
    if model.endswith(TUNED):
        return "tuned"
    if model in PARTS:
        return "ablation"
    if model in NETWORKS:
        return "model"
    return "peer" if model in ENERGY_PEERS else "unknown"


def _whole(own: pd.DataFrame) -> Models:
    """Model -> its sums by fit and block, of the fits that the networks of the table and the trivial answer have."""
    models: dict[str, dict[Fit, Blocks]] = {}
    for model, seed, turn, block, *sums in own[["model", *FIT, "block", *SUMS]].itertuples(index=False, name=None):
        models.setdefault(model, {}).setdefault((seed, turn), {})[block] = np.array(sums, np.float64)
    needed = [name for name in models if name in (*NETWORKS, TRIVIAL) or name.endswith(TUNED)]
    fits = set.intersection(*(set(models[name]) for name in needed)) if needed else set()
    kept = {name: {fit: blocks for fit, blocks in each.items() if fit in fits} for name, each in models.items()}
    return {name: each for name, each in sorted(kept.items()) if each}


def _means(fits: Mapping[Fit, Blocks], chosen: Collection[Fit]) -> tuple[tuple[str, ...], Floats]:
    """Names of the blocks, and (block, 3) mean |percentage error|, squared error and error of each."""
    sums: dict[str, Floats] = {}
    for fit in chosen:
        for block, own in fits[fit].items():
            sums[block] = sums.get(block, np.zeros(len(SUMS))) + own
    names = tuple(sorted(sums))
    table = np.array([sums[name] for name in names])
    return names, np.asarray(table[:, 1:] / table[:, :1], np.float64)


def _metrics(mean: Floats) -> Floats:
    """(..., 3) means over blocks -> scores."""
    return np.stack([mean[..., 0], np.sqrt(mean[..., 1]), mean[..., 2]], axis=-1)


def _drawn(names: tuple[str, ...], mean: Floats, rules: EnergyScoreRules) -> Floats:
    """(resample, 3) scores; the same blocks give the same draws."""
    return _metrics(_times(names, rules) @ mean / len(names))


@lru_cache(maxsize=64)
def _times(names: tuple[str, ...], rules: EnergyScoreRules) -> Floats:
    return block_draws(np.array(names), rules.bootstrap, rules.seed).times


def _scores(models: Models, rules: EnergyScoreRules) -> Iterator[dict[str, Any]]:
    for model, fits in models.items():
        names, mean = _means(fits, fits)
        values, drawn = _metrics(mean.mean(axis=0)), _drawn(names, mean, rules)
        rows = sum(int(own[0]) for blocks in fits.values() for own in blocks.values())
        facts = {"model": model, "role": kind_of(model), "fits": len(fits), "blocks": len(names), "rows": rows}
        for at, metric in enumerate(METRICS):
            yield facts | {"metric": metric, "value": values[at], **_ends(drawn[:, at], rules, len(names))}


def _paired(models: Models, pair: tuple[str, str], rules: EnergyScoreRules) -> tuple[Floats, Floats, int]:
    """First minus second on the fits that both have: (2,) MAPE and ln-RMSE, (resample, 2), and how many blocks."""
    fits = models[pair[0]].keys() & models[pair[1]].keys()
    if not fits:
        return np.full(2, np.nan), np.full((1, 2), np.nan), 0
    (names, first), (_, second) = (_means(models[name], fits) for name in pair)
    drawn = _drawn(names, first, rules) - _drawn(names, second, rules)
    value = _metrics(first.mean(axis=0)) - _metrics(second.mean(axis=0))
    return value[:2], drawn[:, :2], len(names)


def _differences(models: Models, pair: tuple[str, str], rules: EnergyScoreRules) -> Iterator[dict[str, Any]]:
    """First minus second, on the fits that both have."""
    value, drawn, blocks = _paired(models, pair, rules)
    for at, metric in _scored() if blocks else ():
        ends = _ends(drawn[:, at], rules, blocks)
        better = pair[0] if ends["p95"] < 0.0 else pair[1] if ends["p05"] > 0.0 else ""
        named = {"first": pair[0], "second": pair[1], "metric": metric, "blocks": blocks}
        yield named | {"difference": value[at], **ends, "better": better}


def _scored() -> tuple[tuple[int, str], ...]:
    return tuple(enumerate(METRICS[:2]))


def _alike(models: Models) -> list[tuple[str, str]]:
    """Networks and their own backbones, searched or not."""
    wanted = [(f"{first}{end}", f"{second}{end}") for first, second in BACKBONES.items() for end in ("", TUNED)]
    return [pair for pair in wanted if models.keys() >= set(pair)]


def _by_seed(models: Models, pair: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """First minus second of each seed, on the blocks that it tests."""
    both = models[pair[0]].keys() & models[pair[1]].keys()
    for seed in sorted({fit[0] for fit in both}):
        fits = [fit for fit in both if fit[0] == seed]
        first, second = (_metrics(_means(models[name], fits)[1].mean(axis=0)) for name in pair)
        for at, metric in enumerate(METRICS[:2]):
            named = {"first": pair[0], "second": pair[1], "metric": metric, "seed": seed}
            yield named | {"difference": float(first[at] - second[at])}


def _countries(fields: Mapping[tuple[Any, ...], Models], rules: EnergyScoreRules) -> Iterator[dict[str, Any]]:
    """What a number of synthesised countries changes: MAPE with them minus without, on the same real rows.

    Rows that are dealt at random are dealt anew for every number, and are left out.
    """
    for keys, models in fields.items():
        named = dict(zip(KEYS, keys, strict=True))
        bare = fields.get(tuple((named | {"n": 0})[name] for name in KEYS), {})
        if not named["n"] or named["protocol"] == "paper":
            continue
        for model in (name for name in models if name in bare and kind_of(name) in ("model", "peer")):
            fits = models[model].keys() & bare[model].keys()
            if fits:
                (names, first), (_, second) = (_means(each[model], fits) for each in (models, bare))
                drawn = (_drawn(names, first, rules) - _drawn(names, second, rules))[:, 0]
                change = float(first[:, 0].mean() - second[:, 0].mean())
                yield named | {"model": model, "fits": len(fits), "change": change, **_ends(drawn, rules, len(names))}


def _ends(drawn: Floats, rules: EnergyScoreRules, blocks: int) -> dict[str, float]:
    """The interval, of which fewer than three blocks know nothing."""
    found = interval(drawn if blocks >= LEAST_BLOCKS else np.full(1, np.nan), rules.bootstrap)
    return {"p05": found.low, "p95": found.high}
