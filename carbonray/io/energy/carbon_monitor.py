"""Daily CO2 emissions of regions by sector, as Carbon Monitor publishes them.

Sources: Carbon Monitor (Liu et al., Nat. Commun. 11, 5172, 2020; carbonmonitor.org), SCIENCE 2.2: columns country, date
as dd/mm/yyyy, sector and an amount in Mt CO2 a day. 'EU27 & UK' contains five other regions and is kept with a note;
the world and its rest are left out and counted.
"""

from carbonray.io.energy.daily_tables import DailyLayout, read_daily
from carbonray.io.energy.reading import EnergyReading, EnergyRules

LAYOUT = DailyLayout(
    publisher="Carbon Monitor",
    kind="emissions",
    columns={
        "region": ("country", "countryregion", "region"),
        "date": ("date",),
        "name": ("sector",),
    },
    amounts={"mtco2perday": 1e6, "mtco2day": 1e6, "mtco2": 1e6, "ktco2perday": 1e3, "ktco2": 1e3, "value": 1e6},
    names={
        "power": "power",
        "industry": "industry",
        "industryinclcementprocess": "industry",
        "groundtransport": "ground_transport",
        "groundtransportation": "ground_transport",
        "residential": "residential",
        "residentialconsumption": "residential",
        "domesticaviation": "domestic_aviation",
        "internationalaviation": "international_aviation",
    },
    sums=("total", "allsectors", "aviation"),
)


def read_carbon_monitor(url: str, rules: EnergyRules, data_tier: str) -> EnergyReading:
    """One daily table of emissions by sector.

    Raises:
        DataError: the file is no such table.
        TransportError: it could not be moved.
    """
    return read_daily(url, LAYOUT, rules, data_tier)
