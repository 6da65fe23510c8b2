"""Granules of the official or the cropped layout into swath stores: one Zarr group, its arrays one shard each."""

from dataclasses import dataclass

from carbonray.contract import Reading, Unit, encode_object_rows, object_rows
from carbonray.engine.plan import Pass, plan_unit
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io.tropomi import encode_swath, read_granule
from carbonray.pipelines.hotspots import expanded, granule_key
from carbonray.settings import Settings

SUMMARY = "TROPOMI L2 NO2 granules into sharded swath stores"
SECTIONS: tuple[str, ...] = ()
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
    """One unit a granule.

    Raises:
        SettingsError: no granules are given.
    """
    granules = expanded(settings.inputs.tropomi)
    if not granules:
        raise SettingsError(
            "no granules are given",
            where="inputs.tropomi",
            expected="URLs or globs of TROPOMI L2 NO2 files",
            remedy="Add --set inputs.tropomi=GLOB.",
        )
    return tuple(plan_unit("ingest", granule_key(url), [url], settings_digest=digest) for url in granules)


def run(run: Run, settings: Settings) -> None:
    """Executes the one pass."""
    units = plan(settings, run.settings_digest)
    commits = run.execute(Pass("ingest", units, IngestGranule(), encode_object_rows))
    run.facts["data_tier"] = ", ".join(sorted({str(commit.facts.get("data_tier", "none")) for commit in commits}))
    run.facts["summary"] = {"swath stores": f"{run.url}/{FOLDER}/*.zarr"}


def publish(run: Run, settings: Settings) -> None:
    """Nothing beside the stores themselves."""
