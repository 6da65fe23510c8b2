"""The regions of the synthetic fleet: where its plants stand, in which climate, and when the grid calls for them.

Source: SCIENCE 4.13 (7 regions with different mean capacity factor and dispatch shape; the shift tier peaks in the
evening and is hotter). The boxes enclose land where coal is burnt; all other numbers are inferred from general
knowledge of the climates. Boxes are west, south, east, north in degrees.
"""

from dataclasses import dataclass
from types import MappingProxyType

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Climate:
    """Weather statistics of a region; inferred.

    Attributes:
        mean_c: annual mean temperature at 2 m.
        season_c: amplitude of the yearly wave.
        day_c: amplitude of the daily wave under a clear sky.
        humidity_pct: mean relative humidity at 2 m.
        wet_season_pct: amplitude of the humidity's yearly wave, highest half a year after `driest_day`.
        driest_day: day of the year with the lowest humidity.
        cloudiness: shift of the cloud regime, standard deviations; higher is cloudier.
        wind_m_s: scale of the Weibull distribution of the wind at 10 m.
        wind_toward_deg: prevailing heading, clockwise from north.
    """

    mean_c: float
    season_c: float
    day_c: float
    humidity_pct: float
    wet_season_pct: float
    driest_day: int
    cloudiness: float
    wind_m_s: float
    wind_toward_deg: float


@dataclass(frozen=True)
class FleetRegion:
    """One region.

    Attributes:
        name: key of the region.
        boxes: country (ISO3) and box, one line each; a plant draws its line.
        kinds: structure kinds, `NDT`, `FGD` or `BOTH`, dealt to the region's plants in turn: stacks are what the
            paper has most of in the United States, towers in Europe, and towers alone in Australia.
        utc_offset_h: standard time, hours ahead of UTC.
        climate: weather statistics.
        coal: fuel of its steam units.
        load_shift: added to the load of every plant, fraction of capacity.
        outages: share of hours in which its plants stand still, over that of the rules.
        peak_hour: local standard hour at which the grid asks for most.
        peak_gain: daily wave over that of the rules.
        peak_day: day of the year at which the grid asks for most.
        reports: layout in which generation is published, a key of `fleet_reports.REPORTS`.
        shift: whether it belongs to the shift tier T2.
    """

    name: str
    boxes: tuple[tuple[str, Box], ...]
    kinds: tuple[str, ...]
    utc_offset_h: float
    climate: Climate
    coal: str
    load_shift: float
    outages: float
    peak_hour: float
    peak_gain: float
    peak_day: int
    reports: str
    shift: bool = False


_HUMID_EAST = Climate(
    mean_c=13.0,
    season_c=12.0,
    day_c=5.5,
    humidity_pct=68.0,
    wet_season_pct=4.0,
    driest_day=105,
    cloudiness=-0.35,
    wind_m_s=4.2,
    wind_toward_deg=70.0,
)
_PLAINS = Climate(
    mean_c=11.0,
    season_c=14.0,
    day_c=7.5,
    humidity_pct=57.0,
    wet_season_pct=4.0,
    driest_day=90,
    cloudiness=-0.6,
    wind_m_s=5.5,
    wind_toward_deg=20.0,
)
_CENTRAL_EUROPE = Climate(
    mean_c=9.5,
    season_c=10.0,
    day_c=4.5,
    humidity_pct=75.0,
    wet_season_pct=8.0,
    driest_day=135,
    cloudiness=0.1,
    wind_m_s=4.4,
    wind_toward_deg=80.0,
)
_SOUTHEAST_EUROPE = Climate(
    mean_c=12.5,
    season_c=11.5,
    day_c=6.0,
    humidity_pct=68.0,
    wet_season_pct=10.0,
    driest_day=205,
    cloudiness=-0.45,
    wind_m_s=3.6,
    wind_toward_deg=110.0,
)
_EAST_AUSTRALIA = Climate(
    mean_c=18.5,
    season_c=6.5,
    day_c=6.5,
    humidity_pct=62.0,
    wet_season_pct=5.0,
    driest_day=270,
    cloudiness=-0.9,
    wind_m_s=4.6,
    wind_toward_deg=290.0,
)
_ANATOLIA = Climate(
    mean_c=13.5,
    season_c=12.0,
    day_c=7.5,
    humidity_pct=58.0,
    wet_season_pct=12.0,
    driest_day=210,
    cloudiness=-0.7,
    wind_m_s=3.8,
    wind_toward_deg=160.0,
)
_GANGES = Climate(
    mean_c=25.5,
    season_c=7.5,
    day_c=6.0,
    humidity_pct=60.0,
    wet_season_pct=16.0,
    driest_day=110,
    cloudiness=-0.8,
    wind_m_s=3.2,
    wind_toward_deg=110.0,
)

