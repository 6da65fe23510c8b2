"""Every sounding model by name: 8 pairs of an on/off and a capacity-factor model, for cooling towers and for stacks.

Source: plume paper, section 3.5: XGBoost, ResNet-50 from RESISC45 (red, green, blue) and VGG-16 from BigEarthNet (ten
bands of Sentinel-2, not for PlanetScope); Landsat's bands are paired with them by wavelength, the rest as SCIENCE 4.5
pairs them (inferred). Patch sizes and truncations were searched by the paper and are not published: inferred here. A
new model is one entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from carbonray.errors import ContractError
from carbonray.models.backbones import load_backbone
from carbonray.models.sounding_cnn import SoundingCnn, SoundingCnnConfig


@dataclass(frozen=True)
class PublishedTrunk:
    """Weights that others have published.

    Attributes:
        trunk: 'resnet50' or 'vgg16'.
        source_bands: of the first convolution, in its order, by common name.
        preprocessing: what the trunk was fed, key of `sounding_cnn.PREPROCESSING`.
        stride_on: which convolution of ResNet-50's blocks strides.
    """

    trunk: str
    source_bands: tuple[str, ...]
    preprocessing: str
    stride_on: str = "conv2"


@dataclass(frozen=True)
class SoundingEntry:
    """One pair of models.

    Attributes:
        imager: key of `vocab.sensors.IMAGERS`.
        kind: 'NDT' cooling towers or 'FGD' stacks.
        model: 'xgb', 'resisc' or 'ben', as in the tables.
        trunk: 'resnet50' or 'vgg16'; empty for trees.
        bands: of the imager, in order of the network's input; empty for trees, which read them all and derived ones.
        stands_for: the band of the published trunk for each of them, by common name.
        published: key of `PUBLISHED`, the first weights of the paper; empty for trees.
        patch_px: side of a patch for the tasks 'on' and 'capacity_factor', inferred.
    """

    imager: str
    kind: str
    model: str
    trunk: str = ""
    bands: tuple[str, ...] = ()
    stands_for: tuple[str, ...] = ()
    published: str = ""
    patch_px: tuple[int, int] = (0, 0)


_RGB = ("red", "green", "blue")
_TEN = (
    "blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "swir16", "swir22",
)  # fmt: skip

PUBLISHED: dict[str, PublishedTrunk] = {
    "RESISC45": PublishedTrunk("resnet50", _RGB, "torchvision"),
    # the authors' VGG-16 stacks the bands of 10 m, then those of 20 m
    "BigEarthNet": PublishedTrunk(
        "vgg16",
        ("red", "green", "blue", "nir", "rededge071", "rededge075", "rededge078", "nir08", "swir16", "swir22"),
        "z_score",
    ),
    "ImageNet": PublishedTrunk("resnet50", _RGB, "torchvision"),
    "ImageNet-VGG": PublishedTrunk("vgg16", _RGB, "torchvision"),
    "ImageNet-Keras": PublishedTrunk("resnet50", _RGB[::-1], "keras", "conv1"),
    "ImageNet-VGG-Keras": PublishedTrunk("vgg16", _RGB[::-1], "keras"),
}

_PS_RESISC = SoundingEntry("planetscope", "NDT", "resisc", "resnet50", ("R", "G", "B"), _RGB, "RESISC45", (48, 64))
_S2_RESISC = SoundingEntry("sentinel2", "NDT", "resisc", "resnet50", ("B4", "B3", "B2"), _RGB, "RESISC45", (32, 48))
_L8_RESISC = replace(_S2_RESISC, imager="landsat8", patch_px=(16, 32))
_S2_BEN = SoundingEntry(
    "sentinel2",
    "NDT",
    "ben",
    "vgg16",
    ("B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"),
    _TEN,
    "BigEarthNet",
    (32, 48),
)
_L8_BEN = replace(
    _S2_BEN,
    imager="landsat8",
    bands=("B2", "B3", "B4", "B1", "B9", "B10", "B8", "B5", "B6", "B7"),
    patch_px=(16, 32),
)

SOUNDING_MODELS: dict[str, SoundingEntry] = {
    "planetscope_xgb_ndt": SoundingEntry("planetscope", "NDT", "xgb"),
    "planetscope_resisc_ndt": _PS_RESISC,
    "sentinel2_xgb_ndt": SoundingEntry("sentinel2", "NDT", "xgb"),
    "sentinel2_resisc_ndt": _S2_RESISC,
    "sentinel2_ben_ndt": _S2_BEN,
    "landsat8_xgb_ndt": SoundingEntry("landsat8", "NDT", "xgb"),
    "landsat8_resisc_ndt": _L8_RESISC,
    "landsat8_ben_ndt": _L8_BEN,
    "planetscope_xgb_fgd": SoundingEntry("planetscope", "FGD", "xgb"),
    "planetscope_resisc_fgd": replace(_PS_RESISC, kind="FGD"),
    "sentinel2_xgb_fgd": SoundingEntry("sentinel2", "FGD", "xgb"),
    "sentinel2_resisc_fgd": replace(_S2_RESISC, kind="FGD"),
    "sentinel2_ben_fgd": replace(_S2_BEN, kind="FGD"),
    "landsat8_xgb_fgd": SoundingEntry("landsat8", "FGD", "xgb"),
    "landsat8_resisc_fgd": replace(_L8_RESISC, kind="FGD"),
    "landsat8_ben_fgd": replace(_L8_BEN, kind="FGD"),
}


def cnn_config(name: str, task: str) -> SoundingCnnConfig:
    """The network of one task of a model that is no tree, first weights random.

    Raises:
        ContractError: the model is unknown or a tree.
    """
    entry = SOUNDING_MODELS.get(name)
    if entry is None or not entry.trunk:
        raise ContractError(
            f"no sounding network {name!r}",
            where="carbonray/models/sounding_registry.py",
            expected=f"one of {sorted(key for key, value in SOUNDING_MODELS.items() if value.trunk)}",
            remedy="Name a network of the registry.",
        )
    return SoundingCnnConfig(
        task=task,
        trunk=entry.trunk,
        patch_px=entry.patch_px[task != "on"],
        bands=entry.bands,
        stands_for=entry.stands_for,
    )


def published_config(config: SoundingCnnConfig, published: str, sha256: str) -> SoundingCnnConfig:
    """The configuration of a network that starts from published weights: fed as they were, and saying so.

    Args:
        config: of a network whose first weights would be random.
        published: key of `PUBLISHED`.
        sha256: of the file.

    Raises:
        ContractError: the weights are unknown or of another trunk.
    """
    known = PUBLISHED.get(published)
    if known is None or known.trunk != config.trunk:
        raise ContractError(
            f"no published weights {published!r} for {config.trunk!r}",
            where="carbonray/models/sounding_registry.py",
            expected=f"one of {sorted(key for key, value in PUBLISHED.items() if value.trunk == config.trunk)}",
            remedy="Name weights of the same trunk.",
        )
    return replace(
        config, preprocessing=known.preprocessing, stride_on=known.stride_on, init=f"{published} sha256:{sha256}"
    )


def published_network(
    config: SoundingCnnConfig, published: str, tensors: Mapping[str, Any], *, sha256: str, where: str
) -> SoundingCnn:
    """A sounding network whose trunk starts from published weights, attention and head from torch's generator.

    Args:
        config: of a network whose first weights would be random.
        published: key of `PUBLISHED`.
        tensors: of the file, by its own names.
        sha256: of the file.
        where: URL of the file, for errors.

    Raises:
        ContractError: the weights are unknown, or not those of the trunk.
    """
    network = SoundingCnn(published_config(config, published, sha256))
    load_backbone(
        network.trunk,
        tensors,
        source_bands=PUBLISHED[published].source_bands,
        stands_for=network.config.stands_for,
        where=where,
    )
    return network
