"""The tables of energy and emissions of regions, as Arrow schemas: what publishers say, and one row a region and time.

Source: SCIENCE 2.2. Times are UTC intervals [start, end); a part of a mix that is not known is NaN.
"""

import pyarrow as pa

from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.energy import SECTORS, SOURCES

REGION = column("region", pa.string(), "1", "name of a region, as the first publisher of its emissions writes it")
START = column("start", pa.timestamp("ns", "UTC"), "1", "begin of the interval")
END = column("end", pa.timestamp("ns", "UTC"), "1", "end of the interval, not in it")

# what publishers say: an amount a row
ENERGY_RECORDS = pa.schema(
    [
        REGION,
        START,
        END,
        column("kind", pa.string(), "1", "'energy' by source or 'emissions' by sector"),
        column("name", pa.string(), "1", "the source or the sector"),
        column("value", pa.float64(), "1", "GWh or t CO2 in the whole interval, as `unit` says"),
        column("unit", pa.string(), "1", "'GWh' or 't CO2'"),
        column("publisher", pa.string(), "1", "who says so"),
        column("file", pa.string(), "1", "name of the file"),
        column("file_sha256", pa.string(), "1", "of the file"),
        DATA_TIER,
    ]
)


def _parts(names: tuple[str, ...], suffix: str, units: str, what: str) -> list[pa.Field]:
    return [column(f"{name}_{suffix}", pa.float64(), units, f"{what} of {name.replace('_', ' ')}") for name in names]


# one row a region and interval, amounts a day
ENERGY_ROWS = pa.schema(
    [
        REGION,
        START,
        END,
        *_parts(SOURCES, "gwh", "GWh/d", "electricity a day"),
        *_parts(SECTORS, "t_co2", "t/d", "CO2 a day"),
        column("constant_mix", pa.bool_(), "1", "whether the mix is that of a longer time than the emissions"),
        DATA_TIER,
    ]
)


def _answer(side: str, name: str, units: str, what: str) -> list[pa.Field]:
    """An answered total, its interval, what it was before the scenario, and the peer beside it."""
    return [
        column(name, pa.float64(), units, f"answered {what} a day; NaN where nothing is told, or where refused"),
        column(f"{name}_p05", pa.float64(), units, "lower end of the interval, NaN where too few regions judge it"),
        column(f"{name}_p95", pa.float64(), units, "upper end of it"),
        column(f"factual_{name}", pa.float64(), units, "the answer without the scenario"),
        column(f"factor_{name}", pa.float64(), units, "what emission factors say, beside"),
        column(f"{side}_change_percent", pa.float64(), "percent", "of the answer, against the one without"),
        column(f"{side}_ln_spread", pa.float64(), "1", "standard deviation of ln over the instances that answer"),
        column(f"{side}_outside", pa.float64(), "1", "least distance of the told mix from those that taught"),
        column(f"{side}_extrapolates", pa.bool_(), "1", "whether that is farther than a new region would be"),
    ]


SCENARIO = column("scenario", pa.string(), "1", "name of the what-if, 'factual' for none")
TOLD = (
    *_parts(SOURCES, "gwh", "GWh/d", "told electricity a day"),
    *_parts(SECTORS, "t_co2", "t/d", "told CO2 a day"),
)

# one row a region, interval and scenario; amounts a day
ENERGY_ANSWERS = pa.schema(
    [
        REGION,
        SCENARIO,
        START,
        END,
        *TOLD,
        column("told_energy_gwh", pa.float64(), "GWh/d", "electricity a day, as reported and then changed"),
        column("told_emissions_t_co2", pa.float64(), "t/d", "CO2 a day, as reported and then changed"),
        *_answer("emissions", "emissions_t_co2", "t/d", "CO2 from the mix of energy"),
        *_answer("energy", "energy_gwh", "GWh/d", "electricity from the mix of sectors"),
        column("constant_mix", pa.bool_(), "1", "whether the mix is that of a longer time than the emissions"),
        column("seen", pa.bool_(), "1", "whether every instance was fitted on the region at that time"),
        column("instances", pa.string(), "1", "numbers of the instances that answer"),
        column("model_version", pa.string(), "1", "digest over the bundles of the instances"),
        column("model_tier", pa.string(), "1", "data tiers of what the instances were trained on"),
        DATA_TIER,
    ]
)

_SUMS = (
    ("told_energy_gwh", "GWh", "electricity told"),
    ("told_emissions_t_co2", "t", "CO2 told"),
    ("emissions_t_co2", "t", "CO2 answered"),
    ("factual_emissions_t_co2", "t", "CO2 answered without the scenario"),
    ("factor_emissions_t_co2", "t", "CO2 that emission factors say"),
    ("energy_gwh", "GWh", "electricity answered"),
    ("factual_energy_gwh", "GWh", "electricity answered without the scenario"),
    ("factor_energy_gwh", "GWh", "electricity that emission factors say"),
)

# one row a region and scenario: sums over its intervals with an answer to both tasks
ENERGY_SUMMARY = pa.schema(
    [
        REGION,
        SCENARIO,
        column("rows", pa.int64(), "1", "intervals"),
        column("answered", pa.int64(), "1", "intervals with both answers"),
        column("days", pa.float64(), "d", "days that those cover"),
        *_parts(SOURCES, "gwh", "GWh", "told electricity, over those days,"),
        *_parts(SECTORS, "t_co2", "t", "told CO2, over those days,"),
        *(column(name, pa.float64(), units, f"{what}, over those days") for name, units, what in _SUMS),
        column("extrapolating", pa.int64(), "1", "intervals in which a told mix is stranger than that of a new region"),
        column("seen", pa.int64(), "1", "intervals of which every instance was fitted on the region"),
        column("cleaner", pa.int64(), "1", "answered intervals in which sources give way to ones that emit less"),
        column("raised", pa.int64(), "1", "of these, those in which the answer emits more than before"),
        DATA_TIER,
    ]
)
