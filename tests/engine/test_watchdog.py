"""The pass on Ray: equal to the pass in memory, and alive through hangs, dead actors and broken stages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carbonray.contract import Batch
from carbonray.engine.plan import Pool
from carbonray.engine.run import Run, open_run
from carbonray.errors import ContractError, IncompleteError
from carbonray.execution import EngineRules, WatchRules
from tests.engine.toy import Double, reads, toy_pass

pytestmark = pytest.mark.ray
WATCH = WatchRules(stall_s=14.0, min_stall_s=14.0, straggler_factor=5.0, max_passes=3, poll_s=0.2)
COUNTS = [10 * n for n in range(12)]


def start(folder: Path, run_id: str, backend: Any = "ray", watch: WatchRules = WATCH) -> Run:
    return open_run(
        str(folder / "out"), run_id, "toy", "d", {}, EngineRules(backend=backend, read_cpus=0.5, watch=watch)
    )


def test_ray_equals_memory_bit_for_bit(ray_local: None, tmp_path: Path) -> None:
    digests = []
    for backend in ("memory", "ray"):
        run = start(tmp_path, backend, backend)
        run.execute(toy_pass(tmp_path, COUNTS))
        digests.append(run.finish().sha256)
    assert digests[0] == digests[1]


def test_a_hung_unit_is_ended_and_planned_again(ray_local: None, tmp_path: Path) -> None:
    pass_ = toy_pass(tmp_path, [1, 2, 3, 4], hang_on="unit-02")
    run = start(tmp_path, "hung")
    run.execute(pass_)
    assert run.finish().complete
    assert run.facts["passes"][-1]["attempts_ended"] >= 1
    assert reads(tmp_path).count("unit-02") >= 2


def test_a_unit_that_never_ends_leaves_the_run_incomplete(ray_local: None, tmp_path: Path) -> None:
    pass_ = toy_pass(tmp_path, [1, 2], hang_on="unit-01")
    run = start(tmp_path, "stuck", watch=replace(WATCH, stall_s=30.0, max_passes=1))
    with pytest.raises(IncompleteError, match=r"of 2 units.*unit-01"):
        run.execute(pass_)


class Breaks(Double):
    """A stage that emits too few columns."""

    def __call__(self, batch: Batch) -> Batch:
        return {"x": batch["x"]}


def test_a_broken_stage_fails_fast_with_its_own_error(ray_local: None, tmp_path: Path) -> None:
    pass_ = replace(toy_pass(tmp_path, [1, 2]), pools=(Pool(Breaks, num_cpus=0.5),))
    with pytest.raises(ContractError, match="twice"):
        start(tmp_path, "broken").execute(pass_)


class DiesOnce(Double):
    """A stage whose process dies the first time it works."""

    def __init__(self, mark: str) -> None:
        self._mark = Path(mark)

    def __call__(self, batch: Batch) -> Batch:
        if not self._mark.exists():
            self._mark.touch()
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


class MakeDiesOnce:
    """Builds it."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __call__(self) -> DiesOnce:
        return DiesOnce(self.mark)


def test_a_killed_actor_loses_nothing(ray_local: None, tmp_path: Path) -> None:
    clean = start(tmp_path, "clean", "memory")
    clean.execute(toy_pass(tmp_path, COUNTS))
    pass_ = toy_pass(tmp_path, COUNTS)
    mark = tmp_path / "died"
    run = start(tmp_path, "killed", watch=replace(WATCH, stall_s=60.0, min_stall_s=60.0))
    run.execute(replace(pass_, pools=(Pool(MakeDiesOnce(str(mark)), num_cpus=0.5),)))
    assert mark.exists()
    assert run.finish().sha256 == clean.finish().sha256


def test_the_limit_follows_the_units_own_pace() -> None:
    rules = WatchRules(stall_s=1000.0, min_stall_s=10.0, straggler_factor=20.0)
    assert rules.limit_s([]) == 1000.0
    assert rules.limit_s([0.1, 0.1, 0.1]) == 10.0
    assert rules.limit_s([2.0, 3.0, 400.0]) == 60.0
    assert rules.limit_s([90.0] * 5) == 1000.0
