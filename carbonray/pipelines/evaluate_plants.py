"""Judges runs of the plant product beside trivial, classical and oracle methods, in the form of the paper's tables.

Passes: `samples` (labelled images that no model learned from: a plant, imager and year), `soundings` (an imager and
structure kind), `generation` (a structure kind), `years` and `tabulate` (one unit each). Training plants are judged by
what held them out, all others as external; peers are fitted in the same rotations on the same samples.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.io import objectstore
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.table_store import decode_table, encode_table
from carbonray.pipelines.judged_plants import Inputs, JudgedPlants, judged_plants
from carbonray.pipelines.planning import expanded, records_of, tiers_of, unit_of
from carbonray.pipelines.plant_sources import site_unit, sites
from carbonray.publish.plant_tables import plant_summary, plant_tables_markdown
from carbonray.settings import Settings
from carbonray.stages.plant_evaluation import (
    GENERATION_KEY,
    PARTS,
    SOUNDING_KEY,
    JudgeGeneration,
    JudgeRules,
    JudgeSoundings,
)
from carbonray.stages.sounding_samples import ReadSamples
from carbonray.stages.soundings import FOLDER as SOUNDINGS
from carbonray.stages.year_evaluation import ANNUAL, ANNUAL_KEY, JudgeYears
from carbonray.synthetic.frozen import image_generator_sha256
from carbonray.vocab.plant_score_tables import ANNUAL_SCORES, COVERAGE, GENERATION_SCORES, SOUNDING_SCORES

SUMMARY = "the plant product beside trivial, classical and oracle methods: tables 2 to 8 of the plume paper"
SECTIONS = ("evaluation", "plants", "soundings", "generation")
FOLDER = "evaluation"
DAYS = "plants_30day.parquet"
SCORES: Mapping[str, tuple[pa.Schema, tuple[str, ...]]] = {
    "soundings": (SOUNDING_SCORES, SOUNDING_KEY),
    "generation": (GENERATION_SCORES, GENERATION_KEY),
    "annual": (ANNUAL_SCORES, ANNUAL_KEY),
    "coverage": (COVERAGE, ()),
}


@dataclass(frozen=True)
class Tabulate:
    """Reader of the parts of all tables, whose rows are the whole tables and the page.

    Attributes:
        facts: what was judged, for the page.
        notes: what is missing, and why.
    """

    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    def __call__(self, unit: Unit) -> Reading:
        """`evaluation/NAME.parquet` of each table, and `evaluation/table.md`."""
        tables = {}
        for name, (schema, _) in SCORES.items():
            urls = [url for url in unit.inputs if f"/{PARTS}/{name}" in url]
            parts = [decode_table(objectstore.read_bytes(url), schema) for url in urls]
            tables[name] = pa.concat_tables([schema.empty_table(), *parts])
        objects = {f"{name}.parquet": encode_table(table, SCORES[name][1]) for name, table in tables.items()}
        objects["table.md"] = plant_tables_markdown(tables, self.facts, self.notes).encode()
        # the run counts labelled images, and these were counted when they were read
        named = {f"{FOLDER}/{name}": data for name, data in objects.items()}
        return Reading(object_rows(named), {}, facts={"summary": plant_summary(tables)})


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """The labelled images that no model learned from; what is judged is planned from these.

    Raises:
        SettingsError: the runs that `inputs.plants` names cannot be judged together.
    """
    return _sample_units(digest, judged_plants(settings))


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    judged, digest = judged_plants(settings), run.settings_digest
    reader = ReadSamples({}, settings.soundings.fit.index)
    sampled = run.execute(Pass("samples", _sample_units(digest, judged), reader, encode_object_rows))
    rules = _rules(settings)
    own = {objectstore.join(run.url, record.key): record for record in records_of(sampled, "samples/")}
    units = _sounding_units(digest, judged, own, _truth(settings, judged))
    scored = run.execute(Pass("soundings", units, JudgeSoundings(judged.sources, rules), encode_object_rows))
    units = _generation_units(digest, judged)
    days = run.execute(Pass("generation", units, JudgeGeneration(judged.sources, rules), encode_object_rows))
    units = (_year_unit(run, judged, days, expanded(settings.inputs.national)),)
    years = run.execute(Pass("years", units, JudgeYears(judged.sources, rules), encode_object_rows))
    made = [*scored, *days, *years]
    records = {objectstore.join(run.url, record.key): record for record in records_of(made, f"{PARTS}/")}
    tabulate = Tabulate(_facts(judged, days, years), _notes(judged, made))
    unit = unit_of(digest, "tabulate", "tables", records, {"facts": json.dumps([tabulate.facts, tabulate.notes])})
    told = run.execute(Pass("tabulate", (unit,), tabulate, encode_object_rows, on_driver=True))
    run.facts["data_tier"] = ", ".join(sorted({*tiers_of(sampled), *judged.product.data_tier.split(", ")}))
    run.facts["judged"] = dict(tabulate.facts)
    run.facts["summary"] = {"scores": "\n" + told[0].facts["summary"]}


def _rules(settings: Settings) -> JudgeRules:
    return JudgeRules(
        scores=settings.evaluation.plants,
        trees=settings.soundings.fit.trees,
        weather=settings.plants.weather,
        labels=settings.plants.labels,
        targets=settings.generation.targets,
        generation=settings.generation.folds(),
    )


def _sample_units(digest: str, judged: JudgedPlants) -> tuple[Unit, ...]:
    """Plants, imagers and years that were scored and are labelled, of the kinds that no model learned from there."""
    store, known = judged.store, {commit.key for _, commit in judged.scored}
    labels = {record.key: record for record in records_of(store.labelled, "labels/")}
    structures: dict[str, set[str]] = {}
    for row in store.structures.select(["plant_id", "structure_kind"]).to_pylist():
        structures.setdefault(row["plant_id"], set()).add(row["structure_kind"])
    units = []
    for site in sites(store):
        told = {kind for imager, kind in judged.pairs() if imager == site.imager}
        outside = {kind for kind in told if site.plant_id not in judged.folds(kind)}
        kinds = sorted(outside & structures.get(site.plant_id, set()))
        record = labels.get(f"labels/{site.plant_id}.parquet")
        if kinds and record and site.key in known:
            more = {objectstore.join(store.url, record.key): record}
            units.append(site_unit(digest, "samples", site, more, {"fold": -1, "kinds": ",".join(kinds)}))
    return tuple(units)


def _sounding_units(digest: str, judged: JudgedPlants, own: Inputs, truth: Inputs) -> tuple[Unit, ...]:
    """One unit an imager and structure kind."""
    plants = judged.store.plants.to_pylist() + judged.train_store.plants.to_pylist()
    lat = {row["plant_id"]: row["lat"] for row in plants}
    sampled = {**judged.from_training(judged.sampled, "samples"), **own}
    units = []
    for imager, kind in judged.pairs():
        samples = {url: record for url, record in sampled.items() if f"/samples/{imager}/" in url}
        scored = [pair for pair in judged.scored if pair[1].key.rsplit("-", 2)[1] == imager]
        seen = {url.rsplit("/", 1)[1].rsplit("-", 1)[0] for url in samples}
        inputs = {
            **samples,
            **judged.from_plants(scored, SOUNDINGS),
            **judged.told("weather", seen),
            **{url: record for url, record in truth.items() if f"-{imager}-" in url},
        }
        began = {
            pin.model: pin.initialisation
            for pin in judged.product.soundings
            if (pin.imager, pin.kind) == (imager, kind)
        }
        partition = {
            "imager": imager, "kind": kind, "folds": _json(judged.folds(kind)), "initialisation": _json(began),
            "lat": _json({name: lat[name] for name in seen if name in lat}),
        }  # fmt: skip
        units.append(unit_of(digest, "soundings", f"{imager}-{kind}", inputs, partition))
    return tuple(units)


def _generation_units(digest: str, judged: JudgedPlants) -> tuple[Unit, ...]:
    """One unit a structure kind that has generation models."""
    plants = judged.train_store.plants.to_pylist() + judged.store.plants.to_pylist()
    tiers = {row["plant_id"]: row["data_tier"] for row in plants}
    scored = {commit.key.rsplit("-", 2)[0] for _, commit in judged.scored}
    units = []
    for pin in judged.product.generation:
        folds = judged.folds(pin.kind)
        wanted = scored | set(folds)
        heard = [commit for commit in judged.heard if commit.key.rsplit("-", 2)[0] in folds]
        inputs = {
            **judged.from_training(heard, SOUNDINGS),
            **judged.from_plants(judged.scored, SOUNDINGS),
            **judged.from_plants(judged.generated, DAYS),
            **judged.told("reported", wanted),
        }
        partition = {
            "kind": pin.kind, "ensemble": objectstore.join(judged.sources.train_url, pin.key), "sha256": pin.sha256,
            "folds": _json(folds), "tiers": _json({name: tiers[name] for name in wanted}),
        }  # fmt: skip
        units.append(unit_of(digest, "generation", pin.kind, inputs, partition))
    return tuple(units)


def _year_unit(run: Run, judged: JudgedPlants, days: Sequence[Commit], statistics: Sequence[str]) -> Unit:
    """One unit over the annual tables, the methods' days and the reports of every plant there is."""
    told = {objectstore.join(run.url, record.key): record for record in records_of(days, f"{PARTS}/days-")}
    inputs = {
        **judged.from_plants(judged.tabulated, ANNUAL),
        **told,
        **judged.told("reported", set(judged.store.plants.column("plant_id").to_pylist())),
    }
    tags = [objectstore.version(url)[0] for url in statistics]
    return unit_of(run.settings_digest, "years", "years", inputs, {"statistics": json.dumps(statistics)}, tags)


