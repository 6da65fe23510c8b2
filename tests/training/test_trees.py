"""Trees of tables that outgrow a process: who reads what, the same trees as here, and a worker's death survived."""

import dataclasses
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
import ray

from carbonray.errors import DataError, SettingsError
from carbonray.io import objectstore
from carbonray.io.table_store import encode_table
from carbonray.models.sounding_trees import TreeRules, class_weights, trees_from_bytes
from carbonray.models.tree_tables import TreeTableRules
from carbonray.science.spatial.folds import rotation
from carbonray.stages.sounding_tree_fits import grown_trees, read_tree_rows
from carbonray.training.tree_fit import TreeWorkers
from carbonray.training.trees import grower, keyed_files, require_room, rows_of_folds, tree_job
from tests.training.small_trees import NAMES, table, tables

TURN = rotation(0)  # trains on folds 2 and 3, stops on 1
PLAIN = TreeRules(rounds=120, learning_rate=0.1, max_depth=4, rows_share=1.0, features_share=1.0, stop_rounds=10)
DRAWN = dataclasses.replace(PLAIN, rows_share=0.8, features_share=0.5)
DEALT = TreeTableRules(max_local_gb=0.4, workers=2, checkpoint_rounds=20)  # a process alone takes more
WORKERS = TreeWorkers(2, 1, 0.1, "unused", 20, 1)


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """Tables of four folds with few different values a feature: a bin each."""
    return tables(str(tmp_path_factory.mktemp("samples")), steps=50)


def same(keys, others):
    """Whether two tables hold the same rows; what is unknown is unknown in both."""
    return keys.schema.equals(others.schema) and keys.to_pandas().equals(others.to_pandas())


def job_of(urls, task="on", rules=PLAIN, workers=WORKERS):
    found = keyed_files(tuple(rows_of_folds(urls, (*TURN.train, TURN.val))), "NDT")
    return tree_job(found, task, "NDT", TURN, NAMES, rules, workers)


def test_a_small_table_is_grown_here_to_the_same_bytes_and_without_ray(urls, tmp_path):
    rules = {"on": PLAIN, "capacity_factor": DRAWN}
    here, there = (
        grow(urls, "NDT", TURN, NAMES, rules) for grow in (grown_trees, grower(TreeTableRules(), str(tmp_path)))
    )
    assert {t: each.to_bytes() for t, each in here.trees.items()} == {
        t: each.to_bytes() for t, each in there.trees.items()
    }
    assert here.scores == there.scores and set(here.scores) == {"validation_map", "validation_rmse"}
    assert same(here.keys, there.keys)
    assert not list(tmp_path.iterdir()), "a fit of one process left states of several"


def test_trees_are_grown_of_the_tasks_that_there_are_rules_of(urls):
    grown = grown_trees(urls, "NDT", TURN, NAMES, {"capacity_factor": PLAIN})
    assert set(grown.trees) == {"capacity_factor"} and set(grown.scores) == {"validation_rmse"}


def test_the_size_of_a_table_is_known_from_footers_of_its_own_folds(urls, monkeypatch):
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read_row_groups", None)  # no data is read
    found = rows_of_folds(urls[::-1], (1, 3))
    assert list(found) == [url for url in urls if "/P1" in url or "/P3" in url]
    assert list(found.values()) == [120, 100, 80] * 2


def test_keys_are_read_without_features_and_of_one_kind(tmp_path):
    both = pa.concat_tables([table(2, 0, rows=5, kind="FGD"), table(2, 0, rows=7)])
    url = f"{tmp_path}/samples/landsat8/P20-2021.parquet"
    objectstore.put_bytes(url, encode_table(both, ("structure_kind",)))
    found = keyed_files((url,), "NDT")
    assert found.keys.num_rows == 7 and "features" not in found.keys.column_names
    assert same(found.keys, read_tree_rows([url], "NDT", (2,)).keys)
    with pytest.raises(DataError, match="no samples of other"):
        keyed_files((url,), "other")


def test_every_worker_has_rows_of_its_own_of_both_splits_and_together_they_have_all(urls):
    job = job_of(urls)
    dealt = [url for hand in (*job.train, *job.stop) for url in hand]
    assert sorted(dealt) == [url for url in urls if "/P0" not in url]
    assert [len(hand) for hand in (*job.train, *job.stop)] == [3, 3, 1, 2]
    assert job.digest() == job_of(urls[::-1]).digest() != job_of(urls, rules=DRAWN).digest()


def test_there_are_no_more_workers_than_a_split_has_tables_and_a_table_without_labels_is_no_ones(urls, tmp_path):
    many = dataclasses.replace(WORKERS, count=9)
    assert [len(hands) for hands in (job_of(urls, workers=many).train, job_of(urls, workers=many).stop)] == [3, 3]
    unknown = table(1, 0, unknown=1.0)
    objectstore.put_bytes(f"{tmp_path}/samples/landsat8/P10-2021.parquet", encode_table(unknown, ()))
    others = [f"{tmp_path}/samples/landsat8/P10-2021.parquet", *(url for url in urls if "/P10" not in url)]
    known = {task: len(job_of(others, task, workers=many).stop) for task in ("on", "capacity_factor")}
    assert known == {"on": 3, "capacity_factor": 2}


