"""Fictional power stations in the real scenes at hand, as the files that `jobs.ingest` reads.

The scenes show no plant of any inventory, so towers and stacks are placed where a rule or a score can be expected. A
tower and a stack stand 60 m apart at each place; every station is a coal plant of 1000 MW in service since 1990.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.evidence.imagery import cases

TIER = "FICTIONAL plant in REAL images"
APART_DEG = 60.0 / 111_195.0  # a stack north of its tower
HLS_DATE = "2017-01-01T00:00:00Z"  # the chip's date is not stated: this one means nothing
BOXES = {  # west, south, east, north of the files, degrees
    "S2A1C": (10.0415, 46.0641, 10.0448, 46.0680),
    "hls": (-99.6106, 28.5023, -99.5415, 28.5633),
}


@dataclass(frozen=True)
class Place:
    """One fictional station.

    Attributes:
        name: of the station.
        country: ISO3 code of the country that the place lies in.
        lat: of its tower, degrees north.
        lon: degrees east.
        why: what the place was chosen for.
    """

    name: str
    country: str
    lat: float
    lon: float
    why: str


PLACES = (
    Place("Landsat clear", "USA", 30.6640, -87.4020, "cloudless in the middle of the scene's south"),
    Place("Landsat cloudy", "USA", 30.7302, -87.4414, "under the clouds of the scene's middle"),
    Place("Landsat edge", "USA", 30.6642, -87.3021, "8 pixels from the scene's eastern edge"),
    Place("Landsat beyond", "USA", 30.6643, -87.2893, "outside the clip, inside the box that its metadata state"),
    Place("Sentinel-2 chip", "ITA", 46.0660, 10.0432, "in the middle of the chips of 24 x 42 pixels"),
    Place("HLS chip", "USA", 28.5328, -99.5761, "in the middle of the chip of an imager that no model knows"),
)


def write_inputs(data: Path, work: Path) -> dict[str, str]:
    """Writes inventory, annotations and items under `work`; answers setting -> file.

    Args:
        data: folder of real data.
        work: an existing folder.
    """
    files = {name: work / name for name in ("units.csv", "structures.geojson", "items.json")}
    _write_units(files["units.csv"])
    features = [_feature(number, place) for number in range(len(PLACES)) for place in _structures(number)]
    files["structures.geojson"].write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    paths = dict.fromkeys(item for case in cases(data, work) for item in case.items)
    items = [_placed(json.loads(Path(path).read_text())) for path in paths if path.endswith(".json")]
    files["items.json"].write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    scenes = [path for path in paths if not path.endswith(".json")]
    return {
        "inputs.inventory": f"[{files['units.csv']}]",
        "inputs.structures": f"[{files['structures.geojson']}]",
        "inputs.imagery": json.dumps([*scenes, files["items.json"].as_posix()]),
    }


def _write_units(path: Path) -> None:
    rows = [
        {
            "plant_ref": f"fiction:{number}",
            "plant_name": place.name,
            "country": place.country,
            "lat": place.lat,
            "lon": place.lon,
            "unit_id": f"fiction:{number}-1",
            "unit_name": "1",
            "fuel": "bituminous",
            "prime_mover": "ST",
            "capacity_mw": 1000.0,
            "start_date": "1990-01-01",
            "end_date": "",
            "cooling_type": "natural_draft",
            "wet_fgd": "true",
            "data_tier": TIER,
        }
        for number, place in enumerate(PLACES)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _structures(number: int) -> Sequence[tuple[str, float, float]]:
    place = PLACES[number]
    return (("NDT", place.lat, place.lon), ("FGD", place.lat + APART_DEG, place.lon))


def _feature(number: int, structure: tuple[str, float, float]) -> dict[str, Any]:
    kind, lat, lon = structure
    told = {"structure_id": f"fiction:{number}-{kind}", "structure_kind": kind, "plant_ref": f"units:fiction:{number}"}
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": told}


def _placed(item: dict[str, Any]) -> dict[str, Any]:
    """The item with the box of its file, without which it might be of any plant."""
    box = next(box for begin, box in BOXES.items() if item["id"].startswith(begin))
    properties = item["properties"] | ({"datetime": HLS_DATE} if item["id"].startswith("hls") else {})
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return item | {"properties": properties, "bbox": list(box), "geometry": geometry}
