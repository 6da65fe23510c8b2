"""Samples of a rendered plant: the features and patches of its images, each image counted once a kind."""

import numpy as np
import pyarrow as pa
import pytest

from carbonray.contract import encode_object_rows
from carbonray.errors import DataError
from carbonray.io.background_store import Background, encode_background, read_background
from carbonray.io.bag_store import read_bags
from carbonray.io.image_store import read_images
from carbonray.io.table_store import decode_table
from carbonray.science.power.band_math import values
from carbonray.science.power.patch_features import feature_names, patch_features
from carbonray.science.power.patches import cut_patches
from carbonray.science.power.peer_inputs import INDEX_COLUMNS
from carbonray.stages import sounding_samples
from carbonray.stages.sounding_samples import ReadSamples, physical
from carbonray.vocab.sample_tables import SAMPLES
from carbonray.vocab.sensors import IMAGERS
from tests.stages.small_stores import IMAGES, plants, store, unit_of, written

IMAGER = IMAGERS["landsat8"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A plant with towers and stacks: its unit."""
    plant = plants(("FGD", "NDT"), 1)[0]
    return unit_of(store(str(tmp_path_factory.mktemp("both")), plant), plant, fold=3)


def objects_of(unit, reader):
    reading = reader(unit)
    return reading, dict(encode_object_rows(unit, reading.batch, reading.facts).objects)


def tables(unit, bag_px=32):
    """Account, table, and bags by kind."""
    reading, objects = objects_of(unit, ReadSamples({"landsat8": bag_px}))
    table = next(decode_table(data, SAMPLES) for key, data in objects.items() if key.startswith("samples/landsat8/"))
    bags = [data for key, data in objects.items() if key.startswith("bags/landsat8/")]
    return reading, table, {k: read_bags(bags[0], k, where="x") for k in ("NDT", "FGD")} if bags else {}


def test_features_and_indices_are_those_of_the_whole_images(both):
    _, table, _ = tables(both)
    stack, background = read_images(both.inputs[0]), read_background(both.inputs[1]).value
    seen = values(stack.dn, stack.scale, stack.offset, stack.k1, stack.k2)
    for kind in ("NDT", "FGD"):
        rows = table.filter(pa.compute.equal(table["structure_kind"], kind))
        assert rows["image_id"].to_pylist() == list(stack.image_ids[: IMAGES - 1])
        here = np.array([each.kind == kind for each in stack.structures])
        expected = patch_features(IMAGER, seen[:-1], background, stack.row[here], stack.col[here])
        found = np.array(rows["features"].to_pylist(), np.float32)
        np.testing.assert_array_equal(found, expected)
        assert found.shape[1] == len(feature_names(IMAGER))
        assert all(np.isfinite(rows[name].to_numpy()).all() for name in INDEX_COLUMNS)
    assert set(table["fold"].to_pylist()) == {3} and set(table["data_tier"].to_pylist()) == {"SYNTHETIC-T1"}


def test_bags_hold_the_products_integers(both):
    _, _, bags = tables(both, bag_px=32)
    stack = read_images(both.inputs[0])
    for kind, found in bags.items():
        here = np.array([each.kind == kind for each in stack.structures])
        patches = cut_patches(stack.dn[:-1], stack.row[here], stack.col[here], 32)
        np.testing.assert_array_equal(found.dn, patches)
        numbers = np.stack([stack.scale, stack.offset, stack.k1, stack.k2], axis=1)[:-1]
        np.testing.assert_array_equal(found.numbers, numbers)
        assert found.bands == stack.bands and found.keys["n_structures"].to_pylist() == [here.sum()] * (IMAGES - 1)
        spread = (np.broadcast_to(numbers[:, at, None], patches.shape[:3]) for at in range(4))
        np.testing.assert_array_equal(physical(found.dn, found.numbers), values(patches, *spread))


def test_the_account_adds_up_and_names_why(both):
    reading, table, _ = tables(both)
    assert reading.rows == {"read": 2 * IMAGES, "kept": 2 * (IMAGES - 1), "quarantined": 0, "rejected: not labelled": 2}
    assert table.num_rows == reading.rows["kept"]
    assert reading.facts["samples on"] + reading.facts["samples off"] == table.num_rows


def test_a_kind_whose_patches_reach_beyond_the_image_is_rejected_by_name(both):
    """The region reaches 17 pixels beyond the outermost structure, of one kind or the other."""
    reading, table, bags = tables(both, bag_px=36)
    lost = reading.rows["rejected: patch inside"]
    assert lost in (IMAGES - 1, 2 * (IMAGES - 1)) and table.num_rows == 2 * (IMAGES - 1) - lost
    assert sum(found is not None for found in bags.values()) == table.num_rows // (IMAGES - 1)
    assert reading.rows["read"] == sum(n for name, n in reading.rows.items() if name != "read")


def test_only_the_kinds_asked_for_and_no_bags_where_no_network_is(both):
    part = dict(both.partition) | {"kinds": "FGD"}
    unit = type(both)(**(vars(both) | {"partition": part}))
    _, objects = objects_of(unit, ReadSamples({"landsat8": 0}))
    assert [key.split("/")[0] for key in objects] == ["samples"]
    table = decode_table(next(iter(objects.values())), SAMPLES)
    assert set(table["structure_kind"].to_pylist()) == {"FGD"}


def test_the_same_store_gives_the_same_bytes_whatever_the_block(both, monkeypatch):
    reader = ReadSamples({"landsat8": 32})
    _, objects = objects_of(both, reader)
    monkeypatch.setattr(sounding_samples, "BLOCK_VALUES", 1)
    assert objects_of(both, reader)[1] == objects


def test_a_background_of_another_region_is_bad_data(both, tmp_path):
    told = read_background(both.inputs[1])
    wrong = Background(told.value, told.bands[::-1], told.image_ids, told.grid, told.data_tier)
    written(str(tmp_path), encode_background("P", "landsat8", wrong))
    inputs = (both.inputs[0], f"{tmp_path}/images/P/landsat8/background.zarr", both.inputs[2])
    with pytest.raises(DataError, match="the background is of"):
        ReadSamples({})(type(both)(**(vars(both) | {"inputs": inputs})))


def test_index_columns_are_the_tables(both):
    assert set(INDEX_COLUMNS) <= set(SAMPLES.names)
