"""Which reported generation belongs to an image, and which pairs of image and record teach nothing.

Source: plume paper section 3.3 and appendix A.4, SCIENCE 4.3. Times are UTC int64 ns; a record is an interval
[start, end) of one plant. The record that an image falls into is the nearest; else the last one that ended, if it ended
within the hour before the image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carbonray.science.power.plant_series import last_rows
from carbonray.science.power.selection import Bools, Broken, Verdict, verdict
from carbonray.science.spatial.geodesy import HOUR_NS

SECOND_NS = 1_000_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelRules:
    """What a label may be.

    Attributes:
        on_above: capacity factor above which a plant is on [paper].
        max_age_s: a record must have ended at most so long before the image [paper: within the hour].
        max_interval_s: longer records (a day's, a year's) do not tell the moment [paper: hourly or more frequent].
        zero_s: vapor at a plant whose generation has been zero for so long is an error of report [paper: an hour].
        max_capacity_factor: above it generation and capacity do not belong together (inferred); up to it, clipped to 1.
        min_capacity_factor: below it net generation is an error (inferred); down to it, clipped to 0.
        drop_silent: whether a running plant that a person saw without vapor is dropped [paper: a handful was].
    """

    on_above: float = 0.05
    max_age_s: float = 3600.0
    max_interval_s: float = 3600.0
    zero_s: float = 3600.0
    max_capacity_factor: float = 1.5
    min_capacity_factor: float = -0.2
    drop_silent: bool = True


@dataclass(frozen=True)
class Records:
    """Generation of plants in intervals, ordered by plant, then start, without overlap.

    Attributes:
        plant: (r,) int64 number of the plant.
        start_utc_ns, end_utc_ns: (r,) int64.
        generation_mwh: (r,) NaN where not reported.
        capacity_mw: (r,) on the date, NaN where unknown.
    """

    plant: Ints
    start_utc_ns: Ints
    end_utc_ns: Ints
    generation_mwh: Floats
    capacity_mw: Floats

    def capacity_factor(self) -> Floats:
        """(r,) not clipped, NaN where unknown."""
        most = self.capacity_mw * (self.end_utc_ns - self.start_utc_ns) / HOUR_NS
        factor: Floats = np.divide(self.generation_mwh, most, out=np.full(len(most), np.nan), where=most > 0)
        return factor


@dataclass(frozen=True)
class Matched:
    """The record of each image.

    Attributes:
        record: (n,) index, -1 where there is none.
        age_s: (n,) from the record's end to the image: negative inside the record, NaN where there is none.
        zero_s: (n,) how long generation had been zero without a gap when the record ended, 0 where it was not.
    """

    record: Ints
    age_s: Floats
    zero_s: Floats


def match_records(records: Records, plant: ArrayLike, time_utc_ns: ArrayLike) -> Matched:
    """The record of its plant that started last before or at each image, however old."""
    of, time = np.asarray(plant, np.int64), np.asarray(time_utc_ns, np.int64)
    if not len(records.plant):
        return Matched(np.full(len(of), -1), np.full(len(of), np.nan), np.zeros(len(of)))
    found = last_rows(records.plant, records.start_utc_ns, of, time)
    age = (time - records.end_utc_ns[found]) / SECOND_NS
    return Matched(found, np.where(found >= 0, age, np.nan), np.where(found >= 0, _zero_run_s(records)[found], 0.0))


def label_verdict(records: Records, matched: Matched, vapor_seen: ArrayLike, rules: LabelRules) -> Verdict:
    """Rejects images whose record is missing, too old, too long, unknown, implausible or contradicted by the eye.

    Args:
        records: what was reported.
        matched: (n,) the record of each image.
        vapor_seen: (n,) 1 or 0 where a person looked at the image, NaN where none did.
        rules: the limits.
    """
    at, seen = matched.record, np.asarray(vapor_seen, np.float64)
    length = np.append(records.end_utc_ns - records.start_utc_ns, 0)[at] / SECOND_NS
    factor = np.append(records.capacity_factor(), np.nan)[at]
    low, high = rules.min_capacity_factor, rules.max_capacity_factor
    silent = rules.drop_silent & (seen == 0) & (factor > rules.on_above)
    return verdict(
        len(at),
        [
            Broken("no record", at < 0, lambda _row: "no generation is reported before the image"),
            Broken(
                "record too old",
                matched.age_s > rules.max_age_s,
                lambda row: f"ended {matched.age_s[row]:.0f} s before the image (limit {rules.max_age_s:g} s)",
            ),
            Broken(
                "record too long",
                length > rules.max_interval_s,
                lambda row: f"covers {length[row]:.0f} s (limit {rules.max_interval_s:g} s)",
            ),
            Broken("generation unknown", np.isnan(factor), lambda _row: "no generation or no capacity on the date"),
            Broken(
                "implausible capacity factor",
                (factor > high) | (factor < low),
                lambda row: f"{factor[row]:.2f} (limits {low:g} and {high:g})",
            ),
            Broken(
                "vapor while off",
                (seen == 1) & (matched.zero_s >= rules.zero_s),
                lambda row: f"vapor is seen, generation has been zero for {matched.zero_s[row] / 3600:.1f} h",
            ),
            Broken("no vapor while on", silent, lambda row: f"no vapor is seen at capacity factor {factor[row]:.2f}"),
        ],
    )


def clipped(factor: ArrayLike) -> Floats:
    """Capacity factor in 0..1, NaN stays NaN (SCIENCE 4.3)."""
    return np.clip(np.asarray(factor, np.float64), 0.0, 1.0)


def is_on(factor: ArrayLike, rules: LabelRules) -> Bools:
    """Whether the plant runs: capacity factor above the limit, 5 %."""
    return np.asarray(np.asarray(factor, np.float64) > rules.on_above, np.bool_)


def _zero_run_s(records: Records) -> Floats:
    """(r,) seconds for which generation had been zero (or negative) up to the end of each record, without a gap."""
    zero = records.generation_mwh <= 0
    joins = np.zeros(len(zero), np.bool_)
    joins[1:] = (
        zero[1:]
        & zero[:-1]
        & (records.plant[1:] == records.plant[:-1])
        & (records.start_utc_ns[1:] == records.end_utc_ns[:-1])
    )
    begun = np.maximum.accumulate(np.where(joins, 0, np.arange(len(zero))))
    return np.where(zero, (records.end_utc_ns - records.start_utc_ns[begun]) / SECOND_NS, 0.0)
