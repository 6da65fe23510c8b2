"""The plan: every work unit of a pass in a table, made before any pixel is read.

Units are logical (an orbit, an output shard), never Ray blocks, whose layout changes from run to run. A run of runs has
no units: its plan names its parts, runs of their own in folders below it.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.contract import Encoder, Reader, Stage, Unit
from carbonray.errors import ContractError
from carbonray.io import objectstore
from carbonray.vocab import tables

FILE = "plan.parquet"
PARTS_FILE = "parts.json"


@dataclass(frozen=True)
class Pool:
    """A stage and the fixed-size actor pool it runs in: resources are values.

    Attributes:
        make: builds the stage inside the actor; picklable.
        actors: number of actors, constant while the pass runs.
        num_cpus: CPUs an actor holds.
        num_gpus: GPUs an actor holds.
        units_at_once: units in work in one actor, each in a thread of its own, for stages that guard what they share.
    """

    make: Callable[[], Stage]
    actors: int = 1
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    units_at_once: int = 1


@dataclass(frozen=True)
class Pass:
    """One pass of a job: its units, and how each is read, worked on and encoded.

    Attributes:
        name: unique within the job; names its part of the ledger.
        units: the plan.
        read: reads a unit; runs in tasks.
        pools: the stages, in order.
        encode: makes the unit's objects.
    """

    name: str
    units: tuple[Unit, ...]
    read: Reader
    encode: Encoder
    pools: tuple[Pool, ...] = ()
    on_driver: bool = False


def plan_unit(
    pass_name: str,
    key: str,
    inputs: Iterable[str],
    *,
    settings_digest: str,
    partition: Mapping[str, int | str] | None = None,
    extra_hashes: Sequence[str] = (),
    expected_rows: int = -1,
) -> Unit:
    """A unit whose id is a hash of pass, partition, input versions, bundle hashes and the settings' digest."""
    urls = tuple(inputs)
    versions = [objectstore.version(url) for url in urls]
    tags = tuple(tag for tag, _ in versions)
    parts = dict(partition or {})
    unit_id = _digest([pass_name, key, parts, list(tags), list(extra_hashes), settings_digest])
    size = sum(count for _, count in versions)
    return Unit(pass_name, unit_id, key, parts, urls, tags, expected_rows, size)


def check_unique(units: Sequence[Unit]) -> None:
    """Checks that no two units of a pass share a key or an id.

    Raises:
        ContractError: two do; they would overwrite each other's objects.
    """
    seen: dict[str, Unit] = {}
    for unit in units:
        other = seen.setdefault(unit.key, unit)
        if other is not unit:
            raise ContractError(
                f"two work units share the key {unit.key!r}",
                where=f"plan of pass {unit.pass_name!r}",
                expected=f"one unit a key, found inputs {list(other.inputs)} and {list(unit.inputs)}",
                remedy="Leave one of the two inputs out.",
            )


def to_table(units: Iterable[Unit]) -> pa.Table:
    """Units as rows of the plan."""
    rows = [
        {
            "pass_name": unit.pass_name,
            "unit_id": unit.unit_id,
            "key": unit.key,
            "partition": json.dumps(dict(unit.partition), sort_keys=True),
            "inputs": list(unit.inputs),
            "input_sha256": list(unit.input_sha256),
            "expected_rows": unit.expected_rows,
            "bytes": unit.bytes,
        }
        for unit in units
    ]
    return pa.Table.from_pylist(rows, schema=tables.PLAN)


def from_table(table: pa.Table) -> list[Unit]:
    """Rows of the plan as units."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return [
        Unit(
            row["pass_name"],
            row["unit_id"],
            row["key"],
            json.loads(row["partition"]),
            tuple(row["inputs"]),
            tuple(row["input_sha256"]),
            row["expected_rows"],
            row["bytes"],
        )
        for row in rows
    ]


def write(run_url: str, units: Iterable[Unit]) -> None:
    """Writes the run's plan, all its passes so far."""
    buffer = io.BytesIO()
    pq.write_table(to_table(units), buffer)
    objectstore.put_bytes(objectstore.join(run_url, FILE), buffer.getvalue())


def read(run_url: str) -> list[Unit]:
    """The run's plan; empty where nothing was planned yet."""
    url = objectstore.join(run_url, FILE)
    if not objectstore.exists(url):
        return []
    return from_table(pq.read_table(io.BytesIO(objectstore.read_bytes(url))))


def write_parts(run_url: str, names: Sequence[str]) -> None:
    """Writes which runs a run of runs is made of, in their order."""
    objectstore.put_bytes(objectstore.join(run_url, PARTS_FILE), json.dumps(list(names)).encode())


def parts(run_url: str) -> tuple[str, ...]:
    """The names of the runs in folders below this one that it is made of; empty for a run that has units of its own."""
    url = objectstore.join(run_url, PARTS_FILE)
    return tuple(json.loads(objectstore.read_bytes(url))) if objectstore.exists(url) else ()


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
