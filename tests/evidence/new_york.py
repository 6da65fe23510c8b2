"""Real points of interest through the 1 km job, with no image at hand: cells, rasters, and no emission claimed.

    python -m tests.evidence.new_york --data ../shared/data --bundles RUN --work DIR --out docs/evidence/new-york

RUN is any run of `jobs.train --model opencarbon`. The mask is the hull of the points themselves. Counts by cell are
held against a count by other code, from the same file.
"""

import argparse
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from matplotlib.figure import Figure

from carbonray.catalogue import run_job
from carbonray.io import table_store
from carbonray.io.urban.poi_categories import read_category_map
from carbonray.publish.markdown import table
from carbonray.science.spatial.cells import COLS, row_col
from carbonray.science.urban.poi import poi_raster
from carbonray.settings import load
from carbonray.stages.cell_places import PLACED_POINTS
from carbonray.vocab.cell_tables import GRID_CELLS

FILE = "urban/POI_NYC-2017.xls"
CITY, RUN_ID = "New York", "new-york"
PICTURE_PX = 64
MARGIN_DEG = 0.02


def main() -> None:
    """Parses the command line, runs the job and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data")
    parser.add_argument("--bundles", required=True, help="run of jobs.train --model opencarbon")
    parser.add_argument("--work", type=Path, required=True, help="folder of the run")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    flags.out.mkdir(parents=True, exist_ok=True)
    source = flags.data / FILE
    sheet = pd.read_excel(source, engine="calamine")
    facts = run(source, sheet, flags.bundles, flags.work)
    cells = pq.read_table(flags.work / RUN_ID / "grid_cells.parquet").cast(GRID_CELLS).sort_by("cell_id")
    points = placed_points(flags.work / RUN_ID)
    draw(points, flags.out / "points.png")
    text = page(facts, cells, points, sheet, hashlib.sha256(source.read_bytes()).hexdigest())
    (flags.out / "README.md").write_text(text, encoding="utf-8")


def run(source: Path, sheet: pd.DataFrame, bundles: str, work: Path) -> dict[str, Any]:
    """The job over the hull of the points."""
    work.mkdir(parents=True, exist_ok=True)
    points = shapely.multipoints(sheet[["lon", "lat"]].dropna().to_numpy())
    hull = shapely.buffer(shapely.convex_hull(points), MARGIN_DEG)  # a cell counts by its centre
    feature = {"type": "Feature", "properties": {"city": CITY}, "geometry": json.loads(shapely.to_geojson(hull))}
    (work / "mask.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    told = [f"inputs.mask={work}/mask.geojson", f"inputs.poi={source}", f"inputs.bundles={bundles}",
            "grid.rules.year=2017"]  # fmt: skip
    return run_job("grid", load([], told), str(work), RUN_ID)


def placed_points(run_folder: Path) -> pa.Table:
    """The points that the job placed in cells."""
    data = (run_folder / "points" / f"{Path(FILE).stem}.parquet").read_bytes()
    return table_store.decode_table(data, PLACED_POINTS)


def counted_apart(sheet: pd.DataFrame, kept: int) -> Counter[int]:
    """Points by cell, by the plainest arithmetic there is, of the classes that the category map has."""
    known = read_category_map()
    classes = sheet["fclass"].fillna("").map(str)
    good = sheet[[known.of_class(word) >= 0 for word in classes]].drop_duplicates("osm_id")
    row, col = np.floor((90.0 - good["lat"]) * 120), np.floor((good["lon"] + 180.0) * 120)
    counts = Counter((row * COLS + col).astype(int).tolist())
    assert counts.total() == kept, (counts.total(), kept)
    return counts


def draw(points: pa.Table, path: Path) -> None:
    """Points by cell, all and of three categories, and the raster of the fullest cell."""
    names, cell = read_category_map().names, points.column("cell_id").to_numpy()
    category = points.column("category").to_numpy()
    commonest = [number for number, _ in Counter(category.tolist()).most_common(3)]
    figure = Figure(figsize=(15, 4.2), layout="constrained")
    axes = figure.subplots(1, 5)
    for axis, chosen, title in zip(
        axes,
        [np.ones(len(cell), bool), *(category == number for number in commonest)],
        ["all points", *(names[number] for number in commonest)],
        strict=False,
    ):
        axis.imshow(counts_map(cell, cell[chosen]), cmap="magma")
        axis.set_title(f"{title}, ln(1 + points a cell)", fontsize=9)
        axis.set_axis_off()
    fullest = np.bincount(np.unique(cell, return_inverse=True)[1]).argmax()
    own = cell == np.unique(cell)[fullest]
    y, x = (points.column(name).to_numpy()[own] for name in ("y", "x"))
    raster = poi_raster(
        np.zeros(int(own.sum()), np.int64), category[own], y, x, cells=1, categories=len(names), size_px=PICTURE_PX
    )
    axes[4].imshow(np.asarray(raster)[0].sum(axis=0), cmap="magma")
    axes[4].set_title(f"the fullest cell at {PICTURE_PX} pixels: {int(own.sum())} points", fontsize=9)
    axes[4].set_axis_off()
    figure.savefig(path, dpi=110)


def counts_map(every: np.ndarray, cell: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """(y, x) ln(1 + points) of the window that holds every point."""
    row, col = row_col(every)
    window = np.zeros((int(row.max() - row.min()) + 1, int(col.max() - col.min()) + 1))
    rows, cols = row_col(cell)
    np.add.at(window, (rows - row.min(), cols - col.min()), 1.0)
    return np.log1p(window)


def page(facts: dict[str, Any], cells: pa.Table, points: pa.Table, sheet: pd.DataFrame, digest: str) -> str:
    """The evidence as Markdown."""
    names = read_category_map().names
    apart = counted_apart(sheet, points.num_rows)
    job = {n: c for n, c in zip(*(cells.column(k).to_pylist() for k in ("cell_id", "n_points")), strict=True) if c}
    differing = sum(job.get(number, 0) != count for number, count in apart.items())
    rows = {name: count for name, count in facts["rows"].items() if name.startswith("rejected")}
    by_category = Counter(points.column("category").to_pylist())
    claimed = int(np.isfinite(cells.column("emissions_t_co2").to_numpy()).sum())
    tiers, status = (sorted(set(cells.column(name).to_pylist())) for name in ("data_tier", "status"))
    return f"""# New York's points of interest through the 1 km job

Real input: `{FILE}` (sha256 `{digest[:16]}`), {
        len(sheet):,} points © OpenStreetMap contributors. No image of New York and
no label is at hand: the job makes cells and category rasters, runs the encoder of points, masks the images, and claims
nothing. The mask is the hull of the points and a margin, so that cells of water are among them.

    python -m tests.evidence.new_york --data ../shared/data --bundles RUN --work DIR --out docs/evidence/new-york

{
        table(
            ("fact", "figure"),
            [
                ("points read", f"{len(sheet):,}"),
                ("points kept, in cells", f"{points.num_rows:,}"),
                *((name, f"{count:,}") for name, count in rows.items()),
                ("cells", f"{cells.num_rows:,}"),
                ("cells with a point", f"{len(job):,}"),
                ("cells whose count differs from the count by other code", differing),
                ("data tier of every row", ", ".join(tiers)),
                ("status of every row", ", ".join(status)),
                ("cells with an emission", claimed),
                ("units planned, committed", f"{facts['units']['planned']}, {facts['units']['committed']}"),
            ],
        )
    }

{table(("category", "points"), [(name, f"{by_category[number]:,}") for number, name in enumerate(names)])}

![points by cell](points.png)
"""


if __name__ == "__main__":
    main()