def test_classes_are_weighed_by_the_counts_of_all_workers(urls):
    job, rows = job_of(urls), read_tree_rows(urls, "NDT", TURN.train)
    on = rows.numbers("on") > 0.5
    expected = class_weights(on, np.arange(len(on)))
    assert set(expected.tolist()) == {0.5 / job.on_share, 0.5 / (1.0 - job.on_share)}


def test_splits_without_rows_and_training_rows_of_one_class_are_bad_data(urls, tmp_path):
    with pytest.raises(DataError, match="600 training and 0 validation"):
        job_of([url for url in urls if "/P1" not in url])
    for fold in (2, 3):
        rows = table(fold, 0)
        always = pa.array([True] * rows.num_rows)
        at = rows.column_names.index("on")
        key = f"{tmp_path}/samples/landsat8/P{fold}0-2021.parquet"
        objectstore.put_bytes(key, encode_table(rows.set_column(at, rows.schema.field(at), always), ()))
    one_class = [f"{tmp_path}/samples/landsat8/P{fold}0-2021.parquet" for fold in (2, 3)]
    with pytest.raises(DataError, match="one class"):
        job_of([*one_class, *(url for url in urls if "/P1" in url)])


def test_rows_of_the_test_fold_are_in_no_ones_hands(urls):
    for k in range(4):
        turn = rotation(k)
        found = keyed_files(tuple(rows_of_folds(urls, (*turn.train, turn.val))), "NDT")
        job = tree_job(found, "capacity_factor", "NDT", turn, NAMES, PLAIN, WORKERS)
        assert not any(f"/P{k}" in url for hand in (*job.train, *job.stop) for url in hand)


def test_a_cluster_that_can_never_start_the_workers_is_refused():
    cluster = {"CPU": 4.0, "memory": 10e9}
    require_room(cluster, 2, 2, 5.0)
    with pytest.raises(SettingsError, match=r"3 workers of 2 CPUs and 1\.0 GB do not fit a cluster of 4 and 10\.0 GB"):
        require_room(cluster, 3, 2, 1.0)
    with pytest.raises(SettingsError, match=r"2 workers of 1 CPUs and 6\.0 GB do not fit"):
        require_room(cluster, 2, 1, 6.0)


@pytest.mark.slow
@pytest.mark.timeout(900)  # four fits of Ray Train, beside other tests
@pytest.mark.usefixtures("ray_local")
def test_two_workers_grow_the_trees_of_one_and_a_killed_one_costs_no_bit(urls, tmp_path):
    rows = read_tree_rows(urls, "NDT", range(4))
    # from within an actor's process, as the stage is run
    grow = grower(DEALT, str(tmp_path / "plain"))
    dealt_to_two = ray.remote(num_cpus=0)(lambda *told: _bytes(grow(*told)))
    found, scores, keys = ray.get(dealt_to_two.remote(urls, "NDT", TURN, NAMES, {"capacity_factor": PLAIN}))
    here = grown_trees(urls, "NDT", TURN, NAMES, {"capacity_factor": PLAIN})
    there = trees_from_bytes(found, where="two workers")
    expected = here.trees["capacity_factor"]
    # without draws, and a bin for every value: the same splits; sums of two parts differ in the last bits
    assert there.rounds == expected.rounds
    np.testing.assert_allclose(there.predict(rows.features), expected.predict(rows.features), rtol=0, atol=1e-5)
    assert scores == pytest.approx(here.scores, abs=1e-6) and same(keys, here.keys)
    asked = (urls, "NDT", TURN, NAMES, {"on": DRAWN})
    undisturbed = grower(DEALT, str(tmp_path / "undisturbed"))(*asked)
    killed: list[int] = []
    killer = threading.Thread(target=_kill_one_after_a_checkpoint, args=(tmp_path / "killed", killed))
    killer.start()
    survived = grower(DEALT, str(tmp_path / "killed"))(*asked)
    killer.join()
    assert killed, "no worker was there to kill"
    assert survived.trees["on"].to_bytes() == undisturbed.trees["on"].to_bytes()
    here = grown_trees(*asked)
    # rows and features are drawn otherwise by two: another sample of the same forest
    assert undisturbed.scores["validation_map"] == pytest.approx(here.scores["validation_map"], abs=0.02)
    assert undisturbed.trees["on"].task == "on"
    again = grower(DEALT, str(tmp_path / "killed"))(*asked)  # a finished fit is not grown again
    assert again.trees["on"].to_bytes() == survived.trees["on"].to_bytes()


def _bytes(fit):
    (trees,) = fit.trees.values()
    return trees.to_bytes(), fit.scores, fit.keys


def _kill_one_after_a_checkpoint(folder: Path, killed: list[int]) -> None:
    """Kills one of Ray Train's workers, once, as soon as there is a checkpoint to go back to."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        time.sleep(0.01)
        if any(folder.glob("*/round_00020")):
            workers = [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in p.name()]
            if workers:
                workers[0].kill()
                killed.append(workers[0].pid)
                return
