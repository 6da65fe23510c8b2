"""One search at a time on a cluster: two Tune runs would deal the same CPUs to each other's trials and both stall.

Source: Ray's documentation of Tune's resources (one experiment a cluster). The lock is a named actor of the driver's
job: it goes with its driver, however that ends, so that no lock is left behind.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from carbonray.errors import SettingsError

NAME, NAMESPACE = "search", "carbonray"
ATTEMPTS = 20  # a lock whose driver has just died is asked again so often ...
WAIT_S = 0.5  # ... after so many seconds each
ANSWER_S = 10.0  # within which the lock's holder says who it is


class _Holder:
    """Knows who searches."""

    def __init__(self, study: str, since_unix_s: float) -> None:
        self._study, self._since_unix_s = study, since_unix_s

    def told(self) -> tuple[str, float]:
        """The study, and when it began."""
        return self._study, self._since_unix_s


@contextmanager
def only_search(study: str) -> Iterator[None]:
    """Holds the cluster's lock while a study is searched; Ray must be initialised.

    Raises:
        SettingsError: another study is searched on this cluster.
    """
    holder = _held(study)
    try:
        yield
    finally:
        ray.kill(holder)


def _held(study: str) -> Any:
    make: Any = ray.remote(num_cpus=0)(_Holder)
    for _ in range(ATTEMPTS):
        try:
            return make.options(name=NAME, namespace=NAMESPACE).remote(study, time.time())
        except ValueError:  # Ray's word for a name that is taken
            other = _other()
            if other:
                raise _taken(*other) from None
        time.sleep(WAIT_S)
    raise _taken("a study that does not answer", time.time())


def _other() -> tuple[str, float] | None:
    """What the lock's holder says; None where it has just gone."""
    try:
        holder: Any = ray.get_actor(NAME, namespace=NAMESPACE)
        study, since_unix_s = ray.get(holder.told.remote(), timeout=ANSWER_S)
    except (ValueError, RayActorError, GetTimeoutError):
        return None
    return str(study), float(since_unix_s)


def _taken(study: str, since_unix_s: float) -> SettingsError:
    since = datetime.fromtimestamp(since_unix_s, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return SettingsError(
        f"the study {study!r} is searched on this cluster since {since}",
        where="--study",
        expected="one search at a time on a cluster: two would deal the same CPUs to each other's trials",
        remedy="Wait for it, stop its job (its finished trials are kept), or search on another cluster.",
    )
