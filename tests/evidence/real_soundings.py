"""Runs the real Landsat 8 and Sentinel-2 images at hand through `jobs.ingest` and `jobs.plants`: scored, or which rule.

`python -m tests.evidence.real_soundings --data ../shared/data --out docs/evidence/real-soundings`. No plant stands in
these images: fictional ones are placed there, and the models come from a small synthetic fleet that the command trains
itself. It is plumbing and no skill.
"""

import argparse
import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.catalogue import run_job
from carbonray.io.image_store import ImageStack, read_images
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS
from carbonray.science.power.patches import cut_patches, patches_inside
from carbonray.settings import load
from carbonray.vocab.plants import STRUCTURE_KINDS
from carbonray.vocab.sensors import IMAGERS
from tests.evidence.imagery import CHIPS, HLS, HLS_CHIP, SCENE
from tests.evidence.real_places import PLACES, write_inputs
from tests.evidence.real_soundings_page import readme
from tests.pipelines.small_product import make_store, train_settings

ERAS = (
    '[{imager: planetscope, since: "2020-12-01", every: 90, share: 1.0}, '
    '{imager: sentinel2, since: "2020-12-01", every: 10, share: 1.0}, '
    '{imager: landsat8, since: "2020-12-01", every: 3, share: 1.0}]'
)
TREES = tuple(f"{imager}_xgb_{kind.lower()}" for kind in STRUCTURE_KINDS for imager in IMAGERS)
FLEET = (  # plants enough that towers and stacks are learned from in each of the four folds
    "fleet.plants=26",
    "fleet.regions=[europe_central, europe_southeast]",
    f"fleet.overpass.eras={ERAS}",
    "soundings.left_out_countries=[]",
    f"soundings.models=[{','.join((*TREES, 'landsat8_resisc_ndt'))}]",
)
MARGINS_PX = (48, 10)  # around structures: the default, and what leaves the chips of 24 x 42 pixels whole
YEARS = (2015, 2019)  # of the images; the chip without a date is told to be of 2017
# a file that shows nothing of a region is set aside: here that is a result, not a fault of the run
RUN = ("engine.backend=memory", "engine.max_quarantine_rate=0.5", f"plants.selection.years=[{YEARS[0]}, {YEARS[1]}]")


