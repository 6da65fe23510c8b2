"""The page of a run of the annual plant product, made from committed objects alone, so that it can be made again.

Tables of a handful of plants are read, and reports one plant at a time: memory does not grow with the fleet. The store
that the run read is named by its facts.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.engine.run import Run
from carbonray.engine.verify import QUARANTINE_FILE
from carbonray.io import ledger, objectstore
from carbonray.io.inventory.store import INVENTORY, read_inventory
from carbonray.io.table_store import decode_table
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.pipelines.commands import again
from carbonray.pipelines.planning import records_of
from carbonray.pipelines.plant_tables import ANNUAL, DAYS
from carbonray.publish.generation_facts import GenerationFacts, chosen_plants
from carbonray.publish.report import ReportFacts
from carbonray.settings import Settings
from carbonray.stages.generation_targets import reported_by_plant, reported_days
from carbonray.stages.reported_years import reported_years
from carbonray.stages.soundings import FOLDER as HEARD
from carbonray.vocab.product_tables import PLANTS_30DAY, PLANTS_ANNUAL, SOUNDINGS
from carbonray.vocab.tables import QUARANTINE

READS = ("plants", "soundings", "generation", "fleet", "render")


def generation_report(run: Run, settings: Settings) -> ReportFacts:
    """What the page of a verified run is made of.

    Raises:
        DataError: an object is damaged, or reports of a plant overlap.
        TransportError: one could not be moved.
    """
    return ReportFacts(
        title="Power plants: annual CO₂",
        run=run.facts,
        generation=generation_facts(run),
        quarantine=_quarantine(run),
        commands=again(run, settings, READS, [f"plants.store_url={settings.plants.store_url}"]),
    )


def generation_facts(run: Run) -> GenerationFacts:
    """What the run's folder and its store tell.

    Args:
        run: its facts hold `store_url`, the store's run; `bundles`, dictionaries of `name` and `sha256`, or of `name`,
            `initialisation` and `instances` with an `instance` and a `sha256` each; and `missing_models`, names with a
            colon and a reason.
    """
    store = str(run.facts["store_url"])
    plants, units, _ = read_inventory(objectstore.join(store, INVENTORY))
    annual = _annual(run)
    scored = set(pc.unique(annual.column("plant_id")).to_pylist())
    years = sorted(pc.unique(annual.column("year")).to_pylist())
    reports = _report_urls(store, scored)
    told = _reported_annual(reported_by_plant(reports, scored), units, years)
    chosen = chosen_plants(annual, told)
    models = _models(run.facts.get("bundles") or ())
    return GenerationFacts(
        annual=annual,
        names=dict(zip(*(plants.column(name).to_pylist() for name in ("plant_id", "name")), strict=True)),
        chosen=chosen,
        days=_tables(run, "generation", DAYS, chosen, years, PLANTS_30DAY),
        soundings=_tables(run, "soundings", HEARD, chosen, years, SOUNDINGS),
        reported_days=_reported_days(reported_by_plant(reports, chosen), units, years),
        reported_annual=told,
        models=models,
        missing=_missing(models, run.facts.get("missing_models") or ()),
    )


def _annual(run: Run) -> pa.Table:
    """The annual table without its geometry; empty where the run has none."""
    url = objectstore.join(run.url, ANNUAL)
    if not objectstore.exists(url):
        return PLANTS_ANNUAL.empty_table()
    return _declared(decode_table(objectstore.read_bytes(url)), PLANTS_ANNUAL)


def _declared(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The declared columns of a table that may have a geometry beside them."""
    return table.select(schema.names).cast(schema)


def _tables(
    run: Run, pass_name: str, folder: str, plants: Collection[str], years: Collection[int], schema: pa.Schema
) -> dict[str, pa.Table]:
    """The rows of some plants and years that a pass committed, a unit a plant and year, or a plant, imager and year."""
    parts: dict[str, list[pa.Table]] = {plant_id: [schema.empty_table()] for plant_id in plants}
    for commit in ledger.read(run.url, pass_name).values():
        plant_id, *_, year = commit.key.rsplit("-", 2 if folder == HEARD else 1)
        if plant_id in parts and int(year) in years:
            for record in records_of([commit], f"{folder}/"):
                data = objectstore.read_bytes(objectstore.join(run.url, record.key))
                parts[plant_id].append(_declared(decode_table(data), schema))
    return {plant_id: pa.concat_tables(own) for plant_id, own in parts.items()}


def _report_urls(store: str, plants: Collection[str]) -> list[str]:
    """Tables of reports that speak of some plant, by what their commits say."""
    told = [
        commit
        for commit in ledger.read(store, "reported").values()
        if set(plants) & set(commit.facts.get("plants", ()))
    ]
    return [objectstore.join(store, record.key) for record in records_of(told, "reported/")]


def _reported_annual(reported: Iterable[pa.Table], units: pa.Table, years: Sequence[int]) -> pa.Table:
    """The years of plants that are known well enough, with their capacity factor; empty where no plant reports."""
    rows = reported_years(reported, units, years)
    rows = rows.assign(capacity_factor=rows["generation_mwh"] / rows["capacity_mwh"])
    # column by column: a whole frame would turn NaN into null
    return pa.table({name: pa.array(rows[name].to_numpy(), from_pandas=False) for name in rows})


def _reported_days(
    reported: Iterable[pa.Table], units: pa.Table, years: Collection[int]
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Days and 30-day means of the years."""
    told = reported_days(reported, units)
    year = told.day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    inside = np.isin(year, list(years))
    rows = {name: inside & (told.plant == number) for number, name in enumerate(told.plants)}
    return {name: (told.day[of], told.mean[of]) for name, of in rows.items() if of.any()}


def _models(bundles: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, str], ...]:
    """A row a model; `instances` is empty where all are in one file, as generation models are."""
    rows = []
    for bundle in bundles:
        own = bundle.get("instances") or [bundle]
        words = {
            "instances": ",".join(str(each["instance"]) for each in own if "instance" in each),
            "sha256": ",".join(str(each["sha256"]) for each in own),
        }
        rows.append({"name": str(bundle["name"]), "initialisation": str(bundle.get("initialisation", "")), **words})
    return tuple(rows)


def _missing(models: Iterable[Mapping[str, str]], told: Iterable[str]) -> tuple[str, ...]:
    """The models of the registry without a bundle, with the reason where one is known."""
    reasons = {text.partition(":")[0].strip(): text for text in told}
    there = {model["name"] for model in models}
    absent = [name for name in SOUNDING_MODELS if name not in there and name not in reasons]
    return (*reasons.values(), *(f"{name}: not trained in this run" for name in absent))


def _quarantine(run: Run) -> pa.Table:
    url = objectstore.join(run.url, QUARANTINE_FILE)
    return (
        decode_table(objectstore.read_bytes(url), QUARANTINE) if objectstore.exists(url) else QUARANTINE.empty_table()
    )
