"""The hotspots job as a whole: Ray equals memory to the bit, and a finished run is left alone."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from carbonray import demo
from carbonray.catalogue import rewrite_report, run_job
from carbonray.errors import SettingsError
from carbonray.io import grid_store
from carbonray.io.model_store import Bundle, Lineage, save_bundle
from carbonray.models.detector import network_of
from carbonray.models.registry import MODELS
from carbonray.settings import Settings, load

SMALL = ["world.days=2", "world.sources=3", "engine.backend=memory", "world.region=[110.0, 30.0, 115.0, 35.0]"]


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of a small Earth, and an untrained bundle whose cut is so low that it finds something."""
    out = tmp_path_factory.mktemp("earth")
    run_job("world", load(overrides=SMALL), str(out), "world")
    torch.manual_seed(0)
    tensors = {name: value.numpy() for name, value in network_of("unet").state_dict().items()}
    lineage = Lineage("none", "none", 0, 0, 0, 0, "", "", {}, {}, {})
    entry = MODELS["unet"]
    bundle = Bundle("unet", asdict(entry.config), asdict(entry.encoding), 1e-6, lineage, tensors)
    save_bundle(str(out / "bundle"), bundle)
    return out


def hotspot_settings(earth: Path, *more: str) -> Settings:
    world = earth / "world"
    named = [f"inputs.{name}={world}/{path}" for name, path in demo.INPUTS["hotspots"].items()]
    return load(overrides=["engine.backend=memory", f"inputs.bundles={earth}/bundle", *named, *more])


@pytest.fixture(scope="module")
def done(earth: Path) -> dict[str, Any]:
    """One finished run, `plain`, that tests may look at but not change."""
    return run_job("hotspots", hotspot_settings(earth), str(earth), "plain")


def test_the_products_are_there_and_add_up(earth: Path, done: dict[str, Any]) -> None:
    run, facts = earth / "plain", done
    verification = json.loads((run / "verification.json").read_text())
    assert (
        verification["complete"] and verification["planned"] == verification["committed"] + verification["quarantined"]
    )
    rows = verification["rows"]
    rejected = sum(count for name, count in rows.items() if name.startswith("rejected"))
    assert rows["read"] == rows["kept"] + rows["quarantined"] + rejected
    grid = grid_store.open_grid(str(run / "hotspots.zarr"))
    days, hits = grid["n_valid_days"].values, grid["n_detections"].values
    seen = days > 0
    np.testing.assert_allclose(grid["detect_freq"].values[seen], hits[seen] / days[seen], rtol=1e-6)
    assert seen.sum() > 0 and days[seen].max() <= 2
    assert grid["lat"].values[0] > grid["lat"].values[-1], "north up"
    table = pq.read_table(run / "hotspots.parquet")
    assert set(table.column("data_tier").to_pylist()) <= {"SYNTHETIC-T2"} and facts["data_tier"] == "SYNTHETIC-T2"
    assert facts["matching"]["judged_sources"] <= 3
    page = (run / "report.html").read_text()
    assert "SYNTHETIC" in page and "https://" not in page.replace("http://www.w3.org", "")


def test_a_finished_run_is_left_alone(earth: Path, done: dict[str, Any]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (earth / "plain").rglob("*")}
    assert run_job("hotspots", hotspot_settings(earth), str(earth), "plain") == done
    assert {path: path.stat().st_mtime_ns for path in (earth / "plain").rglob("*")} == before


@pytest.mark.usefixtures("done")
def test_a_run_id_is_not_used_for_other_settings(earth: Path) -> None:
    with pytest.raises(SettingsError, match="other settings"):
        run_job("hotspots", hotspot_settings(earth, "hotspots.cut=0.5"), str(earth), "plain")


@pytest.mark.usefixtures("done")
def test_the_report_can_be_made_again(earth: Path) -> None:
    page = earth / "plain" / "report.html"
    before = page.read_bytes()
    rewrite_report(f"file://{earth}/plain")
    assert page.read_bytes() == before


@pytest.mark.ray
@pytest.mark.usefixtures("ray_local")
def test_ray_equals_memory_to_the_bit(earth: Path, done: dict[str, Any]) -> None:
    settings = hotspot_settings(earth, "engine.backend=ray", "engine.read_cpus=0.5")
    assert run_job("hotspots", settings, str(earth), "on-ray")["sha256"] == done["sha256"]


def test_no_granules_and_no_weather_are_named(earth: Path) -> None:
    with pytest.raises(SettingsError, match=r"inputs\.tropomi"):
        run_job("hotspots", hotspot_settings(earth, "inputs.tropomi=[]"), str(earth), "none")
    with pytest.raises(SettingsError, match=r"inputs\.weather"):
        run_job("hotspots", hotspot_settings(earth, "inputs.weather=[]"), str(earth), "windless")


def test_swath_stores_give_the_products_of_the_files_they_came_from(earth: Path, done: dict[str, Any]) -> None:
    given = f"inputs.tropomi={earth}/world/granules/*.nc"
    run_job("ingest", load(overrides=["engine.backend=memory", given]), str(earth), "ingested")
    stores = f"inputs.tropomi={earth}/ingested/swaths/*.zarr"
    from_stores = run_job("hotspots", hotspot_settings(earth, stores), str(earth), "from-stores")
    keys = [path.stem for path in (earth / "ingested" / "swaths").iterdir()]
    assert sorted(keys) == sorted(path.stem for path in (earth / "world" / "granules").iterdir())
    assert from_stores["sha256"] == done["sha256"]