REGIONS: MappingProxyType[str, FleetRegion] = MappingProxyType(
    {
        "us_east": FleetRegion(
            name="us_east",
            boxes=(
                ("USA", (-88.0, 36.0, -79.5, 41.0)),
                ("USA", (-87.5, 32.0, -82.0, 35.5)),
            ),
            kinds=("FGD", "BOTH", "FGD", "NDT"),
            utc_offset_h=-5.0,
            climate=_HUMID_EAST,
            coal="bituminous",
            load_shift=0.03,
            outages=1.0,
            peak_hour=16.0,
            peak_gain=1.0,
            peak_day=205,
            reports="campd",
        ),
        "us_plains": FleetRegion(
            name="us_plains",
            boxes=(
                ("USA", (-102.0, 32.0, -94.5, 47.0)),
                ("USA", (-95.0, 38.0, -90.5, 44.0)),
            ),
            kinds=("FGD", "NDT", "FGD", "FGD"),
            utc_offset_h=-6.0,
            climate=_PLAINS,
            coal="subbituminous",
            load_shift=0.04,
            outages=1.0,
            peak_hour=17.0,
            peak_gain=1.0,
            peak_day=205,
            reports="campd",
        ),
        "europe_central": FleetRegion(
            name="europe_central",
            boxes=(
                ("DEU", (7.0, 50.0, 14.0, 52.5)),
                ("POL", (15.5, 50.5, 22.5, 53.0)),
                ("CZE", (13.0, 49.5, 16.5, 50.6)),
            ),
            kinds=("NDT", "FGD", "NDT", "BOTH"),
            utc_offset_h=1.0,
            climate=_CENTRAL_EUROPE,
            coal="lignite",
            load_shift=-0.08,
            outages=1.0,
            peak_hour=13.0,
            peak_gain=1.0,
            peak_day=20,
            reports="entsoe",
        ),
        "europe_southeast": FleetRegion(
            name="europe_southeast",
            boxes=(
                ("ROU", (22.5, 44.4, 26.5, 46.5)),
                ("BGR", (23.3, 42.0, 26.5, 43.4)),
                ("GRC", (21.3, 40.2, 22.4, 41.0)),
            ),
            kinds=("NDT", "FGD", "NDT", "BOTH"),
            utc_offset_h=2.0,
            climate=_SOUTHEAST_EUROPE,
            coal="lignite",
            load_shift=-0.08,
            outages=1.05,
            peak_hour=18.0,
            peak_gain=0.8,
            peak_day=20,
            reports="entsoe",
        ),
        "australia_east": FleetRegion(
            name="australia_east",
            boxes=(
                ("AUS", (148.0, -34.0, 150.8, -31.5)),
                ("AUS", (148.5, -27.5, 151.5, -23.5)),
            ),
            kinds=("NDT",),
            utc_offset_h=10.0,
            climate=_EAST_AUSTRALIA,
            coal="bituminous",
            load_shift=0.12,
            outages=0.7,
            peak_hour=18.0,
            peak_gain=1.2,
            peak_day=195,
            reports="nem",
        ),
        "turkiye": FleetRegion(
            name="turkiye",
            boxes=(
                ("TUR", (29.5, 38.0, 36.5, 40.8)),
                ("TUR", (27.5, 37.6, 30.0, 39.6)),
            ),
            kinds=("FGD", "NDT"),
            utc_offset_h=3.0,
            climate=_ANATOLIA,
            coal="lignite",
            load_shift=0.15,
            outages=0.6,
            peak_hour=15.0,
            peak_gain=0.8,
            peak_day=210,
            reports="epias",
            shift=True,
        ),
        "india_north": FleetRegion(
            name="india_north",
            boxes=(
                ("IND", (76.0, 23.0, 84.5, 28.0)),
                ("IND", (78.5, 17.5, 83.0, 22.5)),
            ),
            kinds=("NDT", "FGD"),
            utc_offset_h=5.5,
            climate=_GANGES,
            coal="subbituminous",
            load_shift=0.02,
            outages=1.0,
            peak_hour=20.0,
            peak_gain=2.2,
            peak_day=150,
            reports="india",
            shift=True,
        ),
    }
)
