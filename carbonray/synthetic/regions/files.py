"""The synthetic regions as files like the real ones: daily emissions, daily electricity, and the truth with ceilings.

Source: SCIENCE 2.2, 2.8; the layouts of Carbon Monitor (country, date as dd/mm/yyyy, sector, Mt CO2 a day, a mark of
byte order, footers, the world and its rest, a composite) and of Carbon Monitor-Power (GWh a day by source). Files are
(name, bytes), the name relative to the place of all regions; the bytes hold no clock and no path, so equal rules give
equal files. Data tiers never share a file.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.contract import Reading, Unit, object_rows
from carbonray.synthetic.regions.ceiling import KNOWERS, TOLD, CeilingRules, known_ceilings, unseen_ceilings
from carbonray.synthetic.regions.draws import Days, Floats
from carbonray.synthetic.regions.reports import ReportRules, release_day, reported
from carbonray.synthetic.regions.world import (
    REST,
    UNION,
    UNION_SIZE,
    Region,
    RegionRules,
    RegionSeries,
    drawn_series,
    regions_of,
    rest_of_world,
    union_series,
)
from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.energy import SECTORS, SOURCES
from carbonray.vocab.energy_tables import ENERGY_ROWS

File = tuple[str, bytes]
TIERS = ("SYNTHETIC-T1", "SYNTHETIC-T2")
WORLD = "WORLD"
_NO_MIX = (REST, WORLD)
KINDS = ("emissions", "energy", "superseded", "truth")
_DAY_NS = 86_400_000_000_000
_T_PER_MT = 1e6
_WHO = {"known": "who knows the region", "unseen": "who knows how regions are drawn"}
_WHAT = {"mix": "the mix", "mix_total": "the mix and its total"}

# one row a day of a region, sorted; ceilings of the union by one who does not know it are unknown
REGION_TRUTH = pa.schema(
    [
        *(field for field in ENERGY_ROWS if field.name not in ("constant_mix", "data_tier")),
        column("energy_gwh", pa.float64(), "GWh/d", "electricity a day, the sum of the sources"),
        column("emissions_t_co2", pa.float64(), "t/d", "CO2 a day, the sum of the sectors"),
        *(
            column(
                f"{who}_{told}_{name}", pa.float64(), "1", f"ln {unit}, mean for one {_WHO[who]}, given {_WHAT[told]}"
            )
            for who in KNOWERS
            for told in TOLD
            for name, unit in (("ln_t_co2", "t CO2 a day"), ("ln_gwh", "GWh a day"))
        ),
        DATA_TIER,
    ]
)


@dataclass(frozen=True)
class MakeRegions:
    """Reader of one part of the regions, whose rows are ready objects.

    Attributes:
        regions: their rules.
        reports: how they are reported.
        ceiling: how many draws ceilings are made from.
    """

    regions: RegionRules
    reports: ReportRules
    ceiling: CeilingRules

    def __call__(self, unit: Unit) -> Reading:
        """A table of a tier (`kind` emissions, energy or superseded, `tier`), or a region's truth (`region`)."""
        part = unit.partition
        if part["kind"] == "truth":
            file, tier = truth_file(self.regions, self.ceiling, str(part["region"]))
        else:
            tier = str(part["tier"])
            file = daily_file(self.regions, self.reports, str(part["kind"]), tier)
        return Reading(object_rows(dict([file])), {"read": 1, "kept": 1, "quarantined": 0}, facts={"data_tier": tier})


def region_parts(rules: RegionRules) -> list[dict[str, str]]:
    """Every part that `MakeRegions` makes, in order."""
    names = [region.name for region in regions_of(rules)] + [UNION]
    tiers = TIERS if rules.shift else TIERS[:1]
    tables = [{"kind": kind, "tier": tier} for kind in KINDS[:2] for tier in tiers]
    tables += [{"kind": "superseded", "tier": TIERS[0]}]
    return tables + [{"kind": "truth", "region": name} for name in names]


