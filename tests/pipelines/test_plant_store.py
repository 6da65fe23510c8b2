"""The labelled image store as a whole: nothing is lost between file and label, on any engine, however it is resumed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from carbonray.catalogue import rewrite_report, run_job
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io.image_store import read_images
from carbonray.io.inventory.store import read_inventory
from carbonray.settings import load
from carbonray.synthetic.fleet import generation_of, plant_of, weather_of
from carbonray.synthetic.fleet_emissions import emissions_of
from carbonray.synthetic.world import span_utc_ns
from carbonray.vocab.sensors import IMAGERS, Band, Imager
from tests.pipelines.small_plants import FLEET, make_fleet, plant_settings


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet of two plants as files: one reports by id, the other by name."""
    out = tmp_path_factory.mktemp("fleet")
    make_fleet(out)
    return out


@pytest.fixture(scope="module")
def done(earth: Path) -> dict[str, Any]:
    """One finished run, `plain`, that tests may look at but not change."""
    return run_job("ingest", plant_settings(earth), str(earth), "plain")


def parts(run: Path, folder: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted((run / folder).glob("*.parquet"))])


@pytest.mark.usefixtures("done")
def test_every_candidate_is_labelled_or_rejected_by_a_named_rule(earth: Path) -> None:
    run = earth / "plain"
    labels, rejected = parts(run, "labels"), pq.read_table(run / "rejections.parquet")
    lost = rejected.filter(pc.not_equal(rejected.column("entity"), "plant"))
    key = ["plant_id", "structure_kind", "imager", "image_id"]
    both = [tuple(row.values()) for table in (labels, lost) for row in table.select(key).to_pylist()]
    _, _, structures = read_inventory(str(run / "inventory.parquet"))
    images = pa.concat_tables([pq.read_table(path) for path in sorted(run.glob("images/*/*/*.parquet"))])
    kinds = structures.select(["plant_id", "structure_kind"]).group_by(["plant_id", "structure_kind"]).aggregate([])
    candidates = images.select(["plant_id", "imager", "image_id"]).join(kinds, "plant_id", join_type="inner")
    assert sorted(both) == sorted(tuple(row.values()) for row in candidates.select(key).to_pylist())
    assert labels.num_rows > 0 and lost.num_rows > 0
    assert all(lost.column("rule").to_pylist()) and all(lost.column("reason").to_pylist())


