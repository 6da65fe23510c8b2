"""Reads what plants' runs left and judges it: soundings of an imager, days of a structure kind, then years.

Sources: SCIENCE 4.7, 4.9 and 4.10, plume paper section 4. A unit is an imager and structure kind, a structure kind, or
all years (`year_evaluation`); its objects are parts of the tables. Truth and reports are read here alone.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.errors import ContractError
from carbonray.io import objectstore
from carbonray.io.bundle_json import parsed_json
from carbonray.io.inventory.store import INVENTORY, read_inventory
from carbonray.io.plant_weather import PlantWeatherRules
from carbonray.io.table_store import decode_table, encode_table
from carbonray.models.generation_ensemble import GenerationEnsemble, opened_ensemble
from carbonray.models.generation_peers import GENERATION_MODELS
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.power.label_rules import LabelRules
from carbonray.stages.generation_answers import (
    FittedPeers,
    by_tier,
    day_answers,
    outside_days,
    product_days,
    with_product,
)
from carbonray.stages.generation_folds import GenerationFoldRules, HeldOut, fit_rotations, oracle_table
from carbonray.stages.generation_targets import (
    ReportedDays,
    TargetRules,
    labelled_soundings,
    read_by_plant,
    reported_by_plant,
    reported_days,
)
from carbonray.stages.plant_score_tables import (
    PlantScoreRules,
    generation_answers,
    generation_scores,
    sounding_scores,
)
from carbonray.stages.published_plants import CROSS, EXTERNAL
from carbonray.stages.sounding_answers import labelled_images, model_answers, sounding_answers
from carbonray.stages.sounding_peers import image_latent, image_weather, peer_answers, peer_blocks
from carbonray.vocab.plant_tables import PLANT_WEATHER
from carbonray.vocab.product_tables import PLANTS_30DAY, SOUNDINGS
from carbonray.vocab.sample_tables import SAMPLES

PARTS = "parts"
SOUNDING_KEY = ("validation", "structure_kind", "imager", "data_tier", "model")
GENERATION_KEY = ("validation", "structure_kind", "data_tier", "model")
_LATENT = ["imager", "image_id", "structure_id", "structure_kind", "vapor_m2", "vapor_depth_max"]


@dataclass(frozen=True)
class JudgeRules:
    """Everything that judging needs to know.

    Attributes:
        scores: intervals.
        trees: hyperparameters of the peers' trees.
        weather: how weather is carried to an image.
        labels: which capacity factors are believed, and when a plant is on.
        targets: which reports make a mean of 30 days.
        generation: how generation models are fitted again, peers among them.
    """

    scores: PlantScoreRules = field(default_factory=PlantScoreRules)
    trees: TreeRules = field(default_factory=TreeRules)
    weather: PlantWeatherRules = field(default_factory=PlantWeatherRules)
    labels: LabelRules = field(default_factory=LabelRules)
    targets: TargetRules = field(default_factory=TargetRules)
    generation: GenerationFoldRules = field(default_factory=GenerationFoldRules)


@dataclass(frozen=True)
class Sources:
    """Folders of the runs that are judged.

    Attributes:
        store_url: the plants that were scored, images, labels, reports and weather.
        train_store_url: the same of the plants that models were trained on.
        train_url: samples, models and soundings of the training run.
        plants_urls: soundings, days and years of the plants.
    """

    store_url: str
    train_store_url: str
    train_url: str
    plants_urls: tuple[str, ...]


@dataclass(frozen=True)
class JudgeSoundings:
    """Reader of one imager and structure kind: labelled images, soundings, weather, truth where there is any.

    The partition holds `imager`, `kind`, and as JSON `folds` (plant -> fold of the kind's training plants), `lat`
    (plant -> degrees) and `initialisation` (model -> where its first weights came from).

    Attributes:
        sources: the runs.
        rules: how it is judged.
    """

    sources: Sources
    rules: JudgeRules

    def __call__(self, unit: Unit) -> Reading:
        """`parts/soundings-IMAGER-KIND.parquet`; the fact `absent` names peers that could not answer, and why.

        Raises:
            DataError: a table is bad, or an instance answered for a plant that it has seen.
            TransportError: a table could not be moved.
        """
        imager, kind = str(unit.partition["imager"]), str(unit.partition["kind"])
        folds, lat, began = (json.loads(str(unit.partition[name])) for name in ("folds", "lat", "initialisation"))
        samples = self._samples(unit, kind, folds)
        scores, facts = sounding_scores([]), {"absent": {}, "images": samples.num_rows, "data_tier": "none"}
        if samples.num_rows:
            images = labelled_images(samples, folds)
            weather = read_by_plant(under(unit, "weather"), set(images.plant), PLANT_WEATHER)
            truth = [_latent(url) for url in under(unit, "truth/vapor")]
            latent = image_latent(images, pa.concat_tables(truth)) if truth else None
            blocks = peer_blocks(samples, image_weather(images, weather, lat, self.rules.weather), latent)
            peers = peer_answers(images, blocks, self.rules.trees)
            said = _soundings(within(unit, "soundings.parquet", self.sources.plants_urls), kind, set(images.image))
            answers = sounding_answers(images, model_answers(said, images), peers.said, began)
            scores = sounding_scores(answers, self.rules.scores)
            facts |= {"absent": dict(peers.absent), "data_tier": _tiers(samples)}
        data = encode_table(scores, SOUNDING_KEY)
        return Reading(object_rows({f"{PARTS}/soundings-{imager}-{kind}.parquet": data}), {}, facts=facts)

    def _samples(self, unit: Unit, kind: str, folds: Mapping[str, int]) -> pa.Table:
        """Labelled images of training plants from the training run, of all others from this one."""
        parts = [SAMPLES.empty_table()]
        for url in under(unit, "samples"):
            table = decode_table(objectstore.read_bytes(url), SAMPLES)
            known = pc.is_in(table.column("plant_id"), pa.array(sorted(folds), pa.string()))
            own = known if url.startswith(f"{self.sources.train_url}/") else pc.invert(known)
            parts.append(table.filter(pc.and_(own, pc.equal(table.column("structure_kind"), kind))))
        return pa.concat_tables(parts).combine_chunks()


@dataclass(frozen=True)
class JudgeGeneration:
    """Reader of one structure kind: soundings of both runs, days of the product, reports.

    The partition holds `kind`, the URL `ensemble` of its generation models with their `sha256`, and as JSON `folds` and
    `tiers` (plant -> data tier).

    Attributes:
        sources: the runs.
        rules: how it is judged.
    """

    sources: Sources
    rules: JudgeRules

    def __call__(self, unit: Unit) -> Reading:
        """`parts/generation-KIND.parquet` and `parts/days-KIND.parquet`.

        The fact `refit` is the largest difference between the product and the production model fitted again here.

        Raises:
            ContractError: the generation models are not those of the plan.
            DataError: a fold has no plant with soundings and reports, or a table is bad.
            TransportError: a table could not be moved.
        """
        kind = str(unit.partition["kind"])
        folds, tiers = (json.loads(str(unit.partition[name])) for name in ("folds", "tiers"))
        ensemble = _ensemble(str(unit.partition["ensemble"]), str(unit.partition["sha256"]))
        product = product_days(tables(under(unit, "plants_30day.parquet"), PLANTS_30DAY), kind)
        rules = replace(self.rules.generation, lookback=ensemble.lookback)
        heard = _soundings(within(unit, "soundings.parquet", [self.sources.train_url]), kind)
        reported = self._reported(unit, self.sources.train_store_url, sorted(folds), heard)
        data = labelled_soundings(kind, ensemble.pairs, heard, folds, reported)
        cross = fit_rotations(data, tuple(GENERATION_MODELS), rules, self._oracle(heard, reported))
        judged = {CROSS: cross}
        outside = _soundings(within(unit, "soundings.parquet", self.sources.plants_urls), kind)
        known = pc.is_in(outside.column("plant_id"), pa.array(sorted(folds), pa.string()))
        outside = outside.filter(pc.invert(known))
        others = pc.unique(outside.column("plant_id")).to_pylist()
        reported = self._reported(unit, self.sources.store_url, others, outside)
        data = labelled_soundings(kind, ensemble.pairs, outside, {}, reported)
        if len(data.day):
            peers = FittedPeers(cross.fitted, ensemble.lookback)
            judged[EXTERNAL] = outside_days(data, peers, self._oracle(outside, reported))
        return self._reading(kind, judged, product, tiers)

    def _reported(self, unit: Unit, store_url: str, plants: Collection[str], soundings: pa.Table) -> ReportedDays:
        _, units, _ = read_inventory(objectstore.join(store_url, INVENTORY))
        units = units.filter(pc.is_in(units.column("plant_id"), pa.array(sorted(plants), pa.string())))
        told = reported_by_plant(within(unit, "reported", [store_url]), plants)
        return reported_days(told, units, soundings, self.rules.targets, self.rules.labels)

    def _oracle(self, soundings: pa.Table, reported: ReportedDays) -> pa.Table:
        return oracle_table(soundings, reported.overpasses, self.rules.labels.on_above)

    def _reading(self, kind: str, judged: Mapping[str, HeldOut], product: Any, tiers: Mapping[str, str]) -> Reading:
        answers, days, apart = [], [], {}
        for validation, held_out in judged.items():
            merged, apart[validation] = with_product(held_out, product)
            days.append(day_answers(merged, kind))
            for tier, own in by_tier(merged, tiers):
                keys = {"validation": validation, "structure_kind": kind, "data_tier": tier}
                answers += generation_answers(own, keys)
        objects = {
            f"{PARTS}/generation-{kind}.parquet": encode_table(
                generation_scores(answers, self.rules.scores), GENERATION_KEY
            ),
            f"{PARTS}/days-{kind}.parquet": encode_table(pa.concat_tables(days), ("plant_id", "model", "day")),
        }
        return Reading(object_rows(objects), {}, facts={"refit": apart})


def under(unit: Unit, folder: str) -> list[str]:
    """A unit's inputs under a folder of any run."""
    return [url for url in unit.inputs if f"/{folder}/" in url]


def within(unit: Unit, folder: str, runs: Iterable[str]) -> list[str]:
    """A unit's inputs under a folder of some runs."""
    places = tuple(f"{run}/{folder}/" for run in runs)
    return [url for url in unit.inputs if url.startswith(places)]


def tables(urls: Iterable[str], schema: pa.Schema) -> pa.Table:
    """Tables, GeoParquet among them, with the declared columns."""
    parts = [schema.empty_table()]
    parts += [decode_table(objectstore.read_bytes(url)).select(schema.names).cast(schema) for url in urls]
    return pa.concat_tables(parts)


def _soundings(urls: Iterable[str], kind: str, images: Collection[str] | None = None) -> pa.Table:
    """Soundings of a structure kind, of all images or of some."""
    parts = [SOUNDINGS.empty_table()]
    for url in urls:
        table = decode_table(objectstore.read_bytes(url), SOUNDINGS)
        table = table.filter(pc.equal(table.column("structure_kind"), kind))
        if images is not None:
            table = table.filter(pc.is_in(table.column("image_id"), pa.array(sorted(images), pa.string())))
        parts.append(table)
    return pa.concat_tables(parts)


def _latent(url: str) -> pa.Table:
    return decode_table(objectstore.read_bytes(url)).select(_LATENT)


def _tiers(table: pa.Table) -> str:
    return ", ".join(sorted(pc.unique(table.column("data_tier")).to_pylist()))


def _ensemble(url: str, sha256: str) -> GenerationEnsemble:
    data = objectstore.read_bytes(url)
    if objectstore.sha256(data) != sha256:
        raise ContractError(
            "the generation models are not those of the plan",
            where=url,
            expected=f"sha256 {sha256}, found {objectstore.sha256(data)}",
            remedy="Restore the training run's folder, or start a new run.",
        )
    return opened_ensemble(parsed_json(data, where=url), where=url)
