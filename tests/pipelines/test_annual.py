"""A year of products under one run id: as each would be alone, and none undone by the failure of another."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from carbonray.catalogue import rewrite_report, run_job
from carbonray.engine.run import Run
from carbonray.engine.status import NOT_BEGUN, run_status
from carbonray.engine.verify import verify
from carbonray.errors import IncompleteError, SettingsError, TransportError
from carbonray.pipelines import annual
from carbonray.pipelines.estimate import estimate
from carbonray.settings import Settings, load
from tests.pipelines import small_city, small_regions

YEAR = ("engine.backend=memory", "annual.products=[grid, energy]", small_regions.DECLARED, *small_city.TILES)


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A city and some regions, each with untrained bundles."""
    out = tmp_path_factory.mktemp("earth")
    small_city.city_world(out / "city")
    small_city.save_untrained(out / "city")
    small_regions.region_world(out / "regions")
    small_regions.save_untrained(out / "regions")
    return out


def year_settings(earth: Path, *more: str) -> Settings:
    return load(overrides=[*year_sets(earth), *more])


def year_sets(earth: Path) -> list[str]:
    city = {name: f"{earth}/city/world/{path}" for name, path in small_city.INPUTS.items()}
    city["bundles"] = f"{earth}/city/bundles"
    regions = {name: f"{earth}/regions/world/{name}/*.csv" for name in ("energy", "emissions")}
    regions["bundles"] = f"{earth}/regions/bundles"
    named = [f"annual.inputs.grid.{name}={url}" for name, url in city.items()]
    named += [f"annual.inputs.energy.{name}={url}" for name, url in regions.items()]
    return [*YEAR, *named]


@pytest.fixture(scope="module")
def done(earth: Path) -> dict[str, Any]:
    """One finished year, `plain`, that tests may look at but not change."""
    return run_job("annual", year_settings(earth), str(earth), "plain")


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception, after: bool = False) -> None:
    """Lets a product fail, before it has done anything or once all its passes are committed."""
    job = annual.PRODUCTS[name]

    def run(run: Run, settings: Settings) -> None:
        if after:
            job.run(run, settings)
        raise error

    monkeypatch.setitem(annual.PRODUCTS, name, replace(job, run=run))  # type: ignore[arg-type]


