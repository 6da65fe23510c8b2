"""Judges the networks beside trivial, classical and oracle methods on scenes that no fit has seen.

Four passes. `freeze`: generator and test scenes are fixed by hash, before any bundle is opened. `validate`: the peers'
cuts, on scenes of their own. `score`: a range of test scenes a unit, every method on the same scenes. `tabulate`: one
unit, the scores, curves, figures and the page.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.io import objectstore
from carbonray.io.ledger import Commit
from carbonray.io.table_store import decode_table, encode_table
from carbonray.pipelines.judged import Judged, described, frozen_facts, judged_of
from carbonray.publish.evaluation_emissions import emission_markdown
from carbonray.publish.evaluation_figures import evaluation_figures
from carbonray.publish.evaluation_table import evaluation_markdown, summary_text
from carbonray.sections import Evaluation
from carbonray.settings import Settings
from carbonray.stages.emission_scores import EmissionRules, emission_rows, found_estimates, refusals
from carbonray.stages.held_out import DATA_TIERS, SceneSource
from carbonray.stages.methods import PEERS, MethodRules, PeerChoice
from carbonray.stages.quantifying import TOLD
from carbonray.stages.score_curves import detection_rows, precision_recall
from carbonray.stages.score_pairs import f1_differences
from carbonray.stages.score_tables import ScoreSheet, published_rows, score_rows, score_sheet, scores_table
from carbonray.stages.scoring import SCENE_KEY, ChoosePeers, ScoreScenes
from carbonray.vocab import evaluation_tables as tables

SUMMARY = "networks beside trivial, classical and oracle methods on held-out scenes of both generators"
SECTIONS = ("evaluation",)  # what else matters enters the unit ids through the hash of the frozen test set
FOLDER = "evaluation"
DRAWN_PEERS = ("VCD threshold", "divergence", "oracle")


@dataclass(frozen=True)
class WriteFrozen:
    """Reader of what is fixed before any bundle is opened.

    Attributes:
        text: its JSON.
    """

    text: str

    def __call__(self, unit: Unit) -> Reading:
        """The one object."""
        return Reading(object_rows({f"{FOLDER}/frozen.json": self.text.encode()}), {})


@dataclass(frozen=True)
class Tabulate:
    """Reader of all tables of counts and emissions, whose rows are the ready scores, curves, figures and page.

    Attributes:
        evaluation: strata, thetas, intervals and the logistic fit.
        q_max_kg_s: emission of relative emission 1.
        frozen: what was fixed before any bundle was opened.
        judged: the bundles.
    """

    evaluation: Evaluation
    q_max_kg_s: float
    frozen: Mapping[str, Any]
    judged: tuple[Judged, ...]

    def __call__(self, unit: Unit) -> Reading:
        """Everything under `evaluation/` that people look at."""
        scenes = _read(unit.inputs, "scenes", tables.SCENE_SCORES)
        sources = _read(unit.inputs, "sources", tables.SOURCE_SCORES)
        told = _read(unit.inputs, "emissions", tables.EMISSION_ESTIMATES)
        sheets = self._sheets(scenes, sources)
        scores, curves, differences = self._tables(sheets)
        emissions, refused = self._emissions(sheets, sources, told)
        drawn = (*DRAWN_PEERS, *(judged.network.name for judged in self.judged))
        points = precision_recall(_read(unit.inputs, "cuts", tables.CUT_COUNTS))
        figures = evaluation_figures(scores, curves, points, drawn)
        bundles = [described(judged, self._generator) for judged in self.judged]
        page = evaluation_markdown(scores, curves, differences, self.frozen, bundles)
        page += "\n" + emission_markdown(emissions, refused)
        keys = SCENE_KEY[:-1]
        objects = {
            "scores.parquet": encode_table(scores, (*keys, "stratum_of", "stratum")),
            "detection_curves.parquet": encode_table(curves, (*keys, "q_low_kg_s")),
            "precision_recall.parquet": encode_table(points, (*keys[:-1], "cut")),
            "emission_scores.parquet": encode_table(emissions, ("generator", "told_place", "stratum_of", "stratum")),
            "table.md": page.encode(),
            **figures,
        }
        facts = {"summary": summary_text(scores, self.evaluation.scoring.thetas[0])}
        # the run's account counts scenes, and these were counted when they were simulated
        return Reading(object_rows({f"{FOLDER}/{name}": data for name, data in objects.items()}), {}, facts=facts)

    @property
    def _generator(self) -> str:
        return str(self.frozen["generator_sha256"])

    def _sheets(self, scenes: pa.Table, sources: pa.Table) -> dict[str, ScoreSheet]:
        """The counts of each generator that has complete scenes."""
        methods = [*PEERS, *(name for judged in self.judged for name in judged.network.controls())]
        return {
            name: score_sheet(own, _of_generator(sources, name), methods)
            for name in DATA_TIERS
            if (own := _of_generator(scenes, name)).num_rows
        }

    def _tables(self, sheets: Mapping[str, ScoreSheet]) -> tuple[pa.Table, pa.Table, list[dict[str, Any]]]:
        """Scores, detection curves, and the paired differences between the networks and the best classical peer."""
        rules, (theta, *_) = self.evaluation, self.evaluation.scoring.thetas
        rows: list[dict[str, Any]] = []
        curves: list[dict[str, Any]] = []
        differences: list[dict[str, Any]] = []
        paired = [*(judged.network.name for judged in self.judged), "divergence"]
        for generator, sheet in sheets.items():
            seed = rules.held_out.seed
            rows += score_rows(sheet, generator, self.q_max_kg_s, rules.strata, rules.bootstrap, seed)
            curves += detection_rows(sheet, generator, rules.strata.q_kg_s, rules.curve)
            differences += f1_differences(sheet, generator, paired, theta, rules.bootstrap, seed)
        bundles = {
            name: (judged.network.sha256, judged.flag(self._generator))
            for judged in self.judged
            for name in judged.network.controls()
        }
        scores = scores_table([*rows, *published_rows(theta)], bundles)
        return scores, pa.Table.from_pylist(curves, schema=tables.DETECTION_CURVES), differences

    def _emissions(
        self, sheets: Mapping[str, ScoreSheet], sources: pa.Table, told: pa.Table
    ) -> tuple[pa.Table, list[dict[str, Any]]]:
        """Errors of emissions of both groups of methods, and why estimates are missing."""
        networks = [judged.network for judged in self.judged if judged.network.quantifies]
        found = ["divergence", *(name for network in networks for name in network.controls())]
        methods = [*((name, True) for name in TOLD), *((name, False) for name in found)]
        rules, (theta, *_) = self.evaluation, self.evaluation.scoring.thetas
        of = EmissionRules(theta, self.q_max_kg_s, rules.strata, rules.bootstrap, rules.held_out.seed)
        estimates = pa.concat_tables([told, found_estimates(sources, found, theta, self.q_max_kg_s)])
        rows = [
            row
            for name, sheet in sheets.items()
            for row in emission_rows(_of_generator(estimates, name), sheet, name, methods, of)
        ]
        return pa.Table.from_pylist(rows, schema=tables.EMISSION_SCORES), refusals(estimates)


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """The frozen test set, the validation scenes, and the ranges of test scenes; the scores follow from these.

    Raises:
        SettingsError: test scenes are scenes of another role.
    """
    frozen = frozen_facts(settings)
    before = _unit("freeze", "frozen", [digest, frozen["test_set_sha256"]])
    return (before, *_validation_units(digest, frozen), *_score_units(settings, digest, frozen, judged_of(settings)))


def run(run: Run, settings: Settings) -> None:
    """Executes the four passes; no bundle is opened before the first one is committed."""
    digest, frozen = run.settings_digest, frozen_facts(settings)
    text = json.dumps(frozen, indent=1, sort_keys=True)
    unit = _unit("freeze", "frozen", [digest, frozen["test_set_sha256"]])
    run.execute(Pass("freeze", (unit,), WriteFrozen(text), encode_object_rows))
    run.facts["frozen"] = frozen
    run.write("running")
    source, methods, rules = _source(settings), _method_rules(settings), settings.evaluation
    choosing = ChoosePeers(source, methods, rules.scoring, FOLDER)
    chosen = run.execute(Pass("validate", _validation_units(digest, frozen), choosing, encode_object_rows))
    judged = judged_of(settings)
    choice = _choice(chosen[0].facts["choice"])
    networks = tuple(j.network for j in judged)
    reader = ScoreScenes(source, networks, methods, choice, rules.scoring, rules.quantifiers, FOLDER)
    scored = run.execute(Pass("score", _score_units(settings, digest, frozen, judged), reader, encode_object_rows))
    tabulate = Tabulate(
        rules, methods.q_max_kg_s, frozen | {f"peers: {name}": value for name, value in asdict(choice).items()}, judged
    )
    made = run.execute(Pass("tabulate", (_tabulate_unit(run, scored, judged),), tabulate, encode_object_rows))
    run.facts["data_tier"] = ", ".join(DATA_TIERS.values())
    run.facts["bundles"] = [described(j, str(frozen["generator_sha256"])) for j in judged]
    run.facts["validation"] = asdict(choice)
    run.facts["summary"] = {"test set": frozen["test_set_sha256"], "scores": "\n" + made[0].facts["summary"]}


def _source(settings: Settings) -> SceneSource:
    return SceneSource(settings.training.scenes, settings.evaluation.held_out, settings.hotspots.tiles.min_covered)


def _method_rules(settings: Settings) -> MethodRules:
    rules, hotspots = settings.evaluation, settings.hotspots
    q_max = settings.training.samples.q_max_kg_s
    return MethodRules(q_max, rules.peers, rules.masks, rules.oracle, hotspots.tiles, hotspots.detect.batch_tiles)


def _choice(facts: Mapping[str, Any]) -> PeerChoice:
    return PeerChoice(**{**facts, "vcd_umol_m2": tuple(facts["vcd_umol_m2"])})


def _validation_units(digest: str, frozen: Mapping[str, Any]) -> tuple[Unit, ...]:
    start, stop = frozen["validation"]
    return (_unit("validate", "validation", [digest, frozen["test_set_sha256"]], start=start, stop=stop),)


def _score_units(
    settings: Settings, digest: str, frozen: Mapping[str, Any], judged: Sequence[Judged]
) -> tuple[Unit, ...]:
    """Ranges of scenes of each generator; tiling and batches of the networks enter the ids with their bundles."""
    tiles = json.dumps([asdict(settings.hotspots.tiles), asdict(settings.hotspots.detect)], sort_keys=True)
    parts = [digest, str(frozen["test_set_sha256"]), tiles, *(j.network.sha256 for j in judged)]
    step = settings.evaluation.held_out.unit_scenes
    units = []
    for generator in DATA_TIERS:
        first, last = frozen[generator]
        for start in range(first, last, step):
            stop = min(start + step, last)
            units.append(_unit("score", f"{generator}-{start:09d}", parts, generator=generator, start=start, stop=stop))
    return tuple(units)


def _tabulate_unit(run: Run, scored: Sequence[Commit], judged: Sequence[Judged]) -> Unit:
    records = [record for commit in scored for record in commit.objects]
    hashes = tuple(record.sha256 for record in records)
    named = [f"{j.network.name} {j.network.sha256} {j.generator_sha256}" for j in judged]
    unit_id = _unit("tabulate", "scores", [run.settings_digest, *named, *hashes]).unit_id
    urls = tuple(objectstore.join(run.url, record.key) for record in records)
    return Unit("tabulate", unit_id, "scores", {}, urls, hashes, bytes=sum(record.bytes for record in records))


def _unit(pass_name: str, key: str, parts: Sequence[str], **partition: int | str) -> Unit:
    unit_id = objectstore.sha256(json.dumps([pass_name, key, *parts, partition], sort_keys=True).encode())[:32]
    rows = int(partition.get("stop", 0)) - int(partition.get("start", 0)) if partition else -1
    return Unit(pass_name, unit_id, key, partition, (), (), rows)


def _of_generator(table: pa.Table, generator: str) -> pa.Table:
    return table.filter(pa.compute.field("generator") == generator)


def _read(urls: Sequence[str], name: str, schema: pa.Schema) -> pa.Table:
    own = [url for url in urls if f"/{name}/" in url]
    found = objectstore.read_many(own)
    return pa.concat_tables([decode_table(found[url], schema) for url in own])
