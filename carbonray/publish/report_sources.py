"""The parts of the report about hotspots: where they are, how sure they are, and what an inventory says of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.publish.charts import class_chart, date_text, interval_bar
from carbonray.publish.grid_view import GridView
from carbonray.publish.maps import Marks, Shading, Window, legend_mark, region_map, world_map
from carbonray.publish.page import fact_list, figure, legend_entry, section, side_by_side, table
from carbonray.publish.svg import Markup, escaped, tag
from carbonray.science.no2.matching import ClassCount, Overlap

_MOST_HOTSPOTS = 30
_MOST_MISSED = 20
_HEADS = ("", "position", "relative emission", "detected", "NO₂, µmol m⁻²", "area, km²", "year")


@dataclass(frozen=True)
class Comparison:
    """Hotspots against an inventory of point sources.

    Attributes:
        sources: `vocab.tables.SOURCES`.
        found: (s,) whether a hotspot answers for the source.
        distance_km: (s,) to the nearest hotspot.
        hotspot_has_source: (h,) whether the hotspot of the table's row has a source; the others are false.
        classes: counts by class of strength, units in the names.
        radius_km: how near counts as found.
        overlap: strong cells of a CO2 grid that a hotspot overlaps, if a grid was given.
    """

    sources: pa.Table
    found: NDArray[np.bool_]
    distance_km: NDArray[np.float64]
    hotspot_has_source: NDArray[np.bool_]
    classes: Sequence[ClassCount]
    radius_km: float
    overlap: Overlap | None = None


def summary_sentence(hotspots: pa.Table | None, comparison: Comparison | None, daily: pa.Table | None) -> str:
    """What the run found, in a sentence or two."""
    words = []
    if hotspots is not None:
        span = ""
        if daily is not None and daily.num_rows:
            days = daily.column("day").to_numpy()
            span = f" over {len(np.unique(days))} days from {date_text(days.min())} to {date_text(days.max())}"
        words.append(f"{hotspots.num_rows:,} persistent NO₂ hotspot{'s' if hotspots.num_rows != 1 else ''}{span}.")
    if comparison is not None:
        found, false = int(comparison.found.sum()), int((~comparison.hotspot_has_source).sum())
        words.append(
            f"{found} of {len(comparison.found)} sources of the inventory were found; "
            f"{false} hotspot{'s have' if false != 1 else ' has'} no source within {comparison.radius_km:g} km."
        )
    return " ".join(words)


def where_section(
    hotspots: pa.Table | None, grids: tuple[GridView, ...], comparison: Comparison | None
) -> Markup | None:
    """The world, and each year's window of the grid twice: how strong and how often."""
    if hotspots is None:
        return None
    marks = _marks(hotspots, comparison)
    legend = _legend(marks)
    window = _bounds(grids[-1]) if grids else None
    frame = " The dashed frame is the part that the run looked at." if window else ""
    world = figure(world_map(marks, window), f"Persistent hotspots and sources.{frame}", *legend)
    maps = [_year_maps(view, marks) for view in grids]
    lead = "Where the network sees emission on many days. Pointing at a mark names it; grey was never judged."
    return section("where", "Where", lead, world, *maps)


def table_section(hotspots: pa.Table | None, comparison: Comparison | None) -> Markup | None:
    """The strongest hotspots with their intervals."""
    if hotspots is None:
        return None
    if not hotspots.num_rows:
        return section("hotspots", "Hotspots", "No pixel was detected often enough to count as persistent.")
    order = np.argsort(-hotspots.column("rel_emission").to_numpy(), kind="stable")[:_MOST_HOTSPOTS]
    rows = hotspots.take(pa.array(order)).to_pylist()
    has_source = comparison.hotspot_has_source[order].tolist() if comparison is not None else None
    limit = max([row["rel_emission_p95"] for row in rows if np.isfinite(row["rel_emission_p95"])] + [0.1])
    cells = [_hotspot_cells(k + 1, row, min(limit, 1.0)) for k, row in enumerate(rows)]
    heads: tuple[str, ...] = _HEADS
    if has_source is not None:
        cells = [(*row, _source_tag(known)) for row, known in zip(cells, has_source, strict=True)]
        heads = (*_HEADS, "inventory")
    shown = f"the strongest {len(rows)} of {hotspots.num_rows:,}" if hotspots.num_rows > len(rows) else "all of them"
    lead = (
        f"By mean relative emission of the strongest pixel over all valid days: {shown}. Bars are 90 % intervals, "
        "over days for the emission and by Wilson's method for the frequency."
    )
    return section("hotspots", "Hotspots", lead, table(heads, cells))


def inventory_section(comparison: Comparison | None) -> Markup | None:
    """Found, missed and false, by class of strength."""
    if comparison is None:
        return None
    found, n, hotspots = int(comparison.found.sum()), len(comparison.found), len(comparison.hotspot_has_source)
    false = int((~comparison.hotspot_has_source).sum())
    facts: dict[str, object] = {
        "sources found (recall)": _share(found, n),
        "hotspots with a source (precision)": _share(hotspots - false, hotspots),
        "hotspots without a source": false,
        "counts as found within": f"{comparison.radius_km:g} km",
    }
    if comparison.overlap is not None:
        facts["strong cells of the CO₂ grid overlapped"] = _share(
            comparison.overlap.n_overlapped, comparison.overlap.n_cells
        )
    units = _units(comparison.sources)
    classes = comparison.classes
    chart = class_chart([_raised(c.name) for c in classes], [c.n_hits for c in classes], [c.n_sources for c in classes])
    missed = _missed(comparison, units)
    lead = (
        "An inventory is no truth, and a missed source may have been under cloud. False hotspots count like found ones."
    )
    caption = "Sources found (dark) of all (pale), by strength."
    return section(
        "inventory", "Against the inventory", lead, side_by_side(figure(chart, caption), fact_list(facts)), missed
    )


