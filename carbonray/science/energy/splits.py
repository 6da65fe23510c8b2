"""Who teaches and who tests among rows of regions: rows at random, a region left out, or blocks of calendar time.

Source: SCIENCE 2.5 (both protocols; synthesised countries only from regions and dates that teach) and 2.6 (a sum of
regions leaks its members; neighbouring days are near copies). Shares, who validates, blocks and embargo are inferred.
A composite is a region that is a sum of others; two regions overlap where one is, or holds, a part of the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.energy.mix import MixRows, stacked
from carbonray.science.energy.synthesis import SynthesisRules, is_synthesised, synthesised
from carbonray.science.spatial.folds import rotation

Ints = NDArray[np.int64]
Roles = NDArray[np.int8]
Composites = Mapping[str, Sequence[str]]  # region -> the regions it is the sum of

UNUSED, TRAIN, VALIDATE, TEST = -1, 0, 1, 2
DAY_NS = 86_400_000_000_000
PAPER_TURN = "random"  # the one turn of the paper's protocol
CALENDAR = {"months": "datetime64[M]", "years": "datetime64[Y]"}


@dataclass(frozen=True)
class EnergySplitRules:
    """How rows are divided (inferred but for the protocols).

    Attributes:
        protocol: 'paper' (every row for itself, at random), 'region' (one left out) or 'time' (runs of blocks).
        test_share: of all rows, at random.
        validate_share: of the rows, or of the regions, that do not test; at least one region.
        blocks: what is never split in time: calendar 'months' or 'years', UTC.
        folds: runs of consecutive blocks; each tests once and the next, around the circle, validates.
        embargo_days: least time between a row that teaches and one that judges.
        seed: of the random division.
    """

    protocol: Literal["paper", "region", "time"] = "region"
    test_share: float = 0.2
    validate_share: float = 0.25
    blocks: Literal["months", "years"] = "months"
    folds: int = 5
    embargo_days: float = 7.0
    seed: int = 42


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows with what each is for.

    Attributes:
        rows: real rows, then those of synthesised countries.
        role: (row,) TRAIN, VALIDATE, TEST or UNUSED.
    """

    rows: MixRows
    role: Roles

    def of(self, role: int) -> MixRows:
        """The rows of one role."""
        return self.rows.rows(self.role == role)


def turns(rows: MixRows, rules: EnergySplitRules) -> tuple[str, ...]:
    """What is tested on in turn: 'random' once, each region by name, or each run as 'first..last block'.

    Raises:
        ValueError: there is no such protocol, or time has fewer blocks than runs.
    """
    if rules.protocol == "paper":
        return (PAPER_TURN,)
    if rules.protocol == "region":
        return tuple(sorted({str(region) for region in rows.region}))
    if rules.protocol == "time":
        return tuple(f"{run[0]}..{run[-1]}" for run in _runs(_blocks(rows, rules), rules))
    raise ValueError(f"rows by {rules.protocol!r}: expected 'paper', 'region' or 'time'")


def roles(rows: MixRows, turn: str, rules: EnergySplitRules, composites: Composites) -> Roles:
    """(row,) role of each row in a turn, the same for the same rows in any order.

    Args:
        rows: real ones; synthesised countries only in the paper's protocol, which does not tell them apart.
        turn: one of `turns`.
        rules: how they are divided.
        composites: which regions are sums of others.

    Raises:
        ValueError: there is no such turn, rows are synthesised without being the paper's, or too few regions are left.
    """
    if turn not in turns(rows, rules):
        raise ValueError(
            f"turn {turn!r} of protocol {rules.protocol!r}: expected one of {', '.join(turns(rows, rules))}"
        )
    if rules.protocol == "paper":
        return _random_roles(rows, rules)
    if is_synthesised(rows.region).any():
        raise ValueError(f"synthesised rows by {rules.protocol}: expected real ones, their role follows from these")
    if rules.protocol == "region":
        return _region_roles(rows.region, turn, rules, composites)
    return _time_roles(rows, turns(rows, rules).index(turn), rules)


def sample(
    rows: MixRows, turn: str, rules: EnergySplitRules, synthesis: SynthesisRules, composites: Composites
) -> Sample:
    """Real rows and synthesised countries, with roles.

    As in the paper: countries are made of all rows, and all are divided together, so that a copy of what tests may
    teach. Otherwise: they are made only of rows that teach, and teach.

    Args:
        rows: real ones.
        turn: one of `turns`.
        rules: how they are divided.
        synthesis: how many countries, and of what.
        composites: which regions are sums of others.

    Raises:
        ValueError: as `roles`, and `synthesis.synthesised`.
    """
    if rules.protocol == "paper":
        every = stacked([rows, synthesised(rows, synthesis)])
        return Sample(every, roles(every, turn, rules, composites))
    role = roles(rows, turn, rules, composites)
    made = synthesised(rows.rows(role == TRAIN), synthesis)
    return Sample(stacked([rows, made]), np.concatenate([role, np.full(len(made), TRAIN, np.int8)]))