def _truth(settings: Settings, judged: JudgedPlants) -> Inputs:
    """What only a synthetic Earth knows of its images: beside the store's images, or where the settings say."""
    found: Inputs = {}
    for store in (judged.train_store, judged.store):
        records = records_of(store.images, "truth/vapor/")
        found |= {objectstore.join(store.image_url, record.key): record for record in records}
    for url in expanded(settings.inputs.truth):
        tag, size = objectstore.version(url)
        found[url] = ObjectRecord(url, tag, size)
    return found


def _facts(judged: JudgedPlants, days: Sequence[Commit], years: Sequence[Commit]) -> tuple[tuple[str, str], ...]:
    """What was judged, in words."""
    began = sorted({pin.initialisation for pin in judged.product.soundings} - {""})
    refits = [value for commit in days for value in commit.facts.get("refit", {}).values()]
    told: list[tuple[str, Any]] = [
        *judged.runs,
        ("trained on", judged.product.data_tier),
        ("image generator that the models were trained on", ", ".join(judged.generators()) or "none: real images"),
        ("image generator of this installation", image_generator_sha256()),
        ("first weights of the networks", "; ".join(began) or "no network"),
        ("sounding models", ", ".join(sorted({pin.name for pin in judged.product.soundings}))),
        ("baseline of the annual tables", ", ".join(str(commit.facts.get("baseline", "none")) for commit in years)),
        ("product less the models fitted again here, at most", f"{max(refits, default=0.0):.1e}"),
    ]
    return tuple((name, str(value)) for name, value in told)


def _notes(judged: JudgedPlants, made: Sequence[Commit]) -> tuple[str, ...]:
    """What is not in the tables, and why."""
    notes = [f"{name} was not trained: {why}" for name, why in sorted(judged.product.missing.items())]
    for commit in made:
        if commit.status == "quarantined":
            notes.append(f"{commit.pass_name} {commit.key}: {commit.reason}")
        for name, why in sorted(commit.facts.get("absent", {}).items()):
            notes.append(f"{name} for {commit.key}: {why}")
    return tuple(notes)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
