"""The manifest of a trained plant product: its sounding models, its generation models and who they were trained on.

One small JSON file, `bundles/plants.json` of a run of `jobs.train`, pins every bundle by its digest, so that the one
digest of the manifest pins all of them. Nothing in it can execute.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from carbonray.errors import ContractError
from carbonray.io.bundle_json import parsed_json
from carbonray.io.objectstore import join, read_bytes, sha256

FORMAT = 1
KEY = "bundles/plants.json"


@dataclass(frozen=True, order=True)
class SoundingPin:
    """One instance of a sounding model.

    Attributes:
        name: of the registry, such as `sentinel2_ben_fgd`.
        imager: key of `vocab.sensors.IMAGERS`.
        kind: structure kind.
        model: as in the tables, such as `ben`.
        instance: 0 to 3.
        patch_px: side of the patches it needs, 0 for trees.
        initialisation: where its first weights came from; empty for trees.
        key: of the bundle under the run's folder.
        sha256: of the bundle.
    """

    name: str
    imager: str
    kind: str
    model: str
    instance: int
    patch_px: int
    initialisation: str
    key: str
    sha256: str


@dataclass(frozen=True)
class GenerationPin:
    """The generation models of one structure kind: key of their JSON under the run's folder, and its sha256."""

    kind: str
    key: str
    sha256: str


@dataclass(frozen=True)
class PlantProduct:
    """Everything that a run of `jobs.plants` needs to score plants.

    Attributes:
        soundings: all instances of all sounding models, sorted.
        generation: the generation models, by structure kind.
        training_folds: structure kind -> plant -> fold, of every plant that any model of the kind saw.
        missing: models that were asked for and could not be fitted, and why.
        data_tier: what they were trained on.
    """

    soundings: tuple[SoundingPin, ...]
    generation: tuple[GenerationPin, ...]
    training_folds: Mapping[str, Mapping[str, int]]
    missing: Mapping[str, str]
    data_tier: str

    def instances_for(self, kind: str, plant_id: str, n_folds: int = 4) -> tuple[int, ...]:
        """Instances that may answer for a plant: the one that held it out, or all where none has seen it."""
        fold = self.training_folds.get(kind, {}).get(plant_id)
        return tuple(range(n_folds)) if fold is None else (fold,)


def encode_product(product: PlantProduct) -> bytes:
    """The manifest as JSON; the same product gives the same bytes."""
    return json.dumps({"format": FORMAT, **asdict(product)}, indent=1, sort_keys=True).encode() + b"\n"


def open_product(run_url: str) -> tuple[PlantProduct, str]:
    """The product of a training run, and the digest of its manifest.

    Raises:
        ContractError: the file is no such manifest.
        DataError: there is none.
        TransportError: it could not be moved.
    """
    url = join(run_url, KEY)
    data = read_bytes(url)
    document = parsed_json(data, where=url)
    known = isinstance(document, dict) and document.get("format") == FORMAT
    try:
        told: dict[str, Any] = {name: document[name] for name in ("training_folds", "missing", "data_tier")}
        soundings = tuple(SoundingPin(**pin) for pin in document["soundings"])
        generation = tuple(GenerationPin(**pin) for pin in document["generation"])
    except (KeyError, TypeError, ValueError) as error:
        raise _no_product(f"{type(error).__name__}: {error}", url) from error
    if not known:
        raise _no_product("another format", url)
    return PlantProduct(soundings, generation, **told), sha256(data)


def _no_product(what: str, url: str) -> ContractError:
    return ContractError(
        f"the manifest holds no plant product ({what})",
        where=url,
        expected=f"JSON that a run of jobs.train --model plants wrote, format {FORMAT}",
        remedy="Name the folder of such a run in inputs.bundles, or train again.",
    )
