"""Power plants, year by year: images to soundings, soundings to 30 days, 30 days to generation and CO2 of every unit.

Passes: `selection` (which plants the models may be applied to), `soundings` (a plant, imager and year), `generation` (a
plant and year), `tabulate` (the annual table and what was rejected). Plants that models were trained on are scored by
the instance that held them out and by no other.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import FILE, Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.inventory.store import INVENTORY, read_inventory
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.plant_product import PlantProduct, open_product
from carbonray.io.table_store import encode_table
from carbonray.pipelines.generation_report import generation_report
from carbonray.pipelines.planning import WriteObjects, records_of, require_complete, tiers_of, unit_of, unit_over
from carbonray.pipelines.plant_sources import PlantStore, Site, open_store, require_same_plants, rows_of, sites
from carbonray.pipelines.plant_tables import ANNUAL_PARTS, GeneratePlant, JoinTables
from carbonray.pipelines.sounding_pass import sounding_pass
from carbonray.publish.report import ReportFacts
from carbonray.settings import Settings
from carbonray.stages.plant_selection import SelectPlants, plant_years
from carbonray.stages.soundings import FOLDER as SOUNDINGS
from carbonray.vocab.plant_tables import REJECTIONS
from carbonray.vocab.plants import STRUCTURE_KINDS

SUMMARY = "power plants: soundings, 30-day capacity factors, annual generation and CO2 of every unit"
SECTIONS = ("plants", "soundings", "generation")
REJECTED_PLANTS = "rejections/plants.parquet"
Chosen = Mapping[str, tuple[str, ...]]  # plant -> structure kinds that may be scored


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """One unit a plant, imager and year; the later passes are planned from these."""
    store, (product, _), _ = _opened(settings)
    chosen, _ = chosen_plants(store, settings)
    return sounding_pass(
        digest, settings, store, _asked(store, chosen, product, settings), ("", product.soundings)
    ).units


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    store, (product, sha256), train_url = _opened(settings)
    chosen, rejected = chosen_plants(store, settings)
    selected = run.execute(_selection_pass(run, store, rejected))
    asked = _asked(store, chosen, product, settings)
    sounded = run.execute(sounding_pass(run.settings_digest, settings, store, asked, (train_url, product.soundings)))
    generated = run.execute(_generation_pass(run, settings, store, sounded, chosen, (product, train_url)))
    run.execute(_tabulate_pass(run, generated, [*selected, *sounded]))
    run.facts["data_tier"] = ", ".join(tiers_of(sounded))
    run.facts["store_url"], run.facts["train_url"] = store.url, train_url
    run.facts["bundles"] = _bundles(product, sha256)
    run.facts["missing_models"] = [f"{name}: {why}" for name, why in product.missing.items()]
    run.facts["summary"] = _summary(run, sounded, generated, product)


def report(run: Run, settings: Settings) -> ReportFacts:
    """What the page is made of."""
    return generation_report(run, settings)


def chosen_plants(store: PlantStore, settings: Settings) -> tuple[Chosen, pa.Table]:
    """Plants that the models may be applied to, by structure kind, and why the others may not be."""
    rules = settings.plants.selection
    marked = pc.unique(store.structures.column("plant_id"))
    units = store.units.filter(pc.is_in(store.units.column("plant_id"), marked))
    chosen: dict[str, list[str]] = defaultdict(list)
    lost = [REJECTIONS.empty_table()]
    if units.num_rows:
        known = plant_years(units, store.structures, range(rules.years[0], rules.years[1] + 1))
        for kind in STRUCTURE_KINDS:
            found = SelectPlants(rules).for_inference(known, kind)
            lost.append(found.rejected)
            for name in found.kept["plant_id"].tolist():
                chosen[name].append(kind)
    return {name: tuple(kinds) for name, kinds in sorted(chosen.items())}, pa.concat_tables(lost)


def _opened(settings: Settings) -> tuple[PlantStore, tuple[PlantProduct, str], str]:
    given = settings.inputs.bundles
    if len(given) != 1:
        raise SettingsError(
            f"{len(given)} trained products are given",
            where="inputs.bundles",
            expected="the folder of one complete run of jobs.train --model plants",
            remedy="Add --set inputs.bundles=URL/ID.",
        )
    url = require_complete(objectstore.absolute(given[0]), "inputs.bundles")
    store, product = open_store(settings.plants.store_url), open_product(url)
    _check_ids(store, product[0], url)
    return store, product, url


def _check_ids(store: PlantStore, product: PlantProduct, train_url: str) -> None:
    """Who was taught is known by ids: those of the store must be the training store's."""
    taught_url = str(json.loads(objectstore.read_bytes(objectstore.join(train_url, FILE)))["store_url"])
    if taught_url != store.url:
        taught, _, _ = read_inventory(objectstore.join(taught_url, INVENTORY))
        require_same_plants(store.plants, taught, {name for folds in product.training_folds.values() for name in folds})


