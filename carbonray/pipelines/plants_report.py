"""The page of a run on power plants, made from its committed products alone, so that it can be made again."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.engine.run import Run
from carbonray.engine.verify import QUARANTINE_FILE
from carbonray.io import ledger, objectstore
from carbonray.io.image_store import PlantYear, read_images
from carbonray.io.inventory.store import CONFLICTS, INVENTORY, read_inventory
from carbonray.io.ledger import Commit
from carbonray.io.table_store import decode_table
from carbonray.pipelines.commands import again
from carbonray.pipelines.planning import records_of
from carbonray.publish.report import ReportFacts
from carbonray.publish.report_plants import ImageSample, PlantFacts
from carbonray.science.power.band_math import values
from carbonray.science.spatial.geodesy import utc_year
from carbonray.settings import Settings
from carbonray.stages.rejections import PAPER_TABLE_1, rejection_counts
from carbonray.vocab.plant_tables import INVENTORY_CONFLICTS, LABELS, REJECTIONS
from carbonray.vocab.plants import FGD, NDT
from carbonray.vocab.sensors import IMAGERS
from carbonray.vocab.tables import QUARANTINE

REJECTED = "rejections.parquet"
Key = tuple[str, str]
_DISPLAY_PERCENTILES = (2.0, 99.0)  # what becomes black and white on the page


def plants_report(run: Run, settings: Settings) -> ReportFacts:
    """What the page of a verified run is made of."""
    plants, _, structures = read_inventory(objectstore.join(run.url, INVENTORY))
    labelled = list(ledger.read(run.url, "labels").values())
    before, after, on, off = (_counted(labelled, name) for name in ("before", "after", "labelled on", "labelled off"))
    facts = PlantFacts(
        plants=plants,
        structures=structures,
        conflicts=_table(run, CONFLICTS, INVENTORY_CONFLICTS),
        rejections=rejection_counts(_table(run, REJECTED, REJECTIONS)),
        images={key: (before[key], after[key]) for key in before},
        published={
            (kind, imager): counts[at : at + 2]  # type: ignore[misc]
            for imager, counts in PAPER_TABLE_1.items()
            for kind, at in ((NDT, 0), (FGD, 2))
        },
        labels={key: (on[key], off[key]) for key in before},
        samples=tuple(_samples(run, settings, labelled)),
    )
    earlier = [f"plants.earlier_url={settings.plants.earlier_url}"] if settings.plants.earlier_url else []
    return ReportFacts(
        title="Power plants",
        run=run.facts,
        plants=facts,
        quarantine=_table(run, QUARANTINE_FILE, QUARANTINE),
        commands=again(run, settings, ("plants", "fleet", "render"), earlier),
    )


def _counted(labelled: list[Commit], name: str) -> Counter[Key]:
    total: Counter[Key] = Counter()
    for commit in labelled:
        for kind, imager, count in commit.facts.get(name, []):
            total[kind, imager] += count
    return total


def _table(run: Run, name: str, schema: pa.Schema) -> pa.Table:
    url = objectstore.join(run.url, name)
    return decode_table(objectstore.read_bytes(url), schema) if objectstore.exists(url) else schema.empty_table()


def _samples(run: Run, settings: Settings, labelled: list[Commit]) -> Iterator[ImageSample]:
    """Of each structure kind and imager, the labelled image at the highest capacity factor and one that is off."""
    tables = [
        decode_table(objectstore.read_bytes(objectstore.join(run.url, record.key)), LABELS)
        for record in records_of(labelled, "labels/")
    ]
    labels = pa.concat_tables([LABELS.empty_table(), *tables])
    stores = settings.plants.earlier_url if settings.plants.images_from == "earlier" else run.url
    for kind in (NDT, FGD):
        for imager in IMAGERS:
            here = labels.filter((pc.field("structure_kind") == kind) & (pc.field("imager") == imager))
            for on in (True, False):
                order = [("capacity_factor", "descending" if on else "ascending"), ("image_id", "ascending")]
                chosen = here.filter(pc.field("on") == on).sort_by(order).slice(0, 1).to_pylist()
                yield from (_sample(stores, row) for row in chosen)


def _sample(stores_url: str, row: Mapping[str, object]) -> ImageSample:
    time_utc_ns = int(str(row["time_utc_ns"]))
    of = PlantYear(str(row["plant_id"]), str(row["imager"]), int(utc_year(time_utc_ns)))
    stack = read_images(objectstore.join(stores_url, f"{of.stem}.zarr"))
    one = slice(stack.image_ids.index(str(row["image_id"])), stack.image_ids.index(str(row["image_id"])) + 1)
    physical = values(stack.dn[one], stack.scale[one], stack.offset[one], stack.k1[one], stack.k2[one])[0]
    imager = IMAGERS[of.imager]
    state = "on" if row["on"] else "off"
    kinds = np.array([structure.kind == row["structure_kind"] for structure in stack.structures])
    return ImageSample(
        title=f"{row['plant_id']}, {of.imager}",
        time_utc_ns=time_utc_ns,
        words=f"{row['structure_kind']}: {state}, capacity factor {float(str(row['capacity_factor'])):.2f}",
        rgb=_true_colour(physical[[imager.band_index(name) for name in ("red", "green", "blue")]]),
        marks=np.column_stack([stack.row[kinds], stack.col[kinds]]).astype(np.float64),
    )


def _true_colour(reflectance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(band, y, x) red, green, blue as (y, x, 3), all three stretched alike; black where nothing was measured."""
    known = np.isfinite(reflectance)
    low, high = np.percentile(reflectance[known], _DISPLAY_PERCENTILES) if known.any() else (0.0, 1.0)
    shown = np.where(known, (reflectance - low) / max(high - low, 1e-6), 0.0)
    return np.moveaxis(np.clip(255.0 * shown, 0, 255), 0, -1).astype(np.uint8)
