"""When an imager looks at a plant: the times and names of its images over the years.

Source: SCIENCE 4.2 (overpass hour, revisit; `vocab.sensors`) and 4.13 (soundings per plant; PlanetScope almost none
before 2018); the eras of Sentinel-2 follow the launches of 2A and 2B. Shares are inferred: they make the number of
clear images per plant over 2015 to 2022 that of the paper. Whether the sky was clear is the weather's business.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from carbonray.vocab.sensors import Imager

_EPOCH = date(2013, 1, 1)  # passes are counted from here, so that a longer span keeps the earlier ones
_DAY_NS, _HOUR_S = 86_400 * 10**9, 3600.0


@dataclass(frozen=True)
class Era:
    """What an imager's archive holds from a day on.

    Attributes:
        imager: key of the imager.
        since: first day.
        every: each how many-th pass a satellite takes.
        share: passes of which the archive has an image.
    """

    imager: str
    since: str
    every: int
    share: float


@dataclass(frozen=True)
class OverpassRules:
    """Images per plant; numbers are inferred.

    Attributes:
        eras: each imager's in order of time; an imager without any takes every pass from the beginning.
        second_track_share: plants that a second orbit sees too, where revisits are longer than a day.
        second_track_turn: when that orbit comes, as a part of the revisit.
        jitter_h: half width of the overpass hour where the imager has one hour only.
        duplicate_share: images delivered twice with one time stamp.
    """

    eras: tuple[Era, ...] = (
        Era("planetscope", "2016-01-01", 1, 0.02),
        Era("planetscope", "2018-01-01", 1, 0.93),
        Era("sentinel2", "2015-07-01", 2, 0.74),
        Era("sentinel2", "2017-04-01", 1, 0.74),
        Era("landsat8", "2013-04-01", 1, 0.9),
    )
    second_track_share: float = 0.35
    second_track_turn: float = 0.4
    jitter_h: float = 0.25
    duplicate_share: float = 0.01


@dataclass(frozen=True)
class Acquisitions:
    """The images of one plant by one imager, in order of time: (image,) times and ids."""

    time_utc_ns: NDArray[np.int64]
    image_id: tuple[str, ...]


def drawn_acquisitions(
    rules: OverpassRules, imager: Imager, lon: float, name: str, end: date, rng: np.random.Generator
) -> Acquisitions:
    """Every image from the imager's beginning to the day before `end`.

    Args:
        rules: what the archives hold.
        imager: who looks.
        lon: the plant's longitude, degrees; passes keep to local solar time.
        name: what the ids begin with.
        end: first day without images.
        rng: the generator of this plant and imager.
    """
    phase_rng, *streams = rng.spawn(3)
    phase, two_tracks = phase_rng.uniform(0.0, imager.revisit_days), phase_rng.random() < rules.second_track_share
    tracks = [phase]
    if two_tracks and imager.revisit_days > 1:
        tracks.append(phase + rules.second_track_turn * imager.revisit_days)
    found = [_track(rules, imager, lon, start, end, stream) for start, stream in zip(tracks, streams, strict=False)]
    times = np.sort(np.concatenate(found))
    return Acquisitions(times, _ids(name, times))


def _track(
    rules: OverpassRules, imager: Imager, lon: float, phase: float, end: date, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Times of the images that one orbit leaves, ns UTC."""
    keep_rng, hour_rng, twice_rng = rng.spawn(3)
    passes = int(max(((end - _EPOCH).days - phase) / imager.revisit_days, 0.0)) + 1
    number = np.arange(passes)
    day = np.floor(phase + number * imager.revisit_days).astype(np.int64)
    eras = [era for era in rules.eras if era.imager == imager.name]
    share, every = _archive(eras or [Era(imager.name, _EPOCH.isoformat(), 1, 1.0)], day)
    low, high = imager.overpass_local_hour
    spread = 0.0 if high > low else rules.jitter_h
    local_h = hour_rng.uniform(low - spread, high + spread, passes)
    kept = (keep_rng.random(passes) < share) & (number % every == 0) & (day < (end - _EPOCH).days)
    copies = 1 + (twice_rng.random(passes) < rules.duplicate_share)
    start_ns = (_EPOCH - date(1970, 1, 1)).days * _DAY_NS + day * _DAY_NS
    times = start_ns + np.rint((local_h - lon / 15.0) * _HOUR_S).astype(np.int64) * 10**9
    return np.repeat(times[kept], copies[kept])


def _archive(eras: list[Era], day: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(pass,) share of passes kept, 0 before the first era, and each how many-th is taken."""
    since = np.array([(date.fromisoformat(era.since) - _EPOCH).days for era in eras])
    era = np.searchsorted(since, day, side="right")
    return np.array([0.0, *(e.share for e in eras)])[era], np.array([1, *(e.every for e in eras)])[era]


def _ids(name: str, times: NDArray[np.int64]) -> tuple[str, ...]:
    """Ids by the second; of images with one time stamp the later delivered have a number."""
    again = np.append(False, times[1:] == times[:-1])[: len(times)]
    moments = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(t) // 1000) for t in times)
    return tuple(
        f"{name}_{moment:%Y%m%dT%H%M%S}{'_2' if twice else ''}" for moment, twice in zip(moments, again, strict=True)
    )