def _year_maps(view: GridView, marks: tuple[Marks, ...]) -> Markup:
    strength = Shading("Relative emission", "YlOrRd", _round_up(view.rel_emission, 0.2))
    often = Shading("Detection frequency", "YlGnBu", 1.0)
    captions = (
        f"Mean relative emission over valid days, {view.year}.",
        f"Share of valid days with a detection, {view.year}.",
    )
    window = Window(view.lat, view.lon, str(view.year))
    fields = ((view.rel_emission, strength), (view.detect_freq, often))
    drawn = (region_map(window, field, shading, marks) for field, shading in fields)
    return side_by_side(*(figure(m, c) for m, c in zip(drawn, captions, strict=True)))


def _marks(hotspots: pa.Table, comparison: Comparison | None) -> tuple[Marks, ...]:
    lat, lon = (hotspots.column(name).to_numpy() for name in ("lat", "lon"))
    names = [f"{i}: {f:.0%} of {d} days" for i, f, d in zip(*(hotspots.column(name).to_pylist() for name in
             ("hotspot_id", "detect_freq", "n_valid_days")), strict=True)]  # fmt: skip
    if comparison is None:
        return (Marks(lat, lon, tuple(names), "hotspot"),)
    alone = ~comparison.hotspot_has_source
    at_lat, at_lon = (comparison.sources.column(name).to_numpy() for name in ("lat", "lon"))
    labels = np.array([_source_name(row) for row in comparison.sources.to_pylist()], dtype=object)
    found = comparison.found
    return (
        Marks(lat[alone], lon[alone], tuple(np.array(names, dtype=object)[alone]), "false"),
        Marks(at_lat[~found], at_lon[~found], tuple(labels[~found]), "missed"),
        Marks(at_lat[found], at_lon[found], tuple(labels[found]), "found"),
    )


def _legend(marks: tuple[Marks, ...]) -> list[Markup]:
    words = {
        "hotspot": "persistent hotspot",
        "found": "source, found",
        "missed": "source, missed",
        "false": "hotspot without a source",
    }
    return [
        legend_entry(legend_mark(group.shape), f"{words[group.shape]} ({len(group.names)})")
        for group in reversed(marks)
    ]


def _hotspot_cells(rank: int, row: dict[str, object], limit: float) -> tuple[object, ...]:
    rel, low, high = (float(str(row[name])) for name in ("rel_emission", "rel_emission_p05", "rel_emission_p95"))
    freq, f_low, f_high = (float(str(row[name])) for name in ("detect_freq", "detect_freq_p05", "detect_freq_p95"))
    days = f"{row['n_detections']} of {row['n_valid_days']} days"
    return (
        escaped(rank),
        _position(float(str(row["lat"])), float(str(row["lon"]))),
        tag("div", interval_bar(rel, low, high, limit), f"{rel:.2f}", class_="pair"),
        tag("div", interval_bar(freq, f_low, f_high, 1.0), days, class_="pair"),
        row["no2_umol_m2"],
        row["area_km2"],
        str(row["year"]),
    )


def _missed(comparison: Comparison, units: str) -> Markup | str:
    rows = [
        (r, d)
        for r, d, f in zip(comparison.sources.to_pylist(), comparison.distance_km, comparison.found, strict=True)
        if not f
    ]
    if not rows:
        return ""
    rows.sort(key=lambda pair: -(pair[0]["strength"] or 0.0))
    cells = [
        (r["source_id"], _position(r["lat"], r["lon"]), r["strength"], float(d) if np.isfinite(d) else None)
        for r, d in rows[:_MOST_MISSED]
    ]
    more = f", the strongest {_MOST_MISSED}" if len(rows) > _MOST_MISSED else ""
    heads = ("source", "position", f"strength, {units}", "nearest hotspot, km")
    return table(heads, cells, f"Sources missed: {len(rows)} of {len(comparison.found)}{more}")


def _source_tag(known: bool) -> Markup:  # noqa: FBT001
    return tag("span", "has a source", class_="tag") if known else tag("span", "no source", class_="tag false")


def _source_name(row: dict[str, object]) -> str:
    return f"{row['source_id']}: {row['strength']} {row['strength_units']}"


def _units(sources: pa.Table) -> str:
    return _raised(str(next(iter(sources.column("strength_units").to_pylist()), "")))


def _raised(units: str) -> str:
    """Exponents raised: `kg s-1` as people write it."""
    return re.sub(r"(?<=[a-z])-([12])\b", lambda power: "⁻" + "¹²"[int(power[1]) - 1], units)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "none to compare"


def _position(lat: float, lon: float) -> Markup:
    words = f"{abs(lat):.2f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.2f}° {'E' if lon >= 0 else 'W'}"
    return tag("span", words, class_="nowrap")


def _bounds(view: GridView) -> tuple[float, float, float, float]:
    return float(view.lon[0]), float(view.lat[-1]), float(view.lon[-1]), float(view.lat[0])


def _round_up(field: NDArray[np.float64], least: float) -> float:
    """The largest value, up to the next tenth, so that colours of two maps can be compared."""
    top = float(np.nanmax(field)) if np.isfinite(field).any() else least
    return max(float(np.ceil(top * 10) / 10), least)
