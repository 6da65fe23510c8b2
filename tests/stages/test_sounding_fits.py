"""Fits of sounding models: no fold leaks, a killed fit ends in the same bytes, and a bundle says how it came about."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from safetensors.torch import save

from carbonray.contract import OBJECT_ROWS, Unit, encode_object_rows, to_batch, to_table
from carbonray.errors import ContractError, DataError, SettingsError
from carbonray.io.bag_store import encode_bags, read_bags
from carbonray.io.model_store import MANIFEST, open_bundle
from carbonray.io.objectstore import listing, put_bytes, read_bytes, sha256
from carbonray.io.table_store import decode_table, encode_table
from carbonray.models.augment import AugmentRules
from carbonray.models.backbones import trunk_of
from carbonray.models.sounding_fit import SoundingFitRules
from carbonray.models.sounding_trees import TreeRules
from carbonray.stages.fit_checkpoints import FitCheckpoints
from carbonray.stages.sounding_bundles import opened_model
from carbonray.stages.sounding_fits import FitSoundings, NameFit, SoundingRules
from carbonray.stages.sounding_networks import backbone_for
from carbonray.stages.sounding_tree_fits import read_tree_rows
from carbonray.vocab.sample_tables import SAMPLES
from tests.stages.small_stores import IMAGES, TIER, plants, samples, written

NETWORK, TREES = "landsat8_resisc_ndt", "landsat8_xgb_ndt"
RULES = SoundingRules(
    trees=TreeRules(rounds=6, min_child_weight=0.1, features_share=1.0, stop_rounds=3),
    fit=SoundingFitRules(epochs=2, batch_size=8, augment=AugmentRules(magnitude=0.0)),
    config={"width": 4, "attention_width": 4},
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Samples of four rendered plants, one a fold: what trees read, and what networks read."""
    return dict(zip((TREES, NETWORK), samples(str(tmp_path_factory.mktemp("samples"))), strict=True))


def unit_of(name, k, urls):
    return Unit("fits", "id", f"{name}-{k}", {"model": name, "instance": k}, tuple(urls), ("",) * len(urls))


def fit(name, k, urls, folder, rules=RULES, **more):
    """The bundle's objects, by way of Arrow as between actors."""
    batch = NameFit()(unit_of(name, k, urls)).batch
    stage = FitSoundings(rules, str(folder), "train", **more)
    emitted = to_batch(to_table(stage(batch), OBJECT_ROWS, stage="fit"))
    return dict(encode_object_rows(unit_of(name, k, urls), emitted, {}).objects)


def digest(objects):
    return {key.rsplit("/", 1)[1]: sha256(data) for key, data in objects.items()}[MANIFEST]


@pytest.fixture(scope="module")
def fitted(made, tmp_path_factory):
    """Digest by model and instance."""
    return {
        (name, k): digest(fit(name, k, urls, tmp_path_factory.mktemp("states")))
        for name, urls in made.items()
        for k in range(4)
    }


