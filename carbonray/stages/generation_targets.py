"""Reported generation as what generation models are fitted to and judged by: means of 30 days, and overpasses' truth.

Sources: SCIENCE 4.6 (the target: mean hourly capacity factor of the 30 days that end with a day), 4.10 (true capacity
factors at overpass), plume paper section 3.6. Plants are read one after the other:
`reported_days(reported_by_plant(urls, plants), units, soundings)`, then for each structure kind
`labelled_soundings(kind, pairs, soundings, folds, reported)`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.io.table_store import read_rows, words_in
from carbonray.science.power.capacity_factor import WINDOW_DAYS, running_mean
from carbonray.science.power.label_rules import LabelRules, Records, clipped, match_records
from carbonray.science.power.lookback import ModelPair
from carbonray.science.spatial.geodesy import DAY_NS, HOUR_NS
from carbonray.stages.generation_folds import LabelledSoundings
from carbonray.stages.plant_generation import plant_records
from carbonray.vocab.columns import column
from carbonray.vocab.plant_tables import REPORTED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_IMAGE = ("plant_id", "imager", "image_id")
# what `generation_folds.oracle_table` reads
OVERPASSES = pa.schema(
    [
        column("plant_id", pa.string(), "1", "minted id of the power station"),
        column("imager", pa.string(), "1", "key of `vocab.sensors.IMAGERS`"),
        column("image_id", pa.string(), "1", "the acquisition as its provider names it"),
        column("capacity_factor", pa.float64(), "1", "reported at the overpass, 0 to 1, NaN where nothing was"),
    ]
)


@dataclass(frozen=True)
class TargetRules:
    """Which reports make a 30-day mean.

    Attributes:
        least_coverage: share of the window's hours that must be known (inferred).
        max_interval_h: longer records tell neither of a moment nor of 30 days (inferred: a local day, 25 h long when
            summer time ends).
    """

    least_coverage: float = 0.8
    max_interval_h: float = 25.0


@dataclass(frozen=True)
class ReportedDays:
    """What was reported of many plants.

    Attributes:
        plants: ids, which `plant` counts in.
        plant: (row,) whose mean.
        day: (row,) days since 1970-01-01, at whose end the 30 days end.
        mean: (row,) mean capacity factor, 0 to 1; days of less coverage have no row.
        overpasses: schema `OVERPASSES`, every image asked for once.
    """

    plants: tuple[str, ...]
    plant: Ints
    day: Ints
    mean: Floats
    overpasses: pa.Table

    def of(self, plants: Sequence[str]) -> tuple[Ints, Ints, Floats]:
        """Position in `plants`, day and mean of the rows of these plants."""
        place = {name: number for number, name in enumerate(plants)}
        position = np.array([place.get(name, -1) for name in self.plants], np.int64)[self.plant]
        kept = position >= 0
        return position[kept], self.day[kept], self.mean[kept]


def labelled_soundings(
    structure_kind: str,
    pairs: Sequence[ModelPair],
    soundings: pa.Table,
    folds: Mapping[str, int],
    reported: ReportedDays,
) -> LabelledSoundings:
    """What generation models of a structure kind are fitted with: every plant that has soundings of it and reports.

    Args:
        structure_kind: NDT or FGD.
        pairs: its sounding models.
        soundings: schema `SOUNDINGS`, of any kinds and instances.
        folds: plant -> fold; plants without one are neither fitted to nor judged.
        reported: means and overpasses, `reported_days`.
    """
    own = soundings.filter(pc.equal(soundings.column("structure_kind"), structure_kind))
    told = set(pc.unique(own.column("plant_id")).to_pylist()) & set(reported.plants)
    plants = tuple(sorted(told))
    plant, day, mean = reported.of(plants)
    return LabelledSoundings(structure_kind, tuple(pairs), own, dict(folds), plants, plant, day, mean)


def reported_days(
    reported: Iterable[pa.Table],
    units: pa.Table,
    images: pa.Table | None = None,
    rules: TargetRules | None = None,
    labels: LabelRules | None = None,
) -> ReportedDays:
    """Means of 30 days and overpasses' truth, one table of reports at a time.

    Args:
        reported: tables of schema `REPORTED`, each with all rows of its plants (`read_by_plant`).
        units: schema `UNITS`, of all plants.
        images: a table with `plant_id`, `imager`, `image_id` and `time_utc_ns`, such as `SOUNDINGS`; an image may have
            many rows.
        rules: what makes a mean.
        labels: which capacity factors are implausible, and how old the record of an overpass may be.

    Raises:
        DataError: records of a plant overlap.
    """
    how, asked = (rules or TargetRules(), labels or LabelRules()), _images(images)
    found = [_of_plants(table, units, asked, *how) for table in reported]
    names = [name for part in found for name in part.plants]
    offset = np.cumsum([0, *(len(part.plants) for part in found)])
    rows = [(part.plant + int(start), part.day, part.mean) for part, start in zip(found, offset, strict=False)]
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)] if rows else [np.zeros(0)] * 3
    overpasses = pa.concat_tables([OVERPASSES.empty_table(), *(part.overpasses for part in found)])
    plant, day = (columns[at].astype(np.int64) for at in (0, 1))
    return ReportedDays(tuple(names), plant, day, columns[2].astype(np.float64), overpasses)


def reported_by_plant(urls: Iterable[str], plants: Collection[str]) -> Iterator[pa.Table]:
    """Every plant's reports, schema `REPORTED`: `read_by_plant`."""
    return read_by_plant(urls, plants, REPORTED)


