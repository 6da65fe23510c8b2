"""Fits one sounding network: bands scaled, first weights random or published, epochs kept, the best weights rounded.

Sources: SCIENCE 4.5 and 4.7, plume paper section 3.5 and appendix B. Everything measured is measured on the training
folds; the validation fold ends the fit and nothing else.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carbonray.errors import DataError, SettingsError
from carbonray.io.backbone_weights import read_backbone
from carbonray.io.objectstore import sha256
from carbonray.models.bags import BandScaling
from carbonray.models.detector import dataclass_of
from carbonray.models.fit import FitState, Workers
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_detector import SoundingDetector
from carbonray.models.sounding_fit import SoundingFitRules, best_weights, fit_soundings
from carbonray.models.sounding_registry import PUBLISHED, SOUNDING_MODELS, cnn_config, published_network
from carbonray.science.stats.metrics import rmse, two_class_map
from carbonray.stages.sounding_bundles import FittedNetwork
from carbonray.stages.sounding_checkpoints import FitCheckpoints
from carbonray.stages.sounding_streams import BagStream, band_scaling

Weights = Literal["fp16", "fp32"]


@dataclass(frozen=True)
class NetworkFit:
    """A fitted network, its score on the validation fold as it is stored, and the epochs it took."""

    network: FittedNetwork
    score: float
    epochs: int


def network_config(name: str, task: str, overrides: Mapping[str, Any]) -> SoundingCnnConfig:
    """The network of one task of a model with some of its settings changed.

    Raises:
        ContractError: the model or a setting is unknown, or patch and truncation do not fit.
    """
    settings = asdict(cnn_config(name, task)) | dict(overrides)
    return dataclass_of(SoundingCnnConfig, settings, where=f"config of {name}, {task}")


def backbone_for(name: str, backbones: tuple[str, ...]) -> tuple[str, str] | None:
    """Name and URL of the published weights that a model starts from, None for random ones.

    Args:
        name: in the registry.
        backbones: `NAME=URL`, NAME a key of `PUBLISHED`; the model's own are taken before others of its trunk.

    Raises:
        SettingsError: one is not written so.
    """
    entry = SOUNDING_MODELS[name]
    given = dict(_named_url(text) for text in backbones)
    fitting = [known for known in given if PUBLISHED[known].trunk == entry.trunk]
    chosen = entry.published if entry.published in given else next(iter(fitting), "")
    return (chosen, given[chosen]) if chosen else None


def fitted_network(
    config: SoundingCnnConfig,
    streams: tuple[BagStream, BagStream],
    rules: SoundingFitRules,
    *,
    backbone: tuple[str, str] | None,
    checkpoints: Callable[[str], FitCheckpoints],
    device: str,
    weights: Weights,
) -> NetworkFit:
    """Fits a network, going on from its checkpoint where there is one.

    Args:
        config: of the network, first weights random.
        streams: images of the training folds, and of the validation fold.
        rules: of the fit.
        backbone: name and URL of published weights, None for random ones.
        checkpoints: digest of the fit -> where its states are kept.
        device: 'cpu' or 'cuda'.
        weights: as they are stored.

    Raises:
        DataError: a band holds nothing, or the fit diverged.
    """
    train, validation = streams
    scaling = band_scaling(train)
    torch.manual_seed(rules.seed)
    network = _first_network(config, backbone)
    kept = checkpoints(_digest(network.config, scaling, rules, streams))

    def keep(_metrics: dict[str, float], state: FitState) -> None:
        kept.put(state)

    state = fit_soundings(
        network,
        train.shuffled,
        validation.in_order,
        rules,
        scaling=scaling,
        counts=train.counts,
        on_epoch=keep,
        state=kept.read(),
        workers=Workers(device=device),
    )
    tensors = {name: _stored(tensor, weights).numpy() for name, tensor in best_weights(state).items()}
    fitted = FittedNetwork(network.config, scaling, tensors)
    return NetworkFit(fitted, _score(fitted, validation, device), state.epoch)


def check_classes(task: str, train: BagStream, validation: BagStream) -> None:
    """Checks, before an hour of work, that a fit can be made: both classes to learn from, and something to stop on.

    Raises:
        DataError: a class is absent among the training images or, for on and off, those of the validation fold.
    """
    learnt, judged = train.counts, validation.counts
    if min(learnt) and (min(judged) if task == "on" else sum(judged)):
        return
    raise DataError(
        f"{learnt[0]} images of plants off and {learnt[1]} on to learn from, {judged[0]} and {judged[1]} to stop on",
        where=task,
        expected="both classes among the training images and, for on and off, among those of the validation fold",
        remedy="Train on more plants or years, or leave the model out.",
    )


def _named_url(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if name not in PUBLISHED or not url:
        raise SettingsError(
            f"{text!r} names no published weights",
            where="backbones",
            expected=f"NAME=URL, NAME one of {sorted(PUBLISHED)}, URL of a .safetensors file",
            remedy="Write RESISC45=s3://bucket/resisc45.safetensors, say.",
        )
    return name, url


def _first_network(config: SoundingCnnConfig, backbone: tuple[str, str] | None) -> SoundingCnn:
    if backbone is None:
        return SoundingCnn(config)
    published, url = backbone
    found = read_backbone(url)
    return published_network(config, published, found.tensors, sha256=found.sha256, where=url)


def _digest(
    config: SoundingCnnConfig, scaling: BandScaling, rules: SoundingFitRules, streams: tuple[BagStream, BagStream]
) -> str:
    splits = [[(file.plant_id, file.off, file.on) for file in stream.files] for stream in streams]
    facts = [asdict(config), asdict(scaling), asdict(rules), splits, [stream.window_files for stream in streams]]
    return sha256(json.dumps(facts, sort_keys=True).encode())


def _stored(tensor: Tensor, weights: Weights) -> Tensor:
    """Rounded to 16 bits where asked for and where no number is beyond their range, as sums of squares may be."""
    if weights == "fp32" or not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if bool(torch.isfinite(half).all()) else tensor


def _score(fitted: FittedNetwork, stream: BagStream, device: str) -> float:
    """Of a stream's images: mAP of on and off, or RMSE of the capacity factor."""
    config, scaling = asdict(fitted.config), asdict(fitted.scaling)
    detector = SoundingDetector(config, scaling, fitted.tensors, where="the fit", device=device)
    found: list[NDArray[np.float64]] = []
    for bag in stream.in_order():
        on, factor = detector(bag.patches.numpy(), bag.mask.numpy())
        pair = (bag.on, on) if fitted.config.task == "on" else (bag.capacity_factor, factor)
        found.append(np.stack([np.asarray(part, np.float64) for part in pair]))
    truth, answer = np.concatenate(found, axis=1)
    if fitted.config.task == "on":
        return float(two_class_map(truth > 0.0, answer))
    return float(rmse(np.clip(truth, 0.0, 1.0), answer))
