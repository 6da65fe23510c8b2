"""The sink of a pass: a unit's objects, immutable and checksummed, then its ledger record, put last.

Committing twice is harmless: the same bytes are found and left, other bytes fail loudly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from carbonray.contract import Encoded, Unit
from carbonray.errors import ContractError
from carbonray.io import ledger, objectstore


@dataclass(frozen=True)
class Outcome:
    """What the driver hears of a unit; `failed` is a transport failure, to be planned again.

    Attributes:
        unit_id: the unit.
        key: its partition in words.
        status: committed, quarantined or failed.
        reason: why it was not committed.
        rows: row counts of the reading.
        broken: the fields of an error of ours that ends the run.
        bytes: bytes of the objects written.
        new: False where another attempt had committed it already.
        seconds: wall time by step.
    """

    unit_id: str
    key: str
    status: Literal["committed", "quarantined", "failed"]
    reason: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 0
    new: bool = True
    seconds: Mapping[str, float] = field(default_factory=dict)


def commit(
    run_url: str,
    unit: Unit,
    encoded: Encoded | None,
    rows: Mapping[str, int],
    quarantined: Mapping[str, int],
    bad: str,
) -> Outcome:
    """Puts a unit's objects and then its record; a unit whose data is `bad` leaves only its record.

    Raises:
        ConflictError: the unit was committed before, with other bytes.
        ContractError: an object's key leaves the run's folder.
        TransportError: a put failed for good.
    """
    check_rows(unit, rows)
    objects = []
    for key, data in sorted((encoded.objects if encoded else {}).items()):
        objectstore.put_once(_inside(run_url, key), data)
        objects.append(ledger.ObjectRecord(key, objectstore.sha256(data), len(data)))
    status: Literal["committed", "quarantined"] = "quarantined" if bad else "committed"
    facts = encoded.facts if encoded else {}
    record = ledger.Commit(
        unit.pass_name, unit.unit_id, unit.key, status, bad, tuple(objects), dict(rows), dict(quarantined), dict(facts)
    )
    new = ledger.record(run_url, record)
    size = sum(found.bytes for found in objects)
    return Outcome(unit.unit_id, unit.key, status, bad, rows, bytes=size, new=new)


def check_rows(unit: Unit, rows: Mapping[str, int]) -> None:
    """Checks that kept + quarantined + rejected = read.

    Raises:
        ContractError: rows were lost or made.
    """
    if not rows:
        return
    accounted = rows.get("kept", 0) + rows.get("quarantined", 0)
    accounted += sum(count for name, count in rows.items() if name.startswith("rejected: "))
    if accounted != rows.get("read", 0):
        raise ContractError(
            f"the account of a unit's rows does not add up: {dict(rows)}",
            where=f"{unit.pass_name}/{unit.key}",
            expected="read = kept + quarantined + all rejected",
            remedy="The reader of this pass loses or invents rows: repair its counts.",
        )


def _inside(run_url: str, key: str) -> str:
    if key.startswith("/") or ".." in key.split("/"):
        raise ContractError(
            f"an object's key {key!r} leaves the run's folder",
            where=run_url,
            expected="a relative key without '..'",
            remedy="Derive keys from partitions, never from a file's content.",
        )
    return objectstore.join(run_url, key)
