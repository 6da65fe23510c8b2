"""Files of energy and emissions to rows of regions and times: what the product answers for and networks learn from.

Passes: `records` (a file a unit), `rows` (a block of regions and a calendar year a unit), `sums` (one unit: regions
that are sums of others without being declared, whose rows nobody may use).
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass, plan_unit
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.energy.readers import READERS
from carbonray.io.energy.region_sums import Composites
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.pipelines.planning import expanded, file_key, records_of, tiers_of, unit_of, unit_over
from carbonray.settings import Settings
from carbonray.stages.energy_blocks import (
    RECORDS,
    ROWS,
    FindSums,
    ReadEnergyBlock,
    ReadEnergyFile,
    with_members,
)

_log = logging.getLogger(__name__)

SECTIONS = ("energy.reading", "energy.rows", "energy.blocks")


@dataclass(frozen=True)
class RowShard:
    """The rows of a block of regions in a year.

    Attributes:
        key: BLOCK-YEAR.
        url: of the table, schema `ENERGY_ROWS`, sorted by region and start.
        sha256: of its bytes.
        bytes: how many.
        regions: that have rows in it, ascending.
        year: calendar year of the middles of its intervals, UTC.
        rows: how many.
        tier: data tiers of them.
    """

    key: str
    url: str
    sha256: str
    bytes: int
    regions: tuple[str, ...]
    year: int
    rows: int
    tier: str


@dataclass(frozen=True)
class EnergyRowStore:
    """All rows of a run.

    Attributes:
        shards: with rows, by key.
        sums: regions whose rows must be left out, with the reason: sums or copies of others that nobody declared.
        composites: regions that are declared to be sums.
        tier: all data tiers.
    """

    shards: tuple[RowShard, ...]
    sums: Mapping[str, str]
    composites: Composites
    tier: str

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region with rows that may be used, ascending."""
        return tuple(sorted({name for shard in self.shards for name in shard.regions} - self.sums.keys()))


def file_units(settings: Settings, digest: str) -> tuple[Unit, ...]:
    """A unit a file of energy or emissions, each file once; READER=GLOB names the reader of some.

    Raises:
        SettingsError: one of them is not given.
    """
    readers = named_files((*settings.inputs.energy, *settings.inputs.emissions))
    if not (settings.inputs.energy and settings.inputs.emissions):
        raise SettingsError(
            "no energy or no emissions are given",
            where="inputs.energy, inputs.emissions",
            expected="URLs or globs of electricity by source and of CO2 by sector; a file that holds both in both",
            remedy="Add --set inputs.energy=GLOB, or make regions: carbonray run world --set world.parts=[regions].",
        )
    keys = file_keys(sorted(readers))
    return tuple(
        plan_unit("records", keys[url], [url], settings_digest=digest, partition={"reader": reader})
        for url, reader in sorted(readers.items())
    )


def named_files(patterns: Sequence[str]) -> dict[str, str]:
    """Every file that some globs stand for, and the reader that is named before it; empty where none is."""
    readers: dict[str, str] = {}
    for pattern in patterns:
        word, found, rest = pattern.partition("=")
        named = word if found and word in READERS else ""
        readers.update(dict.fromkeys(expanded([rest if named else pattern]), named))
    return readers


def file_keys(urls: Sequence[str]) -> dict[str, str]:
    """A key a file: its name; where names are alike, as in `energy/2024.csv` and `emissions/2024.csv`, with folders."""
    keys = {url: file_key(url) for url in urls}
    for depth in range(2, 1 + max((url.count("/") for url in urls), default=0)):
        times = Counter(keys.values())
        ends = {url: "-".join([*url.split("/")[-depth:-1], url.rsplit("/", 1)[-1].replace(".", "-")]) for url in urls}
        keys = {url: key if times[key] == 1 else ends[url] for url, key in keys.items()}
    return keys


def prepared_rows(run: Run, settings: Settings) -> EnergyRowStore:
    """Executes the three passes and answers what they left.

    Raises:
        SettingsError: an input is not given.
    """
    recorded = run.execute(records_pass(run, settings))
    rowed = run.execute(rows_pass(run, settings, recorded))
    summed = run.execute(sums_pass(run, settings, rowed))
    run.facts["data_tier"] = ", ".join(tiers_of(rowed) or tiers_of(recorded))
    store = row_store(run, settings, rowed, summed)
    if not store.shards:
        _log.warning(
            "no region has a row of energy and emissions, see refused_rows/ for the reasons; yearly mixes meet daily "
            "emissions with energy.rows.join=constant, and energy.rows.sectors says which sectors a row needs"
        )
    return store


