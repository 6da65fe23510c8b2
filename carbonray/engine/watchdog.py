"""Ends a pass that makes no progress and plans what is uncommitted again: Ray has no such watch of its own.

A pass runs inside an actor, which owns its whole Ray Data graph, so that killing the actor ends every task and pool
of a stalled pass. A dead node without a replacement, a hung read and a straggler all look the same from here: no unit
finished for too long.
"""

import logging
import queue
import time
from collections.abc import Callable

import ray
from ray.exceptions import RayError, RayTaskError

from carbonray.contract import Unit
from carbonray.engine import cluster, graph
from carbonray.engine.plan import Pass
from carbonray.engine.sinks import Outcome
from carbonray.execution import WatchRules

_log = logging.getLogger(__name__)


def run_watched(
    pass_: Pass,
    run_url: str,
    pending: Callable[[], tuple[Unit, ...]],
    report: Callable[[Outcome], None],
    *,
    rules: WatchRules,
    read_cpus: float,
) -> int:
    """Runs a pass until nothing is pending or its attempts are used up; answers how many passes were ended.

    Args:
        pass_: the pass.
        run_url: the run's folder.
        pending: the units without a ledger record, asked anew before each attempt.
        report: hears of every finished unit.
        rules: when to end a pass.
        read_cpus: CPUs a read task holds.

    Raises:
        CarbonrayError: a stage or reader broke its contract; that would not get better by trying again.
    """
    ended = 0
    for _ in range(rules.max_passes):
        units = pending()
        if not units:
            break
        if not _attempt(pass_, run_url, units, report, rules, read_cpus):
            ended += 1
    return ended


def _attempt(
    pass_: Pass,
    run_url: str,
    units: tuple[Unit, ...],
    report: Callable[[Outcome], None],
    rules: WatchRules,
    read_cpus: float,
) -> bool:
    """One attempt: True where the stream came to its end, False where it was ended or lost."""
    # num_cpus=0: the runner only drives; max_concurrency=2: it answers `drain` while it streams
    runner = _Runner.options(num_cpus=0, max_concurrency=2).remote(pass_, run_url)  # type: ignore[attr-defined]
    stream = runner.stream.remote(units, read_cpus)
    seconds: list[float] = []
    last = time.monotonic()
    try:
        while True:
            finished, _ = ray.wait([stream], timeout=rules.poll_s)
            outcomes = ray.get(runner.drain.remote(), timeout=rules.min_stall_s)
            for outcome in outcomes:
                seconds.append(sum(outcome.seconds.values()))
                report(outcome)
                last = time.monotonic()
            if finished:
                ray.get(stream)
                return True
            if time.monotonic() - last > rules.limit_s(seconds):
                _log.warning(
                    "pass %s: no unit finished for %.0f s, planning it again", pass_.name, rules.limit_s(seconds)
                )
                return False
    except RayError as error:
        cause = _root_cause(error)
        if not isinstance(cause, RayError):
            raise  # an error of the program's, with its traceback: trying again would not mend it
        _log.warning("pass %s: %s, planning it again: %s", pass_.name, type(cause).__name__, cause)
        return False
    finally:
        ray.kill(runner)


def _root_cause(error: BaseException) -> BaseException:
    """What a remote failure began with: a failure of the cluster's own (a `RayError`), or the program's."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        error = error.cause
    return error


@ray.remote
class _Runner:
    """Owns one attempt's graph; dies with it."""

    def __init__(self, pass_: Pass, run_url: str) -> None:
        cluster.quiet_data()
        self._pass, self._run_url = pass_, run_url
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def stream(self, units: tuple[Unit, ...], read_cpus: float) -> None:
        for outcome in graph.stream(self._pass, self._run_url, units, read_cpus=read_cpus):
            self._done.put(outcome)

    def drain(self) -> list[Outcome]:
        return [self._done.get() for _ in range(self._done.qsize())]
