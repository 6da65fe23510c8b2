"""Trains the plant product: sounding models in four rotations, then generation models on what those say of plants.

Passes: `samples` (a training plant, imager and year), `trees` and `networks` (a model and rotation), `soundings` (a
training plant, imager and year), `generation` (a structure kind), `product` (the manifest). A fit reads the files of
its own folds and no others; every pass is planned from what the ledger says of those before.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass, Pool
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.inventory.store import INVENTORY
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.model_store import MANIFEST
from carbonray.io.plant_product import KEY, GenerationPin, PlantProduct, SoundingPin, encode_product
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.pipelines.planning import WriteObjects, records_of, tiers_of, unit_of
from carbonray.pipelines.plant_sources import (
    PlantStore,
    Site,
    TrainingPlant,
    open_store,
    site_unit,
    sites,
    training_plants,
)
from carbonray.pipelines.sounding_pass import sounding_pass
from carbonray.science.power.lookback import ModelPair
from carbonray.science.spatial.folds import N_FOLDS, rotation
from carbonray.settings import Settings, overrides_of
from carbonray.stages.generation_training import FOLDER as GENERATION
from carbonray.stages.generation_training import FitGeneration
from carbonray.stages.sounding_fits import FitSoundings, NameFit
from carbonray.stages.sounding_samples import ReadSamples
from carbonray.synthetic.frozen import image_generator_sha256

SUMMARY = "the plant product: sounding models in four rotations, generation models, one manifest"
SECTIONS = ("model", "plants", "soundings", "generation")


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """The samples that are read, and a unit for each fit; those that follow are planned from these."""
    _check(settings)
    store = open_store(settings.plants.store_url)
    known = training_plants(store, settings.soundings.left_out_countries)
    fits = [
        Unit("networks" if SOUNDING_MODELS[name].trunk else "trees", f"{name}-{k}", f"{name}-{k}", {}, (), ())
        for name in _models(settings)
        for k in range(N_FOLDS)
    ]
    return (*_sample_units(settings, digest, store, known), *fits)


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    _check(settings)
    store = open_store(settings.plants.store_url)
    known = training_plants(store, settings.soundings.left_out_countries)
    _require_plants(known)
    sampled = run.execute(_sample_pass(run, settings, store, known))
    fitted = [*run.execute(_fit_pass(run, settings, sampled, known, "trees"))]
    networks = _fit_pass(run, settings, sampled, known, "networks")
    fitted += run.execute(networks) if networks.units else []
    pins, missing = _pins(run, fitted)
    asked = _asked(store, known)
    sounded = run.execute(sounding_pass(run.settings_digest, settings, store, asked, (run.url, pins)))
    generated = run.execute(_generation_pass(run, settings, store, known, sounded, pins))
    tier = ", ".join(tiers_of(sampled))
    product = _product(pins, known, generated, missing, tier)
    run.execute(_product_pass(run, product))
    run.facts["data_tier"], run.facts["store_url"] = tier, store.url
    run.facts["missing_models"] = [f"{name}: {why}" for name, why in product.missing.items()]
    run.facts["generation"] = {commit.key: dict(commit.facts) for commit in generated}
    run.facts["summary"] = _summary(known, sampled, product, generated, tier)


def publish(run: Run, settings: Settings) -> None:
    """Nothing beside the bundles themselves: the evaluation has the page."""


def _models(settings: Settings) -> tuple[str, ...]:
    return settings.soundings.models or tuple(SOUNDING_MODELS)


def _check(settings: Settings) -> None:
    unknown = [name for name in settings.soundings.models if name not in SOUNDING_MODELS]
    if unknown:
        raise SettingsError(
            f"there are no sounding models {unknown}",
            where="soundings.models",
            expected=f"some of {', '.join(SOUNDING_MODELS)}; none given is all",
            remedy="Correct the names.",
        )


def _require_plants(known: Mapping[str, TrainingPlant]) -> None:
    lacking = sorted(set(range(N_FOLDS)) - {plant.fold for plant in known.values()})
    if lacking:
        raise SettingsError(
            f"{len(known)} plants can be learned from, none of them in folds {lacking}",
            where="plants.store_url, soundings.left_out_countries",
            expected="labelled plants in each of the four folds",
            remedy="Ingest more plants, or read rejections.parquet of the store: which rule took theirs.",
        )


def _patch_px(settings: Settings) -> dict[str, int]:
    """Imager -> side of the largest patch that its networks read; trees have their own."""
    sizes: dict[str, int] = {}
    for name in _models(settings):
        entry = SOUNDING_MODELS[name]
        if entry.trunk:
            sides = settings.soundings.fit.patch_px(name)
            sizes[entry.imager] = max(sizes.get(entry.imager, 0), *sides)
    return sizes


def _sample_units(
    settings: Settings, digest: str, store: PlantStore, known: Mapping[str, TrainingPlant]
) -> tuple[Unit, ...]:
    imagers = {SOUNDING_MODELS[name].imager for name in _models(settings)}
    labels = {record.key: record for record in records_of(store.labelled, "labels/")}
    units = []
    for site in sites(store):
        plant, record = known.get(site.plant_id), labels.get(f"labels/{site.plant_id}.parquet")
        kinds = sorted(kind for kind, years in plant.years.items() if site.year in years) if plant else []
        if plant and record and kinds and site.imager in imagers:
            told = {objectstore.join(store.url, record.key): record}
            partition: dict[str, int | str] = {"fold": plant.fold, "kinds": ",".join(kinds)}
            units.append(site_unit(digest, "samples", site, told, partition))
    return tuple(units)


def _sample_pass(run: Run, settings: Settings, store: PlantStore, known: Mapping[str, TrainingPlant]) -> Pass:
    reader = ReadSamples(_patch_px(settings), settings.soundings.fit.index)
    units = _sample_units(settings, run.settings_digest, store, known)
    return Pass("samples", units, reader, encode_object_rows)


def _fit_pass(
    run: Run, settings: Settings, sampled: Sequence[Commit], known: Mapping[str, TrainingPlant], which: str
) -> Pass:
    """Trees and networks apart: a pass's watchdog learns from its units' pace, and these have two."""
    units = []
    for name in _models(settings):
        entry = SOUNDING_MODELS[name]
        if bool(entry.trunk) == (which == "networks"):
            folder = f"{'bags' if entry.trunk else 'samples'}/{entry.imager}/"
            for k in range(N_FOLDS):
                seen = {*rotation(k).train, rotation(k).val}
                own = [c for c in sampled if known[c.key.rsplit("-", 2)[0]].fold in seen]
                inputs = {objectstore.join(run.url, record.key): record for record in records_of(own, folder)}
                partition: dict[str, int | str] = {"model": name, "instance": k}
                units.append(unit_of(run.settings_digest, which, f"{name}-{k}", inputs, partition))
    engine, tier = settings.engine, ", ".join(tiers_of(sampled))
    make = partial(
        FitSoundings,
        settings.soundings.fit,
        objectstore.join(run.url, "checkpoints"),
        _command(settings),
        settings_digest=run.settings_digest,
        generator_sha256=image_generator_sha256() if tier.startswith("SYNTHETIC") else "",
    )
    pool = Pool(make, engine.model_actors, engine.model_cpus, engine.model_gpus if which == "networks" else 0.0)
    return Pass(which, tuple(units), NameFit(), encode_object_rows, (pool,))


def _command(settings: Settings) -> str:
    """What trains the product again, but for the place of the store."""
    changed = [part for text in overrides_of(settings, SECTIONS[1:]) for part in ("--set", text)]
    return " ".join(["python -m jobs.train --model", settings.model, *changed])


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


def _generation_pass(
    run: Run,
    settings: Settings,
    store: PlantStore,
    known: Mapping[str, TrainingPlant],
    sounded: Sequence[Commit],
    pins: Sequence[SoundingPin],
) -> Pass:
    """One unit a structure kind, over the soundings and reports of its training plants."""
    pairs, bundles, units = {}, {}, []
    for kind in sorted({pin.kind for pin in pins}):
        own = sorted(pin for pin in pins if pin.kind == kind)
        named = {(pin.imager, pin.model): bool(pin.patch_px) for pin in own}
        pairs[kind] = tuple(ModelPair(*which, auxiliary=networks) for which, networks in sorted(named.items()))
        bundles[kind] = tuple(pin.sha256 for pin in own)
        folds = {name: plant.fold for name, plant in known.items() if kind in plant.years}
        inputs: dict[str, ObjectRecord] = {}
        for commit in sounded:
            if commit.key.rsplit("-", 2)[0] in folds:
                told = records_of([commit], "soundings.parquet/")
                inputs |= {objectstore.join(run.url, record.key): record for record in told}
        for name in sorted(folds):
            inputs |= store.about(store.reported, name, "reported")
        partition = {"kind": kind, "folds": json.dumps(folds, sort_keys=True)}
        units.append(unit_of(run.settings_digest, "generation", kind, inputs, partition, bundles[kind]))
    rules = settings.generation
    reader = FitGeneration(objectstore.join(store.url, INVENTORY), pairs, bundles, rules.folds(), rules.targets)
    return Pass("generation", tuple(units), reader, encode_object_rows)


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
