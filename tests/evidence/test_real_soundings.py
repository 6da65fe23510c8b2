"""Real images through the plants' jobs: what is scored, and which rule rejects what is not; and the committed page."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.real_soundings import hashes, write
from tests.evidence.real_soundings_page import readme

KEPT = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "real-soundings"
ERAS = (
    '[{imager: planetscope, since: "2022-03-01", every: 400, share: 1.0}, '
    '{imager: sentinel2, since: "2021-02-01", every: 24, share: 1.0}, '
    '{imager: landsat8, since: "2021-02-01", every: 5, share: 1.0}]'
)
SMALL = (
    f"fleet.overpass.eras={ERAS}",
    "soundings.left_out_countries=[]",
    "soundings.models=[landsat8_xgb_ndt, sentinel2_xgb_ndt]",
    "soundings.fit.trees.rounds=3",
)


@pytest.fixture(scope="module")
def results(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    work = tmp_path_factory.mktemp("real")
    return write(shared_data, work / "out", work, SMALL)


def told(results: dict[str, Any], margin_px: int) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """(station, kind) -> outcome and rule of its images."""
    [run] = [run for run in results["runs"] if run["margin_px"] == margin_px]
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for image in run["images"]:
        rule = image["why"].split(":")[0]
        found.setdefault((image["place"], image.get("kind", "")), set()).add((image["outcome"], rule))
    return found


@pytest.mark.slow
def test_a_clear_image_is_scored_and_the_others_have_a_rule(results: dict[str, Any]) -> None:
    found, unasked = told(results, 48), "not asked: no model of it; rejected by the ingest"
    assert found["Landsat clear", "NDT"] == {("scored", "")}
    assert found["Landsat clear", "FGD"] == {(unasked, "weather unknown")}
    assert found["Landsat cloudy", "NDT"] == {("rejected", "cloud")}
    assert found["Landsat beyond", "NDT"] == {("rejected", "structures outside")}
    assert found["Landsat edge", "NDT"] == {("rejected", "patch measured")}
    assert found["Sentinel-2 chip", "NDT"] == {("rejected", "band missing")}
    assert found["HLS chip", "NDT"] == {(unasked, "cloud unknown")}
    small = told(results, 10)
    assert small["Sentinel-2 chip", "NDT"] == small["Landsat clear", "NDT"] == {("rejected", "patch inside")}
    assert {outcome for outcome, _ in small["Landsat beyond", ""]} == {"set aside"}


@pytest.mark.slow
def test_four_instances_score_a_station_that_none_has_seen(results: dict[str, Any]) -> None:
    scores = [score for run in results["runs"] for image in run["images"] for score in image.get("scores", [])]
    assert {(score["head"], score["instances"]) for score in scores} == {("cls", 4), ("reg", 4)}
    assert all(0.0 <= score["min"] <= score["mean"] <= score["max"] <= 1.0 for score in scores)


@pytest.mark.slow
def test_every_image_is_accounted_for(results: dict[str, Any]) -> None:
    for run in results["runs"]:
        rows = run["rows"]
        rejected = sum(count for name, count in rows.items() if name.startswith("rejected: "))
        assert rows["read"] == rows["kept"] + rows["quarantined"] + rejected
        assert rejected == sum(image["outcome"] == "rejected" for image in run["images"])


def test_the_committed_page_says_what_it_is_and_follows_from_its_numbers() -> None:
    page = (KEPT / "README.md").read_text(encoding="utf-8")
    results = json.loads((KEPT / "results.json").read_text(encoding="utf-8"))
    assert readme(results) == page
    first = page[: page.index("What is shown")]
    assert "no skill" in first and "SYNTHETIC" in first and "fictional" in first
    assert "Model trained on SYNTHETIC images, no truth here" in page


def test_the_committed_page_is_of_the_files_at_hand(shared_data: Path) -> None:
    assert json.loads((KEPT / "results.json").read_text(encoding="utf-8"))["inputs_sha256"] == hashes(shared_data)
