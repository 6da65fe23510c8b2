"""Scores of every method from the counts of single scenes: by stratum, with intervals over resampled scenes.

Sources: SCIENCE 3.5 (recognition accuracy never alone; strata), 0.2 (block bootstrap, here of scenes, with the same
draws for every method, so that comparisons are paired), 3.2 (published figures: of other data, in their own columns).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import to_batch
from carbonray.errors import ContractError
from carbonray.science.no2.scoring import STRENGTH_NAMES, quartiles, strength_class
from carbonray.science.stats.bootstrap import BootstrapRules, block_bootstrap_sums, interval
from carbonray.stages.held_out import DATA_TIERS
from carbonray.vocab import evaluation_tables as tables

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STRENGTHS = ("weak", "middle", "strong")
PUBLISHED = "NO2 hotspot paper"
PUBLISHED_TIER = "published (other data)"
# Remote Sens. 17, 1167: stratum of strength -> first quartile and median of recognition accuracy, NaN where not given;
# of the strong class "more than half reached 83 %" is read as the median (inferred)
PUBLISHED_RA = {"all": (0.80, 0.94), STRENGTH_NAMES[0]: (0.79, np.nan), STRENGTH_NAMES[2]: (np.nan, 0.83)}
_KEY = ("method", "theta", "found_at")


@dataclass(frozen=True)
class StrataRules:
    """Edges of the classes that scores are broken down by, all inferred; a value on an edge is in the upper class.

    Attributes:
        wind_m_s: true transport wind.
        cloud_fraction: part of the tile that is not seen; complete tiles have less than a quarter.
        n_sources: labelled sources.
        q_kg_s: bins of the detection curve, over the generator's range.
    """

    wind_m_s: tuple[float, ...] = (3.0, 6.0)
    cloud_fraction: tuple[float, ...] = (0.02, 0.1)
    n_sources: tuple[int, ...] = (1, 2, 4)
    q_kg_s: tuple[float, ...] = (0.01, 0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 3.0)


@dataclass(frozen=True)
class Stratum:
    """One class of scenes, and of target pixels and sources where it is one of strength (0 to 2, -1 for all)."""

    of: str
    name: str
    scenes: Bools
    strength: int = -1


@dataclass(frozen=True)
class ScoreSheet:
    """All counts of one generator in the same order of scenes.

    Attributes:
        keys: (method, theta, found_at) of each row of the cube.
        scene: (s,) indices.
        columns: name -> (key, scene) counts; name -> (scene,) weather.
        sources: name -> (row,) of the sources, `key` and `at` naming their row and column of the cube.
    """

    keys: list[tuple[str, float, str]]
    scene: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    sources: Mapping[str, NDArray[Any]]


def score_sheet(scenes: pa.Table, sources: pa.Table, methods: Sequence[str]) -> ScoreSheet:
    """The tables of one generator as arrays, the methods in the given order.

    Raises:
        ContractError: methods were asked about different scenes, so that they cannot be compared.
    """
    rows = to_batch(scenes)
    place = {method: number for number, method in enumerate(methods)}
    of_method = np.array([place[method] for method in rows["method"]], np.int64)
    order = np.lexsort((rows["scene"], rows["found_at"].astype(str), rows["theta"], of_method))
    ordered = {name: column[order] for name, column in rows.items()}
    keys = list(dict.fromkeys(zip(*(ordered[name].tolist() for name in _KEY), strict=True)))
    index = np.unique(ordered["scene"])
    if len(ordered["scene"]) != len(keys) * len(index) or (ordered["scene"].reshape(-1, len(index)) != index).any():
        raise ContractError(
            f"{len(ordered['scene'])} rows are not {len(keys)} answers to {len(index)} scenes",
            where="scene scores",
            expected="every method, theta and way of detecting for every scene",
            remedy="Do not mix the tables of different runs.",
        )
    cube = {name: column.reshape(len(keys), -1) for name, column in ordered.items() if name not in (*_KEY, "generator")}
    rows = to_batch(sources)
    number = {key: row for row, key in enumerate(keys)}
    found = [number[key] for key in zip(*(rows[name].tolist() for name in _KEY), strict=True)]
    placed = {"key": np.array(found, np.int64), "at": np.searchsorted(index, rows["scene"])}
    weather = {name: cube[name][0] for name in ("wind_speed_m_s", "cloud_fraction", "n_sources")}
    return ScoreSheet(keys, index, cube | weather, rows | placed)


def strata_of(sheet: ScoreSheet, rules: StrataRules) -> list[Stratum]:
    """All scenes, the classes of weather and of the number of sources, and the classes of strength."""
    every = np.ones(len(sheet.scene), np.bool_)
    strata = [Stratum("all", "all", every)]
    split = (
        ("wind", "wind_speed_m_s", rules.wind_m_s, [f"{name} m/s" for name in class_names(rules.wind_m_s)]),
        ("cloud", "cloud_fraction", rules.cloud_fraction, class_names(rules.cloud_fraction)),
        ("sources", "n_sources", rules.n_sources, count_names(rules.n_sources)),
    )
    for of, column, edges, names in split:
        classes = np.searchsorted(edges, sheet.columns[column], side="right")
        strata += [Stratum(of, name, classes == number) for number, name in enumerate(names)]
    return strata + [Stratum("strength", name, every, number) for number, name in enumerate(STRENGTH_NAMES)]


def class_names(edges: Sequence[float]) -> list[str]:
    """Names of the classes between ascending edges."""
    return [f"< {edges[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(edges)), f">= {edges[-1]:g}"]


def count_names(edges: Sequence[int]) -> list[str]:
    """Names of the classes of whole numbers from 0 between ascending edges: 0, 1, 2-3, >= 4."""
    spans = [f"{low}" if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise((0, *edges))]
    return [*spans, f">= {edges[-1]}"]


def score_rows(
    sheet: ScoreSheet, generator: str, q_max_kg_s: float, rules: StrataRules, bootstrap: BootstrapRules, seed: int
) -> Iterator[dict[str, Any]]:
    """Rows of `vocab.evaluation_tables.SCORES` of one generator, by stratum, then by key; no bundle is named yet."""
    relative = sheet.sources["q_kg_s"] / q_max_kg_s
    for number, stratum in enumerate(strata_of(sheet, rules)):
        hits, others, missed = _pixel_counts(sheet, stratum)
        rng = np.random.default_rng(np.random.SeedSequence((seed, number)))
        intervals = _intervals(hits, others, missed, bootstrap, rng)
        of_class = (stratum.strength < 0) | (strength_class(relative) == stratum.strength)
        inside = stratum.scenes[sheet.sources["at"]] & of_class
        for row, (method, theta, found_at) in enumerate(sheet.keys):
            targets = inside & (sheet.sources["key"] == row) & (relative > theta)
            yield {
                "generator": generator,
                "data_tier": DATA_TIERS[generator],
                "method": method,
                "theta": theta,
                "found_at": found_at,
                "stratum_of": stratum.of,
                "stratum": stratum.name,
                "n_scenes": int(stratum.scenes.sum()),
                **_map_scores(hits[row], others[row], missed[row]),
                **{name: values[row] for name, values in intervals.items()},
                **_areas(sheet, stratum, row),
                **_source_scores({name: column[targets] for name, column in sheet.sources.items()}),
            }


def published_rows(theta: float) -> Iterator[dict[str, Any]]:
    """The paper's own figures, in their own columns: of other data, so nothing else of their rows is filled."""
    names = [f.name for f in tables.SCORES if f.type == pa.float64()]
    for stratum, (q1, median) in PUBLISHED_RA.items():
        words = {"generator": "published", "data_tier": PUBLISHED_TIER, "method": PUBLISHED, "found_at": "theta"}
        where = {"stratum_of": "all" if stratum == "all" else "strength", "stratum": stratum, "theta": theta}
        counts = {"n_scenes": 36_000 if stratum == "all" else 0, "n_sources": 0, "n_detected": 0}
        figures = {"published_ra_q1": q1, "published_ra_median": median}
        yield dict.fromkeys(names, float("nan")) | words | where | counts | figures