def records_pass(run: Run, settings: Settings) -> Pass:
    """Files to records."""
    units = file_units(settings, run.settings_digest)
    return Pass("records", units, ReadEnergyFile(settings.energy.reading), encode_object_rows)


def rows_pass(run: Run, settings: Settings, recorded: Sequence[Commit]) -> Pass:
    """Blocks of regions and years to rows."""
    rules = settings.energy
    composites = rules.blocks.known_sums()
    reader = ReadEnergyBlock(rules.rows, composites)
    years = {commit.key: _years(commit) for commit in recorded}
    names = sorted({region for by_region in years.values() for region in by_region})
    units = []
    for number, first in enumerate(range(0, len(names), rules.blocks.regions)):
        block = names[first : first + rules.blocks.regions]
        wanted = set(with_members(block, composites))
        spans = {key: {y for name in wanted & found.keys() for y in found[name]} for key, found in years.items()}
        own = {y for found in years.values() for name in found.keys() & set(block) for y in found[name]}
        for year in sorted(own):
            near = [commit for commit in recorded if _touches(spans[commit.key], year, settings)]
            inputs = {objectstore.join(run.url, r.key): r for r in records_of(near, f"{RECORDS}/")}
            part: dict[str, int | str] = {"year": year, "regions": "\n".join(block)}
            units.append(unit_of(run.settings_digest, "rows", f"{number:04d}-{year}", inputs, part))
    return Pass("rows", tuple(units), reader, encode_object_rows)


def sums_pass(run: Run, settings: Settings, rowed: Sequence[Commit]) -> Pass:
    """All rows to the regions that are sums of others, in one unit; none are looked for among too many regions."""
    rules = settings.energy
    regions = len({name for commit in rowed for name in commit.facts.get("regions", ())})
    read = records_of(rowed, f"{ROWS}/") if regions <= rules.rows.sums.max_regions else []
    rows = sum(int(commit.facts.get("rows", 0)) for commit in rowed)
    told: dict[str, int | str] = {"regions": regions, "stride_days": 1 + rows // rules.blocks.sum_rows}
    unit = unit_over(run, "sums", "sums", read, told)
    reader = FindSums(rules.blocks.known_sums(), rules.rows.sums)
    return Pass("sums", (unit,), reader, encode_object_rows, on_driver=True)


def row_store(run: Run, settings: Settings, rowed: Sequence[Commit], summed: Sequence[Commit]) -> EnergyRowStore:
    """What the passes left, from their commits."""
    shards = [
        _shard(commit, record, run.url)
        for commit in sorted(rowed, key=lambda commit: commit.key)
        for record in records_of([commit], f"{ROWS}/")
        if commit.facts.get("rows")
    ]
    sums = {name: reason for commit in summed for name, reason in commit.facts.get("sums", {}).items()}
    return EnergyRowStore(tuple(shards), sums, settings.energy.blocks.known_sums(), ", ".join(tiers_of(rowed)))


def _shard(commit: Commit, record: ObjectRecord, run_url: str) -> RowShard:
    told = commit.facts
    return RowShard(
        key=commit.key,
        url=objectstore.join(run_url, record.key),
        sha256=record.sha256,
        bytes=record.bytes,
        regions=tuple(told["regions"]),
        year=int(commit.key.rsplit("-", 1)[1]),
        rows=told["rows"],
        tier=told["data_tier"],
    )


def _years(commit: Commit) -> Mapping[str, Sequence[int]]:
    found: Mapping[str, Sequence[int]] = commit.facts.get("years", {})
    return found


def _touches(years: set[int], year: int, settings: Settings) -> bool:
    """Whether a file may hold intervals that a year's rows need: its own, those across a border, older mixes."""
    rules = settings.energy.rows
    back = 1 + (int(rules.max_mix_age_days // 365) + 1 if rules.join == "constant" else 0)
    return any(year - back <= other <= year + 1 for other in years)
