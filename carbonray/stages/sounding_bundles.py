"""Bundles of the sounding models: both tasks of one model and instance saved together, and made ready for use again.

Source: SCIENCE 4.5 and 4.7. A bundle holds the tensors `on.NAME` and `capacity_factor.NAME`; of trees, their JSON as
bytes under `on.trees` and `capacity_factor.trees`. Patches are (image, structure, band, y, x) of all the imager's
bands, reflectances (thermal bands kelvin) and NaN where nothing was measured; features are (image, feature).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io.model_store import Bundle, Lineage
from carbonray.models.bags import BandScaling
from carbonray.models.sounding_cnn import TASKS, SoundingCnnConfig
from carbonray.models.sounding_detector import SoundingDetector
from carbonray.models.sounding_registry import SoundingEntry
from carbonray.models.sounding_runtime import RuntimeRules
from carbonray.models.sounding_trees import SoundingTrees, trees_from_bytes
from carbonray.science.power.lookback import AUX, CLS, REG
from carbonray.science.power.patch_features import central, feature_names
from carbonray.vocab.sensors import IMAGERS, Imager

CUT = 0.5  # on-score from which a plant counts as on (SCIENCE 4.6, thresholded soundings)
TREES = "trees"
Values = NDArray[np.float32]
Task = Callable[[Values, NDArray[np.bool_], Values], Mapping[str, Values]]


@dataclass(frozen=True)
class FittedNetwork:
    """What a fit leaves of one task.

    Attributes:
        config: of the network, with where its first weights came from.
        scaling: of its bands.
        tensors: weights by name.
    """

    config: SoundingCnnConfig
    scaling: BandScaling
    tensors: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class SoundingModel:
    """Both tasks of one model and instance, ready for use.

    Attributes:
        name: in the registry.
        imager: key of `vocab.sensors.IMAGERS`.
        kind: structure kind, NDT or FGD.
        model: 'xgb', 'resisc' or 'ben'.
        instance: rotation it was trained in.
        patch_px: side of the largest patch that a task needs, 0 where only features are read.
        heads: what it says: 'cls' and 'reg', of networks also 'aux'.
        tasks: what answers.
    """

    name: str
    imager: str
    kind: str
    model: str
    instance: int
    patch_px: int
    heads: tuple[str, ...]
    tasks: tuple[Task, ...]

    def __call__(self, patches: Values, mask: NDArray[np.bool_], features: Values) -> dict[str, Values]:
        """Head -> (n,) values in 0 to 1: 'cls' the on score, 'reg' the capacity factor, 'aux' the on score beside it.

        Args:
            patches: (n, K, band, s, s) of all the imager's bands, an even side of at least `patch_px`; trees read none.
            mask: (n, K) True where there is a structure.
            features: (n, feature) of `patch_features`; networks read none.

        Raises:
            ContractError: bands, sides, masks or features do not fit.
        """
        said = {head: value for task in self.tasks for head, value in task(patches, mask, features).items()}
        return {head: said[head] for head in self.heads}


def network_bundle(
    name: str, entry: SoundingEntry, instance: int, fitted: Mapping[str, FittedNetwork], lineage: Lineage
) -> Bundle:
    """The bundle of two networks, by task.

    Args:
        name: in the registry.
        entry: its entry there.
        instance: rotation it was trained in.
        fitted: task -> network.
        lineage: how they came about.
    """
    tensors = {f"{task}.{key}": value for task in TASKS for key, value in fitted[task].tensors.items()}
    config = _names(entry, instance) | {task: asdict(fitted[task].config) for task in TASKS}
    encoding = {task: asdict(fitted[task].scaling) for task in TASKS}
    return Bundle(name, config, encoding, CUT, lineage, tensors)


def tree_bundle(
    name: str, entry: SoundingEntry, instance: int, fitted: Mapping[str, SoundingTrees], lineage: Lineage
) -> Bundle:
    """The bundle of trees for both tasks, as `network_bundle`."""
    tensors = {f"{task}.{TREES}": np.frombuffer(fitted[task].to_bytes("json"), np.uint8) for task in TASKS}
    return Bundle(name, _names(entry, instance), {}, CUT, lineage, tensors)


def opened_model(
    bundle: Bundle,
    where: str,
    *,
    device: str = "cpu",
    runtime: RuntimeRules | None = None,
    imagers: Mapping[str, Imager] = IMAGERS,
) -> SoundingModel:
    """The model of a bundle that `io.model_store` has checked.

    Args:
        bundle: of `network_bundle` or `tree_bundle`.
        where: its URL, for errors.
        device: 'cpu' or 'cuda', for networks.
        runtime: how networks are computed, float32 where none is given.
        imagers: the declared imagers.

    Raises:
        ContractError: the bundle is no sounding model's, or of another version's imager, or the runtime answers too
            differently.
        DataError: the bytes of its trees are none.
    """
    grown = set(bundle.tensors) == {f"{task}.{TREES}" for task in TASKS}
    try:
        told = {key: str(bundle.config[key]) for key in ("imager", "kind", "model")}
        imager, instance = imagers[told["imager"]], int(bundle.config["instance"])
        if grown:
            tasks = [_tree_task(bundle, task, imager, where) for task in TASKS]
        else:
            detectors = {task: task_detector(bundle, task, where, device, runtime) for task in TASKS}
            tasks = [_network_task(task, imager, detector) for task, detector in detectors.items()]
        sides = [0 if grown else int(bundle.config[task]["patch_px"]) for task in TASKS]
    except (KeyError, TypeError, ValueError) as error:
        raise ContractError(
            f"the bundle is no sounding model's ({type(error).__name__}: {error})",
            where=where,
            expected="imager, kind, model and instance, and for each task a network and its scaling, or trees",
            remedy="Name a bundle of jobs.train --model plants, or install the version that wrote it.",
        ) from error
    heads = (CLS, REG) if grown else (CLS, REG, AUX)
    names = (bundle.model, told["imager"], told["kind"], told["model"])
    return SoundingModel(*names, instance, max(sides), heads, tuple(tasks))


def _names(entry: SoundingEntry, instance: int) -> dict[str, Any]:
    return {"instance": instance, "imager": entry.imager, "kind": entry.kind, "model": entry.model}


def task_detector(
    bundle: Bundle, task: str, where: str, device: str = "cpu", runtime: RuntimeRules | None = None
) -> SoundingDetector:
    """The network of one task of a bundle, as `opened_model` has it."""
    own = f"{task}."
    tensors = {key.removeprefix(own): value for key, value in bundle.tensors.items() if key.startswith(own)}
    config, scaling = bundle.config[task], bundle.encoding[task]
    return SoundingDetector(config, scaling, tensors, where=f"{where}: {task}", device=device, runtime=runtime)


def _network_task(task: str, imager: Imager, detector: SoundingDetector) -> Task:
    known = [band.name for band in imager.bands]
    bands, side = [known.index(band) for band in detector.config.bands], detector.config.patch_px

    def answer(patches: Values, mask: NDArray[np.bool_], _features: Values) -> dict[str, Values]:
        _check_side(patches, side)
        on, factor = detector(central(patches, side)[:, :, bands], mask)
        return {CLS: on} if task == "on" else {REG: factor, AUX: on}

    return answer


def _tree_task(bundle: Bundle, task: str, imager: Imager, where: str) -> Task:
    trees = trees_from_bytes(bundle.tensors[f"{task}.{TREES}"].tobytes(), where=f"{where}: {task}")
    if (trees.task, trees.features) != (task, feature_names(imager)):
        raise ValueError(f"trees of {len(trees.features)} features for {trees.task!r}")

    def answer(_patches: Values, _mask: NDArray[np.bool_], features: Values) -> dict[str, Values]:
        return {CLS if task == "on" else REG: trees.predict(features).astype(np.float32)}

    return answer


def _check_side(patches: Values, side: int) -> None:
    if patches.shape[-1] < side or patches.shape[-1] % 2:
        raise ContractError(
            f"patches are {patches.shape}",
            where="SoundingModel",
            expected=f"an even side of at least {side} pixels",
            remedy="Cut patches of the model's `patch_px`.",
        )
