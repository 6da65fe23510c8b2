"""Records of all publishers as rows of a mix: one a region and interval, complete and plausible, or refused by name.

Source: SCIENCE 2.2 and 2.6. Records are schema `ENERGY_RECORDS`, amounts in whole intervals; rows are amounts a day, so
that yearly, monthly and daily files meet. A row needs energy and emissions of one interval, or, where the rules say so,
takes its mix from a longer one: such rows are marked `constant_mix`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.io.energy.reading import DAY_NS
from carbonray.io.energy.region_sums import Composites, SumRules, short_composites, undeclared_sums
from carbonray.io.energy.row_checks import (
    PlausibleMix,
    Reasons,
    implausible,
    incomplete,
    negative,
    overlapping,
    without_idle,
)
from carbonray.science.energy.mix import MixRows
from carbonray.vocab.columns import column
from carbonray.vocab.energy import COMPOSITES, SECTORS, SOURCES
from carbonray.vocab.energy_tables import END, REGION, START

Join = Literal["same", "constant"]

REFUSED_ROWS = pa.schema([REGION, START, END, column("reason", pa.string(), "1", "fault: what was found")])

# columns of records that rows are made of
USED = ("region", "start", "end", "kind", "name", "value", "data_tier")

_ROW = ["region", "start_ns", "end_ns"]
_PARTS = (*SOURCES, *SECTORS)


@dataclass(frozen=True)
class MixRules:
    """Which records become rows.

    Attributes:
        join: 'same' interval of energy and emissions, or emissions with the 'constant' mix of the longer interval that
            they lie in, else of the latest that ended before.
        max_mix_age_days: how long before a row a constant mix may have ended (inferred: five years).
        sectors: whose emissions count; the others are out of the account and 0 in every row, as where a network
            publishes those of its power alone.
        plausible: what totals are believed.
        sums: when a region is taken for the sum of others.
    """

    join: Join = "same"
    max_mix_age_days: float = 1827.0
    sectors: tuple[str, ...] = SECTORS
    plausible: PlausibleMix = field(default_factory=PlausibleMix)
    sums: SumRules = field(default_factory=SumRules)


@dataclass(frozen=True, eq=False)
class MixReading:
    """Rows that can be believed, and the rest.

    Attributes:
        rows: sorted by region and start, no two of a region at one time.
        constant_mix: (row,) whether the mix is that of a longer time than the emissions, or of an earlier one.
        data_tier: (row,) of both.
        refused: schema `REFUSED_ROWS`: every other region and interval of which there was a record; where mixes are
            constant, not those of a complete mix alone.
        notes: what is odd about records and rows that are kept -> of how many.
    """

    rows: MixRows
    constant_mix: NDArray[np.bool_]
    data_tier: NDArray[np.object_]
    refused: pa.Table
    notes: dict[str, int]


def mix_rows(records: pa.Table, rules: MixRules, composites: Composites = COMPOSITES) -> MixReading:
    """The rows that records make.

    Amounts said twice count once where they are equal; where they are not, nothing says which is right, and their row
    is refused.

    Args:
        records: schema `ENERGY_RECORDS`, of which `USED` are enough, of any publishers.
        rules: which of them become rows.
        composites: regions that are known to contain others.
    """
    wide, notes = _wide(records, rules)
    joined = wide if rules.join == "same" else _with_constant_mix(wide, rules)
    rows = _mix(joined)
    energy, idle = without_idle(rows.energy, rules.plausible.idle_share)
    rows = MixRows(rows.region, rows.start_ns, rows.end_ns, energy, rows.emissions)
    reasons = joined["reason"].to_numpy(object).copy()
    whole = set(rules.sectors) == set(SECTORS)
    _mark(reasons, incomplete(rows))
    _mark(reasons, negative(rows))
    _among_good(reasons, rows, lambda good: implausible(good, rules.plausible, whole_economy=whole))
    _among_good(reasons, rows, overlapping)
    _among_good(reasons, rows, lambda good: short_composites(good, composites, rules.sums))
    _among_good(reasons, rows, lambda good: _of_sums(good, composites, rules.sums))
    kept = reasons == ""
    regions = len(np.unique(rows.rows(kept).region.astype(str)))
    notes["regions, too many to look for sums among them"] = regions * (regions > rules.sums.max_regions)
    notes["negative generation of idle units, taken as 0"] = int((idle & kept).sum())
    return MixReading(
        rows=rows.rows(kept),
        constant_mix=joined["constant_mix"].to_numpy(bool)[kept],
        data_tier=joined["data_tier"].to_numpy(object)[kept],
        refused=_refused(rows.rows(~kept), reasons[~kept]),
        notes={note: count for note, count in notes.items() if count},
    )


def _wide(records: pa.Table, rules: MixRules) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row a region and interval: parts a day, NaN where unknown; data_tier, constant_mix and a first reason."""
    used = records.select([name for name in USED if name != "kind"])
    long = used.to_pandas().rename(columns={"start": "start_ns", "end": "end_ns"})
    long[["start_ns", "end_ns"]] = long[["start_ns", "end_ns"]].astype("int64")
    long = long[long["value"].notna() & (long["name"].isin(SOURCES) | long["name"].isin(rules.sectors))]
    distinct = long.drop_duplicates([*_ROW, "name", "value"])
    first = distinct.drop_duplicates([*_ROW, "name"])
    rival = (
        distinct[distinct.duplicated([*_ROW, "name"])]
        .groupby(_ROW)["name"]
        .agg(lambda names: ", ".join(sorted(set(names))))
    )
    values = first.pivot_table(index=_ROW, columns="name", values="value", aggfunc="first").reindex(
        columns=list(_PARTS)
    )
    values[[name for name in SECTORS if name not in rules.sectors]] = 0.0
    tiers = first.groupby(_ROW)["data_tier"].agg(["first", "nunique"]).reindex(values.index)
    wide = values.reset_index()
    days = (wide["end_ns"] - wide["start_ns"]) / DAY_NS
    wide[list(_PARTS)] = wide[list(_PARTS)].div(days, axis=0)
    twice = rival.reindex(values.index).to_numpy(object)
    mixed = tiers["nunique"].to_numpy() > 1
    reason = np.where(mixed, "tier: real and synthetic records in one row", "").astype(object)
    reason = np.where(pd.isna(twice), reason, "doubled: different values of " + pd.Series(twice).fillna(""))
    wide = wide.assign(data_tier=tiers["first"].to_numpy(), constant_mix=False, reason=reason)
    return wide, {"said twice with equal values, counted once": len(long) - len(distinct)}