def main() -> None:
    """Parses the command line and writes the page and the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(flags.data.resolve(), flags.out, Path(folder))


def write(data: Path, out: Path, work: Path, fleet: tuple[str, ...] = FLEET) -> dict[str, Any]:
    """Trains, ingests, scores, and writes results.json and README.md; answers the results.

    Args:
        data: folder of real data.
        out: folder of the evidence.
        work: an empty folder for the runs.
        fleet: settings of the synthetic fleet and its models that differ from the small product's.
    """
    trained = train(work / "earth", fleet)
    runs = [scored(data, work, margin) for margin in MARGINS_PX]
    results = {"inputs_sha256": hashes(data), "trained": trained, "runs": runs}
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "README.md").write_text(readme(results), encoding="utf-8")
    return results


def train(earth: Path, fleet: tuple[str, ...]) -> dict[str, Any]:
    """Images of a small synthetic fleet under `earth/store`, models of it under `earth/models`; what they are."""
    make_store(earth, *fleet)
    facts = run_job("train", train_settings(earth, *fleet), str(earth), "models")
    manifest = json.loads((earth / "models" / "bundles" / "plants.json").read_text())
    names = sorted({pin["name"] for pin in manifest["soundings"]})
    told = {name: facts["summary"][name] for name in ("data tier", "training plants", "labelled images")}
    return {**told, "first weights": facts["summary"]["first weights"], "models": names, "sha256": facts["sha256"]}


def scored(data: Path, work: Path, margin_px: int) -> dict[str, Any]:
    """One ingest and one scoring of all places, with a margin around structures; what became of every image."""
    folder = work / f"margin-{margin_px}"
    folder.mkdir()
    given = [f"{name}={value}" for name, value in write_inputs(data, folder).items()]
    # ids go on from those of the fleet: a product knows the plants that taught it by their ids
    told = (*RUN, f"plants.region.margin_px={margin_px}", f"plants.earlier_url={work}/earth/store")
    with mock.patch.dict(IMAGERS, {HLS.name: HLS}):
        run_job("ingest", load(overrides=[*told, *given]), str(folder), "store")
        models = (f"plants.store_url={folder}/store", f"inputs.bundles={work}/earth/models")
        facts = run_job("plants", load(overrides=[*told, *models]), str(folder), "plants")
    annual = pq.read_table(folder / "plants" / "plants_annual.parquet").to_pandas()
    years = annual[annual["unit_id"].isna()]
    return {
        "margin_px": margin_px,
        "rows": {name: int(count) for name, count in facts["rows"].items()},
        "plant_years": len(years),
        "imputed": round(float(years["imputed_fraction"].mean()), 3),
        "interval": [round(float(years[f"capacity_factor_{end}"].mean()), 3) for end in ("p05", "p95")],
        "images": list(outcomes(folder)),
    }


def outcomes(folder: Path) -> Iterator[dict[str, Any]]:
    """Every image of every structure kind, and every file that was set aside: what became of it."""
    names = _names(folder / "store")
    soundings = _frame(folder / "plants" / "soundings.parquet")
    rules = {
        where: _frame(folder / run / "rejections.parquet") for where, run in (("job", "plants"), ("ingest", "store"))
    }
    for row in _frame(folder / "store" / "quarantine.parquet").to_dict("records"):
        plant_id, imager, _ = row["key"].rsplit("-", 2)
        why = row["reason"].split(": ", 1)[-1]  # without the file's place on this machine
        yield {"place": names[plant_id], "imager": imager, "outcome": "set aside", "why": why}
    for path in sorted((folder / "store" / "images").glob("*/*/[0-9]*.zarr")):
        stack = read_images(path.as_posix())
        table = pq.read_table(path.with_suffix(".parquet")).to_pandas().set_index("image_id")
        for kind, (number, image_id) in itertools.product(STRUCTURE_KINDS, enumerate(stack.image_ids)):
            key = {"plant_id": stack.of.plant_id, "image_id": image_id, "structure_kind": kind}
            bits = int(table.loc[image_id, "quality"])
            yield {
                "place": names[stack.of.plant_id],
                "imager": stack.of.imager,
                "image_id": image_id,
                "kind": kind,
                "quality": [name for name, bit in QUALITY_BITS.items() if bits & bit],
                "measured": measured(stack, number, kind),
                **outcome(_of(soundings, key), {where: _of(rows, key) for where, rows in rules.items()}),
            }


def outcome(said: pd.DataFrame, rules: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Scores of one image and kind by model and head, or the rule of the job, or why the job was not asked."""
    if len(said):
        scores = []
        for (model, head), of in said.groupby(["model", "head"])["value"]:
            told = {name: round(float(getattr(of, name)()), 4) for name in ("mean", "min", "max")}
            scores.append({"model": model, "head": head, "instances": len(of), **told})
        return {"outcome": "scored", "why": "", "scores": scores}
    for where, rows in rules.items():
        for row in rows[rows["entity"] == "image"].to_dict("records"):
            word = "rejected" if where == "job" else "not asked: no model of it; rejected by the ingest"
            return {"outcome": word, "why": f"{row['rule']}: {row['reason']}"}
    return {"outcome": "not asked: no model of it", "why": ""}


def measured(stack: ImageStack, image: int, kind: str) -> float | None:
    """Share of the largest patch around the structures that holds data, None where it reaches beyond the region."""
    here = np.array([structure.kind == kind for structure in stack.structures])
    row, col, size = stack.row[here], stack.col[here], max(IMAGERS.get(stack.of.imager, HLS).patch_px)
    if not patches_inside(row, col, stack.flags.shape[-2:], size).all():
        return None
    patches = cut_patches(stack.flags[image : image + 1], row, col, size)
    return round(float(((patches & FLAG_BITS["nodata"]) == 0).mean()), 3)


def hashes(data: Path) -> dict[str, str]:
    """Path -> digest of every real file that is read."""
    chips = [path for path in (data / CHIPS).iterdir() if "TOA" in path.name or "SCL" in path.name]
    files = sorted([*(data / SCENE).iterdir(), *chips, data / HLS_CHIP])
    return {path.relative_to(data).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _names(store: Path) -> dict[str, str]:
    plants = _frame(store / "inventory.parquet")
    found = dict(zip(plants["plant_id"], plants["name"], strict=True))
    return {plant_id: name for plant_id, name in found.items() if name in {place.name for place in PLACES}}


def _frame(path: Path) -> pd.DataFrame:
    parts = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    return pa.concat_tables([pq.read_table(part) for part in parts]).to_pandas()


def _of(rows: pd.DataFrame, key: dict[str, str]) -> pd.DataFrame:
    found: pd.DataFrame = rows[np.logical_and.reduce([rows[name] == value for name, value in key.items()])]
    return found


if __name__ == "__main__":
    main()
