"""The wind that carries a plume, from ERA5 files in any of their shapes, at any place and time.

Source: ERA5 on pressure and single levels (Copernicus C3S); the layer is SCIENCE 3.11's "near 100 m to 900 hPa", told
in metres above ground so that it means the same over a plateau. Winds are vectors the air moves toward, m s-1, u east
and v north; arrays are (time, lat, lon), both axes ascending.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import CarbonrayError, TransportError
from carbonray.io import objectstore
from carbonray.io.weather_grid import Field, around, bad_field, interpolated, joined, open_dataset, ordered, place
from carbonray.science.spatial.geodesy import HOUR_NS, wrapped_longitude

GRAVITY_M_S2 = 9.80665  # ERA5 geopotential to geopotential metres
STRONGEST_M_S = 150.0  # no wind below 100 hPa is stronger; more is a fill value or another unit

_SPEED_UNITS = ("m s-1", "m s**-1", "m/s", "m s^-1")


@dataclass(frozen=True)
class PlumeWindRules:
    """Which wind carries a plume, and how far it may be carried over from where it is known."""

    bottom_m: float = 100.0  # inferred: about the top of a stack above ground
    top_m: float = (
        1000.0  # inferred: a plume mixed through an afternoon boundary layer; 250 m over 900 hPa at sea level
    )
    levels_hpa: tuple[float, ...] = (1000.0, 975.0, 950.0, 925.0, 900.0)  # their mean, where heights are not given
    max_extrapolation_deg: float = 2.0  # inferred: the nearest known wind holds so far outside its box, then unknown
    max_extrapolation_h: float = 1.0  # inferred: one step of ERA5 before its first and after its last hour


@dataclass(frozen=True)
class WindField:
    """The wind of one layer.

    Attributes:
        time_ns: (t,) int64 UTC, ascending.
        lat: (y,) ascending degrees.
        lon: (x,) ascending degrees; a field around the globe repeats its first column a turn later.
        u_m_s, v_m_s: (t, y, x) float32, NaN where unknown.
        layer: which wind this is, in words.
        rules: limits of extrapolation.
    """

    time_ns: NDArray[np.int64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    u_m_s: NDArray[np.float32]
    v_m_s: NDArray[np.float32]
    layer: str
    rules: PlumeWindRules

    def wind_at(self, lat_deg: ArrayLike, lon_deg: ArrayLike, time_utc_ns: ArrayLike) -> tuple[Field, Field]:
        """Eastward and northward wind at points, linear in time, latitude and longitude; arguments broadcast.

        Outside its box the field is held at its edge up to the rules' limits; farther out it is NaN.
        """
        lat, lon, time = np.broadcast_arrays(*(np.asarray(a) for a in (lat_deg, lon_deg, time_utc_ns)))
        # longitudes are counted from the middle of the box, so that the cut lies opposite to it
        middle = (self.lon[0] + self.lon[-1]) / 2
        places = (
            place(self.time_ns.astype(np.float64), time.astype(np.float64), self.rules.max_extrapolation_h * HOUR_NS),
            place(self.lat, lat.astype(np.float64), self.rules.max_extrapolation_deg),
            place(self.lon, middle + wrapped_longitude(lon - middle), self.rules.max_extrapolation_deg),
        )
        u, v = interpolated((self.u_m_s, self.v_m_s), places)
        return u, v


def open_wind(urls: Iterable[str], rules: PlumeWindRules, between_ns: tuple[int, int] | None = None) -> WindField:
    """The wind field of some NetCDF files or Zarr stores together, all on one grid.

    Takes the mean over `bottom_m` to `top_m` above ground where wind and geopotential of pressure levels come with
    the geopotential of the surface; else the mean of `levels_hpa`; else the wind at 100 m.

    Args:
        urls: files in any order; times may overlap.
        rules: the layer and the limits.
        between_ns: load only times around this UTC interval.

    Raises:
        DataError: a file is damaged, has other units or axes, or none holds a usable wind.
        TransportError: bytes could not be moved.
    """
    pieces: dict[str, list[xr.DataArray]] = {}
    for url in urls:
        for name, piece in _pieces(url, between_ns).items():
            pieces.setdefault(name, []).append(piece)
    known = {name: joined(name, some) for name, some in pieces.items()}
    u, v, layer = _layer(known, rules)
    return _field(u, v, layer, rules)


def _pieces(url: str, between_ns: tuple[int, int] | None) -> dict[str, xr.DataArray]:
    """What one file knows of the wind, by our names, axes ascending and in our order, loaded."""
    try:
        with open_dataset(url) as opened:
            dataset = ordered(opened, url)
            if between_ns is not None:
                dataset = dataset.isel(time=around(dataset["time"].to_numpy(), between_ns))
            on_levels = {"u_level": "u", "v_level": "v", "height_level": "z"}
            names = on_levels if "level" in dataset.dims else {"height_ground": "z"}
            names |= {"u_100": "u100", "v_100": "v100"}
            return {ours: _checked(dataset[theirs].load(), url) for ours, theirs in names.items() if theirs in dataset}
    except CarbonrayError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if objectstore.local_path(url) is None and isinstance(error, OSError):
            raise TransportError(
                f"wind could not be read ({error})", where=url, expected="a store that answers", remedy="Run again."
            ) from error
        raise bad_field(
            f"the wind cannot be read ({error})", url, "a whole ERA5 NetCDF-4 file or Zarr store"
        ) from error


def _checked(values: xr.DataArray, url: str) -> xr.DataArray:
    """The variable in the order (time, level, lat, lon), if its units and size are those of its kind."""
    units = str(values.attrs.get("units", "")).strip()
    if values.name == "z":
        if units not in ("m**2 s**-2", "m2 s-2", "m^2 s^-2"):
            raise bad_field(f"geopotential in {units!r}", url, "m2 s-2")
        return (values / GRAVITY_M_S2).transpose("time", ..., "lat", "lon")
    strongest = float(np.nanmax(np.abs(values.to_numpy()))) if values.notnull().any() else 0.0
    if units not in _SPEED_UNITS or strongest > STRONGEST_M_S:
        raise bad_field(f"{values.name} in {units!r} up to {strongest:g}", url, f"m s-1, {STRONGEST_M_S:g} at most")
    return values.transpose("time", ..., "lat", "lon")


def _layer(known: dict[str, xr.DataArray], rules: PlumeWindRules) -> tuple[xr.DataArray, xr.DataArray, str]:
    """Wind u and v (time, lat, lon) of the best layer that the variables allow, and its name."""
    if {"u_level", "v_level", "height_level", "height_ground"} <= known.keys():
        u, v, height = xr.align(known["u_level"], known["v_level"], known["height_level"], join="inner")
        ground = known["height_ground"].isel(time=0).to_numpy()
        above = height.to_numpy() - ground  # (time, level, lat, lon): the ground stays where it is
        name = f"mean over {rules.bottom_m:g} to {rules.top_m:g} m above ground"
        targets = np.linspace(rules.bottom_m, rules.top_m, 10)
        return _layer_mean(u, above, targets), _layer_mean(v, above, targets), name
    if {"u_level", "v_level"} <= known.keys():
        hpa = known["u_level"]["level"].to_numpy()
        hpa = hpa / 100.0 if hpa.max() > 2000.0 else hpa  # Pa where no level of the air can be in hPa
        chosen = np.flatnonzero(np.isin(hpa, rules.levels_hpa))
        if len(chosen):
            u, v = xr.align(known["u_level"], known["v_level"], join="inner")
            return u.isel(level=chosen).mean("level"), v.isel(level=chosen).mean("level"), f"mean of {hpa[chosen]} hPa"
    if {"u_100", "v_100"} <= known.keys():
        u, v = xr.align(known["u_100"], known["v_100"], join="inner")
        return u, v, "100 m above ground"
    raise bad_field(f"no plume wind among {sorted(known)}", "inputs.weather", "u and v on levels, or u100 and v100")


def _layer_mean(wind: xr.DataArray, above_m: NDArray[np.floating], targets_m: NDArray[np.float64]) -> xr.DataArray:
    """Mean of the wind, linear between levels, at some heights above ground; levels under ground are not used."""
    values = wind.to_numpy().astype(np.float64)
    lowest = (above_m < 0).sum(axis=1, keepdims=True)
    total = np.zeros_like(values[:, 0])
    for target in targets_m:
        below = np.clip((above_m <= target).sum(axis=1, keepdims=True) - 1, lowest, None)
        below = np.minimum(below, values.shape[1] - 2)
        low, high = (np.take_along_axis(above_m, below + step, axis=1)[:, 0] for step in (0, 1))
        wind_low, wind_high = (np.take_along_axis(values, below + step, axis=1)[:, 0] for step in (0, 1))
        total += wind_low + np.clip((target - low) / (high - low), 0.0, 1.0) * (wind_high - wind_low)
    return wind.isel(level=0, drop=True).copy(data=total / len(targets_m))


def _field(u: xr.DataArray, v: xr.DataArray, layer: str, rules: PlumeWindRules) -> WindField:
    lat, lon = u["lat"].to_numpy().astype(np.float64), u["lon"].to_numpy().astype(np.float64)
    times = u["time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    if not len(times):
        raise bad_field("no wind at the time asked for", "inputs.weather", "files that cover the swaths' times")
    winds = [wind.to_numpy().astype(np.float32) for wind in (u, v)]
    if len(lon) > 1 and lon[-1] - lon[0] + 1.5 * (lon[1] - lon[0]) > 360.0:
        lon, winds = np.append(lon, lon[0] + 360.0), [np.concatenate([w, w[..., :1]], axis=2) for w in winds]
    return WindField(time_ns=times, lat=lat, lon=lon, u_m_s=winds[0], v_m_s=winds[1], layer=layer, rules=rules)
