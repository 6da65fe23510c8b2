"""Runs of ingest, train and plants by hand: what an evaluation reads of them, without an image or a network."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.io import ledger, objectstore
from carbonray.io.inventory.store import INVENTORY, Inventory, encoded
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.model_store import MANIFEST
from carbonray.io.plant_product import KEY, GenerationPin, PlantProduct, SoundingPin, encode_product
from carbonray.io.table_store import encode_table
from carbonray.models.generation_ensemble import encode_ensemble
from carbonray.models.generation_peers import PRODUCTION, TRAIN_MEAN
from carbonray.publish.geoparquet import encode_geoparquet
from carbonray.science.power.lookback import ModelPair
from carbonray.science.power.patch_features import feature_names
from carbonray.science.spatial.folds import rotation
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.stages.generation import SoundingsToGeneration
from carbonray.stages.generation_folds import ensemble_of, fit_rotations
from carbonray.stages.generation_targets import labelled_soundings, reported_days
from carbonray.vocab.plant_tables import (
    CROSSWALK,
    INVENTORY_CONFLICTS,
    INVENTORY_FINDINGS,
    PLANTS,
    REPORTED,
    STRUCTURES,
)
from carbonray.vocab.sample_tables import SAMPLES
from carbonray.vocab.sensors import IMAGERS
from tests.stages.small_soundings import TIER, fleet, unit_rows

YEARS = (2020, 2021)
PAIRS = (ModelPair("sentinel2", "xgb", auxiliary=False),)
TRAINED, OUTSIDE = 8, 2  # plants; those outside are of the shift tier
SHIFT = "SYNTHETIC-T2"
GENERATOR = "f" * 64


def small_runs(out, rules):
    """`out/store`, `out/models` and `out/plants`, whose product is what the rules of the settings give."""
    made = fleet(plants=TRAINED + OUTSIDE, years=YEARS, every=20)
    told = made.soundings.filter((pc.field("imager") == "sentinel2") & (pc.field("model") == "xgb"))
    tiers = pc.if_else(pc.is_in(told["plant_id"], pa.array(made.plants[TRAINED:])), SHIFT, TIER)
    told = told.set_column(told.schema.names.index("data_tier"), told.schema.field("data_tier"), tiers)
    folds = {name: number % 4 for number, name in enumerate(made.plants[:TRAINED])}
    store = _store(f"{out}/store", made)
    train = _train(f"{out}/models", made, told, folds, rules, store)
    _plants(f"{out}/plants", made, told, folds, train, store)
    return made


def reports(made, name):
    """Daily generation at the plant's load, with CO2."""
    daily = made.daily[made.plants.index(name)]
    start = (made.first_day + np.arange(len(daily))) * DAY_NS
    n = len(daily)
    rows = {
        "plant_id": [name] * n, "source": ["CAMPD"] * n, "source_id": ["u"] * n, "start_utc_ns": start,
        "end_utc_ns": start + 24 * HOUR_NS, "generation_mwh": daily * 2400.0, "emissions_t_co2": daily * 2000.0,
        "gross": [False] * n,
    }  # fmt: skip
    return pa.table(rows, schema=REPORTED)


def _store(url, made):
    """Plants of one unit of 100 MW with a tower each, and their reports."""
    plants = [
        {"plant_id": name, "name": name, "country": "USA" if n < TRAINED else "TUR", "lat": 40.0, "lon": 10.0 + n,
         "capacity_mw": 100.0, "primary_fuel": "lignite", "source": "t", "source_ids": "{}", "fold": n % 4,
         "data_tier": TIER if n < TRAINED else SHIFT}
        for n, name in enumerate(made.plants)
    ]  # fmt: skip
    structures = [
        {"plant_id": name, "structure_id": f"{name} tower", "structure_kind": "NDT", "lat": 40.0, "lon": 10.0,
         "source": "t"}
        for name in made.plants
    ]  # fmt: skip
    units = pa.concat_tables([unit_rows((f"{name} u", "lignite", "ST", 100.0), plant=name) for name in made.plants])
    nothing = (schema.empty_table() for schema in (INVENTORY_CONFLICTS, CROSSWALK, INVENTORY_FINDINGS))
    tables = (pa.Table.from_pylist(plants, schema=PLANTS), units, pa.Table.from_pylist(structures, schema=STRUCTURES))
    conflicts, crosswalk, findings = nothing
    inventory = Inventory(*tables, conflicts, crosswalk, findings)
    objectstore.put_bytes(f"{url}/{INVENTORY}", encoded(inventory)[INVENTORY])
    for name in made.plants:
        data = encode_table(reports(made, name), ("plant_id", "start_utc_ns"))
        _commit(url, "reported", name, {f"reported/{name}.parquet": data}, {"plants": [name]})
    _finish(url, {"settings": {"plants": {"images_from": "items"}}})
    return f"file://{url}", units, plants


