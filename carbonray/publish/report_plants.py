"""The parts of the report about power plants: which there are, what was excluded by which rule, what their images show.

Published counts, those of the plume paper's Table 1, are on other data and stand in columns of their own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from carbonray.publish.charts import date_text
from carbonray.publish.maps import Marks, legend_mark, world_map
from carbonray.publish.page import fact_list, figure, legend_entry, section, side_by_side, table, tall
from carbonray.publish.svg import Markup, joined, png_uri, tag

_MOST_CONFLICTS = 40
_MOST_COUNTRIES = 25
_MOST_MARKS = 2000
_NS_PER_DAY = 86_400_000_000_000


@dataclass(frozen=True)
class ImageSample:
    """One picture of a plant.

    Attributes:
        title: plant and imager.
        time_utc_ns: of the acquisition.
        words: what is known of it, such as its label.
        rgb: (y, x, 3) uint8.
        marks: (n, 2) row and column of its structures.
    """

    title: str
    time_utc_ns: int
    words: str
    rgb: NDArray[np.uint8]
    marks: NDArray[np.float64]


@dataclass(frozen=True)
class PlantFacts:
    """What is known of the plants.

    Attributes:
        plants: `vocab.plant_tables.PLANTS`.
        structures: `vocab.plant_tables.STRUCTURES`.
        conflicts: `vocab.plant_tables.INVENTORY_CONFLICTS`.
        rejections: columns `entity`, `structure_kind`, `imager`, `rule` and `rows`: how many each rule excluded.
        images: (structure kind, imager) -> images before and after the rules on images, copies and weather.
        published: the same of the paper.
        labels: (structure kind, imager) -> labelled images that are on, and off.
        samples: pictures.
    """

    plants: pa.Table
    structures: pa.Table
    conflicts: pa.Table
    rejections: pa.Table
    images: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    published: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    labels: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    samples: tuple[ImageSample, ...] = ()


def plant_sections(facts: PlantFacts) -> dict[str, Markup | None]:
    """The page's sections by their names."""
    return {
        "Plants": _plants(facts),
        "Images": _images(facts),
        "Rules": _rules(facts),
        "Pictures": _pictures(facts.samples),
        "Conflicts": _conflicts(facts.conflicts),
    }


def plant_sentence(facts: PlantFacts) -> str:
    """What the run found, in a sentence."""
    kinds = Counter(facts.structures.column("structure_kind").to_pylist())
    seen = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "none"
    before, after = (sum(pair[k] for pair in facts.images.values()) for k in (0, 1))
    capacity = float(np.nansum(facts.plants.column("capacity_mw").to_numpy()))
    words = f"{facts.plants.num_rows:,} power plants of {capacity / 1000:,.1f} GW; annotated structures: {seen}."
    return words + (f" {after:,} of {before:,} images passed the rules on images." if before else "")


def _plants(facts: PlantFacts) -> Markup:
    plants = facts.plants
    lat, lon = (plants.column(name).to_numpy() for name in ("lat", "lon"))
    names = np.array(
        [f"{n}, {c}: {mw:,.0f} MW {f}" for n, c, mw, f in zip(*(plants.column(k).to_pylist() for k in
         ("name", "country", "capacity_mw", "primary_fuel")), strict=True)], dtype=object)  # fmt: skip
    watched = np.isin(plants.column("plant_id").to_numpy(zero_copy_only=False), facts.structures.column("plant_id"))
    groups = tuple(
        Marks(lat[chosen], lon[chosen], tuple(names[chosen]), shape)
        for chosen, shape in ((~watched, "missed"), (watched, "found"))
    )
    words = ("plant", "plant with annotated towers or stacks")
    legend = [
        legend_entry(legend_mark(g.shape), f"{w} ({len(g.names):,})")
        for g, w in zip(groups, words, strict=True)
        if g.names
    ]
    shown = "" if plants.num_rows <= _MOST_MARKS else f" Of the former, the largest {_MOST_MARKS:,} are shown."
    drawn = (_largest(groups[0], plants.column("capacity_mw").to_numpy()[~watched]), groups[1])
    world = figure(world_map(drawn, None), f"Where the plants are.{shown}", *legend)
    folds = Counter(plants.column("fold").to_pylist())
    counts = {("no fold yet" if fold < 0 else f"fold {fold}"): count for fold, count in sorted(folds.items())}
    lead = "From all inventories given, one row a plant. A fold is a set of 1° blocks that no model sees whole."
    by_place = side_by_side(_counted(plants, "country", "country"), _counted(plants, "primary_fuel", "fuel"))
    return section("plants", "Plants", lead, world, by_place, fact_list(counts))


