"""Networks of cells as learners: files of a city become samples, fits and bundles, the same bytes every time."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from carbonray.engine.run import Run, open_run
from carbonray.errors import DataError, SettingsError
from carbonray.io import objectstore
from carbonray.io.model_store import bundle_sha256, open_bundle
from carbonray.io.table_store import decode_table
from carbonray.models.cell_registry import CELL_MODELS
from carbonray.science.stats.metrics import r2
from carbonray.settings import Settings, load
from carbonray.stages.cell_answers import cell_rows
from carbonray.stages.cell_bundles import cell_pin
from carbonray.stages.cell_roles import TrainingCells, divided_cells, read_labelled
from carbonray.stages.cell_streams import stream_for
from carbonray.training.cell_learner import TARGET, CellLearner
from carbonray.vocab.cell_sample_tables import CELL_SAMPLES
from tests.pipelines.small_city import PX, city_world

LEARNER = CellLearner()
FIT = "epochs: 2, batch_size: 16, learning_rate: 0.01, validate_every: 1"
SETS = (
    "engine.backend=memory",
    "model=poi_only",
    "grid.rules.tile_cells=5",
    f"grid.basemap.image_px={PX}",
    f"grid.training.fit={{{FIT}}}",
    "grid.training.config={width: 4, d: 8}",
    "grid.training.split={by: random, buffer_cells: 0}",
    "grid.training.least_cells=5",
)
INPUTS = {
    "mask": "mask/*.geojson",
    "poi": "poi/*.csv",
    "basemap": "basemap/*/*.tif",
    "co2_grid": "co2/odiac_like/*.tif",
    "night_lights": "lights/*.tif",
}


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("earth")
    city_world(out)
    return out


def settings_of(earth: Path, *more: str) -> Settings:
    named = [f"inputs.{name}={earth}/world/{path}" for name, path in INPUTS.items()]
    return load(overrides=[*SETS, *named, *more])


def opened(earth: Path, name: str, settings: Settings) -> Run:
    digest = settings.digest(("model", *LEARNER.sections))
    return open_run(str(earth), name, "train", digest, settings.model_dump(mode="json"), settings.engine)


@pytest.fixture(scope="module")
def trained(earth: Path) -> tuple[Run, TrainingCells, Settings]:
    """Two instances of one run."""
    return train(earth, "first", settings_of(earth))


def train(
    earth: Path, name: str, settings: Settings, instances: tuple[int, ...] = (0, 3)
) -> tuple[Run, TrainingCells, Settings]:
    run = opened(earth, name, settings)
    data = LEARNER.prepare(run, settings)
    LEARNER.fit(run, data, settings, instances, "bundles")
    return run, data, settings


def rows_of(data: TrainingCells) -> pa.Table:
    tables = [decode_table(objectstore.read_bytes(shard.table_url), CELL_SAMPLES) for shard in data.shards]
    return pa.concat_tables(tables).sort_by("cell_id")


def test_samples_are_the_citys_cells(earth: Path, trained: tuple[Run, TrainingCells, Settings]) -> None:
    run, data, _ = trained
    rows, name = rows_of(data), "truth/*.parquet"
    truth = decode_table(objectstore.read_bytes(objectstore.expand(f"{earth}/world/{name}")[0]))
    lit = truth.filter(pa.compute.greater(truth["label_t_co2"], 0.0)).sort_by("cell_id")
    assert rows["cell_id"].to_pylist() == lit["cell_id"].to_pylist()
    np.testing.assert_allclose(rows["emissions_t_co2"], lit["label_t_co2"], rtol=1e-5)
    np.testing.assert_allclose(rows["radiance"], lit["night_light"], rtol=1e-5)
    assert set(rows["data_tier"].to_pylist()) == {data.tier} and data.tier.startswith("SYNTHETIC")
    assert all(rows["image_present"].to_pylist()) and all(rows["poi_present"].to_pylist())
    counts = cell_rows(rows).counts
    points = sum(int(pass_["rows"]["kept"]) for pass_ in run.facts["passes"] if pass_["pass"] == "points")
    assert counts.shape[1] == len(data.categories) and 0 < counts.sum() <= points


def test_windows_reach_across_tiles(trained: tuple[Run, TrainingCells, Settings]) -> None:
    """Every batch of the whole city shows each of its cells once, and each cell its eight neighbours."""
    _, data, settings = trained
    divided = divided_cells(data, settings.grid.training.split)
    config = settings.grid.training.network("opencarbon", len(data.categories), data.image_px)
    stream = stream_for(config, divided.shards_with(np.arange(len(divided.rows.cell_id))), 1000, window_shards=99)
    (batch,) = stream.in_order()
    assert len(data.shards) > 3 and len(batch.images) <= 100
    inner = (batch.neighbors >= 0).all(dim=(1, 2))
    assert int(inner.sum()) >= 25 and bool(batch.image_present.all())


def test_a_bundle_knows_its_folds_its_band_and_how_it_came_about(
    trained: tuple[Run, TrainingCells, Settings],
) -> None:
    run, data, settings = trained
    url = f"{run.url}/bundles/poi_only/3"
    bundle, pin = open_bundle(url), cell_pin(url, bundle_sha256(url))
    assert (pin.model, pin.instance, pin.image_px, pin.reads) == ("poi_only", 3, PX, ("poi",))
    assert pin.categories == data.categories and pin.split == settings.grid.training.split
    told, divided = bundle.lineage, divided_cells(data, pin.split)
    assert set(pin.table.values()) == {0, 1, 2, 4}, "the fold that it tests on is none that it saw"
    train, validation = (int(np.isin(divided.folds.fold, folds).sum()) for folds in ((0, 1, 2), (4,)))
    assert (told.scenes, told.validation_scenes, told.epochs) == (train, validation, 2)
    assert told.data_tier == data.tier and len(told.generator_sha256) == 64 and told.seed == 42
    assert "--model poi_only" in told.command and str(run.url) not in told.command
    assert bundle.encoding["half_width"] is None or bundle.encoding["half_width"] > 0.0
    assert set(told.validation) == {"mae", "rmse", "r2"}
    taught = np.isin(divided.folds.fold, (0, 1, 2))
    assert bundle.config["ln_center"] == pytest.approx(float(divided.rows.ln_t_co2[taught].mean()))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    earth: Path, trained: tuple[Run, TrainingCells, Settings]
) -> None:
    first, data, settings = trained
    again, _, _ = train(earth, "again", settings, (3,))
    digests = [bundle_sha256(f"{run.url}/bundles/poi_only/{k}") for run, k in ((first, 3), (again, 3), (first, 0))]
    assert digests[0] == digests[1] != digests[2]
    seven = settings_of(earth, f"grid.training.fit={{{FIT}, seed: 7}}")
    other = opened(earth, "other", seven)
    LEARNER.fit(other, data, seven, (3,), "bundles")
    assert bundle_sha256(f"{other.url}/bundles/poi_only/3") != digests[0]


def test_a_fold_is_judged_by_the_instance_that_held_it_out(
    earth: Path, trained: tuple[Run, TrainingCells, Settings]
) -> None:
    run, data, settings = trained
    told = LEARNER.held_out(data, settings, TARGET, f"{run.url}/bundles", 3)
    divided = divided_cells(data, settings.grid.training.split)
    tested = divided.rows.ln_t_co2[divided.folds.fold == 3]
    np.testing.assert_allclose(np.sort(told.truth), np.sort(tested), rtol=1e-6)
    assert told.score(told.truth, told.answer) == r2(told.truth, told.answer)
    assert len(set(told.trivial.tolist())) == 1 and told.score(told.truth, told.trivial) <= 0.0
    assert len(set(told.group)) < len(told.group)
    other = settings_of(earth, "grid.training.split.seed=1")
    with pytest.raises(DataError, match="dealt otherwise"):
        LEARNER.held_out(data, other, TARGET, f"{run.url}/bundles", 3)


def test_a_finished_run_reads_and_fits_nothing_again(
    earth: Path, trained: tuple[Run, TrainingCells, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, data, settings = trained
    sealed = {key: objectstore.read_bytes(f"{first.url}/{key}") for key in _kept(first)}

    def never(*_: Any) -> None:
        raise AssertionError("an epoch is fitted again")

    monkeypatch.setattr("carbonray.models.cell_fit._advanced", never)
    run, prepared, _ = train(earth, "first", settings)
    assert prepared == data and {key: objectstore.read_bytes(f"{run.url}/{key}") for key in _kept(run)} == sealed


def _kept(run: Run) -> list[str]:
    return [key for key in objectstore.listing(run.url) if key.startswith(("bundles/", "samples/"))]


def test_what_is_searched_has_a_default_at_its_path(earth: Path) -> None:
    found = LEARNER.defaults(settings_of(earth, "model=opencarbon"), TARGET)
    assert found["grid.training.fit.learning_rate"] == 0.01 and found["grid.training.config.d"] == 8
    assert found["grid.training.fit.loss.alpha"] == 1e-3
    assert not {f"grid.training.config.{name}" for name in ("image_px", "poi_categories", "ln_center")} & set(found)
    assert LEARNER.names == tuple(CELL_MODELS)
    (target,) = LEARNER.targets("opencarbon")
    assert (target.name, target.metric, target.mode, target.by_epoch) == ("ln_e", "validation_r2", "max", True)


def test_a_plan_names_what_will_be_read_and_fitted(earth: Path) -> None:
    def units(*more: str) -> list[str]:
        settings = settings_of(earth, *more)
        return [f"{unit.pass_name}" for unit in LEARNER.plan(settings, "digest")]

    assert units() == ["cells", "points", *["fits"] * 5]
    assert units("grid.training.split.by=blocks") == ["cells", "points", *["fits"] * 4]
    assert units("training.instances=[2]")[2:] == ["fits"]
    with pytest.raises(SettingsError, match="no label is given"):
        units("inputs.co2_grid=[]")


def test_instances_and_folds_that_are_none_are_named(earth: Path, trained: tuple[Run, TrainingCells, Settings]) -> None:
    run, data, settings = trained
    with pytest.raises(SettingsError, match="there is no fold 5"):
        LEARNER.fit(run, data, settings, (5,), "bundles")
    with pytest.raises(SettingsError, match="there is no fold 9"):
        LEARNER.trial(data, settings_of(earth, "tune.test_fold=9"), TARGET).run(print)
    with pytest.raises(DataError, match=r"1 groups fill 1 folds"):
        divided_cells(data, settings_of(earth, "grid.training.split.by=cities").grid.training.split)
    with pytest.raises(DataError, match="cells to learn from and"):
        LEARNER.fit(run, data, settings_of(earth, "grid.training.least_cells=90"), (0,), "bundles")


def test_what_a_fit_was_given_stands_beside_the_run(trained: tuple[Run, TrainingCells, Settings]) -> None:
    run, data, _ = trained
    rows = read_labelled(data.shards)
    assert np.all(np.diff(rows.cell_id) > 0) and rows.shard.max() == len(data.shards) - 1
    told = json.loads(objectstore.read_bytes(f"{run.url}/tracking/poi_only-3/parameters.json"))
    assert told["config"]["modalities"] == ["poi"] and told["split"]["by"] == "random"
