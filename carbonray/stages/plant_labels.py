"""Selects and labels the images of one plant: rules on plant, image, copies and weather, then what it generated.

Sources: SCIENCE 4.3 and 4.4. A unit is a plant with all its imagers and years; stores are read one after the other.
Every image of every structure kind ends up in exactly one place: labelled, or rejected by a named rule.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io import objectstore
from carbonray.io.image_store import read_images
from carbonray.io.table_store import decode_table, encode_table, read_rows
from carbonray.science.spatial.geodesy import utc_year
from carbonray.stages.labels import LabelImages
from carbonray.stages.plant_generation import PlantRecords, plant_records
from carbonray.stages.plant_selection import SelectPlants, plant_years
from carbonray.stages.selection import SelectImages, candidates
from carbonray.vocab.plant_tables import IMAGES, PLANT_WEATHER, REJECTIONS, REPORTED, STRUCTURES, UNITS
from carbonray.vocab.sensors import IMAGERS, Imager

FOLDER = "labels"
_REJECTED_KEY = ("entity", "structure_kind", "imager", "image_id", "rule", "reason")


@dataclass(frozen=True)
class LabelPlant:
    """Reader of one plant's stores, generation and weather; its rows are ready tables.

    Attributes:
        select_plants: rules on plants.
        select: rules on images.
        label: rules on labels.
        imagers: the declared imagers.
    """

    select_plants: SelectPlants
    select: SelectImages
    label: LabelImages
    imagers: Mapping[str, Imager] = field(default_factory=lambda: IMAGERS)

    def __call__(self, unit: Unit) -> Reading:
        """`labels/PLANT.parquet` and `rejections/PLANT.parquet`; facts count images before and after.

        Raises:
            DataError: a store or a table is bad.
            TransportError: it could not be moved.
        """
        plant_id = str(unit.partition["plant_id"])
        units, structures = (
            _told(unit, name, schema) for name, schema in (("units", UNITS), ("structures", STRUCTURES))
        )
        images, scored = self._images(unit)
        generation = plant_records(_rows(unit, "reported", plant_id, REPORTED), units)
        selection = self.select(images, scored, _rows(unit, "weather", plant_id, PLANT_WEATHER))
        labelled = self.label(selection.kept, generation)
        plants, learnable = self._plant_years(units, structures, generation, labelled.labels)
        rejected = pa.concat_tables([plants, selection.rejected, labelled.rejected])
        objects = {
            f"{FOLDER}/{plant_id}.parquet": encode_table(labelled.labels, ("structure_kind", "imager", "time_utc_ns")),
            f"rejections/{plant_id}.parquet": encode_table(rejected, _REJECTED_KEY),
        }
        facts = {
            "before": _counts(scored),
            "after": _counts(selection.kept),
            "labelled on": _counts(labelled.labels.filter(labelled.labels.column("on"))),
            "labelled off": _counts(labelled.labels.filter(pc.invert(labelled.labels.column("on")))),
            "learnable": learnable,
        }
        read, kept = scored.num_rows, labelled.labels.num_rows
        lost = Counter(row["rule"] for row in rejected.to_pylist() if row["entity"] != "plant")
        account = {"read": read, "kept": kept, "quarantined": 0} | {f"rejected: {rule}": n for rule, n in lost.items()}
        return Reading(object_rows(objects), account, facts=facts)

    def _images(self, unit: Unit) -> tuple[pa.Table, pa.Table]:
        """The plant's images and its candidates, one store in memory at a time."""
        images, scored = [IMAGES.empty_table()], []
        for url in unit.inputs:
            if url.endswith(".zarr"):
                images.append(decode_table(objectstore.read_bytes(url.removesuffix(".zarr") + ".parquet"), IMAGES))
                scored.append(candidates(read_images(url), self.select.images, self.imagers))
        return pa.concat_tables(images), pa.concat_tables(scored)

    def _plant_years(
        self, units: pa.Table, structures: pa.Table, generation: PlantRecords, labels: pa.Table
    ) -> tuple[pa.Table, list[list[Any]]]:
        """Why the plant cannot be learned from in a year with labels, and [structure kind, year] where it can."""
        years = np.unique(utc_year(labels.column("time_utc_ns").to_numpy())).tolist()
        if not years or not units.num_rows:
            return REJECTIONS.empty_table(), []
        known = plant_years(units, structures, years, generation)
        kinds = sorted(set(labels.column("structure_kind").to_pylist()))
        found = {kind: self.select_plants.for_training(known, kind) for kind in kinds}
        kept = [[kind, year] for kind in kinds for year in found[kind].kept["year"].tolist()]
        return pa.concat_tables([REJECTIONS.empty_table(), *(each.rejected for each in found.values())]), kept


def _told(unit: Unit, name: str, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(json.loads(str(unit.partition[name])), schema=schema)


def _rows(unit: Unit, folder: str, plant_id: str, schema: pa.Schema) -> pa.Table:
    """The plant's rows of every table of a folder among the inputs."""
    parts = [schema.empty_table()]
    for url in unit.inputs:
        if f"/{folder}/" in url:
            with objectstore.opened(url) as file:
                parts.append(read_rows(file, "plant_id", plant_id, schema))
    return pa.concat_tables(parts)


def _counts(rows: pa.Table) -> list[list[Any]]:
    """[structure kind, imager, rows], sorted: facts travel as JSON."""
    counted = rows.group_by(["structure_kind", "imager"]).aggregate([([], "count_all")])
    return sorted([row["structure_kind"], row["imager"], row["count_all"]] for row in counted.to_pylist())
