"""A wind that turns with the weather: smooth travelling waves, the part a reanalysis knows and the part it does not.

Source: SCIENCE 3.10 (mesoscale meander of 10 to 20 degrees over 1 to 3 h); amplitudes and scales are inferred. The wind
is the sum of a drifting mean and of plane waves of a stream function, so it neither gathers nor spreads air. Positions
are kilometres east and north in the region's plane, times hours since 1970-01-01 UTC, winds m s-1 toward east and
north. Every number follows from the seed.
"""

import io
from dataclasses import dataclass

import h5netcdf
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ERA5_STEP_DEG = 0.25
ERA5_MARGIN_DEG = 1.0
_WAVES = {"synoptic": 8, "mesoscale": 12}
_LENGTH_KM = {"synoptic": (700.0, 2500.0), "mesoscale": (80.0, 300.0)}
_PERIOD_H = {"synoptic": (40.0, 160.0), "mesoscale": (3.0, 9.0)}


@dataclass(frozen=True)
class WindRules:
    """How strong the wind is and how much of it a reanalysis misses.

    Attributes:
        mean_m_s: speed of the drifting mean wind.
        synoptic_rms_m_s: waves of hundreds of kilometres and days, known to the reanalysis.
        mesoscale_rms_m_s: waves of tens of kilometres and hours, unknown to it.
    """

    mean_m_s: float = 4.0
    synoptic_rms_m_s: float = 2.5
    mesoscale_rms_m_s: float = 0.8


@dataclass(frozen=True)
class Waves:
    """Plane waves of a stream function: wave vectors (rad km-1), frequencies (rad h-1), phases, wind amplitudes."""

    east: Floats
    north: Floats
    frequency: Floats
    phase: Floats
    amplitude_m_s: Floats


@dataclass(frozen=True)
class Wind:
    """The whole wind: waves that a reanalysis reports, and waves that only the plumes feel."""

    synoptic: Waves
    mesoscale: Waves


def wind_of(rules: WindRules, rng: np.random.Generator) -> Wind:
    """Draws the waves. The drifting mean is one synoptic wave so long that it is uniform over a region."""
    synoptic = _waves("synoptic", rules.synoptic_rms_m_s, rng)
    drift = Waves(
        east=np.array([1e-6, 0.0]),
        north=np.array([0.0, 1e-6]),
        frequency=2 * np.pi / rng.uniform(90.0, 200.0, 2),
        phase=rng.uniform(0, 2 * np.pi, 2),
        amplitude_m_s=np.full(2, rules.mean_m_s),
    )
    return Wind(_joined(drift, synoptic), _waves("mesoscale", rules.mesoscale_rms_m_s, rng))


def wind_at(waves: Waves, x_km: Floats, y_km: Floats, time_h: Floats | float) -> tuple[Floats, Floats]:
    """Wind toward east and north at positions and times that broadcast."""
    place = x_km[..., None] * waves.east + y_km[..., None] * waves.north
    slope = np.sin(place - np.asarray(time_h)[..., None] * waves.frequency + waves.phase) * waves.amplitude_m_s
    length = np.hypot(waves.east, waves.north)
    return slope @ (waves.north / length), -(slope @ (waves.east / length))


def true_wind_at(wind: Wind, x_km: Floats, y_km: Floats, time_h: Floats | float) -> tuple[Floats, Floats]:
    """The wind that carries plumes: what the reanalysis knows and what it does not."""
    known, unknown = (wind_at(waves, x_km, y_km, time_h) for waves in (wind.synoptic, wind.mesoscale))
    return known[0] + unknown[0], known[1] + unknown[1]


def encode_era5(lat: Floats, lon: Floats, time_s: NDArray[np.int64], u_m_s: Floats, v_m_s: Floats, tier: str) -> bytes:
    """A single-level ERA5 file, as the Climate Data Store lays it out, with the wind at 100 m.

    Args:
        lat: (y,) degrees north, descending.
        lon: (x,) degrees east, ascending.
        time_s: (t,) seconds since 1970-01-01.
        u_m_s, v_m_s: (t, y, x) wind toward east and north.
        tier: data tier, a global attribute.
    """
    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        file.attrs.update({"Conventions": "CF-1.7", "institution": "carbonray synthetic Earth", "data_tier": tier})
        file.dimensions = {"valid_time": time_s.size, "latitude": lat.size, "longitude": lon.size}
        seconds = {"standard_name": "time", "units": "seconds since 1970-01-01", "calendar": "proleptic_gregorian"}
        for name, values, attributes in (
            ("valid_time", time_s, seconds),
            (
                "latitude",
                lat,
                {"standard_name": "latitude", "units": "degrees_north", "stored_direction": "decreasing"},
            ),
            ("longitude", lon, {"standard_name": "longitude", "units": "degrees_east"}),
        ):
            file.create_variable(name, (name,), values.dtype, data=values).attrs.update(attributes)
        for name, values, direction in (("u100", u_m_s, "U"), ("v100", v_m_s, "V")):
            field = file.create_variable(
                name,
                ("valid_time", "latitude", "longitude"),
                "f4",
                data=values.astype("f4"),
                fillvalue=np.float32(np.nan),
            )
            field.attrs.update({"units": "m s**-1", "long_name": f"100 metre {direction} wind component"})
    return buffer.getvalue()


def _waves(scale: str, rms_m_s: float, rng: np.random.Generator) -> Waves:
    count = _WAVES[scale]
    length = np.geomspace(*_LENGTH_KM[scale], count)
    period = rng.permutation(np.geomspace(*_PERIOD_H[scale], count))
    heading = rng.uniform(0, 2 * np.pi, count)
    return Waves(
        east=2 * np.pi / length * np.cos(heading),
        north=2 * np.pi / length * np.sin(heading),
        frequency=2 * np.pi / period,
        phase=rng.uniform(0, 2 * np.pi, count),
        amplitude_m_s=np.full(count, rms_m_s * np.sqrt(2.0 / count)),
    )


def _joined(first: Waves, second: Waves) -> Waves:
    pairs = ((getattr(first, name), getattr(second, name)) for name in Waves.__dataclass_fields__)
    return Waves(*(np.concatenate(pair) for pair in pairs))
