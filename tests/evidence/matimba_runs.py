"""The hotspots job on the real granule, once a bundle and wind, and what came out of each run in plain numbers."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from carbonray.catalogue import run_job
from carbonray.contract import Unit
from carbonray.io.objectstore import sha256
from carbonray.io.wind_index import index_wind
from carbonray.settings import Settings, load
from carbonray.stages.swaths import ReadOrbit
from tests.evidence.matimba_targets import TARGETS, explanation, known_plants, nearest, regions, strength_at

GRANULE = "tropomi/matimba/*S5P*.nc"
WEATHER = "tropomi/matimba/*ERA5*.nc"
PLANTS = "plants/gppd/database_WRI_2018-06-10.csv"
WINDS = {"ERA5": 1.0, "zero": 0.0, "reversed": -1.0}
THRESHOLDS_UMOL_M2 = (100.0, 150.0, 200.0, 300.0)

Pixels = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Detected:
    """One run: its facts, and the judged pixels it committed."""

    facts: dict[str, Any]
    pixels: Pixels
    table: dict[str, list[Any]]


def settings_for(data: Path, bundle_url: str, wind_factor: float = 1.0) -> Settings:
    """The defaults with the granule, its wind and one bundle, in one process."""
    return load(
        overrides=[
            "engine.backend=memory",
            f"inputs.tropomi={data / GRANULE}",
            f"inputs.weather={data / WEATHER}",
            f"inputs.bundles={bundle_url}",
            f"hotspots.detect.wind_factor={wind_factor}",
        ]
    )


def detect(data: Path, bundle_url: str, wind: str, out: Path) -> Detected:
    """Runs the job; `out` takes a run's folder named after bundle and wind."""
    run_id = f"{Path(bundle_url).name}-{wind}"
    facts = run_job("hotspots", settings_for(data, bundle_url, WINDS[wind]), str(out), run_id)
    partial = pq.read_table(next((out / run_id / "partials").glob("*.parquet")))
    table = pq.read_table(out / run_id / "hotspots.parquet")
    pixels = {name: partial.column(name).to_numpy() for name in partial.column_names}
    return Detected(facts, pixels, table.drop_columns(["geometry"]).to_pydict())


def told(found: Detected, bundle: str, wind: str, plants_csv: str) -> dict[str, Any]:
    """One run as a row of the results, with every detection."""
    cut = float(found.facts["bundles"][0]["cut"])
    pixels = found.pixels
    some = regions(pixels["row"], pixels["col"], pixels["rel_emission"], cut)
    if sorted(r.n_pixels for r in some) != sorted(found.table["n_pixels"]):
        raise AssertionError(f"the hotspot table of {bundle} ({wind}) is not the regions of its partial")
    plants = known_plants(plants_csv)
    return {
        "method": bundle,
        "wind": wind,
        "cut": cut,
        "run_sha256": found.facts["sha256"],
        "judged_pixels": len(pixels["row"]),
        "regions": len(some),
        "pixels": sum(region.n_pixels for region in some),
        "targets": {t.name: nearest(t, some) | strength_at(t, pixels, "rel_emission") for t in TARGETS},
        "detections": [
            {"number": n, **_rounded(asdict(region)), "known_within_50_km": explanation(region, plants)}
            for n, region in enumerate(some, start=1)
        ],
    }


def threshold_rows(field: Pixels) -> list[dict[str, Any]]:
    """The plain column threshold at some cuts, over every measured pixel."""
    rows = []
    for cut in THRESHOLDS_UMOL_M2:
        some = regions(field["row"], field["col"], field["no2_umol_m2"], cut)
        rows.append(
            {
                "method": f"NO2 column at least {cut:g} umol m-2",
                "wind": "not used",
                "cut": cut,
                "regions": len(some),
                "pixels": sum(region.n_pixels for region in some),
                "targets": {t.name: nearest(t, some) | strength_at(t, field, "no2_umol_m2") for t in TARGETS},
            }
        )
    return rows


def gridded_field(data: Path) -> Pixels:
    """Every measured pixel of the granule on the lattice, with its wind: what the job's reader gives."""
    rules = load().hotspots
    granule = next(data.glob(GRANULE))
    wind = index_wind([str(path) for path in sorted(data.glob(WEATHER))])
    unit = Unit("detect", "evidence", granule.stem, {}, (str(granule),), ("",))
    return ReadOrbit(rules.pixels, rules.gridding, wind, rules.wind)(unit).batch


def input_hashes(data: Path) -> dict[str, str]:
    """sha256 of every input file by its path under the data folder."""
    paths = sorted(path for pattern in (GRANULE, WEATHER, PLANTS) for path in data.glob(pattern))
    return {str(path.relative_to(data)): sha256(path.read_bytes()) for path in paths}


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float | np.floating) else value for name, value in values.items()
    }
