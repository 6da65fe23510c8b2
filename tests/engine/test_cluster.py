"""A pass whose actors hold every CPU says so: nothing could be read, and nothing would tell why."""

import logging

import pytest

from carbonray.engine import cluster
from carbonray.engine.plan import Pool


def pools(cpus: float) -> tuple[Pool, ...]:
    return (Pool(make=object, actors=2, num_cpus=cpus),)  # type: ignore[arg-type]


@pytest.mark.parametrize(("cpus", "warned"), [(1.0, True), (0.75, False)])
def test_actors_that_leave_no_room_are_told_of(
    cpus: float, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cluster.ray, "cluster_resources", lambda: {"CPU": 2.0})
    with caplog.at_level(logging.WARNING):
        cluster.warn_without_room("fits", pools(cpus), read_cpus=0.5)
    assert ("waits until the cluster grows" in caplog.text) is warned


def test_a_pass_without_actors_needs_none(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(cluster.ray, "cluster_resources", dict)
    cluster.warn_without_room("tables", (), read_cpus=0.5)
    assert not caplog.text
