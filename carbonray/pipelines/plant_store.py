"""The labelled image store of power plants: inventory, reports and weather, images and backgrounds, then labels.

Passes: `inventory` (one unit), `reported` and `weather` (a file each), `images` (a plant, imager and year),
`backgrounds` (a plant and imager), `labels` (a plant), `given_labels` (a file), `rejections` (one unit). Each is
planned from what the ledger says of those before, so that a resumed run plans the same units.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass, plan_unit
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.inventory.store import CROSSWALK, INVENTORY, read_inventory
from carbonray.io.ledger import Commit
from carbonray.io.reported.readers import READERS
from carbonray.io.table_store import decode_table, encode_table
from carbonray.pipelines.planning import expanded, file_key, records_of, require_complete, tiers_of, unit_over
from carbonray.pipelines.plant_images import (
    Stores,
    background_pass,
    earlier_stores,
    fleet_pass,
    image_pass,
    structures_by_plant,
)
from carbonray.settings import Settings
from carbonray.stages.given_labels import ReadGivenLabels
from carbonray.stages.inventory import FOLD_BLOCKS
from carbonray.stages.inventory_files import KNOWN_IDS, MergeInventories
from carbonray.stages.labels import LabelImages
from carbonray.stages.plant_labels import LabelPlant
from carbonray.stages.plant_selection import SelectPlants
from carbonray.stages.plant_weather import ReadPlantWeather
from carbonray.stages.reported import ReadReported
from carbonray.stages.selection import SelectImages
from carbonray.vocab.plant_tables import REJECTIONS

REJECTED = "rejections.parquet"


@dataclass(frozen=True)
class Reports:
    """Files of one source; `plant` is the source's id of the one plant they tell of, where they do not name it."""

    source: str
    plant: str
    pattern: str


@dataclass(frozen=True)
class JoinRejections:
    """Reader of every plant's rejections, joined to one table."""

    def __call__(self, unit: Unit) -> Reading:
        """`rejections.parquet`."""
        found = objectstore.read_many(unit.inputs)
        parts = [decode_table(found[url], REJECTIONS) for url in unit.inputs]
        table = pa.concat_tables([REJECTIONS.empty_table(), *parts])
        # what the run counts are the images, and those were counted when they were judged
        return Reading(object_rows({REJECTED: encode_table(table, tuple(REJECTIONS.names))}), {})


def inventory_unit(settings: Settings, digest: str) -> Unit:
    """The one unit of the first pass, over every inventory and annotation given."""
    urls = (*expanded(settings.inputs.inventory), *expanded(settings.inputs.structures))
    earlier = settings.plants.earlier_url
    known = (CROSSWALK, FOLD_BLOCKS) if earlier and require_complete(earlier, "plants.earlier_url") else ()
    tags = [objectstore.version(objectstore.join(earlier, name))[0] for name in known]
    return plan_unit("inventory", "inventory", urls, settings_digest=digest, extra_hashes=tags)


def run_plants(run: Run, settings: Settings) -> None:
    """Executes the passes; those whose inputs are not given are left out."""
    rules = settings.plants
    reports = [_named(pattern) for pattern in settings.inputs.reported]  # what is wrong with them is said at once
    merge = MergeInventories(rules.merge, rules.folds, rules.earlier_url)
    unit = inventory_unit(settings, run.settings_digest)
    merged = run.execute(Pass("inventory", (unit,), merge, encode_object_rows))
    _require_inventory(merged)
    told = [
        *_executed(run, _reported_pass(run, settings, merged, reports)),
        *_executed(run, _weather_pass(run, settings, merged)),
    ]
    plants, units, structures = read_inventory(objectstore.join(run.url, INVENTORY))
    stores = _stores(run, settings, plants, structures)
    labelled = _executed(run, _label_pass(run, settings, stores, told, (units, structures)))
    given = _executed(run, _given_pass(run, settings, merged))
    if labelled or given:
        records = records_of([*labelled, *given], "rejections/")
        joined = unit_over(run, "rejections", "rejections", records, {})
        run.execute(Pass("rejections", (joined,), JoinRejections(), encode_object_rows, on_driver=True))
    run.facts["data_tier"] = ", ".join(tiers_of([*merged, *stores.commits]))
    run.facts["summary"] = {
        "data tier": run.facts["data_tier"],
        "plants": plants.num_rows,
        "structures": structures.num_rows,
        "images": sum(commit.rows.get("kept", 0) for commit in stores.commits),
        "labels": sum(commit.rows.get("kept", 0) for commit in labelled),
    }
    if given:
        run.facts["summary"]["labels given"] = sum(int(commit.facts.get("labels", 0)) for commit in given)


def _stores(run: Run, settings: Settings, plants: pa.Table, structures: pa.Table) -> Stores:
    """Images in stores with their backgrounds: from items, from the synthetic fleet, or as an earlier run left them."""
    rules = settings.plants
    if rules.images_from == "earlier":
        return earlier_stores(rules.earlier_url)
    from_fleet, watched = rules.images_from == "fleet", structures_by_plant(structures)
    stored = _executed(run, fleet_pass(settings, plants) if from_fleet else image_pass(run, settings, watched))
    _executed(run, background_pass(run, settings, stored))
    return Stores(run.url, tuple(stored))


