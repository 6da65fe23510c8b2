"""The sixteen sounding models: pairs, bands that exist and pair as written, and networks that build and run."""

from collections import Counter

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError
from carbonray.models.backbones import STEMS, trunk_of
from carbonray.models.sounding_cnn import PREPROCESSING, SoundingCnn, SoundingCnnConfig
from carbonray.models.sounding_registry import (
    PUBLISHED,
    SOUNDING_MODELS,
    cnn_config,
    published_config,
    published_network,
)
from carbonray.vocab.sensors import IMAGERS
from tests.models.public_checkpoints import vgg_checkpoint

NETWORKS = sorted(name for name, entry in SOUNDING_MODELS.items() if entry.trunk)


def test_eight_pairs_for_towers_and_for_stacks() -> None:
    """Plume paper, section 3.5: XGBoost and RESISC for all imagers, BigEarthNet for two of them."""
    assert len(SOUNDING_MODELS) == 16
    for kind in ("NDT", "FGD"):
        pairs = [(e.imager, e.model) for e in SOUNDING_MODELS.values() if e.kind == kind]
        assert Counter(model for _, model in pairs) == {"xgb": 3, "resisc": 3, "ben": 2}
        assert ("planetscope", "ben") not in pairs
    assert all(name == f"{e.imager}_{e.model}_{e.kind.lower()}" for name, e in SOUNDING_MODELS.items())


@pytest.mark.parametrize("name", NETWORKS)
def test_bands_are_the_imagers_and_each_stands_for_one(name: str) -> None:
    entry = SOUNDING_MODELS[name]
    bands = {band.name for band in IMAGERS[entry.imager].bands}
    assert set(entry.bands) <= bands and len(set(entry.bands)) == len(entry.bands)
    assert sorted(entry.stands_for) == sorted(PUBLISHED[entry.published].source_bands)
    assert PUBLISHED[entry.published].trunk == entry.trunk


@pytest.mark.parametrize("name", [n for n in NETWORKS if "landsat8_ben" not in n])
def test_bands_stand_for_their_own_colour(name: str) -> None:
    entry = SOUNDING_MODELS[name]
    common = {band.name: band.common for band in IMAGERS[entry.imager].bands}
    assert tuple(common[band] for band in entry.bands) == entry.stands_for


def test_bigearthnet_reads_ten_bands_without_the_three_coarsest() -> None:
    assert set(SOUNDING_MODELS["sentinel2_ben_ndt"].bands) == {b.name for b in IMAGERS["sentinel2"].bands} - {
        "B1", "B9", "B10",
    }  # fmt: skip


def test_landsat_pairs_as_written() -> None:
    """SCIENCE 4.5: B2, B3, B4 the same, B8A with B5, B11 with B6, B12 with B7, B8 with the panchromatic B8, and the
    rest arbitrarily: B5 with B1, B6 with B9, B7 with B10."""
    sentinel, landsat = SOUNDING_MODELS["sentinel2_ben_fgd"], SOUNDING_MODELS["landsat8_ben_fgd"]
    assert sentinel.stands_for == landsat.stands_for
    assert dict(zip(sentinel.bands, landsat.bands, strict=True)) == {
        "B2": "B2", "B3": "B3", "B4": "B4", "B8A": "B5", "B11": "B6", "B12": "B7", "B8": "B8",
        "B5": "B1", "B6": "B9", "B7": "B10",
    }  # fmt: skip


@pytest.mark.parametrize("task", ["on", "capacity_factor"])
@pytest.mark.parametrize("name", [n for n in NETWORKS if n.endswith("ndt")])
def test_networks_build_and_answer(name: str, task: str) -> None:
    config = cnn_config(name, task)
    assert config.init == "random" and config.task == task
    side = config.patch_px
    network = SoundingCnn(config).eval()
    with torch.inference_mode():
        found = network(torch.rand(2, 2, len(config.bands), side, side), torch.ones(2, 2, dtype=torch.bool))
    assert bool(found.on_logits.isfinite().all()) and bool(found.capacity_factor.isfinite().all()) == (task != "on")


def test_patches_for_the_capacity_factor_are_larger() -> None:
    """Plume paper, appendix B: larger patch sizes were selected for regression."""
    assert all(SOUNDING_MODELS[n].patch_px[0] < SOUNDING_MODELS[n].patch_px[1] for n in NETWORKS)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_weights_are_of_known_trunks_and_preprocessings(name: str) -> None:
    known = PUBLISHED[name]
    assert known.trunk in STEMS and known.preprocessing in PREPROCESSING
    trunk_of(known.trunk, len(known.source_bands), "block2_pool", width=4, stride_on=known.stride_on)


def test_bigearthnet_weights_reach_their_bands_on_both_imagers() -> None:
    """The authors' file stacks red, green, blue, near infrared, ...: filter 0 is red, whatever the input's order."""
    source, tensors = vgg_checkpoint("slim", bands=10)
    for name, red in (("sentinel2_ben_ndt", "B4"), ("landsat8_ben_ndt", "B4")):
        config = SoundingCnnConfig(**{**vars(cnn_config(name, "on")), "width": 4})
        network = published_network(config, "BigEarthNet", tensors, sha256="ab", where="x")
        stem = network.trunk.get_parameter("features.0.weight")
        assert torch.equal(stem[:, config.bands.index(red)], source.get_parameter("features.0.weight")[:, 0])
        assert network.config.init == "BigEarthNet sha256:ab" and network.config.preprocessing == "z_score"


def test_imagenet_of_three_bands_serves_ten() -> None:
    """A start from ImageNet where BigEarthNet's weights are not at hand: other bands take the mean filter."""
    source, tensors = vgg_checkpoint("keras")
    config = SoundingCnnConfig(**{**vars(cnn_config("sentinel2_ben_ndt", "on")), "width": 4})
    network = published_network(config, "ImageNet-VGG-Keras", tensors, sha256="ab", where="x")
    stem, filters = network.trunk.get_parameter("features.0.weight"), source.get_parameter("features.0.weight")
    torch.testing.assert_close(stem[:, config.bands.index("B2")], 0.3 * filters[:, 0])  # Keras was fed blue first
    torch.testing.assert_close(stem[:, config.bands.index("B11")], 0.3 * filters.mean(1))


def test_what_is_no_network_or_no_published_trunk_is_refused() -> None:
    for name in ("sentinel2_xgb_ndt", "modis"):
        with pytest.raises(ContractError, match="no sounding network"):
            cnn_config(name, "on")
    with pytest.raises(ContractError, match="no published weights 'BigEarthNet' for 'resnet50'"):
        published_config(cnn_config("sentinel2_resisc_ndt", "on"), "BigEarthNet", "ab")
    stem_alone = {"features.0.weight": np.zeros((64, 10, 3, 3), np.float32)}
    with pytest.raises(ContractError, match=r"features\.2\.weight"):
        published_network(cnn_config("sentinel2_ben_ndt", "on"), "BigEarthNet", stem_alone, sha256="ab", where="x")
