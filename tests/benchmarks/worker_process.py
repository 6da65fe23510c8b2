"""A fresh process with the environment that Ray gives its workers, so that bare figures stand beside streamed ones."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from unittest import mock

from carbonray.engine.cluster import WORKER_ENVIRONMENT


def in_one_process(task: Callable[..., Any], *arguments: Any) -> Any:
    """Runs a task there and answers what it answers."""
    context = multiprocessing.get_context("spawn")
    with mock.patch.dict(os.environ, WORKER_ENVIRONMENT), ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(task, *arguments).result()