def perturbed(name, urls, fold, folder):
    """The files, those of one fold with other pixels or features."""
    out = []
    for number, url in enumerate(sorted(urls)):
        data = read_bytes(url)
        if name == NETWORK:
            bags = read_bags(data, "NDT", where=url)
            found = bags.keys["fold"][0].as_py()
            changed = encode_bags({"NDT": replace(bags, dn=bags.dn[:, ::-1, :, ::-1] // 2 + 500)})
        else:
            table = decode_table(data, SAMPLES)
            found = table["fold"][0].as_py()
            flipped = pa.array([row[::-1] for row in table["features"].to_pylist()], pa.list_(pa.float32()))
            at = SAMPLES.names.index("features")
            changed = encode_table(table.set_column(at, SAMPLES.field("features"), flipped), ())
        key = "/".join(url.rsplit("/", 3)[1:])
        written(str(folder), {key: changed if found == fold else data})
        out.append(f"{folder}/{key}")
        assert number < 4
    return out


@pytest.mark.parametrize("name", [TREES, NETWORK])
@pytest.mark.parametrize("fold", [0, 3])
def test_a_fold_changes_the_instances_that_learn_from_it_and_not_the_one_that_tests_on_it(
    name, fold, made, fitted, tmp_path
):
    urls = perturbed(name, made[name], fold, tmp_path / "other")
    for k in range(4):
        same = digest(fit(name, k, urls, tmp_path / f"states-{k}")) == fitted[name, k]
        assert same == (k == fold)


@pytest.mark.parametrize("name", [TREES, NETWORK])
def test_bytes_follow_from_the_rows_and_not_from_places_or_order(name, made, fitted, tmp_path):
    urls = perturbed(name, made[name], None, tmp_path / "elsewhere")
    assert digest(fit(name, 2, urls[::-1], tmp_path / "states")) == fitted[name, 2]
    own = [url for url in urls if plants()[2].plant_id not in url]
    assert digest(fit(name, 2, own, tmp_path / "more")) == fitted[name, 2]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("task", ["on", "capacity_factor"])
def test_a_killed_fit_taken_up_again_ends_in_the_same_bytes(task, made, fitted, tmp_path, monkeypatch):
    put, epochs = FitCheckpoints.put, []

    def once(self, state):
        put(self, state)
        epochs.append((self.url.rsplit("-", 1)[1], state.epoch))
        if (task, 1) == epochs[-1] and len(epochs) < 4:
            raise Killed

    monkeypatch.setattr(FitCheckpoints, "put", once)
    with pytest.raises(Killed):
        fit(NETWORK, 1, made[NETWORK], tmp_path)
    assert epochs[-1] == (task, 1)
    stopped = len(epochs)
    assert digest(fit(NETWORK, 1, made[NETWORK], tmp_path)) == fitted[NETWORK, 1]
    assert (task, 1) not in epochs[stopped:], "an epoch was fitted twice"
    again = len(epochs)
    assert digest(fit(NETWORK, 1, made[NETWORK], tmp_path)) == fitted[NETWORK, 1]
    assert len(epochs) == again, "a finished fit was fitted again"


def test_a_checkpoint_of_other_rules_or_torn_is_not_gone_on_from(made, fitted, tmp_path):
    other = replace(RULES, fit=replace(RULES.fit, learning_rate=0.1))
    fit(NETWORK, 1, made[NETWORK], tmp_path, other)
    assert digest(fit(NETWORK, 1, made[NETWORK], tmp_path)) == fitted[NETWORK, 1]
    for key in listing(str(tmp_path)):
        if key.endswith(".safetensors"):
            put_bytes(f"{tmp_path}/{key}", save({}))
    assert digest(fit(NETWORK, 1, made[NETWORK], tmp_path)) == fitted[NETWORK, 1]


@pytest.mark.parametrize("name", [TREES, NETWORK])
def test_a_bundle_opens_answers_and_says_where_it_comes_from(name, made, tmp_path):
    objects = fit(name, 1, made[name], tmp_path / "states", generator_sha256="g", run_id="r", settings_digest="s")
    assert all(key.startswith(f"bundles/{name}/1/") for key in objects) and len(objects) == 3
    written(str(tmp_path), objects)
    url = f"{tmp_path}/bundles/{name}/1"
    bundle = open_bundle(url, digest(objects))
    lineage, labelled = bundle.lineage, IMAGES - 1
    assert (lineage.scenes, lineage.validation_scenes) == (2 * labelled, labelled)
    assert lineage.fold_table == {plants()[fold].plant_id: fold for fold in (3, 0, 2)}
    assert (lineage.data_tier, lineage.generator_sha256, lineage.run_id) == (TIER, "g", "r")
    assert set(lineage.validation) == {"validation_map", "validation_rmse"}
    assert 0.0 <= lineage.validation["validation_map"] <= 1.0 and lineage.versions["torch"]
    model = opened_model(bundle, url)
    assert (model.instance, model.kind, model.patch_px) == (1, "NDT", 0 if name == TREES else 32)
    rows = read_tree_rows(made[TREES], "NDT", (0,))
    patches = np.full((len(rows.features), 2, 11, 32, 32), 0.3, np.float32)
    for value in model(patches, np.ones((len(patches), 2), np.bool_), rows.features).values():
        assert np.isfinite(value).all() and value.min() >= 0.0 and value.max() <= 1.0


def test_first_weights_are_said_in_the_bundle_and_weights_stored_in_16_bits(made, tmp_path):
    def config(rules):
        told = fit(NETWORK, 0, made[NETWORK], tmp_path / rules.weights, rules)
        written(f"{tmp_path}/{rules.weights}", told)
        return open_bundle(f"{tmp_path}/{rules.weights}/bundles/{NETWORK}/0")

    plain = config(RULES)
    assert {plain.config[task]["init"] for task in ("on", "capacity_factor")} == {"random"}
    assert {str(value.dtype) for value in plain.tensors.values()} == {"float16", "int64"}
    url = f"{tmp_path}/resnet.safetensors"
    trunk = trunk_of("resnet50", 3, "block2_pool", width=4)
    put_bytes(url, save(trunk.state_dict()))
    started = config(replace(RULES, backbones=(f"RESISC45={url}",), weights="fp32"))
    assert started.config["on"]["init"] == f"RESISC45 sha256:{sha256(read_bytes(url))}"
    assert started.config["on"]["preprocessing"] == "torchvision"
    assert {str(value.dtype) for value in started.tensors.values()} == {"float32", "int64"}


def test_published_weights_are_the_models_own_or_others_of_its_trunk():
    given = ("ImageNet=a.safetensors", "RESISC45=b.safetensors", "ImageNet-VGG=c.safetensors")
    assert backbone_for("sentinel2_resisc_ndt", given) == ("RESISC45", "b.safetensors")
    assert backbone_for("sentinel2_resisc_ndt", given[:1]) == ("ImageNet", "a.safetensors")
    assert backbone_for("sentinel2_ben_ndt", given) == ("ImageNet-VGG", "c.safetensors")
    assert backbone_for("sentinel2_ben_ndt", given[:2]) is None and backbone_for("sentinel2_ben_ndt", ()) is None
    for text in ("RESISC45", "ResNet=x.safetensors"):
        with pytest.raises(SettingsError, match="names no published weights"):
            backbone_for("sentinel2_ben_ndt", (text,))


def test_folds_of_one_class_are_bad_data_and_named(made, tmp_path):
    table = [url for url in made[TREES] if plants()[0].plant_id in url]
    always = tmp_path / "always"
    urls = []
    for url in made[TREES]:
        rows = decode_table(read_bytes(url), SAMPLES)
        on = pa.array([True] * rows.num_rows)
        rows = rows.set_column(SAMPLES.names.index("on"), SAMPLES.field("on"), on)
        written(str(always), {url.rsplit("/", 1)[1]: encode_table(rows, ())})
        urls.append(f"{always}/{url.rsplit('/', 1)[1]}")
    with pytest.raises(DataError, match=r"xgb_ndt, instance 2, trained on folds 0 and 1 and stopped on fold 3"):
        fit(TREES, 2, urls, tmp_path)
    with pytest.raises(DataError, match=r"7 training and 0 validation rows"):
        fit(TREES, 2, table, tmp_path)
    with pytest.raises(DataError, match=r"no samples of NDT in folds \[1, 2, 3\]"):
        fit(TREES, 0, table, tmp_path)
    alone = [url for url in made[NETWORK] if plants()[0].plant_id in url]
    with pytest.raises(DataError, match=r"3 images of plants off and 4 on to learn from, 0 and 0 to stop on"):
        fit(NETWORK, 2, alone, tmp_path)
    with pytest.raises(DataError, match="no plant has a sample"):
        NameFit()(unit_of(TREES, 0, ()))


def test_the_reader_names_model_instance_and_inputs(made):
    reading = NameFit()(unit_of(NETWORK, 3, made[NETWORK]))
    assert reading.batch["url"].tolist() == made[NETWORK] and set(reading.batch["instance"].tolist()) == {3}
    assert reading.rows == {"read": 4, "kept": 4, "quarantined": 0}


def test_rules_say_which_patches_networks_read():
    rules = SoundingRules()
    assert rules.patch_px(NETWORK) == (16, 32) and rules.patch_px(TREES) == ()
    assert replace(rules, config={"patch_px": 24}).patch_px(NETWORK) == (24, 24)
    with pytest.raises(ContractError, match="unknown or of the wrong type"):
        replace(rules, config={"patch": 24}).patch_px(NETWORK)
