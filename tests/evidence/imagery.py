"""Ingests the real scenes at hand at declared points, and checks every pixel against the metadata's own formula.

`python -m tests.evidence.imagery --data ../shared/data --out docs/evidence/imagery`. No inventory plant lies in these
clips: this shows that real files go through the same reader, region and store as a plant's, and nothing of vapor.
"""

import argparse
import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from carbonray.contract import Unit, encode_object_rows
from carbonray.io import objectstore
from carbonray.io.image_store import ImageStack, read_images
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS, Structure
from carbonray.io.imagery.region import RegionRules
from carbonray.io.table_store import decode_table
from carbonray.science.power.band_math import values
from carbonray.stages.imagery import IngestRegion, region_partition
from carbonray.vocab.plant_tables import IMAGES
from carbonray.vocab.sensors import IMAGERS, Band, Imager
from tests.evidence.imagery_formulas import chip_values, landsat_values
from tests.evidence.imagery_page import draw, readme

SCENE = "imagery/landsat8_scene"
CHIPS = "imagery/sentinel2_barbellino"
HLS_CHIP = "imagery/hls_chip/regression_test_0_input.tif"
CHIP_DATES = {"20170703": "2017-07-03T10:10:00Z", "20190723": "2019-07-23T10:10:00Z"}  # the hour is not in the files
HLS_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B09")  # the first eight of ten; see the page
HLS = Imager(
    name="hls",
    bands=(
        Band("B01", 443.0, 30.0, "coastal"),
        Band("B02", 482.0, 30.0, "blue"),
        Band("B03", 561.0, 30.0, "green"),
        Band("B04", 655.0, 30.0, "red"),
        Band("B05", 865.0, 30.0, "nir"),
        Band("B06", 1609.0, 30.0, "swir16"),
        Band("B07", 2201.0, 30.0, "swir22"),
        Band("B09", 1373.0, 30.0, "cirrus"),
    ),
    pixel_m=30.0,
    overpass_local_hour=(10.0, 11.0),
    revisit_days=4.0,
    bits=14,
    derived=("hot", "whiteness", "ndvi", "ndswir"),
    patch_px=(4, 8, 16, 32),
    reader="generic",
)


@dataclasses.dataclass(frozen=True)
class Case:
    """One unit of the ingest: a declared point, an imager and the items around it."""

    name: str
    imager: Imager
    year: int
    point: tuple[float, float]
    margin_px: int
    items: tuple[str, ...]


def main() -> None:
    """Parses the command line and writes the page, the pictures and the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(flags.data.resolve(), flags.out, Path(folder))


def write(data: Path, out: Path, work: Path) -> dict[str, Any]:
    """Ingests all cases and writes results.json, README.md and a picture of each; answers the results."""
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for case in cases(data, work):
        stack, rows, counts = ingested(case, work)
        physical = values(stack.dn, stack.scale, stack.offset, stack.k1, stack.k2)
        draw(case.name, stack, physical, case.imager, rows, out / f"{case.name}.png")
        found.append(told(case, stack, rows, physical, counts) | {"formula": _checked(case, data, stack, physical)})
    results = {"inputs_sha256": _hashes(data), "cases": found}
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "README.md").write_text(readme(results), encoding="utf-8")
    return results


def cases(data: Path, work: Path) -> list[Case]:
    """The declared points: the middle of the Landsat clip and its edge, the chips' middles."""
    sentinel = IMAGERS["sentinel2"]
    mtl = (data / SCENE / "l8_MTL.txt").as_posix()
    chips = {date: _sentinel_item(data, work, date) for date in CHIP_DATES}
    return [
        Case("landsat8-middle", IMAGERS["landsat8"], 2015, (30.73, -87.40), 48, (mtl,)),
        Case("landsat8-edge", IMAGERS["landsat8"], 2015, (30.66, -87.305), 48, (mtl,)),
        Case("sentinel2-2017", sentinel, 2017, (46.0660, 10.0432), 10, (chips["20170703"],)),
        Case("sentinel2-2019", sentinel, 2019, (46.0660, 10.0432), 10, (chips["20190723"],)),
        Case("hls-chip", HLS, 2000, (28.5328, -99.5761), 96, (_hls_item(data, work),)),
    ]


def ingested(case: Case, work: Path) -> tuple[ImageStack, list[dict[str, Any]], dict[str, int]]:
    """The case's store as it is read back, its table, and the counts of its unit."""
    imagers = IMAGERS | {HLS.name: HLS}
    structures = (Structure("declared", "NDT", *case.point),)
    partition = region_partition(case.name, case.imager.name, case.year, structures)
    unit = Unit("images", "evidence", case.name, partition, case.items, ("",) * len(case.items))
    reading = IngestRegion(RegionRules(margin_px=case.margin_px), imagers)(unit)
    if reading.quarantined:
        raise RuntimeError(f"{case.name}: {dict(reading.quarantined)}")
    objects = encode_object_rows(unit, reading.batch, reading.facts).objects
    for key, blob in objects.items():
        objectstore.put_bytes((work / "run" / key).as_posix(), blob)
    stem = f"images/{case.name}/{case.imager.name}/{case.year}"
    rows = decode_table(objects[f"{stem}.parquet"], IMAGES).to_pylist()
    return read_images((work / "run" / f"{stem}.zarr").as_posix()), rows, dict(reading.rows)