def _asked(
    store: PlantStore, chosen: Chosen, product: PlantProduct, settings: Settings
) -> Iterator[tuple[Site, dict[str, tuple[int, ...]]]]:
    first, last = settings.plants.selection.years
    back = _years_back(settings)
    for site in sites(store):
        if site.plant_id in chosen and first - back <= site.year <= last + 1:
            yield site, {kind: product.instances_for(kind, site.plant_id) for kind in chosen[site.plant_id]}


def _years_back(settings: Settings) -> int:
    """Calendar years before the first that its longest window reaches into."""
    rules = settings.generation.lookback
    longest = max(rules.windows_days(kind)[-1] for kind in STRUCTURE_KINDS)
    return -(-longest // 365)


def _selection_pass(run: Run, store: PlantStore, rejected: pa.Table) -> Pass:
    data = encode_table(rejected, ("plant_id", "structure_kind", "rule", "reason"))
    unit = unit_of(run.settings_digest, "selection", "plants", {}, {}, (objectstore.sha256(data), store.url))
    return Pass("selection", (unit,), WriteObjects({REJECTED_PLANTS: data}), encode_object_rows, on_driver=True)


def _generation_pass(
    run: Run,
    settings: Settings,
    store: PlantStore,
    sounded: Sequence[Commit],
    chosen: Chosen,
    trained: tuple[PlantProduct, str],
) -> Pass:
    """One unit a plant and year, over its soundings of that year, of the one after and of those that windows reach."""
    product, train_url = trained
    first, last = settings.plants.selection.years
    by_plant: dict[str, dict[int, list[ObjectRecord]]] = defaultdict(lambda: defaultdict(list))
    for commit in sounded:
        plant_id, _, seen_in = commit.key.rsplit("-", 2)
        by_plant[plant_id][int(seen_in)] += records_of([commit], f"{SOUNDINGS}/")
    back = _years_back(settings)
    rows = {row["plant_id"]: row for row in store.plants.to_pylist()}
    units = []
    for plant_id, years in sorted(by_plant.items()):
        told = {
            "plant": json.dumps(rows[plant_id], sort_keys=True),
            "units": json.dumps(rows_of(store.units, plant_id), sort_keys=True),
            "kinds": ",".join(chosen[plant_id]),
        }
        for year in range(first, last + 1):
            records = [record for y in range(year - back, year + 2) for record in years.get(y, [])]
            inputs = {objectstore.join(run.url, record.key): record for record in records}
            partition: dict[str, int | str] = {"plant_id": plant_id, "year": year, **told}
            hashes = [pin.sha256 for pin in product.generation]
            units.append(unit_of(run.settings_digest, "generation", f"{plant_id}-{year}", inputs, partition, hashes))
    pins = tuple((objectstore.join(train_url, pin.key), pin.sha256) for pin in product.generation)
    reader = GeneratePlant(pins, settings.generation.calibration)
    return Pass("generation", tuple(units), reader, encode_object_rows)


def _tabulate_pass(run: Run, generated: Sequence[Commit], judged: Sequence[Commit]) -> Pass:
    records = [*records_of(generated, f"{ANNUAL_PARTS}/"), *records_of(judged, "rejections/")]
    unit = unit_over(run, "tabulate", "tables", records, {})
    return Pass("tabulate", (unit,), JoinTables(), encode_object_rows, on_driver=True)


def _bundles(product: PlantProduct, sha256: str) -> list[dict[str, Any]]:
    named: dict[str, dict[str, Any]] = {}
    for pin in product.soundings:
        entry = named.setdefault(pin.name, {"name": pin.name, "initialisation": pin.initialisation, "instances": []})
        entry["instances"].append({"instance": pin.instance, "sha256": pin.sha256})
    generation = [{"name": f"generation {pin.kind}", "sha256": pin.sha256} for pin in product.generation]
    return [{"name": "plants.json", "sha256": sha256}, *named.values(), *generation]


def _summary(run: Run, sounded: Sequence[Commit], generated: Sequence[Commit], product: PlantProduct) -> dict[str, Any]:
    told = [commit.facts for commit in generated if commit.status == "committed"]
    return {
        "data tier": run.facts["data_tier"],
        "images scored": sum(commit.rows.get("kept", 0) for commit in sounded),
        "soundings": sum(int(commit.facts.get("soundings", 0)) for commit in sounded),
        "plants": len({commit.key.rsplit("-", 1)[0] for commit in generated}),
        "plant-years": len(told),
        "generation": f"{sum(float(facts['generation_twh']) for facts in told):.3f} TWh",
        "emissions": f"{sum(float(facts['emissions_mt_co2']) for facts in told):.3f} Mt CO2",
        "sounding models": len({pin.name for pin in product.soundings}),
    }
