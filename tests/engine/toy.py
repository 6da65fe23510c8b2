"""A toy pass for the engine's tests: numbers in files, doubled; picklable, so that Ray's processes can import it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from carbonray.contract import Batch, Encoded, Reading, Unit
from carbonray.engine.plan import Pass, Pool, plan_unit
from carbonray.errors import DataError, TransportError
from carbonray.io import objectstore


class Double:
    """Appends twice the number."""

    needs: ClassVar[tuple[str, ...]] = ("x",)
    emits: ClassVar[pa.Schema] = pa.schema([("x", pa.int64()), ("twice", pa.float32())])

    def __call__(self, batch: Batch) -> Batch:
        """Rows kept."""
        return {"x": batch["x"], "twice": (2 * batch["x"]).astype(np.float32)}


@dataclass(frozen=True)
class ReadNumbers:
    """Reads a count from a file and counts to it; leaves a mark for every read.

    Attributes:
        marks: folder that gets an empty file a read.
        hang_on: key of a unit whose first `hangs` reads never end.
        hangs: how many of them.
        unmoved_on: key of a unit whose bytes never come.
        seconds: time a read takes.
    """

    marks: str
    hang_on: str = ""
    hangs: int = 1
    unmoved_on: str = ""
    seconds: float = 0.0

    def __call__(self, unit: Unit) -> Reading:
        """0 to n - 1."""
        marks = Path(self.marks)
        before = len(list(marks.glob(f"{unit.key}.*")))
        (marks / f"{unit.key}.{time.monotonic_ns()}").touch()
        while unit.key == self.hang_on and before < self.hangs:
            time.sleep(0.2)
        if unit.key == self.unmoved_on:
            raise TransportError("no route", where=unit.key, expected="a store", remedy="Wait.")
        time.sleep(self.seconds)
        count = int(objectstore.read_bytes(unit.inputs[0]))
        if count < 0:
            raise DataError("a negative count", where=unit.key, expected="0 or more", remedy="Mend the file.")
        return Reading({"x": np.arange(count)}, {"read": count, "kept": count, "quarantined": 0})


def encode(unit: Unit, batch: Batch, facts: Mapping[str, Any]) -> Encoded:
    """The doubled numbers as raw bytes."""
    return Encoded({f"numbers/{unit.key}.f32": batch["twice"].tobytes()}, {"n": len(batch["x"])})


def toy_pass(folder: Path, counts: list[int], *, inputs: str = "", **reader: Any) -> Pass:
    """A pass over one file a count, the files in `inputs` or else in the folder; marks are always in the folder."""
    marks = folder / "marks"
    marks.mkdir(parents=True, exist_ok=True)
    units = []
    for number, count in enumerate(counts):
        url = objectstore.join(inputs or f"{folder}/in", f"{number:02d}.txt")
        if not objectstore.exists(url):
            objectstore.put_bytes(url, str(count).encode())
        units.append(plan_unit("double", f"unit-{number:02d}", [url], settings_digest="d"))
    return Pass("double", tuple(units), ReadNumbers(str(marks), **reader), encode, (Pool(Double, num_cpus=0.5),))


def reads(folder: Path) -> list[str]:
    """Keys read so far, one entry a read."""
    return sorted(path.name.rsplit(".", 1)[0] for path in (folder / "marks").glob("unit-*"))