def written(folder: Path) -> dict[str, int]:
    """When each file of a product was written, but for its proof: that of the year proves every product anew."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "verification.json")
    return {str(path): path.stat().st_mtime_ns for path in files}


def test_each_product_is_what_it_is_alone(earth: Path, done: dict[str, Any]) -> None:
    settings = year_settings(earth)
    for name in ("grid", "energy"):
        alone = run_job(name, annual.settings_of(name, settings), str(earth), f"alone-{name}")
        assert done["products"][name]["sha256"] == alone["sha256"]
        assert done["products"][name]["units"] == {**alone["units"], "retried": 0}
        page = (earth / "plain" / name / "report.html").read_text()
        assert alone["sha256"] in page


def test_the_year_counts_and_proves_all_of_them(earth: Path, done: dict[str, Any]) -> None:
    assert done["status"] == "complete"
    assert done["summary"]["products"] == "2 of 2 complete"
    assert done["data_tier"] == "SYNTHETIC-T1, SYNTHETIC-T2"
    parts = {name: verify(f"{earth}/plain/{name}") for name in ("grid", "energy")}
    found = verify(f"{earth}/plain")
    assert found.complete
    assert found.planned == sum(part.planned for part in parts.values()) == done["units"]["planned"]
    assert found.rows["kept"] == sum(part.rows["kept"] for part in parts.values())
    assert found.sha256 == done["sha256"] not in {part.sha256 for part in parts.values()}
    told = run_status(f"{earth}/plain")
    assert told["parts"] == {"grid": "complete", "energy": "complete"}
    assert {"grid/encode", "energy/answers"} <= {entry["pass"] for entry in told["passes"]}
    assert not sum(entry["pending"] for entry in told["passes"])


def test_one_page_holds_the_chapters_of_all(earth: Path, done: dict[str, Any]) -> None:
    page = (earth / "plain" / "report.html").read_text()
    for words in ("A year of CO", "Urban CO", "Energy and emissions of regions", "What if", 'href="grid/report.html"'):
        assert words in page
    assert page.index('id="product-grid"') < page.index('id="cities"') < page.index('id="product-energy"')
    assert page.index('id="product-energy"') < page.index('id="what-if"') < page.index('id="run"')
    assert rewrite_report(f"{earth}/plain") == f"{earth}/plain/report.html"
    assert (earth / "plain" / "report.html").read_text() == page


def test_a_finished_year_writes_nothing(earth: Path, done: dict[str, Any]) -> None:
    before = written(earth / "plain")
    assert run_job("annual", year_settings(earth), str(earth), "plain") == done
    assert written(earth / "plain") == before


def test_the_quarantine_of_all_is_one_table(earth: Path, done: dict[str, Any]) -> None:
    rows = pq.read_table(earth / "plain/quarantine.parquet").to_pylist()
    own = [pq.read_table(earth / f"plain/{name}/quarantine.parquet").num_rows for name in ("grid", "energy")]
    assert len(rows) == sum(own)
    assert all(row["pass_name"].split("/")[0] in ("grid", "energy") for row in rows)


@pytest.mark.parametrize("after", [False, True])
def test_a_failed_product_leaves_the_others_and_is_taken_up(
    earth: Path, done: dict[str, Any], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    out, settings = earth / f"failed-{after}", year_settings(earth)
    error = TransportError("a store is away", where="s3://a", expected="an answer", remedy="Wait.")
    with monkeypatch.context() as patch:
        failing(patch, "grid", error, after=after)
        with pytest.raises(TransportError, match="a store is away"):
            run_job("annual", settings, str(out), "year")
    facts = json.loads((out / "year/run.json").read_text())
    assert (facts["status"], facts["products"]["grid"]["status"]) == ("failed", "failed")
    assert facts["products"]["energy"]["status"] == "complete"
    page = (out / "year/report.html").read_text()
    assert "a store is away" in page
    assert 'id="product-energy"' in page
    assert 'id="product-grid"' not in page
    before = written(out / "year/energy")
    again = run_job("annual", settings, str(out), "year")
    assert again["sha256"] == done["sha256"]
    assert written(out / "year/energy") == before
    assert "a store is away" not in (out / "year/report.html").read_text()


def test_a_killed_year_goes_on_where_it_was(earth: Path, done: dict[str, Any]) -> None:
    out = earth / "killed"
    flags = [word for text in year_sets(earth) for word in ("--set", text)]
    words = [sys.executable, "-m", "jobs.annual", "--out", str(out), "--run-id", "year", *flags]
    driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list((out / "year/energy/ledger").rglob("*.json")):  # the first product is done, the second has begun
        assert driver.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    driver.kill()
    assert driver.wait(30) == -signal.SIGKILL
    assert run_status(f"{out}/year")["parts"] == {"grid": "complete", "energy": "running"}
    before = written(out / "year/grid") | written(out / "year/energy/ledger")
    assert run_job("annual", year_settings(earth), str(out), "year")["sha256"] == done["sha256"]
    now = written(out / "year/grid") | written(out / "year/energy/ledger")
    assert {path: now[path] for path in before} == before


def test_a_product_can_be_finished_alone(earth: Path, done: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    out, settings = earth / "alone", year_settings(earth)
    with monkeypatch.context() as patch:
        failing(patch, "energy", ValueError("a fault of ours"))
        with pytest.raises(ValueError, match="a fault of ours"):
            run_job("annual", settings, str(out), "year")
    assert run_status(f"{out}/year")["parts"] == {"grid": "complete", "energy": "failed"}
    assert "ValueError: a fault of ours" in (out / "year/report.html").read_text()
    run_job("energy", annual.settings_of("energy", settings), f"{out}/year", "energy")
    before = written(out / "year/energy")
    assert run_job("annual", settings, str(out), "year")["sha256"] == done["sha256"]
    assert written(out / "year/energy") == before


def test_several_failures_are_all_named(earth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grid", "energy"):
        failing(monkeypatch, name, TransportError(f"{name} is away", where="s3://a", expected="it", remedy="Wait."))
    with pytest.raises(IncompleteError, match=r"2 products failed: grid: grid is away.*energy: energy is away"):
        run_job("annual", year_settings(earth), str(earth / "both"), "year")


def test_a_damaged_object_of_a_product_is_found(earth: Path) -> None:
    run_job("annual", year_settings(earth), str(earth / "damaged"), "year")
    (earth / "damaged/year/grid/grid.tif").write_bytes(b"")
    found = verify(f"{earth}/damaged/year")
    assert (found.complete, found.bad_objects) == (False, ("grid/grid.tif",))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("annual.products=[grid, grid]", "each once"),
        ("annual.products=[]", "each once"),
        ("annual.inputs.girds.mask=a", "girds"),
        ("annual.inputs.grid.masks=a", "grid.masks"),
        ("annual.inputs.energy.energy=/nowhere/*.csv", "/nowhere"),
    ],
)
def test_what_is_wrong_with_any_product_is_said_before_the_first_runs(
    earth: Path, tmp_path: Path, told: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        run_job("annual", year_settings(earth, told), str(tmp_path), "year")
    assert not (tmp_path / "year/grid").exists()


def test_what_has_not_begun_is_told_so(earth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(annual, "run_to_end", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_job("annual", year_settings(earth), str(earth / "stopped"), "year")
    assert run_status(f"{earth}/stopped/year")["parts"] == {"grid": NOT_BEGUN, "energy": NOT_BEGUN}
    with pytest.raises(IncompleteError, match="there is no plan"):
        verify(f"{earth}/stopped/year")


def test_units_are_planned_with_the_ids_they_have_alone(earth: Path) -> None:
    settings = year_settings(earth)
    planned = annual.plan(settings, "")
    for name, plan_of in (("grid", annual.PRODUCTS["grid"].plan), ("energy", annual.PRODUCTS["energy"].plan)):
        own: Callable[..., Any] = plan_of
        alone = own(annual.settings_of(name, settings), annual.PRODUCTS[name].digest(settings))
        assert {unit.unit_id for unit in alone} <= {unit.unit_id for unit in planned}


def test_a_year_costs_what_its_products_cost(earth: Path) -> None:
    settings = year_settings(earth)
    of = {name: annual.settings_of(name, settings) for name in ("grid", "energy")}
    alone = [estimate(annual.PRODUCTS[name].plan(own, "d"), own) for name, own in of.items()]
    told = annual.estimated(settings)
    for name in ("units", "input_mb", "estimated_wall_s", "estimated_usd"):
        assert told[name] == pytest.approx(sum(facts[name] for facts in alone), abs=1e-3)
    assert set(told) == {name for facts in alone for name in facts}