@pytest.mark.usefixtures("done")
def test_labels_are_the_fleets_true_capacity_factor(earth: Path) -> None:
    """Tier T0 reports without flaws: what was generated in the hour of the image, over the capacity on that day."""
    labels = parts(earth / "plain", "labels").to_pandas()
    plants, _, _ = read_inventory(str(earth / "plain" / "inventory.parquet"))
    names = {row["plant_id"]: json.loads(row["source_ids"])["gppd"][0] for row in plants.to_pylist()}
    hour = 3600 * 10**9
    for row in labels.itertuples():
        number = int(names[row.plant_id][3:]) - 900_000
        own = pq.read_table(earth / "world" / "truth" / "hourly" / f"SYN{number:07d}.parquet").to_pandas()
        expected = own.set_index("start_utc_ns")["capacity_factor"][row.time_utc_ns // hour * hour]
        assert row.capacity_factor == pytest.approx(min(expected, 1.0), abs=2e-3)
        assert row.on == (expected > 0.05)


def test_the_run_says_what_it_is(earth: Path, done: dict[str, Any]) -> None:
    assert done["data_tier"].startswith("SYNTHETIC")
    assert done["summary"]["plants"] == 2
    assert {entry["pass"] for entry in done["passes"]} == {
        "inventory", "reported", "weather", "images", "backgrounds", "labels", "rejections",
    }  # fmt: skip
    verification = json.loads((earth / "plain" / "verification.json").read_text())
    assert verification["complete"]
    page = (earth / "plain" / "report.html").read_text()
    assert "SYNTHETIC" in page and "Images before and after filtering" in page
    rewrite_report(f"file://{earth}/plain")
    assert (earth / "plain" / "report.html").read_text() == page


def test_a_run_that_stopped_after_any_pass_resumes_to_the_same_bytes(
    earth: Path, done: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, left = Run.execute, [0]

    def stops(self: Run, pass_: Any) -> Any:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return execute(self, pass_)

    monkeypatch.setattr(Run, "execute", stops)
    for passes in (2, 4, 6):
        left[0] = passes
        with pytest.raises(KeyboardInterrupt):
            run_job("ingest", plant_settings(earth), str(earth), "resumed")
    left[0] = 100
    facts = run_job("ingest", plant_settings(earth), str(earth), "resumed")
    assert facts["sha256"] == done["sha256"]
    before = [entry["committed_before"] for entry in facts["passes"] if entry["pass"] == "images"]
    assert before[-1] > 0, "what was committed is not read again"


@pytest.mark.ray
@pytest.mark.usefixtures("ray_local")
def test_ray_equals_memory_to_the_bit(earth: Path, done: dict[str, Any]) -> None:
    settings = plant_settings(earth, "engine.backend=ray", "engine.read_cpus=0.5")
    assert run_job("ingest", settings, str(earth), "on-ray")["sha256"] == done["sha256"]


@pytest.mark.usefixtures("done")
def test_a_fleet_rendered_into_stores_is_the_fleet_that_came_through_files(earth: Path) -> None:
    settings = plant_settings(earth, "plants.images_from=fleet", without=("imagery",))
    run_job("ingest", settings, str(earth), "rendered")
    compared = 0
    for path in sorted((earth / "plain").glob("images/*/*/20*.zarr")):
        ours = read_images(str(path))
        theirs = read_images(str(earth / "rendered" / path.relative_to(earth / "plain")))
        assert ours.image_ids == theirs.image_ids
        native = [k for k, name in enumerate(ours.bands) if name in {"B2", "B3", "B4", "B", "G", "R"}]
        np.testing.assert_array_equal(ours.dn[:, native], theirs.dn[:, native])
        compared += len(ours.image_ids)
    assert compared > 5


@pytest.mark.usefixtures("done")
def test_ids_and_folds_of_an_earlier_run_stay(earth: Path) -> None:
    other = earth / "other"
    shutil.copytree(earth / "world" / "inventory", other)
    grown = plant_settings(
        earth, f"plants.earlier_url={earth}/plain", "inputs.imagery=[]", "inputs.reported=[]", "inputs.weather=[]"
    )
    run_job("ingest", grown, str(earth), "grown")
    before, after = (
        read_inventory(str(earth / run / "inventory.parquet"))[0].to_pylist() for run in ("plain", "grown")
    )
    known = {row["source_ids"]: (row["plant_id"], row["fold"]) for row in before}
    assert {row["source_ids"]: (row["plant_id"], row["fold"]) for row in after} == known


def test_a_broken_image_is_set_aside_and_the_others_go_on(earth: Path, done: dict[str, Any]) -> None:
    world = earth / "bent"
    shutil.copytree(earth / "world", world / "world")
    victim = sorted((world / "world" / "imagery" / "sentinel2").glob("*/*.tif*"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    facts = run_job("ingest", plant_settings(world, "engine.max_quarantine_rate=1.0"), str(world), "bent")
    assert facts["summary"]["images"] == done["summary"]["images"] - 1
    reasons = pq.read_table(world / "bent" / "quarantine.parquet").column("reason").to_pylist()
    assert any(victim.parent.name in reason for reason in reasons)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("inputs.reported=[campd:x.csv]", "SOURCE=GLOB"),
        ("inputs.inventory=[]", r"inputs\.inventory"),
    ],
)
def test_inputs_that_cannot_be_meant_are_named(earth: Path, change: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        run_job("ingest", plant_settings(earth, change), str(earth), "refused")


def test_an_unknown_inventory_is_set_aside_and_no_inventory_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "strange.csv").write_text("a,b\n1,2\n")
    settings = load(overrides=["engine.backend=memory", f"inputs.inventory={tmp_path}/strange.csv"])
    with pytest.raises(SettingsError, match="cannot be used"):
        run_job("ingest", settings, str(tmp_path), "strange")


def test_a_fifth_imager_is_one_declaration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared, it is scheduled, rendered, delivered, read, cropped, stored and labelled like the others."""
    bands = tuple(Band(name, centre, 6.0, name) for name, centre in (("blue", 485.0), ("green", 560.0), ("red", 660.0)))
    fifth = Imager("novasat", bands, 6.0, (10.0, 11.0), 30.0, 12, ("hot", "whiteness"), (8, 16), "generic")
    monkeypatch.setitem(IMAGERS, "novasat", fifth)
    make_fleet(tmp_path, "fleet.plants=1")
    facts = run_job("ingest", plant_settings(tmp_path, "fleet.plants=1"), str(tmp_path), "five")
    stores = sorted((tmp_path / "five").glob("images/*/novasat/*.zarr"))
    assert sum(len(read_images(str(path)).image_ids) for path in stores if path.stem != "background") > 5
    labels = parts(tmp_path / "five", "labels")
    rejected = pq.read_table(tmp_path / "five" / "rejections.parquet")
    judged = [*labels.column("imager").to_pylist(), *rejected.column("imager").to_pylist()]
    assert judged.count("novasat") > 5
    assert facts["data_tier"].startswith("SYNTHETIC")


def test_swaths_can_be_driven_by_the_same_fleet(tmp_path: Path) -> None:
    """The sources of the NO2 world are then the fleet's plants, at their mean NOx over the world's days."""
    days = ("world.first_day=2021-06-01", "world.days=1")
    world = ("world.sources_from=fleet", "world.region=[-92.0, 32.0, -86.0, 36.5]", *days)
    settings = load(overrides=["engine.backend=memory", *FLEET, *world])
    run_job("world", settings, str(tmp_path), "world")
    rows = (tmp_path / "world" / "truth" / "sources.csv").read_text().splitlines()[1:]
    plant = plant_of(settings.fleet, 0)
    emissions = emissions_of(plant, generation_of(settings.fleet, plant, weather_of(settings.fleet, plant)))
    start, end = span_utc_ns(settings.world)
    inside = (emissions.time_utc_ns >= start) & (emissions.time_utc_ns < end)
    name, lat, lon, q = rows[0].split(",")
    assert len(rows) == 1
    assert name.strip('"') == plant.plant_id
    assert (float(lat), float(lon)) == (plant.lat, plant.lon)
    assert float(q) == pytest.approx(emissions.nox_kg_s[:, inside].sum(axis=0).mean() / 1.32, rel=1e-6)
    assert list((tmp_path / "world" / "granules").glob("*.nc"))


def test_a_file_that_holds_no_items_is_set_aside_and_the_images_come(earth: Path, done: dict[str, Any]) -> None:
    strange = earth / "strange.json"
    strange.write_text('{"type": "Feature"}')
    imagery = f"inputs.imagery={json.dumps([str(strange), f'{earth}/world/imagery/*/*/*[0-9].json'])}"
    settings = plant_settings(earth, imagery, "engine.max_quarantine_rate=0.5", without=("imagery",))
    facts = run_job("ingest", settings, str(earth), "strange")
    assert facts["summary"]["images"] == done["summary"]["images"]
    keys = pq.read_table(earth / "strange" / "quarantine.parquet").column("key").to_pylist()
    assert any(key.startswith("unreadable-strange-") for key in keys)


def test_given_labels_become_labels_of_the_nearest_plant(earth: Path) -> None:
    plants, _, _ = read_inventory(str(earth / "plain" / "inventory.parquet"))
    lat, lon = (plants.column(name)[0].as_py() for name in ("lat", "lon"))
    rows = [
        "timestamp,lat,lon,is_powered_on",
        f"2021-06-01 10:00:00+00:00,{lat},{lon},1",
        f"2021-06-01 10:00:00+00:00,{lat + 0.001},{lon},1",  # another stack of the same plant
        f"2021-06-02 10:00:00+00:00,{lat},{lon},1",
        f"2021-06-02 10:00:00+00:00,{lat + 0.001},{lon},0",  # which cannot both be true
        "2021-06-03 10:00:00+00:00,0.0,0.0,1",
        "no time,0.0,0.0,1",
    ]
    (earth / "given.csv").write_text("\n".join(rows) + "\n")
    unused = ("inputs.imagery=[]", "inputs.reported=[]", "inputs.weather=[]")
    run_job("ingest", plant_settings(earth, f"inputs.labels={earth}/given.csv", *unused), str(earth), "given")
    run = json.loads((earth / "given" / "run.json").read_text())
    (entry,) = (entry for entry in run["passes"] if entry["pass"] == "given_labels")
    assert entry["rows"] == {
        "read": 6, "kept": 2, "quarantined": 1, "rejected: no plant near": 1, "rejected: labels disagree": 2,
    }  # fmt: skip
    labels = parts(earth / "given", "labels_given")
    assert set(labels.column("plant_id").to_pylist()) == {plants.column("plant_id")[0].as_py()}
    assert labels.column("on").to_pylist() == [True] * labels.num_rows


def test_rules_can_change_without_reading_an_image_again(earth: Path, done: dict[str, Any]) -> None:
    """The stores of the earlier run are used as they are; with its own rules they give its own labels."""
    again = ("plants.images_from=earlier", f"plants.earlier_url={earth}/plain")
    same = run_job("ingest", plant_settings(earth, *again, without=("imagery",)), str(earth), "same-rules")
    for folder in ("labels", "rejections"):
        assert parts(earth / "same-rules", folder).equals(parts(earth / "plain", folder))
    assert not (earth / "same-rules" / "images").exists()
    assert same["summary"]["images"] == done["summary"]["images"]
    cloudy = plant_settings(earth, *again, "plants.images.max_cloud_fraction=1.1", without=("imagery",))
    facts = run_job("ingest", cloudy, str(earth), "other-rules")
    assert facts["summary"]["labels"] > done["summary"]["labels"]
    unfinished = plant_settings(earth, again[0], f"plants.earlier_url={earth}/nowhere", without=("imagery",))
    with pytest.raises(SettingsError, match="earlier"):
        run_job("ingest", unfinished, str(earth), "unfinished")


def test_the_bytes_do_not_depend_on_where_the_inputs_lie(earth: Path, done: dict[str, Any]) -> None:
    elsewhere = earth / "elsewhere"
    shutil.copytree(earth / "world", elsewhere / "world")
    assert run_job("ingest", plant_settings(elsewhere), str(elsewhere), "moved")["sha256"] == done["sha256"]
