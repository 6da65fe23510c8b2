"""Weather at power stations, hour by hour, from ERA5 files in any of their shapes.

Source: ERA5 single levels (Copernicus C3S): t2m and d2m in K, u10 and v10 in m s-1, tcc 0 to 1; humidity is that of the
dewpoint over water (Buck). Values are linear in latitude and longitude between grid points, at the file's own times;
`weather_at` is linear in time between those. What a file does not hold is NaN, a dewpoint above all.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import CarbonrayError, TransportError
from carbonray.io import objectstore
from carbonray.io.weather_grid import Field, Place, around, bad_field, interpolated, open_dataset, ordered, place
from carbonray.science.power.plant_series import values_at
from carbonray.science.power.vapor import saturation_pressure_hpa
from carbonray.science.spatial.geodesy import HOUR_NS, wrapped_longitude
from carbonray.vocab.plant_tables import PLANT_WEATHER

ZERO_C_K = 273.15  # SI

# our name -> names in files, accepted units, and the range outside of which a value is another unit or a fill value
_VARIABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[float, float]]] = {
    "temperature": (("t2m", "2m_temperature", "VAR_2T"), ("K",), (180.0, 335.0)),
    "dewpoint": (("d2m", "2m_dewpoint_temperature", "VAR_2D"), ("K",), (150.0, 320.0)),
    "wind_u": (("u10", "10m_u_component_of_wind", "VAR_10U"), ("m s-1", "m s**-1", "m/s"), (-110.0, 110.0)),
    "wind_v": (("v10", "10m_v_component_of_wind", "VAR_10V"), ("m s-1", "m s**-1", "m/s"), (-110.0, 110.0)),
    "cloud": (("tcc", "total_cloud_cover", "VAR_TCC"), ("(0 - 1)", "1", "0-1", ""), (-1e-3, 1.001)),
}
_TIMES = ("valid_time", "time")


@dataclass(frozen=True)
class PlantWeatherRules:
    """How weather is carried to a plant and a moment.

    Attributes:
        max_extrapolation_deg: a plant so far outside a file's box has the weather of its edge (inferred: a grid step).
        steps_at_once: times of a gridded file held in memory.
        max_gap_h: hours between two known times across which weather is taken for linear (inferred).
        max_distance_km: a table's station may be so far from the plant (inferred).
    """

    max_extrapolation_deg: float = 0.25
    steps_at_once: int = 24
    max_gap_h: float = 3.0
    max_distance_km: float = 25.0


@dataclass(frozen=True)
class Sites:
    """Where weather is wanted: (p,) ids, degrees."""

    plant_id: NDArray[np.object_]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]


def sites_of(plants: pa.Table) -> Sites:
    """The places of a table of schema `PLANTS`, or of any with its columns."""
    lat, lon = (plants.column(name).to_numpy().astype(np.float64) for name in ("lat", "lon"))
    return Sites(np.array(plants.column("plant_id").to_pylist(), dtype=object), lat, lon)


def relative_humidity_pct(temperature_c: ArrayLike, dewpoint_c: ArrayLike) -> NDArray[np.float64]:
    """Percent, 100 at most, NaN where either is unknown."""
    share = saturation_pressure_hpa(dewpoint_c) / saturation_pressure_hpa(temperature_c)
    return np.minimum(100.0 * share, 100.0)


def gridded_weather(
    url: str, sites: Sites, rules: PlantWeatherRules, between_ns: tuple[int, int] | None = None
) -> Iterator[pa.Table]:
    """Tables of schema `PLANT_WEATHER` from one NetCDF file or Zarr store, some of its times a table.

    Rows come by time, then in the order of the sites; a site outside the file's box has no rows.

    Args:
        url: of the file or store.
        sites: where.
        rules: how far a file's edge is believed.
        between_ns: only times around this UTC interval.

    Raises:
        DataError: the file is damaged, has other units or axes, or holds no temperature.
        TransportError: it could not be moved.
    """
    try:
        with open_dataset(url) as dataset:
            axis = next((name for name in _TIMES if name in dataset.dims), None)
            if axis is None:
                raise bad_field("a time axis is missing", url, f"one of {_TIMES}, found {dict(dataset.sizes)}")
            steps = np.argsort(dataset[axis].to_numpy(), kind="stable")
            if between_ns is not None:
                steps = steps[around(dataset[axis].to_numpy()[steps], between_ns)]
            for first in range(0, len(steps), rules.steps_at_once):
                part = np.sort(steps[first : first + rules.steps_at_once])
                yield _at_sites(ordered(dataset.isel({axis: part}), url), sites, rules, url)
    except CarbonrayError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if objectstore.local_path(url) is None and isinstance(error, OSError):
            raise TransportError(
                f"weather could not be read ({error})", where=url, expected="a store that answers", remedy="Run again."
            ) from error
        raise bad_field(f"the weather cannot be read ({error})", url, "a whole ERA5 NetCDF-4 file or store") from error


def weather_at(
    weather: pa.Table, plant_id: ArrayLike, time_utc_ns: ArrayLike, rules: PlantWeatherRules
) -> dict[str, NDArray[np.float64]]:
    """Weather of plants at moments, linear in time.

    Args:
        weather: schema `PLANT_WEATHER`, any order; a plant's time appears once.
        plant_id: (n,) ids.
        time_utc_ns: (n,) moments.
        rules: the longest gap that is bridged.

    Returns:
        (n,) columns by name, NaN where unknown.
    """
    names = PLANT_WEATHER.names[2:]
    asked = np.asarray(plant_id).astype(str)
    known = weather.column("plant_id").to_numpy(zero_copy_only=False).astype(str)
    plants = np.unique(np.concatenate([known, asked]))
    number, time = np.searchsorted(plants, known), weather.column("time_utc_ns").to_numpy()
    order = np.lexsort((time, number))
    values = np.column_stack([weather.column(name).to_numpy().astype(np.float64) for name in names])
    gap_ns = int(rules.max_gap_h * HOUR_NS)
    found = values_at(
        number[order], time[order], values[order], np.searchsorted(plants, asked), np.asarray(time_utc_ns), gap_ns
    )
    return dict(zip(names, found.T, strict=True))


def _at_sites(dataset: xr.Dataset, sites: Sites, rules: PlantWeatherRules, url: str) -> pa.Table:
    """Rows of some times of a file, in their order."""
    fields = {name: _variable(dataset, name, url) for name in _VARIABLES}
    if fields["temperature"] is None:
        raise bad_field(f"no air temperature among {sorted(map(str, dataset))}", url, "t2m")
    lat, lon = (dataset[name].to_numpy().astype(np.float64) for name in ("lat", "lon"))
    around_globe = len(lon) > 1 and lon[-1] - lon[0] + 1.5 * (lon[1] - lon[0]) > 360.0
    if around_globe:
        lon = np.append(lon, lon[0] + 360.0)
    known = {name: _closed(field, around_globe) for name, field in fields.items() if field is not None}
    time = dataset["time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    middle = (lon[0] + lon[-1]) / 2
    at_lat = place(lat, sites.lat, rules.max_extrapolation_deg)
    at_lon = place(lon, middle + wrapped_longitude(sites.lon - middle), rules.max_extrapolation_deg)
    inside = np.flatnonzero(np.isfinite(at_lat.weight) & np.isfinite(at_lon.weight))
    step = np.repeat(np.arange(len(time)), len(inside))
    level = Place(step, step, np.zeros(len(step)))
    where = (level, _repeated(at_lat, inside, len(time)), _repeated(at_lon, inside, len(time)))
    values = dict(zip(known, interpolated(list(known.values()), where), strict=True))
    unknown = np.full(len(time) * len(inside), np.nan, np.float32)
    warm = values["temperature"] - ZERO_C_K
    columns = {
        "plant_id": np.tile(sites.plant_id[inside], len(time)),
        "time_utc_ns": np.repeat(time, len(inside)),
        "temperature_c": warm,
        "relative_humidity_pct": relative_humidity_pct(warm, values.get("dewpoint", unknown) - ZERO_C_K),
        "wind_u_m_s": values.get("wind_u", unknown),
        "wind_v_m_s": values.get("wind_v", unknown),
        "cloud_cover": np.clip(values.get("cloud", unknown), 0.0, 1.0),
    }
    return pa.table({f.name: pa.array(columns[f.name], type=f.type) for f in PLANT_WEATHER}, schema=PLANT_WEATHER)


def _repeated(at: Place, inside: NDArray[np.int64], times: int) -> Place:
    """Some places of an axis, once for each time."""
    return Place(*(np.tile(part[inside], times) for part in at))  # type: ignore[arg-type]


def _variable(dataset: xr.Dataset, name: str, url: str) -> Field | None:
    """(time, lat, lon) values of a variable in the units that ERA5 gives it; None where the file has none."""
    names, units, (least, most) = _VARIABLES[name]
    found = next((theirs for theirs in names if theirs in dataset), None)
    if found is None:
        return None
    stated = str(dataset[found].attrs.get("units", "")).strip()
    values = dataset[found].transpose("time", "lat", "lon").to_numpy().astype(np.float32)
    measured = values[np.isfinite(values)]
    if stated not in units or (len(measured) and not (least <= measured.min() <= measured.max() <= most)):
        span = f"{measured.min():g} to {measured.max():g}" if len(measured) else "nothing"
        raise bad_field(f"{found} in {stated!r} from {span}", url, f"{units[0]}, {least:g} to {most:g}")
    return values


def _closed(field: Field, around_globe: bool) -> Field:  # noqa: FBT001 - private
    return np.concatenate([field, field[..., :1]], axis=2) if around_globe else field
