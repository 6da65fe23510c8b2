"""Scenes that no fit has seen, simulated, put to every method, and counted: one work unit is a range of scenes.

Sources: SCIENCE 3.5 (scores), 0.3 and 0.4 (test scenes are opened by frozen methods alone; cuts come from validation
scenes). Tables are long: one row a scene, method, theta and way of detecting. The map is judged on all pixels of a
complete tile, those behind clouds too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.contract import Batch, Reading, Unit, object_rows, to_table
from carbonray.io.table_store import encode_table
from carbonray.science.no2.hotspots import label_blobs
from carbonray.science.no2.peers import Maps, fitted_gain, oracle_emissions
from carbonray.science.no2.scene_sources import PIXEL_NORTH_M
from carbonray.science.no2.scenes import paint_targets
from carbonray.science.no2.scoring import AttributionRules, counts_by_cut, score_maps, score_sources, strength_class
from carbonray.stages.held_out import HeldOut, SceneSource
from carbonray.stages.methods import Answer, MethodRules, Methods, Network, PeerChoice
from carbonray.stages.quantifying import QuantifierRules, targets_of, told_estimates
from carbonray.vocab import evaluation_tables as tables

STRENGTHS = ("weak", "middle", "strong")
INCOMPLETE = "rejected: incomplete tile"
SCENE_KEY = ("generator", "method", "theta", "found_at", "scene")


@dataclass(frozen=True)
class ScoringRules:
    """What counts.

    Attributes:
        thetas: relative emissions above which a pixel of the truth is a target; the paper's cut is 0.2, and peers'
            own cuts are chosen at the first, whose target sources are quantified.
        radius_px: half width of the square about a source in which a detection is its own (inferred).
    """

    thetas: tuple[float, ...] = (0.05, 0.2)
    radius_px: int = 3


@dataclass(frozen=True)
class ScoreScenes:
    """Reader of a range of test scenes: simulated, put to every method, counted; its rows are ready tables.

    Attributes:
        source: where the scenes come from.
        networks: the bundles.
        methods: what the methods are told.
        choice: what validation scenes say of the peers.
        scoring: what counts.
        quantifiers: what those that are told a source's place are told beside it.
        folder: of the tables in the run's folder.
    """

    source: SceneSource
    networks: tuple[Network, ...]
    methods: MethodRules
    choice: PeerChoice
    scoring: ScoringRules
    quantifiers: QuantifierRules
    folder: str

    def __call__(self, unit: Unit) -> Reading:
        """`scenes/KEY`, `sources/KEY`, `cuts/KEY` and `emissions/KEY`, in Parquet."""
        generator, start, stop = (unit.partition[name] for name in ("generator", "start", "stop"))
        held_out = self.source.draw(str(generator), int(start), int(stop))
        ask = Methods(self.networks, self.methods, self.choice, self.scoring.thetas)
        targets = paint_targets(held_out.scenes, self.methods.q_max_kg_s)
        parts: list[tuple[Batch, Batch, Batch]] = []
        for answer in ask(held_out):
            judged = judge(answer, held_out, targets, self.scoring)
            parts.append((*judged, _cut_rows(answer, targets, self.scoring.thetas)))
        told = told_estimates(held_out, self.methods, self.choice, self.quantifiers, self.scoring.thetas[0])
        named = zip(_SCHEMAS.items(), (*zip(*parts, strict=True), tuple(told)), strict=True)
        objects = {
            f"{self.folder}/{name}/{unit.key}.parquet": _encoded(_joined(batches), schema, str(generator))
            for (name, schema), batches in named
        }
        return Reading(object_rows(objects), _account(int(stop) - int(start), len(held_out.index)))


@dataclass(frozen=True)
class ChoosePeers:
    """Reader of the validation scenes: the peers' cuts and the oracle's gain, as facts and as a table.

    Attributes:
        source: where the scenes come from.
        methods: what the methods are told; its column cut stands where there are no validation scenes.
        scoring: what counts.
        folder: of the table in the run's folder.
    """

    source: SceneSource
    methods: MethodRules
    scoring: ScoringRules
    folder: str

    def __call__(self, unit: Unit) -> Reading:
        """`validation.parquet`, and a `PeerChoice` as the fact `choice`."""
        start, stop = int(unit.partition["start"]), int(unit.partition["stop"])
        held_out = self.source.draw("g1", start, stop)
        thetas, scenes = self.scoring.thetas, held_out.scenes
        found = oracle_emissions(scenes, held_out.weather, self.methods.oracle)
        targets = paint_targets(scenes, self.methods.q_max_kg_s)
        strong = scenes.source_q_kg_s[targets_of(scenes, thetas[0], self.methods.q_max_kg_s)]
        mean_kg_s = float(strong.mean()) if len(strong) else 0.0
        gain = fitted_gain(scenes.source_q_kg_s, found) if np.isfinite(found).any() else 1.0
        fixed = tuple(self.methods.peers.vcd_cut_umol_m2 for _ in thetas)
        prior = PeerChoice(fixed, thetas[0], thetas[0], gain, mean_kg_s)
        rows, best = [], {}
        for answer in Methods((), self.methods, prior, thetas).peers(held_out):
            rows.append(_cut_rows(answer, targets, thetas))
            best[answer.name] = _best_cuts(rows[-1], thetas)
        choice = PeerChoice(best["VCD threshold"], best["divergence"][0], best["oracle"][0], gain, mean_kg_s)
        data = _encoded(_joined(rows), tables.CUT_COUNTS, "g1")
        objects = {f"{self.folder}/validation.parquet": data}
        facts = {"choice": asdict(choice if targets.any() else prior)}
        return Reading(object_rows(objects), _account(stop - start, len(held_out.index)), facts=facts)


_SCHEMAS = {
    "scenes": tables.SCENE_SCORES,
    "sources": tables.SOURCE_SCORES,
    "cuts": tables.CUT_COUNTS,
    "emissions": tables.EMISSION_ESTIMATES,
}


def judge(answer: Answer, held_out: HeldOut, targets: Maps, rules: ScoringRules) -> tuple[Batch, Batch]:
    """Rows of the scenes and of the sources for each theta and each way of detecting; the generator is added later.

    Args:
        answer: of one method.
        held_out: the scenes it was asked about.
        targets: (n, y, x) painted truth.
        rules: what counts.
    """
    own = _attributed(answer, held_out, answer.own_cut, rules.radius_px)
    parts = []
    for theta, above in zip(rules.thetas, answer.theta_cuts, strict=True):
        at_theta = own if above == answer.own_cut else _attributed(answer, held_out, above, rules.radius_px)
        for found_at, cut, (regions, sources) in (("cut", answer.own_cut, own), ("theta", above, at_theta)):
            key = {"method": answer.name, "theta": theta, "found_at": found_at}
            counted = _counted(answer.score, cut, held_out, targets, theta)
            parts.append((_keyed(key, counted | regions), _keyed(key, sources)))
    return _joined([scenes for scenes, _ in parts]), _joined([sources for _, sources in parts])


def _counted(score: Maps, cut: float, held_out: HeldOut, targets: Maps, theta: float) -> Batch:
    scenes = held_out.scenes
    area_km2 = PIXEL_NORTH_M**2 * np.cos(np.radians(scenes.lat_deg)) / 1e6
    counts = score_maps(targets, score, theta, area_km2, cut=cut)
    names = ("tp", "fp", "fn", "n_pixels", "fp_km2", "n_pixels_km2")
    rows: Batch = {"scene": held_out.index}
    rows |= dict(zip(names, (np.asarray(column) for column in counts.columns()), strict=True))
    classes = strength_class(targets)
    for number, name in enumerate(STRENGTHS):
        of_class = score_maps(targets, score, theta, cut=cut, valid=classes == number)
        rows |= {f"tp_{name}": of_class.tp, f"n_{name}": of_class.tp + of_class.fn}
    weather = {"wind_speed_m_s": scenes.wind_speed_m_s, "cloud_fraction": scenes.cloud_fraction}
    return rows | weather | {"n_sources": scenes.n_sources}


def _attributed(answer: Answer, held_out: HeldOut, cut: float, radius_px: int) -> tuple[Batch, Batch]:
    """Regions of each scene, and what became of each source."""
    scenes = held_out.scenes
    pixel_km = (PIXEL_NORTH_M * np.cos(np.radians(scenes.lat_deg)) / 1e3, PIXEL_NORTH_M / 1e3)
    labels, blobs = label_blobs(answer.score, cut)
    where = (scenes.source_row, scenes.source_col)
    found = score_sources(answer.score, labels, blobs, *where, pixel_km, answer.kg_s, AttributionRules(radius_px, cut))
    scene, slot = np.nonzero(scenes.source_size_px)
    sources: Batch = {
        "scene": held_out.index[scene],
        "source": slot.astype(np.int8),
        "q_kg_s": scenes.source_q_kg_s[scene, slot],
        "detected": found.detected[scene, slot],
        "error_km": found.error_km[scene, slot],
        "q_found_kg_s": found.q_kg_s[scene, slot],
    }
    return {"n_blobs": found.n_blobs, "n_false_blobs": found.n_false_blobs}, sources


def _cut_rows(answer: Answer, targets: Maps, thetas: tuple[float, ...]) -> Batch:
    parts = []
    for theta in thetas:
        tp, fp, fn = counts_by_cut(targets, answer.score, theta, answer.steps)
        key = {"method": answer.name, "theta": theta}
        parts.append(_keyed(key, {"cut": answer.steps, "tp": tp, "fp": fp, "fn": fn}))
    return _joined(parts)


def _best_cuts(rows: Batch, thetas: tuple[float, ...]) -> tuple[float, ...]:
    """The cut of the best F1 for each theta, the lower one of two as good."""
    best = []
    for theta in thetas:
        cut, tp, fp, fn = (rows[name][rows["theta"] == theta] for name in ("cut", "tp", "fp", "fn"))
        best.append(float(cut[np.argmax(2 * tp / np.maximum(2 * tp + fp + fn, 1))]))
    return tuple(best)


def _keyed(key: Mapping[str, Any], columns: Mapping[str, NDArray[Any]]) -> Batch:
    rows = len(next(iter(columns.values())))
    kinds = {name: object if isinstance(value, str) else np.float64 for name, value in key.items()}
    return {name: np.full(rows, value, dtype=kinds[name]) for name, value in key.items()} | dict(columns)


def _joined(batches: Iterable[Batch]) -> Batch:
    parts = list(batches)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _encoded(batch: Batch, schema: pa.Schema, generator: str) -> bytes:
    rows = len(batch["method"])
    typed = {"generator": np.full(rows, generator, dtype=object)} | batch
    exact = {f.name: typed[f.name].astype(f.type.to_pandas_dtype()) for f in schema if f.type != pa.string()}
    keys = tuple(name for name in (*SCENE_KEY, "source", "cut") if name in schema.names)
    return encode_table(to_table(typed | exact, schema, stage="scoring"), keys)


def _account(read: int, kept: int) -> dict[str, int]:
    return {"read": read, "kept": kept, INCOMPLETE: read - kept, "quarantined": 0}