def scores_table(rows: Iterable[dict[str, Any]], bundles: Mapping[str, tuple[str, str]]) -> pa.Table:
    """Rows as the declared table, each network's with its bundle's digest and flag, by the name of the method."""
    blank = {"published_ra_q1": None, "published_ra_median": None}
    named = []
    for row in rows:
        sha256, flag = bundles.get(row["method"], ("", ""))
        named.append(blank | row | {"bundle_sha256": sha256, "flag": flag})
    return pa.Table.from_pylist(named, schema=tables.SCORES)


def better_on_shift(scores: pa.Table, names: Sequence[str], theta: float) -> str:
    """The network of the best F1 on G2 at its own cut: which of the shipped bundles is the default.

    Raises:
        ContractError: one of them was not evaluated there.
    """
    chosen = {
        row["method"]: row["f1"]
        for row in scores.to_pylist()
        if (row["generator"], row["theta"], row["found_at"], row["stratum"]) == ("g2", theta, "cut", "all")
    }
    missing = [name for name in names if name not in chosen]
    if missing:
        raise ContractError(
            f"{missing} were not evaluated on g2",
            where="scores.parquet",
            expected=f"rows of {list(names)} at their own cut and theta {theta}",
            remedy="Run python -m jobs.evaluate with these bundles.",
        )
    return max(names, key=lambda name: chosen[name])