def _with_constant_mix(wide: pd.DataFrame, rules: MixRules) -> pd.DataFrame:
    """Every row that has emissions, with the mix of the longer interval around it or before it; the rest that is bad.

    A row that has energy of its own keeps it.
    """
    parts = list(SOURCES)
    emitting = wide[list(rules.sectors)].notna().any(axis=1)
    own = wide[parts].notna().any(axis=1)
    usable = wide[parts].notna().all(axis=1) & (wide["reason"] == "")
    mixes = wide.loc[usable, [*_ROW, *parts, "data_tier"]]
    mixes = mixes.assign(mix_start_ns=mixes["start_ns"])
    bare = wide[emitting & ~own].drop(columns=parts).sort_values("start_ns", kind="stable")
    found = pd.merge_asof(
        bare,
        mixes.rename(columns={"end_ns": "mix_end_ns", "data_tier": "mix_tier"}).sort_values("start_ns", kind="stable"),
        on="start_ns",
        by="region",
    )
    age_days = (found["start_ns"] - found["mix_end_ns"]) / DAY_NS
    longer = found["mix_end_ns"] - found["mix_start_ns"] >= found["end_ns"] - found["start_ns"]
    fits = longer & (
        (found["mix_end_ns"] >= found["end_ns"]) | ((age_days >= 0) & (age_days <= rules.max_mix_age_days))
    )
    found.loc[~fits, parts] = np.nan
    other_tier = fits & (found["mix_tier"] != found["data_tier"]) & (found["reason"] == "")
    found.loc[other_tier, "reason"] = "tier: real and synthetic records in one row"
    found["constant_mix"] = fits
    rest = wide[own & (emitting | ~usable)]
    return pd.concat([found[wide.columns], rest], ignore_index=True).sort_values(_ROW, ignore_index=True)


def _mix(wide: pd.DataFrame) -> MixRows:
    return MixRows(
        wide["region"].to_numpy(object),
        wide["start_ns"].to_numpy(np.int64),
        wide["end_ns"].to_numpy(np.int64),
        wide[list(SOURCES)].to_numpy(np.float64),
        wide[list(SECTORS)].to_numpy(np.float64),
    )


def _mark(reasons: Reasons, found: Reasons) -> None:
    """Gives rows without a reason the one that was found."""
    rows = np.flatnonzero((reasons == "") & (found != ""))
    reasons[rows] = found[rows]


def _among_good(reasons: Reasons, rows: MixRows, check: Callable[[MixRows], Reasons]) -> None:
    """A check of the rows that have no reason yet, against each other."""
    good = np.flatnonzero(reasons == "")
    reasons[good] = check(rows.rows(good))


def _of_sums(rows: MixRows, composites: Composites, rules: SumRules) -> Reasons:
    """(row,) why a region is refused as a whole."""
    found = undeclared_sums(rows, composites, rules)
    return np.array([found.get(str(name), "") for name in rows.region], object)


def _refused(rows: MixRows, reasons: Reasons) -> pa.Table:
    instants = [pa.array(at, START.type) for at in (rows.start_ns, rows.end_ns)]
    columns = [pa.array(rows.region, REGION.type), *instants, pa.array(reasons, pa.string())]
    return pa.Table.from_arrays(columns, schema=REFUSED_ROWS)