def _require_inventory(merged: Sequence[Commit]) -> None:
    """Nothing can follow where no inventory could be read."""
    if merged[0].status != "committed":
        raise SettingsError(
            f"the inventories cannot be used: {merged[0].reason}",
            where="inputs.inventory",
            expected="at least one file of a known layout",
            remedy="Repair the inputs, and run under a new --run-id.",
        )


def _executed(run: Run, pass_: Pass) -> list[Commit]:
    return run.execute(pass_) if pass_.units else []


def _reported_pass(run: Run, settings: Settings, merged: Sequence[Commit], reports: Sequence[Reports]) -> Pass:
    """A unit a file."""
    hashes = [record.sha256 for record in records_of(merged, INVENTORY)]
    units = [
        plan_unit(
            "reported", f"{each.source}-{file_key(url)}", [url], settings_digest=run.settings_digest,
            partition={"source": each.source, "plant": each.plant}, extra_hashes=hashes,
        )
        for each in reports
        for url in expanded([each.pattern])
    ]  # fmt: skip
    inventory, ids = (objectstore.join(run.url, name) for name in (INVENTORY, KNOWN_IDS))
    reader = ReadReported(settings.plants.reported, inventory, ids)
    return Pass("reported", tuple(units), reader, encode_object_rows)


def _named(text: str) -> Reports:
    word, found, pattern = text.partition("=")
    source, _, plant = word.partition(":")
    if not found or source not in READERS:
        raise SettingsError(
            f"{text!r} does not say who reports",
            where="inputs.reported",
            expected=f"SOURCE=GLOB, or SOURCE:PLANT=GLOB for files of one plant; SOURCE one of {', '.join(READERS)}",
            remedy="Write, for example, inputs.reported=campd=data/hourly/*.csv.",
        )
    return Reports(source, plant, pattern)


def _weather_pass(run: Run, settings: Settings, merged: Sequence[Commit]) -> Pass:
    hashes = [record.sha256 for record in records_of(merged, INVENTORY)]
    units = [
        plan_unit("weather", file_key(url), [url], settings_digest=run.settings_digest, extra_hashes=hashes)
        for url in expanded(settings.inputs.weather)
    ]
    reader = ReadPlantWeather(settings.plants.weather, objectstore.join(run.url, INVENTORY))
    return Pass("weather", tuple(units), reader, encode_object_rows)


def _given_pass(run: Run, settings: Settings, merged: Sequence[Commit]) -> Pass:
    """On/off labels that people gave to places: a unit a file."""
    hashes = [record.sha256 for record in records_of(merged, INVENTORY)]
    units = [
        plan_unit("given_labels", file_key(url), [url], settings_digest=run.settings_digest, extra_hashes=hashes)
        for url in expanded(settings.inputs.labels)
    ]
    reader = ReadGivenLabels(settings.plants.placing, objectstore.join(run.url, INVENTORY))
    return Pass("given_labels", tuple(units), reader, encode_object_rows)


def _label_pass(
    run: Run, settings: Settings, stores: Stores, told: Sequence[Commit], known: tuple[pa.Table, pa.Table]
) -> Pass:
    """A unit a plant with images: its stores, and every table of reports and weather that speaks of it.

    Args:
        run: the run.
        settings: rules.
        stores: image stores.
        told: reports and weather.
        known: units and structures of all plants.
    """
    rules = settings.plants
    by_plant: dict[str, list[Commit]] = {}
    for commit in stores.commits:
        if records_of([commit], "images/", "zarr.json"):
            by_plant.setdefault(commit.key.rsplit("-", 2)[0], []).append(commit)
    planned = []
    for plant_id, stored in sorted(by_plant.items()):
        tables = [commit for commit in told if plant_id in commit.facts.get("plants", ())]
        words = (_json(table, plant_id) for table in known)
        partition = {"plant_id": plant_id} | dict(zip(("units", "structures"), words, strict=True))
        planned.append(_label_unit(run, partition, Stores(stores.url, tuple(stored)), tables))
    select = SelectImages(rules.images, rules.duplicates, rules.visibility, rules.weather)
    reader = LabelPlant(SelectPlants(rules.selection), select, LabelImages(rules.labels))
    return Pass("labels", tuple(planned), reader, encode_object_rows)


def _label_unit(run: Run, partition: dict[str, str], stores: Stores, tables: Sequence[Commit]) -> Unit:
    told = [record for folder in ("reported/", "weather/") for record in records_of(tables, folder)]
    images = records_of(stores.commits, "images/")
    unit = unit_over(run, "labels", partition["plant_id"], [*images, *told], partition)
    folders = [record.key.removesuffix("/zarr.json") for record in images if record.key.endswith(".zarr/zarr.json")]
    urls = [objectstore.join(stores.url, key) for key in folders]
    urls += [objectstore.join(run.url, record.key) for record in told]
    return replace(unit, inputs=tuple(urls))


def _json(table: pa.Table, plant_id: str) -> str:
    return json.dumps(table.filter(pc.equal(table.column("plant_id"), plant_id)).to_pylist(), sort_keys=True)
