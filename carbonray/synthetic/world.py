"""A small Earth: known sources in a region, days of wind and cloud over them, and the granules that see it.

Source: SCIENCE 3.10; numbers are inferred unless a comment names a source. A granule is a pure function of (rules,
day, orbit), a day's weather of (rules, day): seeds come from the keys, so that granules can be made in any order, by
anyone, with the same bytes. Nothing here writes a file. `day` counts local solar dates from the first.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.io import MemoryFile

from carbonray.errors import SettingsError
from carbonray.science.spatial.geodesy import HOUR_NS, wrapped_longitude
from carbonray.synthetic.columns import (
    Emitters,
    FineGrid,
    TransportRules,
    at_points,
    fine_grid,
    geographic_wind,
    inside_region,
    plume_columns,
    seen_by_pixels,
)
from carbonray.synthetic.orbits import SwathGeometry, orbits_over, swath_geometry
from carbonray.synthetic.retrieval import RetrievalRules, retrieved, sky_of
from carbonray.synthetic.swaths import Retrieval, encode_granule, granule_name
from carbonray.synthetic.winds import ERA5_MARGIN_DEG, ERA5_STEP_DEG, Wind, WindRules, encode_era5, wind_at, wind_of
from carbonray.vocab.sensors import SWATHS

Floats = NDArray[np.float64]

DATA_TIER = "SYNTHETIC-T2"  # tested by another transport than the networks were trained on
_STREAMS = {"sources": 1, "wind": 2, "day": 3, "granule": 4}

SOURCES_TRUTH = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False, metadata={"units": "1", "long_name": "id of the source"}),
        pa.field("lat", pa.float64(), nullable=False, metadata={"units": "degree_north", "long_name": "position"}),
        pa.field("lon", pa.float64(), nullable=False, metadata={"units": "degree_east", "long_name": "position"}),
        pa.field("q_kg_s", pa.float64(), nullable=False, metadata={"units": "kg s-1", "long_name": "mean, as NO2"}),
    ]
)


@dataclass(frozen=True)
class WorldRules:
    """The small Earth.

    Attributes:
        parts: what is made: `swaths` with their wind and truth, the `fleet`'s inventories, reports and weather, and
            its `images` as its imagers' providers deliver them.
        sources_from: `drawn` for the sources below, or `fleet`: its plants in the region emit the NOx of their hours.
        region: west, south, east, north, degrees; west > east lies across 180.
        first_day: first local solar date; days before 2019-08-06 have pixels of 7 km, later ones 5.5 km.
        days: number of days.
        orbits_per_day: most granules a day; at low latitudes one or two see a region.
        sources: number of point sources.
        q_kg_s: weakest and strongest source; strengths are spread evenly over the logarithm.
        apart_deg: least distance between sources, and from the region's edge.
        weak_sources: unlabelled urban areas.
        weak_kg_s: weakest and strongest of them.
        co2_per_no2: kg of CO2 that a source emits with a kg of NO2, in the CO2 grid.
        diffuse_t_c: tonnes of carbon a month that every other cell of it emits.
        seed: of everything.
        wind, transport, retrieval: the three rooms' own rules.
    """

    parts: tuple[str, ...] = ("swaths",)
    sources_from: Literal["drawn", "fleet"] = "drawn"
    region: tuple[float, float, float, float] = (110.0, 30.0, 118.0, 38.0)
    first_day: str = "2019-07-24"
    days: int = 28
    orbits_per_day: int = 1
    sources: int = 10
    q_kg_s: tuple[float, float] = (0.15, 3.0)
    apart_deg: float = 0.7
    weak_sources: int = 6
    weak_kg_s: tuple[float, float] = (0.01, 0.06)
    co2_per_no2: float = 500.0
    diffuse_t_c: float = 20.0
    seed: int = 2019
    wind: WindRules = field(default_factory=WindRules)
    transport: TransportRules = field(default_factory=TransportRules)
    retrieval: RetrievalRules = field(default_factory=RetrievalRules)


@dataclass(frozen=True)
class Stacks:
    """Labelled sources that are not drawn here.

    Attributes:
        table: schema `SOURCES_TRUTH`, emissions as means over the world's days.
        before: (grid, hours since 1970-01-01 UTC, oldest age in hours) -> their emissions in the hours before.
    """

    table: pa.Table
    before: Callable[[FineGrid, float, float], Emitters]


@dataclass(frozen=True)
class SimulatedSwath:
    """A granule with its truth: (s, p) true enhancement by all sources and true background, umol m-2."""

    geometry: SwathGeometry
    retrieval: Retrieval
    plume_umol_m2: Floats
    background_umol_m2: Floats


def granule_keys(rules: WorldRules) -> tuple[tuple[int, int], ...]:
    """(day, orbit) of every granule, in order: the world's plan, from geometry alone."""
    tropomi = SWATHS["tropomi"]
    days = ((day, _local_day(rules, day)) for day in range(rules.days))
    return tuple(
        (day, orbit) for day, local in days for orbit in orbits_over(rules.region, local, tropomi, rules.orbits_per_day)
    )


