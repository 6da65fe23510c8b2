"""The real granule around Matimba through the whole job, with the bundle that ships; skipped where one is absent.

Source: issue 2, "Shown by" 2. Only what is required is asserted; what the controls do is told in the captured output
and in docs/evidence/no2-matimba.
"""

import json
from pathlib import Path

import pytest

from carbonray.catalogue import run_job
from carbonray.errors import ContractError
from carbonray.io import objectstore
from carbonray.io.model_store import bundle_sha256, packaged_bundle_url
from carbonray.settings import load
from tests.conftest import ROOT
from tests.evidence.matimba_runs import GRANULE, WEATHER, Detected, detect
from tests.evidence.matimba_targets import TARGETS, nearest, regions, strength_at

pytestmark = pytest.mark.slow
PRODUCTS = ("hotspots.parquet", "hotspots.zarr", "hotspot_pixels", "partials")


@pytest.fixture(scope="module")
def bundle_url() -> str:
    name = load().hotspots.model
    try:
        return packaged_bundle_url(name)
    except ContractError:
        pytest.skip(f"the bundle {name!r} does not ship yet")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matimba")


@pytest.fixture(scope="module")
def detected(shared_data: Path, bundle_url: str, runs: Path) -> Detected:
    return detect(shared_data, bundle_url, "ERA5", runs)


def detections(found: Detected) -> list:
    pixels, cut = found.pixels, found.facts["bundles"][0]["cut"]
    return regions(pixels["row"], pixels["col"], pixels["rel_emission"], cut)


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_the_target_is_found_at_the_stored_cut(detected, target):
    told = nearest(target, detections(detected)) | strength_at(target, detected.pixels, "rel_emission")
    print(target.name, told)
    assert told["found"], told


def test_the_table_holds_the_regions_that_were_detected(detected):
    some = detections(detected)
    assert detected.facts["data_tier"] == "REAL"
    assert detected.facts["units"] == {"planned": 3, "committed": 3, "quarantined": 0, "retried": 0}
    assert sorted(detected.table["n_pixels"]) == sorted(region.n_pixels for region in some)
    peaks = {(round(region.peak_lat, 3), round(region.peak_lon, 3)) for region in some}
    table = zip(detected.table["peak_lat"], detected.table["peak_lon"], strict=True)
    assert {(round(lat, 3), round(lon, 3)) for lat, lon in table} == peaks
    assert set(detected.table["n_valid_days"]) == {1}


def test_the_evidence_is_of_the_bundle_that_ships(bundle_url, detected):
    results = json.loads((ROOT / "docs/evidence/no2-matimba/results.json").read_text())
    again = "run `python -m tests.evidence.matimba` again: its evidence is of another bundle or code"
    assert results["bundles"][load().hotspots.model]["sha256"] == bundle_sha256(bundle_url), again
    told = results["runs"][0]
    some = detections(detected)
    assert (told["method"], told["wind"]) == (load().hotspots.model, "ERA5")
    assert (told["regions"], told["pixels"]) == (len(some), sum(region.n_pixels for region in some)), again


def test_reversed_wind_is_reported(shared_data, bundle_url, runs):
    pixels = detect(shared_data, bundle_url, "reversed", runs)
    for target in TARGETS:
        print("reversed wind:", target.name, nearest(target, detections(pixels)))
    assert pixels.facts["status"] == "complete"


def test_ingested_swaths_give_the_bytes_that_the_granule_gives(shared_data, bundle_url, runs, detected):
    memory = ["engine.backend=memory"]
    run_job("ingest", load(overrides=[*memory, f"inputs.tropomi={shared_data / GRANULE}"]), str(runs), "ingest")
    inputs = [f"inputs.tropomi={runs}/ingest/swaths/*.zarr", f"inputs.weather={shared_data / WEATHER}"]
    facts = run_job("hotspots", load(overrides=[*memory, *inputs, f"inputs.bundles={bundle_url}"]), str(runs), "swaths")
    straight = f"{Path(bundle_url).name}-ERA5"
    assert digests(runs / "swaths") == digests(runs / straight)
    assert facts["sha256"] == detected.facts["sha256"]


def digests(run: Path) -> dict[str, str]:
    """sha256 of every product of a run, by its path in the run's folder."""
    files = [path for path in sorted(run.rglob("*")) if path.is_file()]
    named = {str(path.relative_to(run)): path for path in files}
    found = {key: objectstore.sha256(p.read_bytes()) for key, p in named.items() if key.startswith(PRODUCTS)}
    assert {key.split("/")[0] for key in found} == set(PRODUCTS)
    return found