def daily_file(rules: RegionRules, reports: ReportRules, kind: str, tier: str) -> File:
    """The daily table of a tier: emissions by sector, those of the release before the last, or electricity by source.

    All end with a footer that names their tier. The first tier's emissions have the mark of byte order, the second's
    empty lines at their end, and each of them another name for the amount, so that readers meet all of it.
    """
    released = release_day(reports, rules.span, earlier=kind == "superseded")
    told = _told(rules, reports, tier, released)
    name = tier.rsplit("-", 1)[-1].lower()
    if kind == "energy":
        rows = (_lines(each.name, each.days, each.energy, SOURCES) for each in told if each.name not in _NO_MIX)
        tail = _footer(tier, "GWh")
        return f"energy/power_mix_{name}.csv", "".join(["country,date,sector,value\n", *rows, tail]).encode()
    rows = (_lines(each.name, each.days, each.emissions / _T_PER_MT, SECTORS) for each in told)
    last_of_all = tier == TIERS[0] and kind == "emissions"
    head = "\ufeffcountry,date,sector,value\n" if last_of_all else "country,date,sector,MtCO2 per day\n"
    tail = _footer(tier, "Mt CO2 per day") + ("" if last_of_all else "\n\n")
    return f"{kind}/carbon_monitor_{name}.csv", "".join([head, *rows, tail]).encode()


def truth_file(rules: RegionRules, ceiling: CeilingRules, name: str) -> tuple[File, str]:
    """What is true of a region's days, with what could be known of them; and its data tier."""
    regions = regions_of(rules)
    mine = regions[:UNION_SIZE] if name == UNION else tuple(each for each in regions if each.name == name)
    parts = tuple(drawn_series(rules, each, rules.span) for each in mine)
    series = union_series(parts) if name == UNION else parts[0]
    ceilings = known_ceilings(rules, ceiling, mine, series)
    if name != UNION:  # no union is drawn as regions are
        ceilings |= unseen_ceilings(rules, ceiling, mine[0].kind, series)
    buffer = io.BytesIO()
    pq.write_table(truth_table(series, ceilings, mine[0].tier), buffer, compression="zstd")
    return (f"truth/{name.lower().replace(' ', '_')}.parquet", buffer.getvalue()), mine[0].tier


def truth_table(series: RegionSeries, ceilings: dict[str, Floats], tier: str) -> pa.Table:
    """The days of a region and their ceilings, NaN where there is none; schema `REGION_TRUTH`."""
    count = series.days.size
    values = {
        "region": [series.name] * count,
        "start": series.days * _DAY_NS,
        "end": (series.days + 1) * _DAY_NS,
        **{f"{name}_gwh": each for name, each in zip(SOURCES, series.energy.T, strict=True)},
        **{f"{name}_t_co2": each for name, each in zip(SECTORS, series.emissions.T, strict=True)},
        "energy_gwh": series.energy.sum(axis=1),
        "emissions_t_co2": series.emissions.sum(axis=1),
        "data_tier": [tier] * count,
    }
    arrays = [
        pa.array(values[field.name] if field.name in values else ceilings.get(field.name, np.full(count, np.nan)))
        for field in REGION_TRUTH
    ]
    return pa.table([array.cast(field.type) for array, field in zip(arrays, REGION_TRUTH, strict=True)], REGION_TRUTH)


def _told(rules: RegionRules, reports: ReportRules, tier: str, released: int) -> Iterator[RegionSeries]:
    """What is reported of each region of a tier, the rest of the world first, then sums of what was reported."""

    def of(region: Region) -> RegionSeries:
        return reported(reports, rules.seed, region, drawn_series(rules, region, rules.span), released)

    regions = [region for region in regions_of(rules) if region.tier == tier]
    if tier != TIERS[0]:
        yield from map(of, regions)
        return
    world = of(rest_of_world())
    parts: list[RegionSeries] = []
    yield world
    for region in regions:
        each = of(region)
        parts = [*parts, each][:UNION_SIZE]
        world = union_series((world, each), WORLD)
        yield each
    yield union_series(tuple(parts))
    yield world


def _footer(tier: str, unit: str) -> str:
    """The last line, which readers of the file know its data tier by."""
    return f"\nSynthetic regions of tier {tier}. Unit: {unit}\n"


def _lines(region: str, days: Days, amounts: Floats, names: tuple[str, ...]) -> str:
    """A line a day and part, six digits as Carbon Monitor has them."""
    dates = np.repeat(days.astype("datetime64[D]").astype(object), len(names))
    parts = [name.replace("_", " ").title() for name in names] * days.size
    return "".join(
        f"{region},{date:%d/%m/%Y},{part},{amount:.6g}\n"
        for date, part, amount in zip(dates, parts, amounts.ravel().tolist(), strict=True)
    )
