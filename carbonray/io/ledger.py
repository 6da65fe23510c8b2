"""The run's ledger: one immutable record a work unit, put last, which lists its objects with their checksums.

The ledger is the truth of a run: a unit is done when its record is there. Records hold nothing that differs between
two computations of the same unit (no times, no hosts), so that a unit dispatched twice commits twice without harm.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from carbonray.errors import IncompleteError
from carbonray.io import objectstore

FOLDER = "ledger"


@dataclass(frozen=True)
class ObjectRecord:
    """An object of a commit: its key under the run's folder, checksum and size in bytes."""

    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Commit:
    """What became of one work unit.

    Attributes:
        pass_name: the pass of the job.
        unit_id: the unit's id.
        key: the partition in words.
        status: committed, or quarantined as a whole.
        reason: why it was quarantined, empty otherwise.
        objects: what it wrote.
        rows: read, kept, quarantined and rejected row counts.
        quarantined: reason -> rows set aside inside a committed unit.
        facts: small facts for later passes and for the report.
    """

    pass_name: str
    unit_id: str
    key: str
    status: Literal["committed", "quarantined"]
    reason: str = ""
    objects: tuple[ObjectRecord, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def record(run_url: str, commit: Commit) -> bool:
    """Puts a unit's record: True where it is new, False where the same record was there.

    Raises:
        ConflictError: the unit was committed before, with other bytes.
    """
    data = json.dumps(asdict(commit), sort_keys=True, separators=(",", ":")).encode()
    return objectstore.put_once(_url(run_url, commit.pass_name, commit.unit_id), data)


def read(run_url: str, pass_name: str) -> dict[str, Commit]:
    """The commits of one pass by unit id, in the order of their keys."""
    folder = objectstore.join(run_url, FOLDER, pass_name)
    names = [name for name in objectstore.listing(folder) if name.endswith(".json")]
    found = objectstore.read_many(objectstore.join(folder, name) for name in names)
    commits = sorted(
        (_parse(url, data) for url, data in found.items()), key=lambda commit: (commit.key, commit.unit_id)
    )
    return {commit.unit_id: commit for commit in commits}


def committed_ids(run_url: str, pass_name: str) -> set[str]:
    """Ids of the units that are done, by one listing and without reading a record."""
    folder = objectstore.join(run_url, FOLDER, pass_name)
    return {name.removesuffix(".json") for name in objectstore.listing(folder) if name.endswith(".json")}


def digest(objects: Iterable[ObjectRecord]) -> str:
    """sha256 over all objects in key order: equal for two runs that made the same bytes."""
    lines = sorted(f"{found.key} {found.sha256}\n" for found in objects)
    return objectstore.sha256("".join(lines).encode())


def _url(run_url: str, pass_name: str, unit_id: str) -> str:
    return objectstore.join(run_url, FOLDER, pass_name, f"{unit_id}.json")


def _parse(url: str, data: bytes) -> Commit:
    try:
        fields = json.loads(data)
        objects = tuple(ObjectRecord(**found) for found in fields.pop("objects"))
        return Commit(objects=objects, **fields)
    except (ValueError, TypeError, KeyError) as error:
        raise IncompleteError(
            f"a ledger record cannot be read ({error})",
            where=url,
            expected="the JSON that a commit writes",
            remedy="Delete the record and run again: the unit is then computed anew.",
        ) from error
