"""The plant product end to end: trained in rotations, scored by who never saw the plant, resumed, verified."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carbonray.catalogue import run_job
from carbonray.engine import plan
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.inventory.store import read_inventory
from carbonray.io.plant_product import open_product
from carbonray.science.spatial.folds import rotation
from tests.pipelines.small_product import make_store, plant_settings, train_settings


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet, ingested."""
    out = tmp_path_factory.mktemp("product")
    make_store(out)
    return out


@pytest.fixture(scope="module")
def trained(earth: Path) -> dict[str, Any]:
    """Its models, under `models`."""
    return run_job("train", train_settings(earth), str(earth), "models")


@pytest.fixture(scope="module")
def scored(earth: Path, trained: dict[str, Any]) -> dict[str, Any]:
    """Its year, under `plants`."""
    assert trained["status"] == "complete"
    return run_job("plants", plant_settings(earth), str(earth), "plants")


def table(run: Path, folder: str) -> pd.DataFrame:
    return pa.concat_tables([pq.read_table(path) for path in sorted((run / folder).rglob("*.parquet"))]).to_pandas()


@pytest.mark.usefixtures("trained")
def test_a_fit_is_given_the_files_of_its_own_folds_alone(earth: Path) -> None:
    plants, _, _ = read_inventory(str(earth / "store" / "inventory.parquet"))
    fold = dict(zip(plants.column("plant_id").to_pylist(), plants.column("fold").to_pylist(), strict=True))
    fits = [unit for unit in plan.read(f"file://{earth}/models") if unit.pass_name in ("trees", "networks")]
    assert {unit.partition["model"] for unit in fits} == {"sentinel2_xgb_ndt", "sentinel2_resisc_ndt"}
    for unit in fits:
        turn = rotation(int(unit.partition["instance"]))
        read = {fold[url.rpartition("/")[2].rpartition("-")[0]] for url in unit.inputs}
        assert read == {*turn.train, turn.val}, unit.key


def test_training_plants_are_scored_by_the_instance_that_held_them_out(earth: Path, scored: dict[str, Any]) -> None:
    product, _ = open_product(f"file://{earth}/models")
    soundings = table(earth / "plants", "soundings.parquet")
    seen = 0
    for (kind, plant_id), rows in soundings.groupby(["structure_kind", "plant_id"]):
        fold = product.training_folds[kind].get(plant_id)
        assert set(rows["instance"]) == ({0, 1, 2, 3} if fold is None else {fold}), plant_id
        seen += fold is not None
    assert seen >= 4
    assert scored["data_tier"].startswith("SYNTHETIC")


@pytest.mark.usefixtures("scored")
def test_no_model_saw_a_country_that_was_left_out(earth: Path) -> None:
    product, _ = open_product(f"file://{earth}/models")
    plants, _, _ = read_inventory(str(earth / "store" / "inventory.parquet"))
    country = dict(zip(plants.column("plant_id").to_pylist(), plants.column("country").to_pylist(), strict=True))
    taught = {plant for folds in product.training_folds.values() for plant in folds}
    assert "TUR" not in {country[plant] for plant in taught}
    for path in sorted((earth / "models").glob("bundles/*/*/bundle.json")):
        told = json.loads(path.read_text())["lineage"]
        turn = rotation(int(path.parent.name))
        assert set(told["fold_table"].values()) <= {*turn.train, turn.val}
        assert len(told["generator_sha256"]) == 64


@pytest.mark.usefixtures("scored")
def test_the_annual_table_adds_up(earth: Path) -> None:
    annual = pq.read_table(earth / "plants" / "plants_annual.parquet")
    assert b"geo" in annual.schema.metadata
    rows = annual.to_pandas()
    whole, units = rows[rows["unit_id"].isna()], rows[rows["unit_id"].notna()]
    assert len(whole) == whole["plant_id"].nunique() > 8
    sums = units.groupby("plant_id")[["generation_mwh", "emissions_t_co2", "capacity_mw"]].sum()
    for name in sums.columns:
        np.testing.assert_allclose(whole.set_index("plant_id")[name].loc[sums.index], sums[name], rtol=1e-12)
    np.testing.assert_allclose(
        units["emissions_t_co2"], units["generation_mwh"] * units["intensity_t_per_mwh"], rtol=1e-12
    )
    for name in ("capacity_factor", "generation_mwh", "emissions_t_co2"):
        assert (rows[f"{name}_p05"] <= rows[name]).all() and (rows[name] <= rows[f"{name}_p95"]).all()
    assert (whole["generation_mwh"] <= whole["capacity_mw"] * 8760 * (1 + 1e-12)).all()
    assert set(whole["data_tier"]) <= {"SYNTHETIC-T0", "SYNTHETIC-T2"}


@pytest.mark.usefixtures("scored")
def test_every_day_of_the_year_has_its_row_and_its_lineage(earth: Path) -> None:
    days = table(earth / "plants", "plants_30day.parquet")
    counts = days.groupby(["plant_id", "structure_kind"]).size()
    assert (counts == 365).all()
    assert days["capacity_factor"].between(0.0, 1.0).all() and days["imputed_fraction"].between(0.0, 1.0).all()
    held_out = days[days["fold"] >= 0]
    assert (held_out["instances"].str.split(";").str[0] == held_out["fold"].astype(str)).any()
    assert (days["model_version"].str.len() >= 64).all()


