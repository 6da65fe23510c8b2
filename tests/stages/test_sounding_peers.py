"""Peers in four rotations: what they may learn from, what they are told, and what they answer in closed form."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from carbonray.io.plant_weather import PlantWeatherRules
from carbonray.models.baselines import PEERS, SoundingTruth
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.spatial.folds import rotation
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.stages.sounding_answers import labelled_images
from carbonray.stages.sounding_peers import XGB_WEATHER, image_latent, image_weather, peer_answers, peer_blocks
from carbonray.vocab.plant_tables import PLANT_WEATHER
from tests.stages.small_images import folds, samples

FAST = TreeRules(rounds=12, learning_rate=0.5, min_child_weight=0.1, rows_share=1.0)


def told(table, trained, latent=True):
    images = labelled_images(table, trained)
    n = len(images.plant)
    weather = np.random.default_rng(1).normal(size=(n, 6)).astype(np.float32)
    truth = images.truth.capacity_factor[:, None].repeat(2, axis=1).astype(np.float32)
    return images, peer_blocks(table, weather, truth if latent else None)


def with_truth(images, rows, on, factor):
    new_on, new_factor = images.truth.on.copy(), images.truth.capacity_factor.copy()
    new_on[rows], new_factor[rows] = on, factor
    return replace(images, truth=SoundingTruth(new_on, new_factor))


def test_every_peer_answers_for_every_image_and_the_oracle_is_right():
    images, blocks = told(samples(plants=10, images=30), folds(8))
    found = peer_answers(images, blocks, FAST)

    assert set(found.said) == {*PEERS, XGB_WEATHER}
    assert found.absent == {}
    assert all(np.isfinite(said.on_score).all() for said in found.said.values())
    error = {
        name: np.sqrt(np.mean((said.capacity_factor - images.truth.capacity_factor) ** 2))
        for name, said in found.said.items()
    }
    assert error["oracle"] < 0.1 < 0.3 < error["train_mean"]
    assert error["plume_area"] < 0.01  # the area is the capacity factor


def test_the_means_are_those_of_the_folds_of_training_and_of_all_rotations_for_other_plants():
    images, blocks = told(samples(plants=9), folds(8))
    said = peer_answers(images, blocks, FAST, ["train_mean", "always_on"]).said["train_mean"].capacity_factor

    means = []
    for k in range(4):
        means.append(images.truth.capacity_factor[np.isin(images.fold, rotation(k).train)].mean())
        assert said[images.fold == k] == pytest.approx(means[k])
    assert said[images.fold < 0] == pytest.approx(np.mean(means))


@pytest.mark.parametrize("name", [*PEERS, XGB_WEATHER])
def test_what_is_known_of_a_held_out_plant_changes_no_answer_about_its_fold(name):
    images, blocks = told(samples(plants=9), folds(8))
    before = peer_answers(images, blocks, FAST, [name]).said[name]
    fold = images.fold == 2
    changed = with_truth(images, fold, ~images.truth.on[fold], 1.0 - images.truth.capacity_factor[fold])
    after = peer_answers(changed, blocks, FAST, [name]).said[name]
    assert np.array_equal(before.on_score[fold], after.on_score[fold])
    assert np.array_equal(before.capacity_factor[fold], after.capacity_factor[fold])

    outside = images.fold < 0
    external = with_truth(images, outside, ~images.truth.on[outside], 0.5)
    again = peer_answers(external, blocks, FAST, [name]).said[name]
    assert np.array_equal(before.on_score, again.on_score)
    assert np.array_equal(before.capacity_factor, again.capacity_factor)


def test_where_nobody_knows_the_truth_the_oracles_are_absent_and_say_so():
    images, blocks = told(samples(), folds(8), latent=False)
    found = peer_answers(images, blocks, FAST, ["oracle", "oracle_weather", "plume_area"])
    assert set(found.said) == {"plume_area"}
    assert set(found.absent) == {"oracle", "oracle_weather"}


def test_a_rotation_without_images_leaves_its_fold_unanswered_and_is_named():
    trained = dict.fromkeys(folds(8), 0) | {"plant 07": 1}
    images, blocks = told(samples(), trained)
    found = peer_answers(images, blocks, FAST, ["train_mean", "weather_only"])

    # rotation 0 trains on folds 2 and 3, which are empty; rotation 1 on 3 and 0
    assert np.isnan(found.said["train_mean"].on_score[images.fold == 0]).all()
    assert np.isfinite(found.said["train_mean"].on_score[images.fold == 1]).all()
    assert "rotation 0" in found.absent["train_mean"]
    assert "rotation 1" in found.absent["weather_only"]  # stops on fold 2, which is empty


def test_weather_is_that_of_the_plant_at_the_hour_and_the_season_that_of_its_hemisphere():
    images = labelled_images(samples(plants=2, images=2), {})
    rows = [
        {
            "plant_id": "plant 00", "time_utc_ns": 18_000 * DAY_NS + hour * HOUR_NS, "temperature_c": 10.0 + hour,
            "relative_humidity_pct": 50.0, "wind_u_m_s": 3.0, "wind_v_m_s": 4.0, "cloud_cover": 0.5,
        }
        for hour in (-1, 1)
    ]  # fmt: skip
    weather = pa.Table.from_pylist(rows, schema=PLANT_WEATHER)
    found = image_weather(images, [weather], {"plant 00": 40.0, "plant 01": -30.0}, PlantWeatherRules())

    first, other = images.plant == "plant 00", images.plant == "plant 01"
    assert found[first][0, :4] == pytest.approx([10.0, 50.0, 5.0, 0.5])
    assert np.isnan(found[first][1, :4]).all()  # a week later nothing is known
    assert np.isnan(found[other][:, :4]).all()
    assert found[other][:, 4:] == pytest.approx(-found[first][:, 4:], abs=1e-5)  # half a year apart


def test_the_latent_truth_is_the_sum_of_areas_and_the_largest_depth_of_the_kind():
    images = labelled_images(samples(plants=1, images=2), {})
    rows = [
        ("image 0", "a", "FGD", 10.0, 0.5),
        ("image 0", "b", "FGD", 5.0, 2.0),
        ("image 0", "c", "NDT", 100.0, 9.0),
    ]
    names = ("image_id", "structure_id", "structure_kind", "vapor_m2", "vapor_depth_max")
    truth = pa.Table.from_pylist([dict(zip(names, row, strict=True)) | {"imager": "sentinel2"} for row in rows])

    found = image_latent(images, truth)

    assert found[0] == pytest.approx([15.0, 2.0])
    assert np.isnan(found[1]).all()
    assert image_latent(images, truth.slice(2)) is None