def overlap(region: str, other: str, composites: Composites) -> bool:
    """Whether two regions have a region in common: they are the same, or one is a sum that the other is in."""
    return not _members(region, composites).isdisjoint(_members(other, composites))


def _members(region: str, composites: Composites) -> set[str]:
    """A region and, if it is a sum, all that are in it."""
    return {region}.union(*(_members(member, composites) for member in composites.get(region, ())))


def _random_roles(rows: MixRows, rules: EnergySplitRules) -> Roles:
    drawn = np.random.default_rng(rules.seed).permutation(len(rows))
    rank = np.empty(len(rows), np.int64)
    rank[np.lexsort((rows.end_ns, rows.start_ns, rows.region.astype(str)))] = drawn
    tests = round(len(rows) * rules.test_share)
    validates = round((len(rows) - tests) * rules.validate_share)
    return np.where(rank < tests, TEST, np.where(rank < tests + validates, VALIDATE, TRAIN)).astype(np.int8)


def _region_roles(region: ArrayLike, test: str, rules: EnergySplitRules, composites: Composites) -> Roles:
    """Those after the region that tests, by name, validate; whatever overlaps one that judges does not teach.

    A sum of regions that are there never validates: it would take all of them from those that teach.
    """
    named = np.asarray(region, object)
    names = sorted({str(name) for name in named})
    after = names[names.index(test) + 1 :] + names[: names.index(test)]
    apart = [name for name in after if not overlap(name, test, composites)]
    able = [name for name in apart if not set(composites.get(name, ())) & set(names)]
    validates = able[: max(round(len(apart) * rules.validate_share), 1)]
    teaches = [name for name in apart if not any(overlap(name, other, composites) for other in validates)]
    if not validates or not teaches:
        raise ValueError(f"{test!r} left out of {len(names)} regions: too few others to teach and to validate")
    role_of = {test: TEST, **dict.fromkeys(validates, VALIDATE), **dict.fromkeys(teaches, TRAIN)}
    return np.array([role_of.get(str(name), UNUSED) for name in named], np.int8)


def _time_roles(rows: MixRows, test: int, rules: EnergySplitRules) -> Roles:
    """Roles by runs of blocks; rows that teach keep off those that judge, rows that validate off those that test."""
    blocks = _blocks(rows, rules)
    runs = _runs(blocks, rules)
    turn = rotation(test, rules.folds)
    role = np.full(len(rows), TRAIN, np.int8)
    role[np.isin(blocks, runs[turn.val])] = VALIDATE
    role[np.isin(blocks, runs[turn.test])] = TEST
    dealt = role.copy()
    for name, keeps_off in ((TRAIN, (VALIDATE, TEST)), (VALIDATE, (TEST,))):
        judge = rows.rows(np.isin(dealt, keeps_off))
        near = _near(rows, judge, round(rules.embargo_days * DAY_NS))
        role[(dealt == name) & near] = UNUSED
    return role


def _blocks(rows: MixRows, rules: EnergySplitRules) -> NDArray[np.datetime64]:
    """(row,) calendar block of the middle of each interval, so that a local day or month is in its own."""
    middle = rows.start_ns + (rows.end_ns - rows.start_ns) // 2
    return middle.astype("datetime64[ns]").astype(CALENDAR[rules.blocks])


def _runs(blocks: NDArray[np.datetime64], rules: EnergySplitRules) -> list[NDArray[np.datetime64]]:
    """The blocks that there are, in runs of as equal a number as can be."""
    there = np.unique(blocks)
    if len(there) < rules.folds:
        raise ValueError(f"{len(there)} {rules.blocks} in {rules.folds} runs: expected a block for each")
    return np.array_split(there, rules.folds)


def _near(rows: MixRows, judge: MixRows, embargo_ns: int) -> NDArray[np.bool_]:
    """(row,) whether less than the embargo lies between a row and any that judges, or they overlap."""
    order = np.argsort(judge.start_ns, kind="stable")
    starts, ends = judge.start_ns[order], np.maximum.accumulate(judge.end_ns[order])
    before = np.searchsorted(starts, rows.end_ns + embargo_ns, side="left")  # that begin early enough to be near
    latest = np.concatenate([[np.iinfo(np.int64).min], ends])[before]
    return np.asarray(latest > rows.start_ns - embargo_ns, np.bool_)
