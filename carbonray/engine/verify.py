"""The proof that a run is complete: every planned unit committed or quarantined, every object there with its bytes.

The ledger is the truth, not the cluster's job status. A run of runs is complete where each of its parts is.
"""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.contract import Unit
from carbonray.engine import plan
from carbonray.errors import DataError, IncompleteError, QuarantineLimitError
from carbonray.io import ledger, objectstore
from carbonray.io.ledger import Commit
from carbonray.vocab import tables

FILE = "verification.json"
QUARANTINE_FILE = "quarantine.parquet"


@dataclass(frozen=True)
class Verification:
    """What was proved of a run.

    Attributes:
        planned: units planned.
        committed: units with a record and objects.
        quarantined: units set aside as a whole.
        missing: units without a record.
        rows: read, kept, quarantined and rejected row counts over all units.
        bad_objects: objects that are absent or have other bytes than recorded.
        orphans: objects in product folders that no record names.
        complete: whether nothing is missing, bad or orphaned.
        sha256: digest over all committed objects in key order; of a run of runs, over the digests of its parts.
    """

    planned: int
    committed: int
    quarantined: int
    missing: tuple[str, ...]
    rows: dict[str, int]
    bad_objects: tuple[str, ...]
    orphans: tuple[str, ...]
    complete: bool
    sha256: str


def verify(run_url: str) -> Verification:
    """Checks a run's plan against its ledger and its objects, every checksum anew, and writes what was found.

    Raises:
        IncompleteError: there is no plan, so there is nothing to prove.
    """
    parts = plan.parts(run_url)
    found = _joined({name: verify(objectstore.join(run_url, name)) for name in parts}) if parts else _verified(run_url)
    text = json.dumps(asdict(found), indent=1, sort_keys=True)
    objectstore.put_bytes(objectstore.join(run_url, FILE), text.encode())
    return found


def _verified(run_url: str) -> Verification:
    units = plan.read(run_url)
    if not units:
        raise IncompleteError(
            "there is no plan",
            where=run_url,
            expected=f"a run's folder with {plan.FILE}",
            remedy="Check URL and run id; a part of a run that never began is begun by the same command again.",
        )
    commits = _commits(run_url, units)
    missing = tuple(f"{unit.pass_name}/{unit.key}" for unit in units if unit.unit_id not in commits)
    known = [commits[unit.unit_id] for unit in units if unit.unit_id in commits]
    objects = [found for commit in known for found in commit.objects]
    bad = tuple(found.key for found in objects if not _intact(run_url, found))
    orphans = _orphans(run_url, {found.key for found in objects})
    return Verification(
        planned=len(units),
        committed=sum(commit.status == "committed" for commit in known),
        quarantined=sum(commit.status == "quarantined" for commit in known),
        missing=missing,
        rows=total_rows(known),
        bad_objects=bad,
        orphans=orphans,
        complete=not (missing or bad or orphans),
        sha256=ledger.digest(objects),
    )


def _joined(parts: Mapping[str, Verification]) -> Verification:
    """What was proved of all parts of a run of runs, their keys behind their names."""

    def keys(of: str) -> tuple[str, ...]:
        return tuple(f"{name}/{key}" for name, found in parts.items() for key in getattr(found, of))

    digests = "".join(f"{name} {found.sha256}\n" for name, found in sorted(parts.items()))
    return Verification(
        planned=sum(found.planned for found in parts.values()),
        committed=sum(found.committed for found in parts.values()),
        quarantined=sum(found.quarantined for found in parts.values()),
        missing=keys("missing"),
        rows=_summed(found.rows for found in parts.values()),
        bad_objects=keys("bad_objects"),
        orphans=keys("orphans"),
        complete=all(found.complete for found in parts.values()),
        sha256=objectstore.sha256(digests.encode()),
    )


def check(found: Verification, *, max_quarantine_rate: float) -> None:
    """Fails a run that is incomplete, or that set aside more than it may.

    Raises:
        IncompleteError: something is missing, bad or orphaned.
        QuarantineLimitError: too many units are quarantined.
    """
    if not found.complete:
        troubles = [*found.missing, *found.bad_objects, *found.orphans]
        raise IncompleteError(
            f"{len(found.missing)} units missing, {len(found.bad_objects)} objects bad, {len(found.orphans)} orphaned",
            where=", ".join(troubles[:5]) + (" ..." if len(troubles) > 5 else ""),
            expected="committed + quarantined = planned, every object with its checksum",
            remedy="Run again under the same --run-id; delete a bad object and its ledger record first.",
        )
    rate = found.quarantined / found.planned
    if rate > max_quarantine_rate:
        raise QuarantineLimitError(
            f"{found.quarantined} of {found.planned} units are quarantined ({rate:.1%})",
            where=QUARANTINE_FILE,
            expected=f"at most {max_quarantine_rate:.1%} (engine.max_quarantine_rate)",
            remedy="Read the reasons in the quarantine table; repair the inputs or raise the limit.",
        )


def write_quarantine(run_url: str) -> pa.Table:
    """Writes the table of all that was set aside, whole units and rows of committed ones, and answers it."""
    table = pa.Table.from_pylist(_all_quarantined(run_url), schema=tables.QUARANTINE)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    objectstore.put_bytes(objectstore.join(run_url, QUARANTINE_FILE), buffer.getvalue())
    return table


def total_rows(commits: Iterable[Commit]) -> dict[str, int]:
    """Row counts summed over units, by name."""
    return _summed(commit.rows for commit in commits)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for rows in counts:
        for name, count in rows.items():
            totals[name] = totals.get(name, 0) + count
    return dict(sorted(totals.items()))


def _commits(run_url: str, units: Sequence[Unit]) -> dict[str, Commit]:
    names = dict.fromkeys(unit.pass_name for unit in units)
    return {unit_id: commit for name in names for unit_id, commit in ledger.read(run_url, name).items()}


def _all_quarantined(run_url: str) -> list[dict[str, object]]:
    """Rows of the run's own units, and of its parts, whose passes stand behind their names."""
    commits = _commits(run_url, plan.read(run_url)).values()
    own = [row for commit in commits for row in _quarantine_rows(commit)]
    below = ((name, row) for name in plan.parts(run_url) for row in _all_quarantined(objectstore.join(run_url, name)))
    return own + [{**row, "pass_name": f"{name}/{row['pass_name']}"} for name, row in below]


def _quarantine_rows(commit: Commit) -> list[dict[str, object]]:
    base = {"pass_name": commit.pass_name, "unit_id": commit.unit_id, "key": commit.key}
    whole = [{**base, "reason": commit.reason, "rows": -1}] if commit.status == "quarantined" else []
    return whole + [{**base, "reason": reason, "rows": rows} for reason, rows in sorted(commit.quarantined.items())]


def _intact(run_url: str, found: ledger.ObjectRecord) -> bool:
    try:
        return objectstore.sha256(objectstore.read_bytes(objectstore.join(run_url, found.key))) == found.sha256
    except DataError:
        return False


def _orphans(run_url: str, known: set[str]) -> tuple[str, ...]:
    """Objects under the folders that commits write to, named by no record (leftovers of interrupted puts aside)."""
    folders = {key.split("/")[0] for key in known if "/" in key}
    present = (f"{folder}/{name}" for folder in sorted(folders) for name in _names(run_url, folder))
    return tuple(key for key in present if key not in known)


def _names(run_url: str, folder: str) -> list[str]:
    names = objectstore.listing(objectstore.join(run_url, folder))
    return [name for name in names if not name.endswith(".part")]
