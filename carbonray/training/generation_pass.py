"""The pass that fits generation models from soundings and reports of training plants: one unit a structure kind.

Source: SCIENCE 4.6 and 4.7. The plants product ends with it; a generation model is trained alone by it, on soundings
that are there.
"""

import json
from collections.abc import Mapping, Sequence

from carbonray.contract import encode_object_rows
from carbonray.engine.plan import Pass
from carbonray.io import objectstore
from carbonray.io.inventory.store import INVENTORY
from carbonray.io.ledger import Commit
from carbonray.io.plant_product import SoundingPin
from carbonray.pipelines.planning import records_of, unit_of
from carbonray.pipelines.plant_sources import PlantStore, TrainingPlant
from carbonray.science.power.lookback import ModelPair
from carbonray.settings import Settings
from carbonray.stages.generation_search import GenerationSources
from carbonray.stages.generation_training import FOLDER, FitGeneration
from carbonray.stages.soundings import FOLDER as SOUNDINGS


def generation_pass(
    digest: str,
    settings: Settings,
    store: PlantStore,
    known: Mapping[str, TrainingPlant],
    sounded: tuple[str, Sequence[Commit]],
    pins: Sequence[SoundingPin],
) -> Pass:
    """One unit a structure kind that there are sounding models of, over the soundings and reports of its plants.

    Args:
        digest: of the settings.
        settings: features, models, targets.
        store: reports and inventory.
        known: plants that models may learn from.
        sounded: folder of the run that holds the soundings, and its commits of them.
        pins: the sounding models that told them.
    """
    sources = []
    for kind in sorted({pin.kind for pin in pins}):
        folds = {name: plant.fold for name, plant in known.items() if kind in plant.years}
        sources.append(generation_sources(store, kind, folds, sounded, pins))
    return fitting_pass("generation", digest, settings, sources, FOLDER)


def generation_sources(
    store: PlantStore,
    kind: str,
    folds: Mapping[str, int],
    sounded: tuple[str, Sequence[Commit]],
    pins: Sequence[SoundingPin],
) -> GenerationSources:
    """What generation models of a structure kind are fitted with.

    Args:
        store: reports and inventory.
        kind: NDT or FGD.
        folds: plant -> fold of every plant that models of the kind may learn from.
        sounded: folder of the run that holds the soundings, and its commits of them.
        pins: the sounding models that told them, of any kind.
    """
    own = sorted(pin for pin in pins if pin.kind == kind)
    networks = {(pin.imager, pin.model): bool(pin.patch_px) for pin in own}
    pairs = tuple(ModelPair(*which, auxiliary=network) for which, network in sorted(networks.items()))
    url, commits = sounded
    heard = [commit for commit in commits if commit.key.rsplit("-", 2)[0] in folds]
    inputs = {objectstore.join(url, record.key): record for record in records_of(heard, f"{SOUNDINGS}/")}
    for name in sorted(folds):
        inputs |= store.about(store.reported, name, "reported")
    bundles = tuple(pin.sha256 for pin in own)
    return GenerationSources(kind, objectstore.join(store.url, INVENTORY), pairs, bundles, dict(folds), inputs)


def fitting_pass(name: str, digest: str, settings: Settings, sources: Sequence[GenerationSources], folder: str) -> Pass:
    """One unit a structure kind; its models come under a folder of the run.

    Args:
        name: of the pass.
        digest: of the settings.
        settings: features, models, targets.
        sources: of one store.
        folder: of the models in the run.
    """
    units = []
    for each in sources:
        partition = {"kind": each.kind, "folds": json.dumps(each.folds, sort_keys=True)}
        units.append(unit_of(digest, name, each.kind, each.inputs, partition, each.bundles))
    pairs = {each.kind: each.pairs for each in sources}
    bundles = {each.kind: each.bundles for each in sources}
    inventory_url = sources[0].inventory_url if sources else ""
    rules = settings.generation
    reader = FitGeneration(inventory_url, pairs, bundles, rules.folds(), rules.targets, folder)
    return Pass(name, tuple(units), reader, encode_object_rows)