def read_by_plant(urls: Iterable[str], plants: Collection[str], schema: pa.Schema) -> Iterator[pa.Table]:
    """Every plant's rows of some tables, one plant in memory at a time, in the order of their ids.

    Args:
        urls: tables sorted by plant; a plant may be in several.
        plants: ids; those in no table give nothing.
        schema: of the tables: `REPORTED` or `PLANT_WEATHER`.

    Raises:
        DataError: a table is damaged.
        TransportError: it could not be moved.
    """
    holders: dict[str, list[str]] = {}
    for url in sorted(urls):
        with objectstore.opened(url) as file:
            for name in words_in(file, "plant_id") & set(plants):
                holders.setdefault(name, []).append(url)
    for name in sorted(holders):
        parts = []
        for url in holders[name]:
            with objectstore.opened(url) as file:
                parts.append(read_rows(file, "plant_id", name, schema))
        yield pa.concat_tables(parts)


def _images(images: pa.Table | None) -> pa.Table:
    """Every image once, with its time."""
    if images is None:
        empty = {name: pa.array([], pa.string()) for name in _IMAGE}
        return pa.table({**empty, "time_utc_ns": pa.array([], pa.int64())})
    return images.group_by(list(_IMAGE)).aggregate([("time_utc_ns", "min")]).rename_columns([*_IMAGE, "time_utc_ns"])


def _of_plants(
    reported: pa.Table, units: pa.Table, images: pa.Table, rules: TargetRules, labels: LabelRules
) -> ReportedDays:
    generation = plant_records(reported, units)
    names = tuple(map(str, generation.plant_id))
    factor = _believed(generation.records, labels)
    parts = [_means(generation.records, factor, number, name, rules) for number, name in enumerate(names)]
    own = images.filter(pc.is_in(images.column("plant_id"), value_set=pa.array(names, pa.string())))
    plant = generation.number_of(own.column("plant_id").to_numpy(zero_copy_only=False))
    matched = match_records(generation.records, plant, own.column("time_utc_ns").to_numpy())
    late = ~(matched.age_s <= labels.max_age_s)
    at = np.where(late, -1, matched.record)
    length = np.append(generation.records.end_utc_ns - generation.records.start_utc_ns, 0)[at]
    truth = np.where(length > rules.max_interval_h * HOUR_NS, np.nan, np.append(factor, np.nan)[at])
    overpasses = own.select(list(_IMAGE)).append_column("capacity_factor", pa.array(truth.astype(np.float64)))
    return ReportedDays(
        names,
        np.repeat(np.arange(len(names)), [len(day) for day, _ in parts]).astype(np.int64),
        np.concatenate([np.zeros(0, np.int64), *(day for day, _ in parts)]),
        np.concatenate([np.zeros(0), *(mean for _, mean in parts)]),
        pa.Table.from_arrays(overpasses.columns, schema=OVERPASSES),
    )


def _believed(records: Records, labels: LabelRules) -> Floats:
    """(r,) capacity factors, NaN where generation and capacity cannot belong together."""
    factor = records.capacity_factor()
    inside = (factor >= labels.min_capacity_factor) & (factor <= labels.max_capacity_factor)
    return np.where(inside, clipped(factor), np.nan)


def _means(records: Records, factor: Floats, plant: int, name: str, rules: TargetRules) -> tuple[Ints, Floats]:
    """Days and means of one plant."""
    own = np.flatnonzero((records.plant == plant) & np.isfinite(factor))
    start, end = records.start_utc_ns[own], records.end_utc_ns[own]
    short = end - start <= rules.max_interval_h * HOUR_NS
    start, end, own = start[short], end[short], own[short]
    if not len(own):
        return np.zeros(0, np.int64), np.zeros(0)
    day = np.arange(start[0] // DAY_NS, end[-1] // DAY_NS + WINDOW_DAYS, dtype=np.int64)
    try:
        found = running_mean(start, end, factor[own], day)
    except ValueError as error:
        raise DataError(
            f"{error}",
            where=f"reported generation of {name}",
            expected="every hour reported once",
            remedy="Give one file of each source and period.",
        ) from error
    kept = np.isfinite(found.capacity_factor) & (found.coverage >= rules.least_coverage)
    return day[kept], found.capacity_factor[kept]
