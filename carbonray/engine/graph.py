"""How a unit flows through a pass, once in memory and once on Ray Data: the only `map_batches` of the project.

A unit travels as one row, its envelope: the unit, its rows as one Arrow stream, its account, or why it stopped.
Ray may cut and merge blocks as it likes; a unit never breaks, and a stage sees exactly one unit at a time, so that
the distributed result is the in-memory result to the bit.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data
from numpy.typing import NDArray

from carbonray.contract import Batch, Encoded, Encoder, Reader, Stage, Unit, require, to_batch, to_table
from carbonray.engine.plan import Pass, Pool
from carbonray.engine.sinks import Outcome, commit
from carbonray.engine.sources import UnitSource
from carbonray.errors import CarbonrayError, DataError, TransportError

_ENVELOPE = pa.schema([("unit", pa.string()), ("account", pa.string()), ("payload", pa.large_binary())])


@dataclass(frozen=True)
class Account:
    """What is known of a unit besides its rows.

    Attributes:
        rows: counts of the reading.
        quarantined: reason -> rows set aside.
        facts: facts of the reading.
        bad: why the unit's data is bad, empty where it is not.
        unmoved: why its bytes could not be moved, empty where they could.
        broken: the fields of an error of ours that no repetition mends, such as a broken contract.
        seconds: wall time by step.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    bad: str = ""
    unmoved: str = ""
    broken: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def stopped(self) -> bool:
        """Whether the unit goes no further."""
        return bool(self.bad or self.unmoved or self.broken)


@dataclass(frozen=True)
class Envelope:
    """One unit on its way: its rows (None once it stopped) and its account."""

    unit: Unit
    batch: Batch | None
    account: Account


def read_unit(reader: Reader, unit: Unit) -> Envelope:
    """Reads a unit; bad data and transport failures become part of its account."""

    def read() -> Envelope:
        reading = reader(unit)
        account = Account(rows=reading.rows, quarantined=reading.quarantined, facts=reading.facts)
        return Envelope(unit, reading.batch, account)

    return _timed("read", Envelope(unit, None, Account()), read)


def work_unit(stage: Stage, envelope: Envelope) -> Envelope:
    """Runs one stage over a unit's rows and checks what it emits."""
    name = type(stage).__name__
    if envelope.account.stopped() or envelope.batch is None:
        return envelope
    batch = envelope.batch

    def work() -> Envelope:
        require(batch, stage.needs, stage=name)
        emitted = to_table(stage(batch), stage.emits, stage=name)
        return replace(envelope, batch=to_batch(emitted))

    return _timed(name, envelope, work)


def finish_unit(encode: Encoder, run_url: str, envelope: Envelope) -> Outcome:
    """Encodes and commits a unit, or records why it stopped."""
    account, start = envelope.account, time.perf_counter()
    outcome = Outcome(envelope.unit.unit_id, envelope.unit.key, "failed", account.unmoved, account.rows, account.broken)
    if not (account.unmoved or account.broken):
        try:
            encoded, bad = _encoded(encode, envelope)
            outcome = commit(run_url, envelope.unit, encoded, account.rows, account.quarantined, bad)
        except TransportError as error:
            outcome = replace(outcome, reason=str(error))
        except CarbonrayError as error:
            outcome = replace(outcome, broken=error.as_fields())
    seconds = {**account.seconds, "commit": time.perf_counter() - start}
    return replace(outcome, seconds=seconds)


def _encoded(encode: Encoder, envelope: Envelope) -> tuple[Encoded | None, str]:
    """The unit's objects, or why its data is bad."""
    if envelope.batch is None or envelope.account.bad:
        return None, envelope.account.bad
    try:
        return encode(envelope.unit, envelope.batch, envelope.account.facts), ""
    except DataError as error:
        return None, str(error)


def run_in_memory(pass_: Pass, run_url: str, units: tuple[Unit, ...]) -> Iterator[Outcome]:
    """The pass without Ray: the same functions in a plain loop, for tests, debugging and one-core machines."""
    stages = [pool.make() for pool in pass_.pools]
    for unit in units:
        envelope = read_unit(pass_.read, unit)
        for stage in stages:
            envelope = work_unit(stage, envelope)
        yield finish_unit(pass_.encode, run_url, envelope)