def span_utc_ns(rules: WorldRules) -> tuple[int, int]:
    """Start and end of the world's days at the longitude of its middle, ns UTC."""
    turn_h = round(fine_grid(rules.region, rules.transport).lon_centre / 15.0)
    start = (24 * _local_day(rules, 0) - turn_h) * HOUR_NS
    return start, start + 24 * rules.days * HOUR_NS


def granule_bytes(rules: WorldRules, day: int, orbit: int, stacks: Stacks | None = None) -> tuple[str, bytes]:
    """File name and NetCDF bytes of one granule."""
    swath = simulated_swath(rules, day, orbit, stacks)
    return granule_name(swath.geometry), encode_granule(swath.geometry, swath.retrieval, DATA_TIER)


def simulated_swath(rules: WorldRules, day: int, orbit: int, stacks: Stacks | None = None) -> SimulatedSwath:
    """One granule before it is written, with its truth; its labelled sources are drawn where none are given."""
    geometry = swath_geometry(orbit, rules.region, SWATHS["tropomi"])
    grid = fine_grid(rules.region, rules.transport)
    sky_rng, pixel_rng = _rng(rules, "day", day), _rng(rules, "granule", day, orbit)
    tau_h = sky_rng.uniform(*rules.transport.lifetime_h)
    sky = sky_of(rules.retrieval, grid.shape, rules.transport.grid_km, sky_rng)
    overpass_h = float(np.median(geometry.time_utc_ns)) / 3.6e12
    field = plume_columns(
        overpass_h, *_emitters(rules, grid, overpass_h, stacks), _wind(rules), tau_h, grid, rules.transport
    )
    plume = seen_by_pixels(field, grid, geometry.lat_corners, geometry.lon_corners)
    x, y = grid.plane_m(geometry.lat, geometry.lon)
    parts = (sky.background_umol_m2, sky.amf_factor, sky.cloud_fraction)
    background, amf, cloud = (at_points(part, grid, x, y) for part in parts)
    inside = inside_region(rules.region, geometry.lat, geometry.lon)
    retrieval = retrieved(plume, background, amf, cloud, inside, rules.retrieval, pixel_rng)
    return SimulatedSwath(geometry, retrieval, plume, background)


def weather_bytes(rules: WorldRules, day: int) -> tuple[str, bytes]:
    """File name and NetCDF bytes of the reanalysis of one day: hourly wind at 100 m from local midnight on."""
    west, south, east, north = rules.region
    width, grid = (east - west) % 360.0, fine_grid(rules.region, rules.transport)
    lat = np.arange(np.ceil(north + ERA5_MARGIN_DEG), south - ERA5_MARGIN_DEG - ERA5_STEP_DEG, -ERA5_STEP_DEG)
    lon = np.arange(np.floor(west - ERA5_MARGIN_DEG), west + width + ERA5_MARGIN_DEG + ERA5_STEP_DEG, ERA5_STEP_DEG)
    hours = 24 * _local_day(rules, day) - round(grid.lon_centre / 15.0) + np.arange(24)
    lats, lons = np.meshgrid(lat, lon, indexing="ij")
    x, y = grid.plane_m(lats, lons)
    along_axes = wind_at(_wind(rules).synoptic, x / 1e3, y / 1e3, hours[:, None, None].astype(np.float64))
    u, v = geographic_wind(grid, lats, lons, *along_axes)
    axis = lon if lon[-1] < 180.0 else lon % 360.0
    name = f"SYNT_ERA5-sl-{_date(rules, day):%Y%m%d}.nc"
    return name, encode_era5(lat, axis, hours * 3600, u, v, DATA_TIER)


def sources_table(rules: WorldRules) -> pa.Table:
    """The true point sources, strongest first by id.

    Raises:
        SettingsError: so many sources, so far apart, do not fit into the region.
    """
    rng = _rng(rules, "sources")
    west, south, east, north = rules.region
    width, edge = (east - west) % 360.0, rules.apart_deg
    turn, lat = _scattered(rules.sources, width, (south, north), edge, rng)
    strength = np.geomspace(*rules.q_kg_s[::-1], rules.sources)
    ids = [f"S{k + 1:02d}" for k in range(rules.sources)]
    columns = [pa.array(ids), lat.round(4), wrapped_longitude(west + turn).round(4), strength.round(4)]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=SOURCES_TRUTH)


