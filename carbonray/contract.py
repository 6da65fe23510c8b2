"""What every stage of every product agrees on: columns in, columns out, and no knowledge of the cluster.

A work unit is one row of the plan. A batch is a dictionary of equally long numpy arrays, one work unit's rows, keys
first. A stage is a class that loads in `__init__` and works in `__call__`; it declares the columns it `needs` and the
Arrow schema of what it `emits`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.errors import ContractError

Batch = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Unit:
    """One work unit: what is read, committed, retried and resumed as a whole.

    Attributes:
        pass_name: the pass of the job it belongs to.
        unit_id: hash of everything that can change its bytes.
        key: the partition in words; unique within the pass, and safe in a file name.
        partition: what the reader needs to know beside the inputs.
        inputs: URLs to read.
        input_sha256: content hash or version tag of each input.
        expected_rows: rows to be read, -1 where unknown before reading.
        bytes: size of the inputs.
    """

    pass_name: str
    unit_id: str
    key: str
    partition: Mapping[str, int | str]
    inputs: tuple[str, ...]
    input_sha256: tuple[str, ...]
    expected_rows: int = -1
    bytes: int = 0


@dataclass(frozen=True)
class Reading:
    """What reading a unit gave: its rows, and the account of those that did not come along.

    Attributes:
        batch: the rows that go on.
        rows: `read`, `kept`, `quarantined` and `rejected: RULE` counts; read = kept + quarantined + all rejected.
        quarantined: reason -> rows, for rows (not the whole unit) whose data is bad.
        facts: small facts that travel to the commit, such as the data tier.
    """

    batch: Batch
    rows: Mapping[str, int]
    quarantined: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoded:
    """A unit's products: objects by their key under the run's folder, and small facts for later passes."""

    objects: Mapping[str, bytes]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Stage(Protocol):
    """One step over the rows of one work unit: plain Python that runs where Ray is not installed."""

    needs: ClassVar[tuple[str, ...]]
    emits: ClassVar[pa.Schema]

    def __call__(self, batch: Batch) -> Batch:
        """Rows in, rows out; columns named by `needs` in, by `emits` out."""
        ...


class Reader(Protocol):
    """Reads one work unit. Bad data raises `DataError`; bytes that cannot be moved raise `TransportError`."""

    def __call__(self, unit: Unit) -> Reading:
        """The unit's rows."""
        ...


class Encoder(Protocol):
    """Turns the last stage's rows of one unit into the objects to commit, always the same bytes."""

    def __call__(self, unit: Unit, batch: Batch, facts: Mapping[str, Any], /) -> Encoded:
        """The unit's objects; `facts` are those of its reading."""
        ...


# what `object_rows` gives, for stages that emit ready-made objects
OBJECT_ROWS = pa.schema(
    [
        pa.field("object_key", pa.string(), nullable=False),
        pa.field("data", pa.large_binary(), nullable=False),
    ]
)


def object_rows(objects: Mapping[str, bytes]) -> Batch:
    """Ready-made objects as rows of a batch, for units whose whole work is done by their reader or one stage."""
    return {
        "object_key": np.array(list(objects), dtype=object),
        "data": np.array(list(objects.values()), dtype=object),
    }


def encode_object_rows(_unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
    """The encoder that goes with `object_rows`."""
    return Encoded(dict(zip(batch["object_key"], batch["data"], strict=True)), facts)


def require(batch: Mapping[str, NDArray[Any]], needs: Iterable[str], *, stage: str) -> None:
    """Checks that a batch holds the columns a stage needs, all of one length.

    Raises:
        ContractError: a column is missing, or lengths differ.
    """
    missing = [name for name in needs if name not in batch]
    if missing:
        raise ContractError(
            f"columns {missing} are missing",
            where=stage,
            expected=f"columns {sorted(needs)}, found {sorted(batch)}",
            remedy="Let the stage before it emit them.",
        )
    lengths = {name: len(column) for name, column in batch.items()}
    if len(set(lengths.values())) > 1:
        raise ContractError(
            "columns differ in length",
            where=stage,
            expected=f"one length, found {lengths}",
            remedy="A stage maps rows to rows: repair the stage that emitted the shorter column.",
        )


def to_table(batch: Mapping[str, NDArray[Any]], schema: pa.Schema, *, stage: str) -> pa.Table:
    """The batch as an Arrow table of exactly the declared schema, columns in its order.

    Raises:
        ContractError: a column is missing or not of the declared type.
    """
    require(batch, schema.names, stage=stage)
    try:
        arrays = [pa.array(np.ascontiguousarray(batch[field.name]), type=field.type) for field in schema]
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ContractError(
            f"a column does not fit its declared type ({error})",
            where=stage,
            expected=", ".join(f"{field.name}: {field.type}" for field in schema),
            remedy="Cast the column in the stage that emits it.",
        ) from error
    return pa.Table.from_arrays(arrays, schema=schema)


def to_batch(table: pa.Table) -> Batch:
    """An Arrow table as a batch of numpy columns (without a copy where Arrow can)."""
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