def _pixel_counts(sheet: ScoreSheet, stratum: Stratum) -> tuple[Floats, Floats, Floats]:
    """(key, scene) hits, false and missed pixels; of one class of strength there are no false ones to count."""
    columns, kept = sheet.columns, stratum.scenes
    if stratum.strength < 0:
        hits, others, missed = (columns[name][:, kept].astype(np.float64) for name in ("tp", "fp", "fn"))
        return hits, others, missed
    name = STRENGTHS[stratum.strength]
    hits, wanted = (columns[f"{count}_{name}"][:, kept].astype(np.float64) for count in ("tp", "n"))
    return hits, np.full_like(hits, np.nan), wanted - hits


def _map_scores(tp: Floats, fp: Floats, fn: Floats) -> dict[str, float]:
    hits, false, missed = float(tp.sum()), float(fp.sum()), float(fn.sum())
    low, middle, high = quartiles(_ratio(tp, tp + fn))
    return {
        "ra": float(_ratio(hits, hits + missed)),
        "ra_q1": low,
        "ra_median": middle,
        "ra_q3": high,
        "precision": float(_ratio(hits, hits + false)),
        "iou": float(_ratio(hits, hits + false + missed)),
        "f1": float(_ratio(2.0 * hits, 2.0 * hits + false + missed)),
    }


def _intervals(
    hits: Floats, others: Floats, missed: Floats, rules: BootstrapRules, rng: np.random.Generator
) -> dict[str, list[float]]:
    """Intervals of every key from the same resampled scenes."""
    found: dict[str, list[float]] = {name: [] for name in ("ra_p05", "ra_p95", "f1_p05", "f1_p95")}
    if hits.shape[1]:
        totals = block_bootstrap_sums(np.concatenate([hits, others, missed]).T, rules, rng)
        tp, fp, fn = np.split(totals, 3, axis=1)
        for name, draws in (("ra", _ratio(tp, tp + fn)), ("f1", _ratio(2.0 * tp, 2.0 * tp + fp + fn))):
            limits = [interval(column, rules) for column in draws.T]
            found[f"{name}_p05"], found[f"{name}_p95"] = [i.low for i in limits], [i.high for i in limits]
        return found
    return {name: [float("nan")] * len(hits) for name in found}


def _areas(sheet: ScoreSheet, stratum: Stratum, row: int) -> dict[str, float]:
    if stratum.strength >= 0:
        return {"false_area": float("nan"), "false_blobs": float("nan")}
    columns, kept = sheet.columns, stratum.scenes
    false, seen = (float(columns[name][row, kept].sum()) for name in ("fp_km2", "n_pixels_km2"))
    blobs = float(columns["n_false_blobs"][row, kept].sum())
    return {"false_area": float(_ratio(false, seen)), "false_blobs": float(_ratio(blobs, float(kept.sum())))}


def _source_scores(sources: Mapping[str, NDArray[Any]]) -> dict[str, float | int]:
    error_km = sources["error_km"][sources["detected"]]
    missed_by = sources["q_found_kg_s"] - sources["q_kg_s"]
    some = len(missed_by) > 0
    return {
        "error_km_median": float(np.median(error_km)) if len(error_km) else float("nan"),
        "error_km_p90": float(np.percentile(error_km, 90.0)) if len(error_km) else float("nan"),
        "bias_kg_s": float(np.mean(missed_by)) if some else float("nan"),
        "rmse_kg_s": float(np.sqrt(np.mean(missed_by**2))) if some else float("nan"),
        "n_sources": len(missed_by),
        "n_detected": int(sources["detected"].sum()),
    }


def _ratio(part: Any, whole: Any) -> Floats:
    below = np.asarray(whole, np.float64)
    return np.asarray(np.asarray(part, np.float64) / np.where(below > 0.0, below, np.nan))