def stream(pass_: Pass, run_url: str, units: tuple[Unit, ...], *, read_cpus: float) -> Iterator[Outcome]:
    """The pass on Ray Data: outcomes in the order in which units finish, which is no order at all."""
    for rows in build(pass_, run_url, units, read_cpus=read_cpus).iter_batches(
        batch_size=None, batch_format="numpy", prefetch_batches=0
    ):
        for text in rows["outcome"]:
            yield Outcome(**json.loads(text))


def build(pass_: Pass, run_url: str, units: tuple[Unit, ...], *, read_cpus: float) -> ray.data.Dataset:
    """The pass as a Ray Data graph over the given units: one row a unit in, one outcome a row out."""
    rows = UnitSource([_Read(pass_.read, unit) for unit in units], [unit.bytes for unit in units])
    # as many blocks as read tasks: Ray otherwise splits blocks after reading, which costs a third of the speed
    dataset = ray.data.read_datasource(rows, override_num_blocks=len(units), num_cpus=read_cpus)
    for pool in pass_.pools:
        dataset = _in_pool(dataset, pool)
    # the same CPUs as reading: a pass without pools is then fused into one task, and takes half the processes
    finished: ray.data.Dataset = dataset.map_batches(
        _Finish(pass_.encode, run_url), batch_size=1, batch_format="pyarrow", zero_copy_batch=True, num_cpus=read_cpus
    )
    return finished


def _in_pool(dataset: ray.data.Dataset, pool: Pool) -> ray.data.Dataset:
    worked: ray.data.Dataset = dataset.map_batches(
        _Work,
        fn_constructor_args=(pool.make,),
        batch_size=1,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(
            size=pool.actors,
            max_concurrent_calls_per_actor=pool.units_at_once,
            enable_true_multi_threading=pool.units_at_once > 1,  # Ray Data otherwise locks the stage
        ),
        num_cpus=pool.num_cpus,
        num_gpus=pool.num_gpus,
    )
    return worked


@dataclass(frozen=True)
class _Read:
    reader: Reader
    unit: Unit

    def __call__(self) -> pa.Table:
        return _pack(read_unit(self.reader, self.unit))


class _Work:
    def __init__(self, make: Callable[[], Stage]) -> None:
        self._stage = make()

    def __call__(self, rows: pa.Table) -> pa.Table:
        return _pack(work_unit(self._stage, _unpack(rows)))


@dataclass(frozen=True)
class _Finish:
    encode: Encoder
    run_url: str

    def __call__(self, rows: pa.Table) -> dict[str, NDArray[Any]]:
        outcome = finish_unit(self.encode, self.run_url, _unpack(rows))
        return {"outcome": np.array([json.dumps(asdict(outcome))], dtype=object)}


def _timed(step: str, envelope: Envelope, work: Callable[[], Envelope]) -> Envelope:
    start = time.perf_counter()
    try:
        done = work()
    except DataError as error:
        done = replace(envelope, batch=None, account=replace(envelope.account, bad=str(error)))
    except TransportError as error:
        done = replace(envelope, batch=None, account=replace(envelope.account, unmoved=str(error)))
    except CarbonrayError as error:
        done = replace(envelope, batch=None, account=replace(envelope.account, broken=error.as_fields()))
    seconds = {**done.account.seconds, step: time.perf_counter() - start}
    return replace(done, account=replace(done.account, seconds=seconds))


def _pack(envelope: Envelope) -> pa.Table:
    columns = [
        pa.array([json.dumps(asdict(envelope.unit))]),
        pa.array([json.dumps(asdict(envelope.account))]),
        pa.nulls(1, pa.large_binary()) if envelope.batch is None else _payload(envelope.batch),
    ]
    return pa.Table.from_arrays(columns, schema=_ENVELOPE)


def _unpack(rows: pa.Table) -> Envelope:
    unit, account, payload = (rows.column(name)[0] for name in _ENVELOPE.names)
    fields = json.loads(unit.as_py())
    fields["inputs"], fields["input_sha256"] = tuple(fields["inputs"]), tuple(fields["input_sha256"])
    batch = to_batch(pa.ipc.open_stream(payload.as_buffer()).read_all()) if payload.is_valid else None
    return Envelope(Unit(**fields), batch, Account(**json.loads(account.as_py())))


def _payload(batch: Batch) -> pa.Array:
    """The rows as one Arrow stream inside one binary value, without another copy of its bytes."""
    table = pa.table({name: pa.array(np.ascontiguousarray(column)) for name, column in batch.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    stream = sink.getvalue()
    offsets = pa.py_buffer(np.array([0, stream.size], dtype=np.int64))
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, offsets, stream])