def _train(url, made, told, folds, rules, store):
    """Samples whose index is the truth, soundings of two instances a plant, generation models and the manifest."""
    width = len(feature_names(IMAGERS["sentinel2"]))
    for name, fold in folds.items():
        validated = next(k for k in range(4) if rotation(k).generation_train == fold)
        own = told.filter((pc.field("plant_id") == name) & pc.field("instance").isin([fold, validated]))
        data = encode_table(own, ("image_id", "instance", "head"))
        _commit(url, "soundings", f"{name}-sentinel2-2020", {f"soundings.parquet/{name}-sentinel2-2020.parquet": data})
        data = encode_table(_samples(made, name, fold, width), ("image_id",))
        _commit(url, "samples", f"{name}-sentinel2-2020", {f"samples/sentinel2/{name}-2020.parquet": data})
    reported = reported_days([reports(made, name) for name in folds], store[1])
    labelled = labelled_soundings("NDT", PAIRS, told, folds, reported)
    held = fit_rotations(labelled, (PRODUCTION, TRAIN_MEAN), rules)
    ensemble = ensemble_of(labelled, held, rules, training_folds=folds, data_tier=TIER)
    data = encode_ensemble(ensemble)
    objectstore.put_bytes(f"{url}/bundles/generation/NDT.json", data)
    pins = [SoundingPin("sentinel2_xgb_ndt", "sentinel2", "NDT", "xgb", k, 0, "", f"b/{k}", "s") for k in range(4)]
    generation = (GenerationPin("NDT", "bundles/generation/NDT.json", objectstore.sha256(data)),)
    product = PlantProduct(tuple(pins), generation, {"NDT": folds}, {"landsat8_xgb_ndt": "no image"}, TIER)
    objectstore.put_bytes(f"{url}/{KEY}", encode_product(product))
    for pin in pins:
        lineage = json.dumps({"lineage": {"generator_sha256": GENERATOR}}).encode()
        objectstore.put_bytes(f"{url}/{pin.key}/{MANIFEST}", lineage)
    _finish(url, {"store_url": store[0]})
    return f"file://{url}", ensemble


def _samples(made, name, fold, width):
    rows = made.truth.filter((pc.field("plant_id") == name) & (pc.field("imager") == "sentinel2")).to_pylist()
    table = [
        {"plant_id": name, "structure_kind": "NDT", "imager": "sentinel2", "image_id": row["image_id"],
         "time_utc_ns": int(row["image_id"].split()[1]) * DAY_NS, "capacity_factor": row["capacity_factor"],
         "on": row["capacity_factor"] > 0.05, "fold": fold, "features": [0.0] * width, "hot": row["capacity_factor"],
         "white_brightness": 0.0, "plume_area_m2": 1e4 * row["capacity_factor"], "data_tier": TIER}
        for row in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(table, schema=SAMPLES)


def _plants(url, made, told, folds, train, store):
    """The product of every plant and year."""
    train_url, ensemble = train
    stage, annual = SoundingsToGeneration([ensemble]), []
    for name, row in zip(made.plants, store[2], strict=True):
        allowed = [folds[name]] if name in folds else [0, 1, 2, 3]
        own = told.filter((pc.field("plant_id") == name) & pc.field("instance").isin(allowed))
        data = encode_table(own, ("image_id", "instance", "head"))
        _commit(url, "soundings", f"{name}-sentinel2-2020", {f"soundings.parquet/{name}-sentinel2-2020.parquet": data})
        units = store[1].filter(pc.field("plant_id") == name)
        for year in YEARS:
            year_made = stage(own, row, units, ("NDT",), year)
            annual.append(year_made.annual)
            data = encode_geoparquet(year_made.days, ("date", "structure_kind"))
            _commit(url, "generation", f"{name}-{year}", {f"plants_30day.parquet/{year}/{name}.parquet": data})
    data = encode_geoparquet(pa.concat_tables(annual), ("plant_id", "year", "unit_id"))
    _commit(url, "tabulate", "tables", {"plants_annual.parquet": data})
    _finish(url, {"store_url": store[0], "train_url": train_url})


def _commit(url, pass_name, key, objects, facts=None):
    records = tuple(ObjectRecord(name, objectstore.sha256(data), len(data)) for name, data in objects.items())
    for name, data in objects.items():
        objectstore.put_bytes(f"{url}/{name}", data)
    unit_id = objectstore.sha256(f"{pass_name} {key}".encode())[:32]
    ledger.record(url, Commit(pass_name, unit_id, key, "committed", objects=records, facts=facts or {}))


def _finish(url, facts):
    told = {"status": "complete", "run_id": url.rpartition("/")[2], "sha256": "0" * 64, **facts}
    objectstore.put_bytes(f"{url}/run.json", json.dumps(told).encode())
