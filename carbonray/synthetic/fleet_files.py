"""The fleet as files: what inventories list, what its agencies publish, its weather, and the images of its providers.

Source: SCIENCE 4.13. A part is a pure function of (rules, plant, imager, year); the latent truth lies apart under
`truth/`, where no job looks for inputs.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io.image_store import PlantYear, encode_images
from carbonray.science.spatial.geodesy import utc_year
from carbonray.synthetic.fleet import (
    FleetRules,
    acquisitions_of,
    generation_of,
    plant_of,
    plants_of,
    report_of,
    weather_of,
)
from carbonray.synthetic.fleet_emissions import annual_truth, hourly_truth
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.fleet_regions import REGIONS
from carbonray.synthetic.fleet_reports import weather_parquet
from carbonray.synthetic.fleet_tables import inventory_files
from carbonray.synthetic.native_files import native_files
from carbonray.synthetic.plant_views import RenderRules, structures_seen
from carbonray.synthetic.vapor import VAPOR_TRUTH, render_plant_year
from carbonray.vocab.sensors import IMAGERS, Imager


@dataclass(frozen=True)
class MakeFleet:
    """Reader of one part of the fleet, whose rows are ready objects.

    Attributes:
        fleet: the plants.
        render: how images are made.
        imagers: the declared imagers.
    """

    fleet: FleetRules
    render: RenderRules
    imagers: Mapping[str, Imager] = field(default_factory=lambda: IMAGERS)

    def __call__(self, unit: Unit) -> Reading:
        """The inventories, one plant's reports and weather, or its images of one imager and year."""
        part = unit.partition
        if part["kind"] == "inventory":
            return _reading(self._inventory(), ", ".join(sorted({plant.data_tier for plant in plants_of(self.fleet)})))
        plant = plant_of(self.fleet, int(part["plant"]))
        if part["kind"] == "reports":
            return _reading(self._reports(plant), plant.data_tier)
        return _reading(self._images(plant, str(part["imager"]), int(part["year"])), plant.data_tier)

    def _inventory(self) -> dict[str, bytes]:
        files = inventory_files(tuple(plants_of(self.fleet)))
        return {_place(name): data for name, data in files.items()}

    def _reports(self, plant: FleetPlant) -> dict[str, bytes]:
        weather = weather_of(self.fleet, plant)
        generation = generation_of(self.fleet, plant, weather)
        layout = REGIONS[plant.region].reports
        objects = {
            f"truth/hourly/{plant.plant_id}.parquet": _parquet(hourly_truth(plant, generation)),
            f"truth/annual/{plant.plant_id}.parquet": _parquet(annual_truth(plant, generation)),
        }
        for year in fleet_years(self.fleet):
            name, data = report_of(self.fleet, plant, generation, year)
            objects[f"reported/{layout}/{name}"] = data
            name, data = weather_parquet(plant, weather, year)
            objects[f"plant_weather/{name}"] = data
        return objects

    def _images(self, plant: FleetPlant, imager: str, year: int) -> dict[str, bytes]:
        objects: dict[str, bytes] = {}
        truth = [VAPOR_TRUTH.empty_table()]
        for each in render_plant_year(self.render, self.fleet, plant, self.imagers[imager], year):
            truth.append(each.truth)
            folder = f"imagery/{imager}/{each.image.image_id}"
            objects |= {f"{folder}/{name}": data for name, data in native_files(each.image, self.imagers).items()}
        objects[f"truth/vapor/{plant.plant_id}-{imager}-{year}.parquet"] = _parquet(pa.concat_tables(truth))
        return objects


@dataclass(frozen=True)
class RenderStore:
    """Reader that renders a plant, imager and year of the fleet straight into its image store: no files between.

    Attributes:
        fleet: the plants.
        render: how images are made.
        imagers: the declared imagers.
    """

    fleet: FleetRules
    render: RenderRules
    imagers: Mapping[str, Imager] = field(default_factory=lambda: IMAGERS)

    def __call__(self, unit: Unit) -> Reading:
        """The objects of `images/PLANT/IMAGER/YEAR`, and the latent truth of its images."""
        part = unit.partition
        plant = plant_of(self.fleet, int(part["plant"]))
        of = PlantYear(str(part["plant_id"]), str(part["imager"]), int(part["year"]))
        made = list(render_plant_year(self.render, self.fleet, plant, self.imagers[of.imager], of.year))
        objects = encode_images(of, [each.image for each in made], structures_seen(plant), self.imagers)
        truth = pa.concat_tables([VAPOR_TRUTH.empty_table(), *(each.truth for each in made)])
        objects[f"truth/vapor/{of.plant_id}-{of.imager}-{of.year}.parquet"] = _parquet(truth)
        rows = {"read": len(made), "kept": len(made), "quarantined": 0}
        return Reading(object_rows(objects), rows, facts={"data_tier": plant.data_tier})


def image_years(rules: FleetRules, imagers: Mapping[str, Imager] = IMAGERS) -> Iterator[tuple[FleetPlant, str, int]]:
    """Every plant, imager and year with images, in that order; nothing is rendered."""
    for plant in plants_of(rules):
        for name, imager in imagers.items():
            years = np.unique(utc_year(acquisitions_of(rules, plant, imager).time_utc_ns))
            yield from ((plant, name, year) for year in years.tolist())


def fleet_years(rules: FleetRules) -> range:
    """Calendar years that the fleet's hours touch."""
    return range(rules.first_year - 1, rules.last_year + 2)


def _place(name: str) -> str:
    folder = "structures" if name.endswith(".geojson") else "inventory"
    return f"{folder}/{name}"


def _reading(objects: Mapping[str, bytes], tier: str) -> Reading:
    rows: dict[str, Any] = {"read": len(objects), "kept": len(objects), "quarantined": 0}
    return Reading(object_rows(objects), rows, facts={"data_tier": tier})


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
