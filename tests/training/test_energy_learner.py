"""Networks of mixes as learners: files of regions become rows, fits and bundles, the same bytes every time."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carbonray.engine.run import Run, open_run
from carbonray.errors import DataError, SettingsError
from carbonray.io import objectstore
from carbonray.io.model_store import bundle_sha256, open_bundle
from carbonray.models.clean_registry import CLEAN_MODELS
from carbonray.settings import Settings, load
from carbonray.stages.energy_bundles import TASKS, energy_pin, opened_energy
from carbonray.stages.energy_roles import TrainingEnergy, divided_energy
from carbonray.training.energy_learner import TARGET, EnergyLearner, mean_mape
from carbonray.training.learners import learner_of
from tests.pipelines.small_regions import DECLARED, SUMS, region_world

LEARNER = EnergyLearner()
FIT = "epochs: 2, batch_size: 64, learning_rate: 0.01"
SETS = (
    "engine.backend=memory",
    "model=clean_mlp",
    DECLARED,
    f"energy.training.fit={{{FIT}}}",
    "energy.training.config={width: 8, d: 4, include_total: true}",
    "energy.training.hull_rows=5",
    "energy.training.least_rows=15",
    "energy.synthesis.n=2",
    "energy.hull={viewpoints: 4, corner_directions: 16, steps: 20}",
)


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("earth")
    region_world(out)
    return out


def settings_of(earth: Path, *more: str) -> Settings:
    named = [f"inputs.{name}={earth}/world/{name}/*t1.csv" for name in ("energy", "emissions")]
    return load(overrides=[*SETS, *named, *more])


def train(
    earth: Path, name: str, settings: Settings, instances: tuple[int, ...] = (0, 3)
) -> tuple[Run, TrainingEnergy, Settings]:
    digest = settings.digest(("model", *LEARNER.sections))
    run = open_run(str(earth), name, "train", digest, settings.model_dump(mode="json"), settings.engine)
    data = LEARNER.prepare(run, settings)
    LEARNER.fit(run, data, settings, instances, "bundles")
    return run, data, settings


@pytest.fixture(scope="module")
def trained(earth: Path) -> tuple[Run, TrainingEnergy, Settings]:
    """Two instances of one run."""
    return train(earth, "first", settings_of(earth))


def divided_of(data: TrainingEnergy, settings: Settings) -> Any:
    return divided_energy(data, settings.energy.splits, settings.energy.synthesis)


def test_rows_are_those_of_the_files(trained: tuple[Run, TrainingEnergy, Settings]) -> None:
    _, data, settings = trained
    of = divided_of(data, settings)
    assert LEARNER.instances(data, settings) == tuple(range(7)) and len(of.index) == 7 * 20
    assert [table.url.rsplit("/", 1)[1] for table in data.tables] == ["0000-2019.parquet", "0000-2020.parquet"]
    assert data.tier == "SYNTHETIC-T1" and len(data.generator_sha256) == 64 and set(SUMS) <= set(data.composites)


def test_a_bundle_knows_what_it_saw_and_how_it_came_about(trained: tuple[Run, TrainingEnergy, Settings]) -> None:
    run, data, settings = trained
    url = f"{run.url}/bundles/clean_mlp/3"
    bundle, pin = open_bundle(url), energy_pin(url, bundle_sha256(url))
    assert (pin.model, pin.instance, pin.include_total, pin.tier) == ("clean_mlp", 3, True, data.tier)
    of = divided_of(data, settings)
    found = of.rows_of(of.turn(3))
    assert pin.seen == of.seen(found) and pin.seen.turn == "Synland 004" not in pin.seen.taught
    told = bundle.lineage
    assert (told.scenes, told.validation_scenes, told.epochs) == (found.count(0), found.count(1), 2)
    assert told.fold_table == pin.seen.table and len(told.generator_sha256) == 64 and told.seed == 42
    assert "--model clean_mlp" in told.command and str(run.url) not in told.command
    assert {"mape", "mape_emissions", "mape_energy"} < set(told.validation)
    model = opened_energy(pin)
    assert all(model.told[task].threshold > 0.0 for task in TASKS)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    earth: Path, trained: tuple[Run, TrainingEnergy, Settings]
) -> None:
    first, _, settings = trained
    again, _, _ = train(earth, "again", settings, (3,))
    other, _, _ = train(earth, "other", settings_of(earth, f"energy.training.fit={{{FIT}, seed: 7}}"), (3,))
    urls = [f"{run.url}/bundles/clean_mlp/{k}" for run, k in ((first, 3), (again, 3), (first, 0), (other, 3))]
    digests = [bundle_sha256(url) for url in urls]
    assert digests[0] == digests[1] and len(set(digests)) == 3


def test_a_region_is_judged_by_the_instance_that_held_it_out(
    earth: Path, trained: tuple[Run, TrainingEnergy, Settings]
) -> None:
    run, data, settings = trained
    told = LEARNER.held_out(data, settings, TARGET, f"{run.url}/bundles", 3)
    assert told.group == ("Synland 004",) * 20 and told.truth.shape == told.answer.shape == told.trivial.shape == (
        20,
        2,
    )
    off = np.abs(np.expm1(told.answer - told.truth))
    assert told.score(told.truth, told.answer) == mean_mape(told.truth, told.answer) == pytest.approx(off.mean())
    assert len({tuple(row) for row in told.trivial.tolist()}) == 1, "a region that did not teach: the mean of all"
    with pytest.raises(DataError, match="divided otherwise"):
        LEARNER.held_out(data, settings_of(earth, "energy.synthesis.n=3"), TARGET, f"{run.url}/bundles", 3)


def test_a_finished_run_reads_and_fits_nothing_again(
    earth: Path, trained: tuple[Run, TrainingEnergy, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, data, settings = trained
    sealed = {key: objectstore.read_bytes(f"{first.url}/{key}") for key in _kept(first)}

    def never(*_: Any) -> None:
        raise AssertionError("an epoch is fitted again")

    monkeypatch.setattr("carbonray.models.clean_fit._advanced", never)
    run, prepared, _ = train(earth, "first", settings)
    assert prepared == data and {key: objectstore.read_bytes(f"{run.url}/{key}") for key in _kept(run)} == sealed
    told = json.loads(objectstore.read_bytes(f"{run.url}/tracking/clean_mlp-3/parameters.json"))
    assert told["test"] == "Synland 004" and told["config"]["include_total"] is True


def _kept(run: Run) -> list[str]:
    return [key for key in objectstore.listing(run.url) if key.startswith(("bundles/", "rows/"))]


def test_a_trial_tells_the_mean_of_its_turns(trained: tuple[Run, TrainingEnergy, Settings]) -> None:
    _, data, settings = trained
    told: list[dict[str, float]] = []
    LEARNER.trial(data, settings, TARGET).run(told.append)
    parts = [f"validation_mape/{number}" for number in range(settings.tune.splits)]
    assert len(told) == 2 and told[-1]["validation_mape"] == pytest.approx(np.mean([told[-1][at] for at in parts]))


def test_what_is_searched_has_a_default_at_its_path(earth: Path) -> None:
    found = LEARNER.defaults(settings_of(earth), TARGET)
    assert found["energy.training.fit.loss.lambda_cycle"] == 1.0 and found["energy.training.config.d"] == 4
    assert not {f"energy.training.config.{name}" for name in ("sources", "cycle", "energy_center")} & set(found)
    assert LEARNER.names == tuple(CLEAN_MODELS) and learner_of("clean_cnn") == LEARNER
    (target,) = LEARNER.targets("clean_mlp")
    assert (target.name, target.metric, target.mode, target.by_epoch) == ("totals", "validation_mape", "min", True)


def test_a_plan_names_what_will_be_read_and_fitted(earth: Path) -> None:
    def units(*more: str) -> list[str]:
        return [unit.pass_name for unit in LEARNER.plan(settings_of(earth, *more), "digest")]

    assert units() == ["records", "records"], "how many regions there are is in the files"
    assert units("energy.splits.protocol=time")[2:] == ["fits"] * 5
    assert units("energy.splits.protocol=paper")[2:] == units("training.instances=[2]")[2:] == ["fits"]
    with pytest.raises(SettingsError, match="no energy or no emissions"):
        units("inputs.energy=[]")


def test_turns_that_are_none_are_named(earth: Path, trained: tuple[Run, TrainingEnergy, Settings]) -> None:
    run, data, settings = trained
    with pytest.raises(SettingsError, match="there is no turn 7"):
        LEARNER.fit(run, data, settings, (7,), "bundles")
    with pytest.raises(SettingsError, match="there is no turn 9"):
        LEARNER.trial(data, settings_of(earth, "tune.test_fold=9"), TARGET).run(print)
    with pytest.raises(DataError, match="rows to learn from and"):
        LEARNER.fit(run, data, settings_of(earth, "energy.training.least_rows=999"), (0,), "bundles")
