"""Soundings beside labels: perfect ones are perfect, held-out ones are held out, and all methods meet the same rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from carbonray.errors import DataError
from carbonray.models.baselines import PEERS, Soundings
from carbonray.stages.plant_score_tables import sounding_scores
from carbonray.stages.sounding_answers import ROLES, labelled_images, model_answers, sounding_answers
from carbonray.stages.sounding_peers import XGB_WEATHER
from tests.stages.small_images import TIER, folds, samples, soundings


def constant(images, score=0.8, factor=0.4):
    n = len(images.plant)
    return {"train_mean": Soundings(np.full(n, score), np.full(n, factor))}


def test_perfect_soundings_have_map_1_and_no_error_and_the_means_error_is_the_spread():
    table, trained = samples(plants=8), folds(6)
    images = labelled_images(table, trained)
    truth = images.truth.capacity_factor
    peers = constant(images, factor=float(truth.mean()))
    models = model_answers(soundings(table, trained), images)

    scores = sounding_scores(sounding_answers(images, models, peers, {"ben": "random"})).to_pylist()

    assert {(row["validation"], row["model"]) for row in scores} == {
        (of, model) for of in ("cross", "external") for model in ("ben", "xgb", "train_mean")
    }
    for row in scores:
        inside = images.fold >= 0 if row["validation"] == "cross" else images.fold < 0
        assert (row["n_plants"], row["n_images"]) == (6 if row["validation"] == "cross" else 2, int(inside.sum()))
        spread = float(np.sqrt(np.mean((truth[inside] - truth.mean()) ** 2)))
        assert row["baseline_rmse"] == pytest.approx(spread)
        assert row["data_tier"] == TIER
        if row["model"] == "train_mean":
            assert (row["role"], row["initialisation"], row["map"]) == ("trivial", "", 0.5)
            assert row["rmse"] == pytest.approx(spread)
        else:
            assert (row["role"], row["map"]) == ("model", 1.0)
            assert row["rmse"] == pytest.approx(0.0, abs=1e-7)
            assert row["initialisation"] == ("random" if row["model"] == "ben" else "")


def test_four_instances_are_averaged_for_other_plants_and_one_answers_for_a_training_plant():
    table, trained = samples(plants=4), {"plant 02": 2}
    images = labelled_images(table, trained)
    said = model_answers(soundings(table, trained, ("xgb",), lambda _factor, instance: instance / 10.0), images)["xgb"]

    own = images.plant == "plant 02"
    assert said.capacity_factor[own] == pytest.approx(0.2)
    assert said.capacity_factor[~own] == pytest.approx(0.15)


def test_an_instance_that_has_seen_a_training_plant_may_not_answer_for_it():
    table = samples(plants=2)
    images = labelled_images(table, folds(2))
    with pytest.raises(DataError, match="has seen the plant"):
        model_answers(soundings(table, {}), images)
    once = soundings(table, folds(2))
    with pytest.raises(DataError, match="answers twice"):
        model_answers(pa.concat_tables([once, once]), images)


def test_a_method_is_judged_on_the_images_that_every_model_saw():
    table, trained = samples(plants=4), folds(4)
    images = labelled_images(table, trained)
    told = soundings(table, trained)
    lost = pc.and_(pc.equal(told.column("model"), "ben"), pc.equal(told.column("image_id"), "image 3"))
    models = model_answers(told.filter(pc.invert(lost)), images)

    answers = sounding_answers(images, models, constant(images), {})

    assert {said.keys["model"]: len(said.observed) for said in answers} == dict.fromkeys(
        ("ben", "xgb", "train_mean"), 4 * 11
    )


def test_tiers_are_rows_of_their_own_and_peers_without_an_answer_have_none():
    table, trained = samples(plants=6, tiers={4: "SYNTHETIC-T2", 5: "SYNTHETIC-T2"}), folds(3)
    images = labelled_images(table, trained)
    peers = constant(images)
    score = np.where(images.fold < 0, np.nan, 0.5)
    peers["oracle"] = Soundings(score, score)

    answers = sounding_answers(images, model_answers(soundings(table, trained, ("xgb",)), images), peers, {})

    found = {(said.keys["validation"], said.keys["data_tier"], said.keys["model"]) for said in answers}
    assert found == {
        ("cross", TIER, "xgb"), ("cross", TIER, "train_mean"), ("cross", TIER, "oracle"),
        ("external", TIER, "xgb"), ("external", TIER, "train_mean"),
        ("external", "SYNTHETIC-T2", "xgb"), ("external", "SYNTHETIC-T2", "train_mean"),
    }  # fmt: skip


def test_labels_of_on_and_off_alone_are_judged_where_there_are_no_others():
    table, trained = samples(plants=4), folds(4)
    unknown = pa.array(np.full(table.num_rows, np.nan, np.float32))
    at = table.schema.get_field_index("capacity_factor")
    images = labelled_images(table.set_column(at, table.schema.field(at), unknown), trained)

    row = sounding_scores(
        sounding_answers(images, model_answers(soundings(table, trained, ("xgb",)), images), constant(images), {})
    ).to_pylist()[0]

    assert row["map"] == 1.0
    assert np.isnan(row["rmse"])
    assert not row["rmse_significant"]


def test_every_peer_has_a_role():
    assert set(ROLES) == {*PEERS, XGB_WEATHER}
