"""What an evaluation judges, and what it fixes beforehand: the test set by hash, then the bundles with their lineage.

Source: SCIENCE 0.4 (no scene in two roles; test scenes meet frozen methods alone).
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.model_store import bundle_sha256, open_bundle, packaged_bundle_url
from carbonray.science.no2.scenes import generator_sha256
from carbonray.settings import Settings
from carbonray.stages.methods import Network


@dataclass(frozen=True)
class Judged:
    """A bundle among the methods, and what the page says of it.

    Attributes:
        network: its rows.
        cut: relative emission that counts as detected.
        trained: scenes, epochs and seed of its fit.
        command: that trains it again.
        generator_sha256: generator it was trained on.
    """

    network: Network
    cut: float
    trained: str
    command: str
    generator_sha256: str

    def flag(self, generator: str) -> str:
        """What a reader must know: trained on scenes of another generator than the one that tests."""
        return "" if self.generator_sha256 == generator else f"trained on generator {self.generator_sha256[:12]}"


def frozen_facts(settings: Settings) -> dict[str, Any]:
    """What is fixed before any bundle is opened: the generator by its source, the test scenes by what makes them.

    Raises:
        SettingsError: test scenes are scenes of another role.
    """
    rules, samples = settings.evaluation.held_out, settings.training.samples
    test = rules.first_scene + max(rules.g1_scenes, rules.g2_scenes)
    validation = rules.first_validation_scene + rules.validation_scenes
    trained = samples.scenes if samples.seed == rules.seed else 0
    if not trained <= rules.first_scene <= test <= rules.first_validation_scene:
        raise SettingsError(
            f"test scenes {rules.first_scene} to {test} meet training or validation scenes of the same seed",
            where="evaluation.held_out",
            expected=f"first_scene above {trained}, first_validation_scene above {test}",
            remedy="Move evaluation.held_out.first_scene or first_validation_scene, or take another seed.",
        )
    facts = {
        "generator_sha256": generator_sha256(),
        "scene_rules_sha256": objectstore.sha256(json.dumps(asdict(settings.training.scenes), sort_keys=True).encode()),
        "seed": rules.seed,
        "g1": [rules.first_scene, rules.first_scene + rules.g1_scenes],
        "g2": [rules.first_scene, rules.first_scene + rules.g2_scenes],
        "validation": [rules.first_validation_scene, validation],
        "min_covered": settings.hotspots.tiles.min_covered,
        "q_max_kg_s": samples.q_max_kg_s,
    }
    return facts | {"test_set_sha256": objectstore.sha256(json.dumps(facts, sort_keys=True).encode())}


def judged_of(settings: Settings) -> tuple[Judged, ...]:
    """The bundles to judge: `evaluation.bundles`, or the one `--model` names, and `inputs.bundles`.

    Raises:
        ContractError: one of them is no bundle, or none of that name ships.
    """
    named = (settings.model,) if settings.model else settings.evaluation.bundles
    urls = [objectstore.absolute(name) if "/" in name else packaged_bundle_url(name) for name in named]
    urls += [objectstore.absolute(url) for url in settings.inputs.bundles]
    digests = {url: bundle_sha256(url) for url in dict.fromkeys(urls)}
    opened = {url: open_bundle(url, sha256) for url, sha256 in digests.items()}
    models = [bundle.model for bundle in opened.values()]
    judged = []
    for url, bundle in opened.items():
        name = bundle.model if models.count(bundle.model) == 1 else f"{bundle.model} {digests[url][:8]}"
        reads_wind = "wind_u" in bundle.encoding["channels"]
        network = Network(name, url, digests[url], reads_wind, quantifies=bundle.model != "finch")
        history = bundle.lineage
        trained = f"{history.scenes} scenes, {history.epochs} epochs, seed {history.seed}"
        judged.append(Judged(network, bundle.cut, trained, history.command, history.generator_sha256))
    return tuple(judged)


def described(judged: Judged, generator: str) -> dict[str, Any]:
    """A bundle in the words of `run.json` and of the page."""
    return {
        "name": judged.network.name,
        "sha256": judged.network.sha256,
        "cut": judged.cut,
        "trained by": f"{judged.trained}: `{judged.command}`",
        "flag": judged.flag(generator),
    }
