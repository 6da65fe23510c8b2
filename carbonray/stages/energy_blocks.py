"""Files of energy and emissions to records, blocks of regions and years to rows, and regions that are sums of others.

Source: SCIENCE 2.2 and 2.6. A file is one unit; a block is some regions, consecutive by name, in one calendar year:
what a row is judged by (its region's other rows of the year, the members of a sum) is read beside, and not written.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io import objectstore
from carbonray.io.energy.readers import read_energy
from carbonray.io.energy.reading import DAY_NS, EnergyRules
from carbonray.io.energy.record_store import (
    calendar_year,
    encode_records,
    read_records,
    year_span_ns,
    years_by_region,
)
from carbonray.io.energy.records import REFUSED_ROWS, USED, MixReading, MixRules, mix_rows
from carbonray.io.energy.region_sums import Composites, SumRules, undeclared_sums
from carbonray.io.energy.row_tables import row_table, rows_of
from carbonray.io.energy.tiers import file_tier
from carbonray.io.table_store import decode_table, encode_table
from carbonray.science.energy.mix import MixRows, stacked
from carbonray.vocab.energy import COMPOSITES
from carbonray.vocab.energy_tables import ENERGY_RECORDS, ENERGY_ROWS

RECORDS, ROWS = "records", "rows"
REFUSED_LINES, REFUSED = "refused_records", "refused_rows"
TOO_MANY = "regions, too many to look for sums among them"  # as `mix_rows` notes it
BY_TIME = ("region", "start", "end")

# rows whose data is bad, by what their reason begins with; what is not among them is refused by a rule
FAULTS: Mapping[str, str] = {
    "doubled": "doubled: amounts said twice, differently",
    "missing": "missing: some sources or sectors of a side that is told",
    "negative": "negative: a source or sector below zero",
    "overlap": "overlap: intervals of one region within each other",
    "tier": "tier: real and synthetic records in one row",
    "units": "units: totals that cannot be, or fit neither each other nor their region",
}
UNTOLD = "missing: all "  # a side of which nothing is told: no fault of the other
_CELL = re.compile(r": (['\"]).*\1$", re.DOTALL)  # ends the reason of a line: what stands there


@dataclass(frozen=True)
class EnergyBlockRules:
    """How regions are cut into units, and which are known to be sums of others.

    Attributes:
        regions: in a block, consecutive by name; it decides no value.
        composites: regions that are sums -> the regions that they contain, beside those of the vocabulary.
        sum_rows: about so many are looked at together for sums that nobody has declared: of shorter rows than two
            days, those of every so many days (inferred).
    """

    regions: int = 64
    composites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sum_rows: int = 500_000

    def known_sums(self) -> Composites:
        """All composites: those of the vocabulary and those of the settings."""
        return {**COMPOSITES, **{name: tuple(members) for name, members in self.composites.items()}}


@dataclass(frozen=True)
class ReadEnergyFile:
    """Reader of one file: its records and refused lines, as ready objects.

    Attributes:
        rules: how it is read.
    """

    rules: EnergyRules

    def __call__(self, unit: Unit) -> Reading:
        """`records/KEY.parquet` and `refused_records/KEY.parquet`; facts: `years` by region, notes, tier.

        Raises:
            DataError: the file is not as its publisher lays it out.
            TransportError: it could not be moved.
        """
        url = unit.inputs[0]
        tier = file_tier(url)
        found = read_energy(url, self.rules, tier, str(unit.partition["reader"]))
        rows = found.rows()
        account = {"read": rows["read"], "kept": rows["kept"], "quarantined": rows["refused"]}
        account |= {"rejected: left out": rows["dropped"]} if rows["dropped"] else {}
        objects = {
            f"{RECORDS}/{unit.key}.parquet": encode_records(found.records),
            f"{REFUSED_LINES}/{unit.key}.parquet": encode_table(found.refused, ("line",)),
        }
        reasons = Counter(_CELL.sub("", reason) for reason in found.refused["reason"].to_pylist())
        facts = {
            "data_tier": tier,
            "publisher": pc.unique(found.records["publisher"]).to_pylist(),
            "records": found.records.num_rows,
            "years": years_by_region(found.records),
            "notes": _counted(found.notes),
        }
        return Reading(object_rows(objects), account, dict(sorted(reasons.items())), facts)


@dataclass(frozen=True)
class ReadEnergyBlock:
    """Reader of a block of regions in a year: inputs are tables of records.

    Attributes:
        rules: which records become rows.
        composites: regions that are sums of others.
    """

    rules: MixRules
    composites: Composites

    def __call__(self, unit: Unit) -> Reading:
        """`rows/KEY.parquet` and `refused_rows/KEY.parquet`.

        Raises:
            DataError: a table of records is broken.
            TransportError: it could not be moved.
        """
        year, regions = int(unit.partition["year"]), str(unit.partition["regions"]).split("\n")
        wanted = with_members(regions, self.composites)
        parts = [self._records(url, wanted, year) for url in unit.inputs]
        records = pa.concat_tables([ENERGY_RECORDS.empty_table().select(USED), *parts])
        unsearched = replace(self.rules, sums=replace(self.rules.sums, max_regions=0))  # sums are found among all rows
        found = mix_rows(records, unsearched, self.composites)
        rows = row_table(found).filter(_own(found.rows, regions, year))
        refused = found.refused.filter(_own(_times(found.refused), regions, year))
        objects = {
            f"{ROWS}/{unit.key}.parquet": encode_table(rows, BY_TIME),
            f"{REFUSED}/{unit.key}.parquet": encode_table(refused, BY_TIME),
        }
        rules, faults = _refusals(refused)
        account = {"read": rows.num_rows + refused.num_rows, "kept": rows.num_rows, "quarantined": sum(faults.values())}
        account |= {f"rejected: {rule}": count for rule, count in rules.items()}
        facts = {
            "data_tier": ", ".join(sorted(pc.unique(rows["data_tier"]).to_pylist())) or "none",
            "regions": sorted(pc.unique(rows["region"]).to_pylist()),
            "rows": rows.num_rows,
            "constant_mix": pc.sum(rows["constant_mix"]).as_py() or 0,
            "notes": _notes(found),
        }
        return Reading(object_rows(objects), account, faults, facts)

    def _records(self, url: str, regions: Collection[str], year: int) -> pa.Table:
        """Records of the year; where mixes are constant, also those of energy that may still count."""
        start, end = year_span_ns(year)
        back = round(self.rules.max_mix_age_days * DAY_NS) if self.rules.join == "constant" else 0
        found = read_records(url, regions, start - back, end, USED)
        old = pc.less_equal(found["end"].cast(pa.int64()), start)
        return found.filter(pc.invert(pc.and_(old, pc.equal(found["kind"], "emissions"))))


@dataclass(frozen=True)
class FindSums:
    """Reader of all rows, a sample of each block at a time, whose result are the regions that are sums of others.

    Without inputs there are too many regions, and nothing is looked for.

    Attributes:
        composites: those that are declared.
        rules: when a region is taken for a sum.
    """

    composites: Composites
    rules: SumRules

    def __call__(self, unit: Unit) -> Reading:
        """`refused_rows/sums.parquet`, every row of such a region; the fact `sums` gives the reason by region."""
        sample = [_spread(rows_of(read_rows(url)), int(unit.partition["stride_days"])) for url in unit.inputs]
        rows = stacked(sample) if sample else rows_of(ENERGY_ROWS.empty_table())
        sums = undeclared_sums(rows, self.composites, self.rules) if len(rows) else {}
        refused = [REFUSED_ROWS.empty_table()]
        for url in unit.inputs if sums else ():
            lost = read_rows(url, list(BY_TIME)).filter(pc.field("region").isin(sorted(sums)))
            reasons = pa.array([sums[name] for name in lost["region"].to_pylist()], pa.string())
            refused.append(pa.table([*lost.columns, reasons], schema=REFUSED_ROWS))
        table = encode_table(pa.concat_tables(refused), BY_TIME)
        many = 0 if unit.inputs else int(unit.partition["regions"])
        facts = {"sums": sums, "notes": {TOO_MANY: many} if many else {}}
        return Reading(object_rows({f"{REFUSED}/sums.parquet": table}), {}, facts=facts)


def read_rows(url: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A stored block, schema `ENERGY_ROWS`, or some columns of it."""
    table = decode_table(objectstore.read_bytes(url), ENERGY_ROWS)
    return table if columns is None else table.select(columns)


