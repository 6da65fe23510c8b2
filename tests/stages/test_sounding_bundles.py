"""Sounding models as bundles: what was saved answers again, whatever the padding and the order of the structures."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError, DataError
from carbonray.io.model_store import Lineage, open_bundle, save_bundle
from carbonray.models.bags import BandScaling
from carbonray.models.sounding_cnn import SoundingCnn
from carbonray.models.sounding_detector import SoundingDetector
from carbonray.models.sounding_registry import SOUNDING_MODELS, cnn_config
from carbonray.models.sounding_runtime import RuntimeRules
from carbonray.models.sounding_trees import TreeRules, fit_trees
from carbonray.science.power.patch_features import feature_names
from carbonray.stages.sounding_bundles import FittedNetwork, network_bundle, opened_model, tree_bundle
from carbonray.vocab.sensors import IMAGERS

NETWORK, TREES = "landsat8_ben_fgd", "landsat8_xgb_ndt"
TASKS = ("on", "capacity_factor")
LINEAGE = Lineage("none", "none", 0, 0, 0, 0, "", "", {}, {}, {}, {"P": 1}, "SYNTHETIC-T1")
NAMES = feature_names(IMAGERS["landsat8"])


def networks():
    """Untrained networks of both tasks, patches of 16 and of 32 pixels."""
    fitted = {}
    for task in TASKS:
        torch.manual_seed(5)
        config = replace(cnn_config(NETWORK, task), width=4, attention_width=4)
        bands = len(config.bands)
        tensors = {name: value.numpy() for name, value in SoundingCnn(config).state_dict().items()}
        fitted[task] = FittedNetwork(config, BandScaling((0.3,) * bands, (0.2,) * bands), tensors)
    return fitted


def images(n=3, structures=2, side=32, seed=0):
    """Patches of all the imager's bands with gaps, and a mask of all structures."""
    rng = np.random.default_rng(seed)
    patches = rng.normal(0.3, 0.2, (n, structures, len(IMAGERS["landsat8"].bands), side, side)).astype(np.float32)
    patches[:, 0, :, :2] = np.nan
    return patches, np.ones((n, structures), np.bool_)


def grown():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(60, len(NAMES))).astype(np.float32)
    features[rng.random(features.shape) < 0.1] = np.nan
    target = (np.nan_to_num(features[:, 3]) > 0).astype(float)
    rows = {"train": np.arange(40), "validation": np.arange(40, 60), "names": NAMES, "rules": TreeRules(rounds=15)}
    return features, {task: fit_trees(task, features, target, **rows) for task in TASKS}


def none(features):
    return np.zeros((len(features), 0), np.float32)


@pytest.fixture(scope="module")
def network():
    return opened_model(network_bundle(NETWORK, SOUNDING_MODELS[NETWORK], 2, networks(), LINEAGE), "x")


def test_a_network_answers_as_its_two_tasks_do_on_their_bands_and_sizes(network):
    assert (network.name, network.imager, network.kind, network.model) == (NETWORK, "landsat8", "FGD", "ben")
    assert (network.instance, network.patch_px, network.heads) == (2, 32, ("cls", "reg", "aux"))
    patches, mask = images(side=40)
    found = network(patches, mask, none(patches))
    assert tuple(found) == network.heads and all(value.dtype == np.float32 for value in found.values())
    known = [band.name for band in IMAGERS["landsat8"].bands]
    for task, cut in (("on", slice(12, 28)), ("capacity_factor", slice(4, 36))):
        fitted = networks()[task]
        detector = SoundingDetector(asdict(fitted.config), asdict(fitted.scaling), fitted.tensors, where="x")
        own = patches[:, :, [known.index(band) for band in fitted.config.bands], cut, cut]
        on, factor = detector(own, mask)
        np.testing.assert_array_equal(found["cls" if task == "on" else "aux"], on)
        if task != "on":
            np.testing.assert_array_equal(found["reg"], factor)


