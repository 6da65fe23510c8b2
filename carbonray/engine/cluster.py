"""Joins the cluster a job was submitted to, or starts a small Ray on this machine."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import ray
import ray.data

from carbonray.engine.plan import Pool
from carbonray.execution import LocalRules

_log = logging.getLogger(__name__)

# large temporaries otherwise return to the kernel after each batch, and their page faults cost 15 to 75 %; arenas of
# threads hold none above 64 MiB, so that all threads share the one that does
WORKER_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
    "OMP_NUM_THREADS": "1",
}


def connect(rules: LocalRules) -> None:
    """Connects this process to Ray once: to RAY_ADDRESS where it is set (a submitted job), else to a Ray of its own."""
    if ray.is_initialized():
        return
    # what workers print stays in their own logs: a run's progress and errors come to the driver as outcomes
    options: dict[str, Any] = {
        "runtime_env": {"env_vars": WORKER_ENVIRONMENT},
        "logging_level": logging.WARNING,
        "log_to_driver": False,
    }
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**options)
    else:
        # Ray's own workers would otherwise run at nice 15 and starve beside anything else on the machine
        os.environ.setdefault("RAY_worker_niceness", "0")
        ray.init(
            address="local",
            num_cpus=rules.num_cpus or None,
            object_store_memory=rules.object_store_mb * 2**20,
            include_dashboard=False,
            **options,
        )


def warn_without_room(name: str, pools: Sequence[Pool], read_cpus: float) -> None:
    """Says so where a pass's actors leave no CPU to read with: it then waits until the cluster grows, if it ever does.

    Args:
        name: of the pass.
        pools: its actors.
        read_cpus: of a read task.
    """
    held, cpus = sum(pool.actors * pool.num_cpus for pool in pools), float(ray.cluster_resources().get("CPU", 0.0))  # type: ignore[no-untyped-call]
    if pools and held + read_cpus > cpus:
        _log.warning(
            "pass %s waits until the cluster grows: its actors hold %g of %g CPUs, a reader needs %g "
            "(engine.model_actors, engine.model_cpus, engine.read_cpus)",
            name,
            held,
            cpus,
            read_cpus,
        )


def quiet_data() -> None:
    """Silences Ray Data in this process: its bars are thousands of lines in a job's log, and a run reports its own."""
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.enable_rich_progress_bars = False
    context.print_on_execution_start = False
