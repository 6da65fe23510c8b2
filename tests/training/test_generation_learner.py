"""Generation models trained alone on a product's soundings: the product's own bytes, searched and judged as others."""

from pathlib import Path

import pytest

from carbonray.catalogue import run_job
from carbonray.engine import plan
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.execution import EngineRules
from carbonray.science.stats.metrics import rmse
from carbonray.training.generation_learner import GenerationLearner
from tests.pipelines.small_product import make_store, train_settings

TREES = "soundings.models=[sentinel2_xgb_ndt]"
LEARNER = GenerationLearner()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet, ingested, and a product of trees alone under `models`."""
    out = tmp_path_factory.mktemp("generation")
    make_store(out)
    run_job("train", train_settings(out, TREES), str(out), "models")
    return out


def settings_of(earth: Path, *more: str, model: str = "generation_ndt"):
    return train_settings(earth, f"generation.soundings_url={earth}/models", f"model={model}", *more)


def run_at(earth: Path, name: str) -> Run:
    return Run(f"file://{earth}/{name}", "train", "digest", EngineRules(backend="memory"), {})


def test_the_same_settings_train_the_models_of_the_product_again(earth: Path) -> None:
    run, settings = run_at(earth, "alone"), settings_of(earth)
    LEARNER.fit(run, LEARNER.prepare(run, settings), settings, (), "bundles")
    alone = (earth / "alone/bundles/generation_ndt/NDT.json").read_bytes()
    assert alone == (earth / "models/bundles/generation/NDT.json").read_bytes()
    assert run.facts["data_tier"] == "SYNTHETIC-T0" and run.facts["soundings_url"].endswith("/models")
    assert "RMSE" in run.facts["summary"]["30-day capacity factor, NDT"]
    (planned,) = LEARNER.plan(settings, settings.digest(("model", *LEARNER.sections)))
    assert planned.unit_id in {unit.unit_id for unit in plan.read(run.url)}


def test_a_sweep_fits_tuned_and_default_in_one_run(earth: Path) -> None:
    run = run_at(earth, "sweep")
    sources = LEARNER.prepare(run, settings_of(earth))
    tuned = settings_of(earth, "generation.models.ndt_l1=0.05")
    LEARNER.fit(run, sources, tuned, (0, 1, 2, 3), "bundles")
    LEARNER.fit(run, sources, settings_of(earth), (1,), "default")
    answers = [
        LEARNER.held_out(sources, tuned, "capacity_factor", f"{run.url}/{folder}", 1)
        for folder in ("bundles", "default")
    ]
    assert answers[0].group == answers[1].group and {sources.folds[name] for name in answers[0].group} == {1}
    assert (answers[0].truth == answers[1].truth).all() and (answers[0].answer != answers[1].answer).any()
    assert answers[0].score is rmse and len(set(answers[0].trivial.tolist())) == 1


def test_a_trial_reports_the_target_once_and_follows_its_settings(earth: Path) -> None:
    (target,) = LEARNER.targets("generation_ndt")
    sources = LEARNER.prepare(run_at(earth, "unused"), settings_of(earth))
    heard: list[dict[str, float]] = []
    for penalty in (0.001, 0.001, 0.5):
        changed = settings_of(earth, f"generation.models.ndt_l1={penalty}")
        LEARNER.trial(sources, changed, target.name).run(heard.append)
    assert [set(report) for report in heard] == [{target.metric}] * 3
    assert heard[0] == heard[1] != heard[2]


def test_defaults_are_settings_of_the_models_own_kind(earth: Path) -> None:
    for model, mine, others in (
        ("generation_ndt", "generation.models.ndt_l1", "generation.models.fgd_l1"),
        ("generation_fgd", "generation.models.fgd_l1", "generation.models.ndt_l1"),
    ):
        found = LEARNER.defaults(settings_of(earth, model=model), "capacity_factor")
        assert mine in found and others not in found and found["generation.lookback.weighting"] == "normalised"
        settings_of(earth, *(f"{path}={list(v) if isinstance(v, tuple) else v}" for path, v in found.items()))


def test_runs_that_hold_no_such_soundings_are_refused(earth: Path) -> None:
    with pytest.raises(SettingsError, match="the earlier run is absent"):
        LEARNER.plan(settings_of(earth, "generation.soundings_url=''"), "digest")
    with pytest.raises(SettingsError, match="no sounding model of FGD"):
        LEARNER.plan(settings_of(earth, model="generation_fgd"), "digest")
