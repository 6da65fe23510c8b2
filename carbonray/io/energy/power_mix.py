"""Daily electricity of regions by source, laid out as Carbon Monitor-Power does.

Source: Carbon Monitor-Power (Zhu et al., Sci. Data 10, 217, 2023; power.carbonmonitor.org), SCIENCE 2.2: columns
country, date, sector (the source) and an amount in GWh a day; eight sources, all of them given for every day.
"""

from carbonray.io.energy.daily_tables import DailyLayout, read_daily
from carbonray.io.energy.reading import EnergyReading, EnergyRules

LAYOUT = DailyLayout(
    publisher="Carbon Monitor-Power",
    kind="energy",
    columns={
        "region": ("country", "countryregion", "region"),
        "date": ("date",),
        "name": ("sector", "source", "type", "energy", "fuel", "technology"),
    },
    amounts={"gwhperday": 1.0, "gwh": 1.0, "twh": 1e3, "mwh": 1e-3, "valuegwh": 1.0, "value": 1.0},
    names={
        "coal": "coal",
        "gas": "gas",
        "naturalgas": "gas",
        "oil": "oil",
        "nuclear": "nuclear",
        "hydro": "hydro",
        "hydropower": "hydro",
        "hydroelectricity": "hydro",
        "solar": "solar",
        "wind": "wind",
        "other": "other",
        "others": "other",
        "othersources": "other",
    },
    sums=("total", "fossil", "renewables", "lowcarbon", "allsources"),
)


def read_power_mix(url: str, rules: EnergyRules, data_tier: str) -> EnergyReading:
    """One daily table of electricity by source.

    Raises:
        DataError: the file is no such table.
        TransportError: it could not be moved.
    """
    return read_daily(url, LAYOUT, rules, data_tier)