def told(
    case: Case, stack: ImageStack, rows: list[dict[str, Any]], physical: np.ndarray, counts: dict[str, int]
) -> dict[str, Any]:
    """What the page says of one case."""
    quality = rows[0]["quality"]
    with np.errstate(invalid="ignore"):
        bands = [
            [None if np.isnan(band).all() else round(float(np.nanpercentile(band, q)), 4) for q in (1, 50, 99)]
            for band in physical[0]
        ]
    return {
        "name": case.name,
        "imager": case.imager.name,
        "image_id": rows[0]["image_id"],
        "point": case.point,
        "grid": dataclasses.asdict(stack.grid),
        "rows": counts,
        "quality": [name for name, bit in QUALITY_BITS.items() if quality & bit],
        **{key: _plain(rows[0][f"{key}_fraction"]) for key in ("valid", "cloud", "clear")},
        "flagged": {name: int(((stack.flags & bit) != 0).sum()) for name, bit in FLAG_BITS.items()},
        "covered_km2": round(rows[0]["covered_km2"], 3),
        "sun": [_plain(rows[0][f"sun_{name}_deg"]) for name in ("elevation", "azimuth")],
        "bands": dict(zip(stack.bands, bands, strict=True)),
    }


def _checked(case: Case, data: Path, stack: ImageStack, physical: np.ndarray) -> dict[str, Any]:
    """Largest difference from the formula, reckoned apart from the readers, and the pixels compared."""
    if case.imager.name == "landsat8":
        expected = landsat_values(data / SCENE, stack.grid)
    elif case.imager.name == "sentinel2":
        date = rows_date(case)
        path = data / CHIPS / f"S2A1C_{date}_022_Barbellino_TOA_10.tif"
        expected = chip_values(path, stack.grid, [*range(1, 9), None, 9, 10, 11, 12], 65535.0)
    else:
        expected = chip_values(data / HLS_CHIP, stack.grid, list(range(1, 9)), -9999.0)
    found, measured = physical[0].astype(np.float64), np.isfinite(expected)
    if not np.array_equal(measured, np.isfinite(found)):
        raise RuntimeError(f"{case.name}: measured pixels differ from the file's")
    apart = np.abs(found - expected)[measured]
    relative = apart / np.maximum(np.abs(expected[measured]), 1e-3)
    return {"pixels": int(measured.sum()), "max_abs": float(apart.max()), "max_relative": float(relative.max())}


def rows_date(case: Case) -> str:
    """The date of a Barbellino chip, of its case's name."""
    return next(date for date in CHIP_DATES if date.startswith(case.name.rpartition("-")[2]))


def _sentinel_item(data: Path, work: Path, date: str) -> str:
    """An item of a chip: twelve bands without B8A, scaled by 1e-4 without offset as before baseline 04.00."""
    names = [band.name for band in IMAGERS["sentinel2"].bands if band.name != "B8A"]
    chip = data / CHIPS / f"S2A1C_{date}_022_Barbellino_TOA_10.tif"
    classes = data / CHIPS / f"S2A2A_{date}_022_Barbellino_SCL_10.tif"
    told = [{"name": name, "scale": 1e-4, "offset": 0.0} for name in names]
    assets = {
        "chip": {"href": chip.as_posix(), "eo:bands": told, "raster:bands": told},
        "scl": {"href": classes.as_posix()},
    }
    return _item(work, chip.stem, CHIP_DATES[date], assets, {"constellation": "sentinel-2"})


def _hls_item(data: Path, work: Path) -> str:
    """An item of the HLS chip; its date is not stated, so that of the item means nothing."""
    told = [{"name": name, "scale": 1e-4, "offset": 0.0} for name in HLS_BANDS]
    assets = {"chip": {"href": (data / HLS_CHIP).as_posix(), "eo:bands": told, "raster:bands": told}}
    return _item(work, "hls_chip", "2000-01-01T00:00:00Z", assets, {"platform": "hls", "carbonray:shift": 10000})


def _item(work: Path, name: str, time: str, assets: dict[str, Any], told: dict[str, Any]) -> str:
    item = {"type": "Feature", "stac_version": "1.0.0", "id": name, "geometry": None, "links": [], "assets": assets}
    path = work / f"{name}.json"
    path.write_text(json.dumps(item | {"properties": {"datetime": time, **told}}), encoding="utf-8")
    return path.as_posix()


def _hashes(data: Path) -> dict[str, str]:
    files = [*sorted((data / SCENE).iterdir()), *sorted((data / CHIPS).iterdir()), data / HLS_CHIP]
    wanted = [path for path in files if "S2A2A" not in path.name or "SCL" in path.name]
    return {path.relative_to(data).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in wanted}


def _plain(number: float) -> float | None:
    return None if np.isnan(number) else round(float(number), 4)


if __name__ == "__main__":
    main()