def _largest(marks: Marks, capacity_mw: NDArray[np.float64]) -> Marks:
    """A world of thirty thousand crosses shows nothing."""
    chosen = np.sort(np.argsort(-np.nan_to_num(capacity_mw), kind="stable")[:_MOST_MARKS])
    return Marks(marks.lat[chosen], marks.lon[chosen], tuple(marks.names[k] for k in chosen), marks.shape)


def _counted(plants: pa.Table, column: str, head: str) -> Markup:
    stated = pa.array(plants.column("capacity_mw").to_numpy(), from_pandas=True)  # not stated is null, and not summed
    told = pa.table({column: plants.column(column), "plant_id": plants.column("plant_id"), "capacity_mw": stated})
    grouped = told.group_by(column).aggregate([("capacity_mw", "sum"), ("plant_id", "count")]).to_pylist()
    grouped.sort(key=lambda row: -(row["capacity_mw_sum"] or 0.0))
    rows = [(r[column], r["plant_id_count"], (r["capacity_mw_sum"] or 0.0) / 1000) for r in grouped[:_MOST_COUNTRIES]]
    more = f"; the largest {_MOST_COUNTRIES} of {len(grouped)}" if len(grouped) > _MOST_COUNTRIES else ""
    return tall(table((head, "plants", "GW"), rows, f"By {head}{more}"))


def _images(facts: PlantFacts) -> Markup | None:
    """In the form of the paper's Table 1: images before and after the rules."""
    if not facts.images:
        return None
    rows = []
    for key, (before, after) in sorted(facts.images.items()):
        on, off = facts.labels.get(key, (0, 0))
        rows.append((*key, before, after, on, off, *facts.published.get(key, (None, None))))
    heads = ("structure", "imager", "before", "after", "labelled on", "labelled off", "before", "after")
    lead = (
        "Images of all plants with a structure of the kind, before and after the rules on images, copies and weather. "
        "What rules on plants exclude besides is listed below."
    )
    groups = (("this run", 6, ""), ("published, on other data", 2, "published"))
    return section("images", "Images", lead, table(heads, rows, "Images before and after filtering", groups))


def _rules(facts: PlantFacts) -> Markup | None:
    if not facts.rejections.num_rows:
        return None
    cells = [
        (row["entity"], row["structure_kind"], row["imager"], row["rule"], row["rows"])
        for row in sorted(facts.rejections.to_pylist(), key=lambda row: (row["entity"], -row["rows"], row["rule"]))
    ]
    lead = "What was excluded, and by which rule; every row is in `rejections.parquet` with its reason."
    return section("rules", "Rules", lead, tall(table(("what", "structure", "imager", "rule", "rows"), cells)))


def _pictures(samples: Sequence[ImageSample]) -> Markup | None:
    if not samples:
        return None
    lead = "True colour as the imager saw it, stretched alike within each picture; rings mark towers and stacks."
    return section("pictures", "Pictures", lead, tag("div", joined(_picture(s) for s in samples), class_="pictures"))


def _picture(sample: ImageSample) -> Markup:
    rows, cols, _ = sample.rgb.shape
    opaque = np.concatenate([sample.rgb, np.full((rows, cols, 1), 255, np.uint8)], axis=2)
    radius = max(rows, cols) / 24
    rings = [
        tag("circle", cx=f"{col + 0.5:.1f}", cy=f"{row + 0.5:.1f}", r=f"{radius:.1f}", class_="ring")
        for row, col in sample.marks
    ]
    image = tag("image", href=png_uri(opaque), x=0, y=0, width=cols, height=rows, class_="raster")
    words = f"{sample.title}, {date_text(sample.time_utc_ns / _NS_PER_DAY)}"
    drawn = tag("svg", image, *rings, viewBox=f"0 0 {cols} {rows}", class_="figure", role="img", aria_label=words)
    return figure(drawn, tag("span", words, Markup("<br/>"), sample.words))


def _conflicts(conflicts: pa.Table) -> Markup | None:
    if not conflicts.num_rows:
        return None
    names = ("plant_id", "attribute", "kept_source", "kept_value", "other_source", "other_value", "rule")
    rows = [tuple(row[name] for name in names) for row in conflicts.slice(0, _MOST_CONFLICTS).to_pylist()]
    more = f"the first {_MOST_CONFLICTS} of {conflicts.num_rows:,}" if conflicts.num_rows > _MOST_CONFLICTS else "all"
    counts = Counter(conflicts.column("attribute").to_pylist())
    heads = ("plant", "attribute", "kept from", "kept", "other source", "says", "because")
    lead = f"Where inventories disagree, both values are kept in `inventory_conflicts.parquet`; {more} are shown."
    return section("conflicts", "Conflicts", lead, fact_list(dict(counts.most_common())), tall(table(heads, rows)))