def sources_csv(rules: WorldRules, stacks: Stacks | None = None) -> bytes:
    """The true sources as CSV, the inventory of the small Earth."""
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(stacks.table if stacks else sources_table(rules), buffer)
    return buffer.getvalue()


def co2_grid(rules: WorldRules, stacks: Stacks | None = None) -> bytes:
    """An ODIAC-style GeoTIFF over the region: tonnes of carbon a month in cells of 30 arc seconds."""
    west, south, east, north = rules.region
    table, width = stacks.table if stacks else sources_table(rules), (east - west) % 360.0
    cells = np.full((round((north - south) * 120), round(width * 120)), np.float32(rules.diffuse_t_c))
    turn = (table.column("lon").to_numpy() - west) % 360.0
    row, col = ((north - table.column("lat").to_numpy()) * 120).astype(int), (turn * 120).astype(int)
    month_s = 365.25 * 86400.0 / 12
    np.add.at(cells, (row, col), table.column("q_kg_s").to_numpy() * rules.co2_per_no2 * month_s / 1e3 * 12 / 44)
    profile = {"driver": "GTiff", "height": cells.shape[0], "width": cells.shape[1], "count": 1, "dtype": "float32"}
    with MemoryFile() as file:
        with file.open(
            **profile, crs="EPSG:4326", transform=Affine(1 / 120, 0, west, 0, -1 / 120, north), compress="deflate"
        ) as to:
            to.write(cells, 1)
            to.update_tags(data_tier=DATA_TIER, units="t C a cell and month")
        return bytes(file.read())


def _emitters(rules: WorldRules, grid: FineGrid, time_h: float, stacks: Stacks | None) -> tuple[Emitters, Emitters]:
    """Labelled stacks and unlabelled areas with their emissions in the hours before a time."""
    rng = _rng(rules, "sources", 1)
    west, south, east, north = rules.region
    turn, lat = rng.uniform(0, (east - west) % 360.0, rules.weak_sources), rng.uniform(south, north, rules.weak_sources)
    areas = grid.plane_m(lat, west + turn)
    oldest_h = rules.transport.puffs.max_age_h
    hours = np.floor(time_h) + 1 - np.arange(np.ceil(oldest_h), -1, -1)
    labelled = stacks.before(grid, time_h, oldest_h) if stacks else _drawn_stacks(rules, grid, hours, rng)
    steady = np.repeat(rng.uniform(*rules.weak_kg_s, rules.weak_sources)[:, None], hours.size, axis=1)
    return labelled, Emitters(*areas, steady)


def _drawn_stacks(rules: WorldRules, grid: FineGrid, hours: Floats, rng: np.random.Generator) -> Emitters:
    table = sources_table(rules)
    places = grid.plane_m(table.column("lat").to_numpy(), table.column("lon").to_numpy())
    relative = 1 + rules.transport.intermittency * _rhythm(table.num_rows, hours, rng)
    return Emitters(*places, table.column("q_kg_s").to_numpy()[:, None] * relative)


def _rhythm(sources: int, hours: Floats, rng: np.random.Generator) -> Floats:
    """(source, hour) waves of unit variance over days and weeks, each source with its own phases; above -2."""
    phase = rng.uniform(0, 2 * np.pi, (2, sources, 1))
    return np.asarray(np.sin(2 * np.pi * hours / 24.0 + phase[0]) + np.sin(2 * np.pi * hours / 167.0 + phase[1]))


def _scattered(
    count: int, width: float, lats: tuple[float, float], apart: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Positions at least `apart` degrees from each other and the edge, by rejection."""
    placed = np.empty((0, 2))
    for point in rng.uniform((apart, lats[0] + apart), (width - apart, lats[1] - apart), (400 * count, 2)):
        if len(placed) < count and np.all(np.hypot(*(placed - point).T) >= apart):
            placed = np.vstack([placed, point])
    if len(placed) < count:
        raise SettingsError(
            f"{len(placed)} of {count} sources fit",
            where="world.sources",
            expected=f"room for sources {apart} degrees apart in {width} x {lats[1] - lats[0]} degrees",
            remedy="Lower world.sources or world.apart_deg, or widen world.region.",
        )
    return placed[:, 0], placed[:, 1]


def _wind(rules: WorldRules) -> Wind:
    return wind_of(rules.wind, _rng(rules, "wind"))


def _rng(rules: WorldRules, stream: str, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((rules.seed, _STREAMS[stream], *key)))


def _date(rules: WorldRules, day: int) -> date:
    return date.fromisoformat(rules.first_day) + timedelta(days=day)


def _local_day(rules: WorldRules, day: int) -> int:
    """Days since 1970-01-01."""
    return _date(rules, day).toordinal() - datetime.fromtimestamp(0, tz=UTC).toordinal()