def test_every_image_is_scored_or_rejected_by_a_named_rule(earth: Path, scored: dict[str, Any]) -> None:
    rows = scored["rows"]
    rejected = {name: count for name, count in rows.items() if name.startswith("rejected: ")}
    assert rows["read"] == rows["kept"] + rows["quarantined"] + sum(rejected.values())
    lost = pq.read_table(earth / "plants" / "rejections.parquet").to_pandas()
    assert len(lost[lost["entity"] == "image"]) == sum(rejected.values())
    said = table(earth / "plants", "soundings.parquet")
    assert said["value"].between(0.0, 1.0).all()
    key = ["plant_id", "imager", "image_id", "structure_kind", "model", "instance", "head"]
    assert not said.duplicated(key).any()
    heads = said.groupby("model")["head"].agg(lambda heads: tuple(sorted(set(heads))))
    assert heads["xgb"] == ("cls", "reg")


@pytest.mark.usefixtures("trained")
def test_an_image_store_is_read_once_for_all_its_models(earth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    listing = objectstore.listing

    def heard(url: str) -> dict[str, int]:
        listed.append(url)
        return listing(url)

    monkeypatch.setattr(objectstore, "listing", heard)
    run_job("plants", plant_settings(earth), str(earth), "heard")
    stores = [url for url in listed if url.endswith(".zarr") and "background" not in url]
    assert stores and len(stores) == len(set(stores))


@pytest.mark.parametrize(("job", "passes"), [("train", (1, 2, 3, 4)), ("plants", (1, 2))])
def test_a_run_that_stopped_after_any_pass_resumes_to_the_same_bytes(
    earth: Path, scored: dict[str, Any], monkeypatch: pytest.MonkeyPatch, job: str, passes: tuple[int, ...]
) -> None:
    settings = {"train": train_settings, "plants": plant_settings}[job](earth)
    execute, left = Run.execute, [0]

    def stops(self: Run, pass_: Any) -> Any:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return execute(self, pass_)

    monkeypatch.setattr(Run, "execute", stops)
    for count in passes:
        left[0] = count
        with pytest.raises(KeyboardInterrupt):
            run_job(job, settings, str(earth), f"resumed-{job}")
    left[0] = 100
    again = run_job(job, settings, str(earth), f"resumed-{job}")
    done = json.loads((earth / {"train": "models", "plants": "plants"}[job] / "run.json").read_text())
    assert scored["status"] == "complete" and again["sha256"] == done["sha256"]


@pytest.mark.usefixtures("trained")
def test_a_store_that_cannot_be_read_is_set_aside_and_the_others_go_on(earth: Path, scored: dict[str, Any]) -> None:
    with damaged(earth / "store") as plant_id:
        settings = plant_settings(earth, "engine.max_quarantine_rate=0.5")
        facts = run_job("plants", settings, str(earth), "damaged")
    assert facts["units"]["quarantined"] == 1
    lost = pq.read_table(earth / "damaged" / "quarantine.parquet").to_pylist()
    assert [row["key"].startswith(plant_id) for row in lost] == [True]
    assert facts["units"]["committed"] == scored["units"]["committed"] - 1


class damaged:  # noqa: N801 - reads as a phrase
    """An image store whose pixels are cut short while the context lasts."""

    def __init__(self, store: Path) -> None:
        self._file = max(
            sorted(store.glob("images/*/sentinel2/2021.zarr/dn/c/*/*/*/*")), key=lambda f: f.stat().st_size
        )
        self._data = self._file.read_bytes()

    def __enter__(self) -> str:
        self._file.unlink()
        self._file.write_bytes(self._data[: len(self._data) // 2])
        return self._file.parts[self._file.parts.index("images") + 1]

    def __exit__(self, *_: object) -> None:
        self._file.write_bytes(self._data)


def test_the_page_shows_the_years_and_says_synthetic(earth: Path, scored: dict[str, Any]) -> None:
    page = (earth / "plants" / "report.html").read_text()
    assert "SYNTHETIC" in page and scored["status"] == "complete"
    assert "sentinel2_ben_fgd" in page, "the models that were not trained are named"


@pytest.mark.parametrize(
    ("job", "more", "words"),
    [
        ("train", ('plants.store_url=""',), "plants.store_url"),
        ("train", ("soundings.models=[sentinel3_xgb]",), "soundings.models"),
        ("train", ("soundings.left_out_countries=[TUR, BGR, GRC, ROU, DEU]",), "folds"),
        ("plants", ("inputs.bundles=[]",), "inputs.bundles"),
        ("plants", ("inputs.bundles=nowhere/at-all",), "inputs.bundles"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(
    earth: Path, tmp_path: Path, job: str, more: tuple[str, ...], words: str
) -> None:
    settings = {"train": train_settings, "plants": plant_settings}[job](earth, *more)
    with pytest.raises(SettingsError, match=words):
        run_job(job, settings, str(tmp_path), "never")


@pytest.mark.ray
@pytest.mark.usefixtures("ray_local", "scored")
def test_ray_equals_memory_to_the_bit(earth: Path) -> None:
    ray = ("engine.backend=ray", "engine.read_cpus=0.5")
    for job, make in (("train", train_settings), ("plants", plant_settings)):
        done = json.loads((earth / {"train": "models", "plants": "plants"}[job] / "run.json").read_text())
        assert run_job(job, make(earth, *ray), str(earth), f"{job}-on-ray")["sha256"] == done["sha256"]
