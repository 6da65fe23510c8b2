"""Generation models as learners: fitted to the soundings of a trained product, one document of four instances a kind.

Sources: SCIENCE 4.6 and 4.7. Nothing is cut or sounded here: `generation.soundings_url` names a finished run of
`jobs.train --model plants`, whose soundings, plants and folds are taken as they are.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from carbonray.contract import Unit
from carbonray.engine.run import FILE, Run
from carbonray.errors import SettingsError
from carbonray.io import ledger, objectstore
from carbonray.io.bundle_json import parsed_json
from carbonray.io.plant_product import open_product
from carbonray.models.generation_ensemble import opened_ensemble
from carbonray.pipelines.planning import require_complete, tiers_of
from carbonray.pipelines.plant_sources import open_store
from carbonray.science.spatial.folds import N_FOLDS
from carbonray.science.stats.metrics import rmse
from carbonray.settings import Settings
from carbonray.stages.generation_folds import GenerationFoldRules
from carbonray.stages.generation_search import GenerationSources, held_out_fold, search_rmse
from carbonray.stages.generation_targets import TargetRules
from carbonray.training.generation_pass import fitting_pass, generation_sources
from carbonray.training.learner import HeldOutAnswers, Report, Target, flat
from carbonray.vocab.plants import FGD, NDT

KINDS = {"generation_ndt": NDT, "generation_fgd": FGD}
METRIC = "validation_rmse"
SETTING = "generation.soundings_url"


@dataclass(frozen=True)
class GenerationTrial:
    """Fits among the plants of one fold, each part of them held out once."""

    sources: GenerationSources
    test_fold: int
    rules: GenerationFoldRules
    targets: TargetRules

    def run(self, report: Report) -> None:
        """Reports once.

        Raises:
            DataError: the fold has too few plants.
        """
        report({METRIC: search_rmse(self.sources, self.test_fold, self.rules, self.targets)})


@dataclass(frozen=True)
class GenerationLearner:
    """The sparse regression of towers, and that of stacks."""

    @property
    def names(self) -> tuple[str, ...]:
        """One a structure kind."""
        return tuple(KINDS)

    @property
    def sections(self) -> tuple[str, ...]:
        """Settings that can change a fit."""
        return ("generation",)

    def targets(self, model: str) -> tuple[Target, ...]:
        """The mean capacity factor of 30 days."""
        return (Target("capacity_factor", METRIC, "min", by_epoch=False),)

    def defaults(self, settings: Settings, target: str) -> Mapping[str, Any]:
        """The penalty of the structure kind, and how features are made."""
        rules, penalty = settings.generation, f"{KINDS[settings.model].lower()}_l1"
        return {f"generation.models.{penalty}": getattr(rules.models, penalty)} | flat(
            asdict(rules.lookback), "generation.lookback"
        )

    def plan(self, settings: Settings, digest: str) -> tuple[Unit, ...]:
        """The one fit of four instances."""
        sources, _ = _sources(settings)
        return fitting_pass("bundles", digest, settings, [sources], "bundles").units

    def prepare(self, run: Run, settings: Settings) -> GenerationSources:
        """Names what the product's run left; there is no pass."""
        sources, facts = _sources(settings)
        run.facts |= facts
        return sources

    def instances(self, prepared: GenerationSources, settings: Settings) -> tuple[int, ...]:
        """Four."""
        return tuple(range(N_FOLDS))

    def trial(self, prepared: GenerationSources, settings: Settings, target: str) -> GenerationTrial:
        """Within the fold that the instance of the test fold learns from."""
        rules = settings.generation
        return GenerationTrial(prepared, settings.tune.test_fold, rules.folds(), rules.targets)

    def fit(
        self, run: Run, prepared: GenerationSources, settings: Settings, instances: tuple[int, ...], folder: str
    ) -> None:
        """All four instances, whichever are asked for: they are one document, `FOLDER/MODEL/KIND.json`."""
        digest, own = settings.digest(("model", *self.sections)), f"{folder}/{settings.model}"
        commits = run.execute(fitting_pass(folder, digest, settings, [prepared], own))
        run.facts["generation"] = {commit.key: dict(commit.facts) for commit in commits}
        run.facts["data_tier"] = ", ".join(tiers_of(commits)) or run.facts["data_tier"]
        run.facts["summary"] = {
            f"30-day capacity factor, {commit.key}": f"RMSE {commit.facts['rmse']:.3f} on {commit.facts['plants']} "
            f"plants held out (training mean {commit.facts['rmse of the training mean']:.3f})"
            for commit in commits
            if commit.status == "committed"
        }

    def held_out(
        self, prepared: GenerationSources, settings: Settings, target: str, folder_url: str, instance: int
    ) -> HeldOutAnswers:
        """Days of the plants of the fold; the trivial answer is the mean of the training days."""
        url = objectstore.join(folder_url, settings.model, f"{prepared.kind}.json")
        ensemble = opened_ensemble(parsed_json(objectstore.read_bytes(url), where=url), where=url)
        rules = settings.generation
        told = held_out_fold(prepared, ensemble, instance, rules.folds(), rules.targets)
        return HeldOutAnswers(told.plant, told.observed, told.predicted, told.trivial, rmse)


def _sources(settings: Settings) -> tuple[GenerationSources, dict[str, Any]]:
    """What the named run left of the model's structure kind, and the facts of it.

    Raises:
        SettingsError: there is no such run, or its product has no sounding model of the kind.
    """
    given, kind = settings.generation.soundings_url, KINDS[settings.model]
    url = require_complete(objectstore.absolute(given) if given else "", SETTING)
    product, sha256 = open_product(url)
    told: dict[str, Any] = json.loads(objectstore.read_bytes(objectstore.join(url, FILE)))
    if kind not in {pin.kind for pin in product.soundings}:
        raise SettingsError(
            f"the product has no sounding model of {kind}",
            where=f"{SETTING}={given}",
            expected=f"a run of jobs.train --model plants with sounding models of {kind}",
            remedy="Train the product with such models, or name another run.",
        )
    store = open_store(str(told["store_url"]), f"{SETTING}: store_url")
    sounded = url, tuple(ledger.read(url, "soundings").values())
    sources = generation_sources(store, kind, product.training_folds[kind], sounded, product.soundings)
    facts = {"soundings_url": url, "product_sha256": sha256, "data_tier": product.data_tier, "store_url": store.url}
    return sources, facts
