"""One plant and year from soundings to tables, and the tables of all plants joined: GeoParquet both.

Source: SCIENCE 4.6 to 4.8. The generation models are opened once a process; what a unit must know of its plant travels
in its plan, so that a changed inventory is another unit.
"""

import functools
import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.errors import ContractError
from carbonray.io import objectstore
from carbonray.io.bundle_json import parsed_json
from carbonray.io.table_store import decode_table, encode_table
from carbonray.models.generation_ensemble import opened_ensemble
from carbonray.publish.geoparquet import encode_geoparquet
from carbonray.science.power.emissions import Calibration
from carbonray.stages.generation import SoundingsToGeneration
from carbonray.vocab.plant_tables import REJECTIONS, UNITS
from carbonray.vocab.product_tables import PLANTS_ANNUAL, SOUNDINGS

DAYS, ANNUAL, REJECTED = "plants_30day.parquet", "plants_annual.parquet", "rejections.parquet"
ANNUAL_PARTS = "annual"
_ANNUAL_KEY = ("plant_id", "year", "unit_id")


@dataclass(frozen=True)
class GeneratePlant:
    """Reader of one plant's soundings; its rows are the tables of one year.

    The partition holds the plant's row and its units as JSON, its structure kinds, and the year.

    Attributes:
        ensembles: URL -> sha256 of the generation models.
        calibration: countries' rows of emission factors.
    """

    ensembles: tuple[tuple[str, str], ...]
    calibration: tuple[Calibration, ...]

    def __call__(self, unit: Unit) -> Reading:
        """`plants_30day.parquet/YEAR/PLANT.parquet` and `annual/PLANT-YEAR.parquet`.

        Raises:
            ContractError: the generation models are not those that the plan pinned.
            DataError: a table of soundings is bad.
            TransportError: it could not be moved.
        """
        told = {name: str(unit.partition[name]) for name in ("plant", "units", "kinds")}
        year = int(unit.partition["year"])
        plant = json.loads(told["plant"])
        parts = [decode_table(objectstore.read_bytes(url), SOUNDINGS) for url in unit.inputs]
        units = pa.Table.from_pylist(json.loads(told["units"]), schema=UNITS)
        soundings = pa.concat_tables([SOUNDINGS.empty_table(), *parts])
        made = _opened(self.ensembles, self.calibration)(soundings, plant, units, told["kinds"].split(","), year)
        plant_id, whole = str(plant["plant_id"]), made.annual.filter(pc.is_null(made.annual.column("unit_id")))
        objects = {
            f"{DAYS}/{year}/{plant_id}.parquet": encode_geoparquet(made.days, ("plant_id", "date", "structure_kind")),
            f"{ANNUAL_PARTS}/{plant_id}-{year}.parquet": encode_table(made.annual, _ANNUAL_KEY),
        }
        facts = {
            "data_tier": ", ".join(pc.unique(whole.column("data_tier")).to_pylist()) or "none",
            "country": plant["country"],
            "generation_twh": _sum(whole, "generation_mwh") / 1e6,
            "emissions_mt_co2": _sum(whole, "emissions_t_co2") / 1e6,
        }
        return Reading(object_rows(objects), {"read": 1, "kept": 1, "quarantined": 0}, facts=facts)


@dataclass(frozen=True)
class JoinTables:
    """Reader of every plant's year, and of what was rejected, whose rows are the joined tables."""

    def __call__(self, unit: Unit) -> Reading:
        """`plants_annual.parquet`, GeoParquet, and `rejections.parquet`."""
        found = objectstore.read_many(unit.inputs)
        parts = {name: [schema.empty_table()] for name, schema in (("annual", PLANTS_ANNUAL), ("rejected", REJECTIONS))}
        for url in unit.inputs:
            name = "annual" if f"/{ANNUAL_PARTS}/" in url else "rejected"
            parts[name].append(decode_table(found[url], parts[name][0].schema))
        annual, rejected = (pa.concat_tables(parts[name]) for name in ("annual", "rejected"))
        objects = {
            ANNUAL: encode_geoparquet(annual, _ANNUAL_KEY),
            REJECTED: encode_table(rejected, tuple(REJECTIONS.names)),
        }
        # what the run counts are images, and those were counted when they were judged
        return Reading(object_rows(objects), {}, facts={"rows": annual.num_rows})


@functools.lru_cache(maxsize=2)
def _opened(ensembles: tuple[tuple[str, str], ...], calibration: tuple[Calibration, ...]) -> SoundingsToGeneration:
    models = []
    for url, sha256 in ensembles:
        data = objectstore.read_bytes(url)
        if objectstore.sha256(data) != sha256:
            raise ContractError(
                "the generation models are not those of the plan",
                where=url,
                expected=f"sha256 {sha256}, found {objectstore.sha256(data)}",
                remedy="Restore the training run's folder, or start a new run.",
            )
        models.append(opened_ensemble(parsed_json(data, where=url), where=url))
    return SoundingsToGeneration(models, calibration)


def _sum(table: pa.Table, name: str) -> float:
    return float(np.nansum(table.column(name).to_numpy()))