def test_a_network_comes_back_from_its_bundle(tmp_path, network):
    url = f"{tmp_path}/bundle"
    digest = save_bundle(url, network_bundle(NETWORK, SOUNDING_MODELS[NETWORK], 2, networks(), LINEAGE))
    again = opened_model(open_bundle(url, digest), url)
    patches, mask = images()
    for head, value in network(patches, mask, none(patches)).items():
        np.testing.assert_array_equal(again(patches, mask, none(patches))[head], value)


def test_padding_and_the_order_of_structures_do_not_change_answers(network):
    patches, mask = images(structures=3)
    found = network(patches, mask, none(patches))
    padded = np.concatenate([patches, np.full_like(patches, np.nan)], axis=1)
    wide = network(padded, np.concatenate([mask, ~mask], axis=1), none(patches))
    order = [5, 2, 0, 4, 1, 3]
    shuffled = network(padded[:, order], np.concatenate([mask, ~mask], axis=1)[:, order], none(patches))
    larger = network(np.pad(patches, [(0, 0)] * 3 + [(4, 4)] * 2, constant_values=9.0), mask, none(patches))
    for head, value in found.items():
        for other in (wide, shuffled, larger):
            np.testing.assert_allclose(other[head], value, atol=2e-6)
    assert not np.allclose(network(patches[:, :1], mask[:, :1], none(patches))["cls"], found["cls"], atol=1e-4)


def test_a_runtime_is_passed_on():
    bundle = network_bundle(NETWORK, SOUNDING_MODELS[NETWORK], 0, networks(), LINEAGE)
    patches, mask = images()
    exact, fast = (
        opened_model(bundle, "x", runtime=RuntimeRules(name=name))(patches, mask, none(patches))
        for name in ("fp32", "bf16")
    )
    for head, value in exact.items():
        np.testing.assert_allclose(fast[head], value, atol=0.02)
    assert any(not np.array_equal(fast[head], value) for head, value in exact.items())


def test_trees_come_back_from_their_bundle_to_the_last_bit(tmp_path):
    features, trees = grown()
    url = f"{tmp_path}/bundle"
    digest = save_bundle(url, tree_bundle(TREES, SOUNDING_MODELS[TREES], 1, trees, LINEAGE))
    bundle = open_bundle(url, digest)
    model = opened_model(bundle, url)
    assert (model.model, model.kind, model.instance, model.patch_px, model.heads) == (
        "xgb",
        "NDT",
        1,
        0,
        ("cls", "reg"),
    )
    nothing = np.zeros((len(features), 2, 11, 0, 0), np.float32)
    found = model(nothing, np.ones((len(features), 2), np.bool_), features)
    for head, task in (("cls", "on"), ("reg", "capacity_factor")):
        np.testing.assert_array_equal(found[head], trees[task].predict(features).astype(np.float32))
    assert save_bundle(f"{tmp_path}/again", bundle) == digest


def test_patches_too_small_and_features_too_few_are_refused(network):
    patches, mask = images(side=30)
    with pytest.raises(ContractError, match="patches are"):
        network(patches, mask, none(patches))
    with pytest.raises(ContractError, match="patches are"):
        network(np.zeros((1, 1, 11, 33, 33), np.float32), mask[:1, :1], none(patches))
    features, trees = grown()
    model = opened_model(tree_bundle(TREES, SOUNDING_MODELS[TREES], 1, trees, LINEAGE), "x")
    with pytest.raises(ContractError, match="features are"):
        model(patches, mask, features[:, 1:])


def test_what_is_no_sounding_model_is_refused():
    _, trees = grown()
    good = tree_bundle(TREES, SOUNDING_MODELS[TREES], 1, trees, LINEAGE)
    other = replace(good, config=good.config | {"imager": "sentinel2"})
    swapped = {"on.trees": good.tensors["capacity_factor.trees"], "capacity_factor.trees": good.tensors["on.trees"]}
    for bundle in (replace(good, config={}), replace(good, tensors={}), other, replace(good, tensors=swapped)):
        with pytest.raises(ContractError, match="no sounding model's"):
            opened_model(bundle, "x")
    broken = replace(good, tensors=dict(good.tensors) | {"on.trees": np.frombuffer(b"{}", np.uint8)})
    with pytest.raises(DataError, match="no sounding trees"):
        opened_model(broken, "x")
