"""Real files into stores: granules into swath stores, and power plants, from inventories to labelled images.

What is ingested follows from the inputs given: granules, inventories, or both.
"""

from dataclasses import dataclass

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass, plan_unit
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io.tropomi import encode_swath, read_granule
from carbonray.pipelines.planning import expanded, file_key, tiers_of
from carbonray.pipelines.plant_store import inventory_unit, run_plants
from carbonray.pipelines.plants_report import plants_report
from carbonray.publish.report import ReportFacts
from carbonray.settings import Settings

SUMMARY = "granules into swath stores; inventories, images, weather and generation into a labelled image store"
SECTIONS: tuple[str, ...] = ("plants",)
FOLDER = "swaths"


@dataclass(frozen=True)
class IngestGranule:
    """Reader of one granule whose rows are the ready objects of its swath store."""

    def __call__(self, unit: Unit) -> Reading:
        """The store's objects, under `swaths/GRANULE.zarr`."""
        swath = read_granule(unit.inputs[0])
        objects = {f"{FOLDER}/{unit.key}.zarr/{key}": data for key, data in encode_swath(swath).items()}
        pixels = swath.no2_mol_m2.size
        rows = {"read": pixels, "kept": pixels, "quarantined": 0}
        return Reading(object_rows(objects), rows, facts={"data_tier": swath.data_tier, "orbit": swath.orbit})


def plan(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """One unit a granule, one for all inventories; what follows from these is planned when they are read.

    Raises:
        SettingsError: neither granules nor inventories are given.
    """
    granules = _granule_units(settings, digest)
    plants = (inventory_unit(settings, digest),) if settings.inputs.inventory else ()
    if not granules and not plants:
        raise SettingsError(
            "nothing to ingest is given",
            where="inputs.tropomi, inputs.inventory",
            expected="URLs or globs of TROPOMI L2 NO2 files, or of inventories of power plants",
            remedy="Add --set inputs.tropomi=GLOB or --set inputs.inventory=GLOB.",
        )
    return (*granules, *plants)


def run(run: Run, settings: Settings) -> None:
    """Executes the passes."""
    plan(settings, run.settings_digest)
    granules = _granule_units(settings, run.settings_digest)
    if settings.inputs.inventory:
        run_plants(run, settings)
    if granules:
        commits = run.execute(Pass("ingest", granules, IngestGranule(), encode_object_rows))
        tiers = sorted({*tiers_of(commits), *filter(None, str(run.facts.get("data_tier", "")).split(", "))})
        run.facts["data_tier"] = ", ".join(tiers)
        run.facts["summary"] = {**run.facts.get("summary", {}), "swath stores": f"{run.url}/{FOLDER}/*.zarr"}


def report(run: Run, settings: Settings) -> ReportFacts | None:
    """What the page of the plants is made of; granules have none."""
    return plants_report(run, settings) if settings.inputs.inventory else None


def _granule_units(settings: Settings, digest: str) -> tuple[Unit, ...]:
    granules = expanded(settings.inputs.tropomi)
    return tuple(plan_unit("ingest", file_key(url), [url], settings_digest=digest) for url in granules)
