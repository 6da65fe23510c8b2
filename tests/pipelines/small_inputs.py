"""Everything a hotspots run needs, in a second: granules of one tile or two, a uniform wind, an untrained bundle."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from carbonray.catalogue import digest
from carbonray.engine.run import Run, open_run
from carbonray.io.model_store import Bundle, Lineage, save_bundle
from carbonray.models.detector import network_of
from carbonray.models.registry import MODELS
from carbonray.pipelines import hotspots
from carbonray.settings import Settings, load
from carbonray.synthetic.winds import encode_era5
from tests.io.granules import CLOUD, GEO, NO2, START_S, official_granule

LINES, PIXELS = 84, 104
SCANNED = (
    NO2, CLOUD, "PRODUCT/qa_value", "PRODUCT/latitude", "PRODUCT/longitude", "PRODUCT/delta_time",
    f"{GEO}/latitude_bounds", f"{GEO}/longitude_bounds",
)  # fmt: skip
EPOCH_2010_S = 1_262_304_000
LINEAGE = Lineage("none", "none", 0, 0, 0, 0, "", "", {}, {}, {})

Change = Callable[[h5py.File], None]


@dataclass(frozen=True)
class Inputs:
    """A folder with `granules/`, `weather.nc` and `bundle/`, and the settings that name them."""

    folder: Path

    def settings(self, granules: str = "granules/*.nc", *more: str) -> Settings:
        return load(overrides=[*self.overrides(granules), *more])

    def overrides(self, granules: str = "granules/*.nc") -> list[str]:
        return [
            "engine.backend=memory",
            "hotspots.detect.batch_tiles=4",
            f"inputs.tropomi={self.folder / granules}",
            f"inputs.weather={self.folder}/weather.nc",
            f"inputs.bundles={self.folder}/bundle",
        ]

    def put(self, path: str, data: bytes) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def run(self, run_id: str, granules: str = "granules/*.nc", *more: str) -> Run:
        """From plan to verification; the page of the report is not made, for it says nothing here."""
        return execute(self.settings(granules, *more), self.folder / "out", run_id)


def execute(settings: Settings, out: Path, run_id: str) -> Run:
    found = digest("hotspots", settings)
    run = open_run(str(out), run_id, "hotspots", found, settings.model_dump(mode="json"), settings.engine)
    hotspots.run(run, settings)
    run.finish()
    return run


def prepare(folder: Path) -> Inputs:
    """Wind and bundle in a new folder."""
    inputs = Inputs(folder)
    inputs.put("weather.nc", weather())
    save_untrained(folder / "bundle")
    return inputs


def granule(change: Change | None = None, **kwargs: Any) -> bytes:
    """A granule in the official layout that complete tiles fit into, qa 1 but for its last scan line."""
    return official_granule(change, **{"lines": LINES, "pixels": PIXELS, "lat0": -27.0, "lon0": 26.0, **kwargs})


def each_scanned(rearrange: Callable[[np.ndarray], np.ndarray]) -> Change:
    """A change of every variable along the track; `rearrange` sees (scan line, ...)."""

    def change(file: h5py.File) -> None:
        for path in SCANNED:
            values, attributes = file[path][0], dict(file[path].attrs)
            del file[path]
            file[path] = rearrange(values)[None]
            kept = ("units", "_FillValue", "scale_factor", "add_offset")
            file[path].attrs.update({name: attributes[name] for name in kept if name in attributes})

    return change


def weather(
    lats: tuple[float, float] = (-35.0, -15.0),
    lons: tuple[float, float] = (15.0, 40.0),
    hours: tuple[int, int] = (10, 14),
) -> bytes:
    """ERA5 at 100 m with one wind everywhere."""
    lat, lon = np.arange(lats[1], lats[0] - 1e-9, -1.0), np.arange(lons[0], lons[1] + 1e-9, 1.0)
    time_s = EPOCH_2010_S + START_S + 3600 * np.arange(*hours)
    shape = (len(time_s), len(lat), len(lon))
    return encode_era5(lat, lon, time_s, np.full(shape, -4.0), np.full(shape, 2.0), "REAL")


def save_untrained(folder: Path, cut: float = 1e-4) -> str:
    """A narrow U-Net with its first weights: it means nothing, and answers with numbers of its own."""
    torch.manual_seed(0)
    entry, config = MODELS["unet"], {"width": 8}
    tensors = {name: value.numpy() for name, value in network_of("unet", config).state_dict().items()}
    return save_bundle(str(folder), Bundle("unet", config, asdict(entry.encoding), cut, LINEAGE, tensors))


def partial(run: Run, key: str) -> pa.Table:
    """What one granule gave."""
    return pq.read_table(local(run) / "partials" / f"{key}.parquet")


def quarantine(run_folder: Path) -> dict[str, str]:
    """Key -> reason of every unit set aside."""
    rows = pq.read_table(run_folder / "quarantine.parquet").to_pylist()
    assert {row["rows"] for row in rows} <= {-1}
    return {row["key"]: row["reason"] for row in rows}


def local(run: Run) -> Path:
    return Path(run.url.removeprefix("file://"))