def with_members(regions: Sequence[str], composites: Composites) -> list[str]:
    """Regions, and those that they contain: what a sum is judged by."""
    inner = {member for name in regions for member in composites.get(name, ())}
    return sorted({*regions, *inner})


def _spread(rows: MixRows, stride_days: int) -> MixRows:
    """Long rows, and of short ones the first of every so many days, the same days for every region."""
    day = rows.start_ns // DAY_NS
    long = rows.end_ns - rows.start_ns >= 2 * DAY_NS
    first = np.zeros(len(rows), np.bool_)
    pairs = np.array([f"{region}\n{at}" for region, at in zip(rows.region, day, strict=True)], np.str_)
    first[np.unique(pairs, return_index=True)[1]] = True
    return rows.rows(long | (first & (day % stride_days == 0)))


def _times(refused: pa.Table) -> MixRows:
    """Refused rows as rows of nothing."""
    start, end = (refused[name].cast(pa.int64()).to_numpy() for name in ("start", "end"))
    region = refused["region"].to_numpy(zero_copy_only=False).astype(object)
    return MixRows(region, start, end, np.zeros((len(start), 0)), np.zeros((len(start), 0)))


def _own(rows: MixRows, regions: Sequence[str], year: int) -> NDArray[np.bool_]:
    """(row,) whether it is the block's, not read beside it."""
    mine = np.isin(rows.region.astype(str), regions)
    return np.asarray(mine & (calendar_year(rows.start_ns, rows.end_ns) == year), np.bool_)


def _refusals(refused: pa.Table) -> tuple[dict[str, int], dict[str, int]]:
    """How many rows rules refused, by rule, and how many are bad, by fault."""
    counts = Counter(refused["reason"].to_pylist())
    rules, faults = Counter[str](), Counter[str]()
    for reason, count in counts.items():
        kind = reason.partition(":")[0]
        fault = "" if reason.startswith(UNTOLD) else FAULTS.get(kind, "")
        (faults if fault else rules)[fault or kind] += count
    return dict(sorted(rules.items())), dict(sorted(faults.items()))


def _notes(found: MixReading) -> dict[str, int]:
    return {note: count for note, count in found.notes.items() if note != TOO_MANY}


def _counted(notes: pa.Table) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in notes.select(["note", "rows"]).to_pylist():
        counts[row["note"]] += row["rows"]
    return dict(sorted(counts.items()))
