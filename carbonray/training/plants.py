"""Trains the plant product: sounding models in four rotations, then generation models on what those say of plants.

Passes: `samples` (a training plant, imager and year), `trees` and `networks` (a model and rotation), `soundings` (a
training plant, imager and year), `generation` (a structure kind), `product` (the manifest). A fit reads the files of
its own folds and no others; every pass is planned from what the ledger says of those before.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.io import objectstore
from carbonray.io.ledger import Commit
from carbonray.io.model_store import MANIFEST
from carbonray.io.plant_product import KEY, GenerationPin, PlantProduct, SoundingPin, encode_product
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.pipelines.planning import WriteObjects, records_of, unit_of
from carbonray.pipelines.plant_sources import PlantStore, Site, TrainingPlant, sites
from carbonray.pipelines.sounding_pass import sounding_pass
from carbonray.science.spatial.folds import N_FOLDS, rotation
from carbonray.settings import Settings
from carbonray.stages.generation_training import FOLDER as GENERATION
from carbonray.training import sounding_passes
from carbonray.training.generation_pass import generation_pass
from carbonray.training.plant_samples import Samples, asked_models, sample, sample_units, samples_of, teaching_plants
from carbonray.training.saved_fits import command_of
from carbonray.training.sounding_passes import fit_pass, planned_fits
from carbonray.training.tracking import lineage_of

SUMMARY = "the plant product: sounding models in four rotations, generation models, one manifest"
SECTIONS = ("model", *sounding_passes.SECTIONS, "generation")


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """The samples that are read, and a unit for each fit; those that follow are planned from these."""
    models = asked_models(settings)
    store, known = teaching_plants(settings)
    return (*sample_units(settings, digest, store, known), *planned_fits(models, range(N_FOLDS)))


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    store, known = teaching_plants(settings)
    sampled = sample(run, settings, store, known)
    samples = samples_of(run.url, sampled, known)
    pins, missing = _pins(run, _fitted(run, settings, samples))
    asked = _asked(store, known)
    sounded = run.execute(sounding_pass(run.settings_digest, settings, store, asked, (run.url, pins)))
    generated = run.execute(generation_pass(run.settings_digest, settings, store, known, (run.url, sounded), pins))
    product = _product(pins, known, generated, missing, samples.tier)
    run.execute(_product_pass(run, product))
    run.facts["data_tier"], run.facts["store_url"] = samples.tier, store.url
    run.facts["missing_models"] = [f"{name}: {why}" for name, why in product.missing.items()]
    run.facts["generation"] = {commit.key: dict(commit.facts) for commit in generated}
    run.facts["summary"] = _summary(known, sampled, product, generated, samples.tier)


def _fitted(run: Run, settings: Settings, samples: Samples) -> list[Commit]:
    """Trees, then networks."""
    models, command = asked_models(settings), command_of(settings, sounding_passes.SECTIONS)
    commits: list[Commit] = []
    for name, trunks in (("trees", False), ("networks", True)):
        chosen = [model for model in models if bool(SOUNDING_MODELS[model].trunk) == trunks]
        if chosen:
            digest = run.settings_digest
            commits += run.execute(
                fit_pass(
                    name,
                    settings,
                    samples,
                    chosen,
                    range(N_FOLDS),
                    command=command,
                    digest=digest,
                    lineage=lineage_of(run),
                )
            )
    return commits


def _pins(run: Run, fitted: Sequence[Commit]) -> tuple[tuple[SoundingPin, ...], dict[str, str]]:
    """The bundles there are, and the models that are not there in all four rotations."""
    pins = []
    for record in records_of(fitted, "bundles/", f"/{MANIFEST}"):
        _, name, instance, _ = record.key.split("/")
        entry, told = SOUNDING_MODELS[name], _config(objectstore.join(run.url, record.key))
        tasks = [told[task] for task in ("on", "capacity_factor") if task in told]
        patch_px = max((int(task["patch_px"]) for task in tasks), default=0)
        init = ", ".join(sorted({str(task["init"]) for task in tasks}))
        key = record.key.removesuffix(f"/{MANIFEST}")
        pins.append(
            SoundingPin(name, entry.imager, entry.kind, entry.model, int(instance), patch_px, init, key, record.sha256)
        )
    reasons = {commit.key: commit.reason for commit in fitted if commit.status == "quarantined"}
    missing = {key.rsplit("-", 1)[0]: f"rotation {key.rsplit('-', 1)[1]}: {why}" for key, why in reasons.items()}
    return tuple(sorted(pin for pin in pins if pin.name not in missing)), dict(sorted(missing.items()))


def _config(url: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(objectstore.read_bytes(url))["config"]
    return config


def _asked(store: PlantStore, known: Mapping[str, TrainingPlant]) -> Iterable[tuple[Site, dict[str, list[int]]]]:
    """Of a plant of fold f: instance f, which held it out, and the one it was validated on, to fit generation with."""
    for site in sites(store):
        plant = known.get(site.plant_id)
        if plant:
            validated = next(k for k in range(N_FOLDS) if rotation(k).generation_train == plant.fold)
            yield site, {kind: sorted({plant.fold, validated}) for kind in plant.years}


def _product(
    pins: tuple[SoundingPin, ...],
    known: Mapping[str, TrainingPlant],
    generated: Sequence[Commit],
    missing: Mapping[str, str],
    tier: str,
) -> PlantProduct:
    records = {commit.key: records_of([commit], f"{GENERATION}/") for commit in generated}
    generation = tuple(GenerationPin(kind, r[0].key, r[0].sha256) for kind, r in sorted(records.items()) if r)
    lost = {f"generation of {commit.key}": commit.reason for commit in generated if commit.status == "quarantined"}
    kinds = sorted({kind for plant in known.values() for kind in plant.years})
    folds = {kind: {name: plant.fold for name, plant in known.items() if kind in plant.years} for kind in kinds}
    return PlantProduct(pins, generation, folds, {**missing, **lost}, tier)


def _product_pass(run: Run, product: PlantProduct) -> Pass:
    data = encode_product(product)
    unit = unit_of(run.settings_digest, "product", "product", {}, {}, (objectstore.sha256(data),))
    return Pass("product", (unit,), WriteObjects({KEY: data}), encode_object_rows, on_driver=True)


def _summary(
    known: Mapping[str, TrainingPlant],
    sampled: Sequence[Commit],
    product: PlantProduct,
    generated: Sequence[Commit],
    tier: str,
) -> dict[str, Any]:
    told = {
        f"30-day capacity factor, {commit.key}": f"RMSE {commit.facts['rmse']:.3f} on {commit.facts['plants']} plants "
        f"held out (training mean {commit.facts['rmse of the training mean']:.3f})"
        for commit in generated
        if commit.status == "committed"
    }
    return {
        "data tier": tier,
        "training plants": len(known),
        "labelled images": sum(commit.rows.get("kept", 0) for commit in sampled),
        "sounding models": len({pin.name for pin in product.soundings}),
        "first weights": ", ".join(sorted({pin.initialisation for pin in product.soundings} - {""})) or "none",
        **told,
        **{f"not fitted: {name}": why for name, why in product.missing.items()},
    }
