"""Reads one file of weather, gridded or a table, at the plants that are watched.

Source: plume paper section 3.2 (ERA5 at each plant, matched to the hour of each image).
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io.inventory.store import read_inventory
from carbonray.io.plant_weather import PlantWeatherRules, Sites, gridded_weather, sites_of
from carbonray.io.table_store import encode_table
from carbonray.io.weather_tables import read_weather_table
from carbonray.vocab.plant_tables import PLANT_WEATHER

FOLDER = "weather"
TABLES = (".csv", ".csv.gz", ".parquet", ".pq", ".txt")


@dataclass(frozen=True)
class ReadPlantWeather:
    """Reader of one file: the weather of plants with annotated structures, as ready objects.

    Attributes:
        rules: how weather is carried to a plant.
        inventory_url: of `inventory.parquet`.
    """

    rules: PlantWeatherRules
    inventory_url: str

    def __call__(self, unit: Unit) -> Reading:
        """`weather/KEY.parquet`; the fact `plants` lists who is in it.

        Raises:
            DataError: the file is damaged or holds no temperature.
            TransportError: it could not be moved.
        """
        plants, _, structures = read_inventory(self.inventory_url)
        watched = plants.filter(pc.is_in(plants.column("plant_id"), value_set=structures.column("plant_id")))
        weather, account, reasons = self._read(unit.inputs[0], sites_of(watched))
        objects = {f"{FOLDER}/{unit.key}.parquet": encode_table(weather, ("plant_id", "time_utc_ns"))}
        facts = {"plants": sorted(set(weather.column("plant_id").to_pylist()))}
        return Reading(object_rows(objects), account, reasons, facts)

    def _read(self, url: str, sites: Sites) -> tuple[pa.Table, dict[str, int], dict[str, int]]:
        if not url.lower().endswith(TABLES):
            parts = list(gridded_weather(url, sites, self.rules))
            weather = pa.concat_tables([PLANT_WEATHER.empty_table(), *parts])
            return weather, {"read": weather.num_rows, "kept": weather.num_rows, "quarantined": 0}, {}
        found = read_weather_table(url, sites, self.rules)
        kept, aside = found.weather.num_rows, found.set_aside.num_rows
        account = {"read": kept + aside + found.unplaced, "kept": kept, "quarantined": aside}
        account |= {"rejected: no plant": found.unplaced} if found.unplaced else {}
        reasons: dict[str, int] = {}
        for reason in found.set_aside.column("reason").to_pylist():
            reasons[reason] = reasons.get(reason, 0) + 1
        return found.weather, account, reasons
