"""The plant product from fleet to score at the size of two CPU cores: runs everything, and keeps what it shows.

`python -m tests.evidence.plants --work out/evidence --out docs/evidence/plants` makes the fleet, ingests it, trains all
sixteen pairs in four rotations, scores two years, evaluates, and does the same for the negative controls. Each step is
a run that is resumed where it exists. Everything is SYNTHETIC; `tests/evidence/plants.yaml` holds the sizes.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from carbonray import demo
from carbonray.catalogue import run_job
from carbonray.io.plant_product import open_product
from carbonray.publish.markdown import number, table
from carbonray.settings import Settings, load
from carbonray.synthetic.frozen import image_generator_sha256

OVERLAY = str(Path(__file__).with_suffix(".yaml"))
YEARS = "plants.selection.years=[2020, 2021]"
TWO_ACTORS = ("engine.model_actors=2", "engine.model_cpus=0.75")
ALL_SKIES = "plants.visibility.limits=[]"
# one imager and its cheapest models are enough to show that a skill goes away
CONTROL_MODELS = "soundings.models=[sentinel2_xgb_ndt, sentinel2_xgb_fgd, sentinel2_resisc_ndt, sentinel2_resisc_fgd]"
FGD_TREES = "soundings.models=[planetscope_xgb_fgd, sentinel2_xgb_fgd, landsat8_xgb_fgd]"
CONTROL_ERAS = (
    'fleet.overpass.eras=[{imager: planetscope, since: "2030-01-01", every: 1, share: 0.0}, '
    '{imager: sentinel2, since: "2019-06-01", every: 6, share: 1.0}, '
    '{imager: landsat8, since: "2030-01-01", every: 1, share: 0.0}]'
)
BESIDE = ("train_mean", "weather_only", "oracle")
KEPT = ("table.md", "soundings.parquet", "generation.parquet", "annual.parquet", "coverage.parquet")


def main() -> None:
    """Parses the command line, runs what is not there yet, and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    work = flags.work.resolve()
    facts = {name: run_job(job, settings, str(work), name) for name, (job, settings) in steps(work).items()}
    write(work, flags.out, facts)


def steps(work: Path) -> dict[str, tuple[str, Settings]]:
    """Run id -> job and settings, in order; later ones read the folders of earlier ones."""
    world = work / "world"
    made: dict[str, tuple[str, Settings]] = {}

    def add(name: str, job: str, *more: str) -> None:
        made[name] = job, load([OVERLAY], list(more))

    add("world", "world")
    if not (world / "run.json").exists():
        run_job("world", made["world"][1], str(work), "world")
    inputs = [f"inputs.{name}={world}/{path}" for name, path in demo.INPUTS["ingest"].items() if name != "imagery"]
    layouts = sorted(folder.name for folder in (world / "reported").iterdir())
    inputs.append(f"inputs.reported={[f'{name}={world}/reported/{name}/*' for name in layouts]}")
    add("store", "ingest", *inputs)
    add("store-chance", "ingest", *inputs, "render.vapor_follows=chance", CONTROL_ERAS)
    add(
        "store-all-skies", "ingest", *inputs, ALL_SKIES, "plants.images_from=earlier",
        f"plants.earlier_url={work}/store",
    )  # fmt: skip
    add("models", "train", "model=plants", f"plants.store_url={work}/store", *TWO_ACTORS)
    for name, models in (("chance", CONTROL_MODELS), ("all-skies", FGD_TREES)):
        told = ("model=plants", f"plants.store_url={work}/store-{name}", *TWO_ACTORS, models)
        add(f"models-{name}", "train", *told, *([ALL_SKIES] if name == "all-skies" else []))
    scored = {"plants": ("store", "models")}
    scored |= {name: (f"store-{name}", f"models-{name}") for name in ("chance", "all-skies")}
    for name, (store, models) in scored.items():
        more = [ALL_SKIES] if name == "all-skies" else []
        told = (f"plants.store_url={work}/{store}", f"inputs.bundles={work}/{models}", YEARS, *TWO_ACTORS)
        add(name, "plants", *told, *more)
        truth = [f"inputs.truth={work}/{store}/truth/vapor/*.parquet"] if name != "all-skies" else []
        add(f"scores-{name}", "evaluate", "model=plants", f"inputs.plants={work}/{name}", YEARS, *truth, *more)
    return made


def write(work: Path, out: Path, facts: Mapping[str, Mapping[str, Any]]) -> None:
    """Keeps the tables, the page of the year and a page of all."""
    out.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(work / "scores-plants" / "evaluation" / name, out / name)
    (out / "README.md").write_text(readme(work, facts), encoding="utf-8")


def readme(work: Path, facts: Mapping[str, Mapping[str, Any]]) -> str:
    """What was made, trained and judged, with which bytes, and what the controls say."""
    product, sha256 = open_product(f"file://{work}/models")
    lineages = [json.loads(path.read_text())["lineage"] for path in (work / "models").glob("bundles/*/*/bundle.json")]
    frozen = {told["generator_sha256"] for told in lineages}
    now = image_generator_sha256()
    runs = [
        (f"`{name}`", told["job"], told["units"]["committed"], told["units"]["quarantined"], f"`{told['sha256'][:16]}`")
        for name, told in facts.items()
    ]
    fits = sorted({(pin.name, pin.initialisation or "trees") for pin in product.soundings})
    missing = "\n".join(f"* {name}: {why}" for name, why in product.missing.items()) or "None."
    return f"""# The plant product on the synthetic fleet

Data tier: SYNTHETIC, every figure but those in columns headed as published. Made by

```sh
python -m tests.evidence.plants --work out/evidence --out docs/evidence/plants
```

with the sizes of `tests/evidence/plants.yaml`: {facts["store"]["summary"]["plants"]} plants,
{facts["store"]["summary"]["images"]} images, {facts["store"]["summary"]["labels"]} labels. All tables, with intervals
and the published columns apart, are in [table.md](table.md).

The generator of the images was frozen before training: bundles name {_hashes(frozen)}, and at the time of evaluation it
was `{now[:16]}`{"" if frozen == {now} else " (**not the same**)"}. Training plants are scored by the instance that held
them out; plants of Türkiye and India (the shift tier T2) taught no model.

## What was trained

{table(["sounding models", "instances", "first weights"], [(f"`{n}`", _instances(product, n), i) for n, i in fits])}

Not fitted: {missing}

Hours of fits, of one core each: {_hours(facts["models"])}. Manifest `{sha256[:16]}`.

## Negative controls

mAP and RMSE of the capacity factor, plants held out. `chance`: Sentinel-2 images whose vapor is that of another moment
of the same plant and year, so that a picture says nothing of its own moment, and of the load no more than the plant's
mean. `all skies`: trees that are trained and judged with the images of stacks in weather that hides vapor, which the
main run leaves out.

{_controls(work)}

## Runs

{table(["run", "job", "committed", "quarantined", "digest"], runs)}
"""


def _hashes(found: set[str]) -> str:
    return ", ".join(f"`{each[:16]}`" for each in sorted(found))


def _instances(product: Any, name: str) -> str:
    return ", ".join(str(pin.instance) for pin in product.soundings if pin.name == name)


def _hours(facts: Mapping[str, Any]) -> str:
    spent = {"trees": 0.0, "networks": 0.0}
    for entry in facts["passes"]:  # a resumed run has one entry an attempt
        if entry["pass"] in spent:
            spent[entry["pass"]] += entry["seconds_by_step"].get("FitSoundings", 0.0) / 3600.0
    return ", ".join(f"{name} {hours:.2f}" for name, hours in spent.items())


def _controls(work: Path) -> str:
    scored = {name: _cross(work / f"scores-{name}") for name in ("plants", "chance", "all-skies")}
    keys = sorted(scored["chance"].keys() | scored["all-skies"].keys())
    rows = [(*key, *(_shown(scored[name].get(key)) for name in scored)) for key in keys]
    return table(["structures", "imager", "model", "main: mAP / RMSE", "chance", "all skies"], rows)


def _shown(scores: tuple[float, float] | None) -> str:
    return f"{number(scores[0])} / {number(scores[1])}" if scores else "-"


def _cross(run: Path) -> dict[tuple[str, str, str], tuple[float, float]]:
    """(structure kind, imager, model) -> mAP and RMSE on plants held out, of the models and a few rows beside them."""
    rows: pa.Table = pq.read_table(run / "evaluation" / "soundings.parquet")
    return {
        (row["structure_kind"], row["imager"], row["model"]): (row["map"], row["rmse"])
        for row in rows.to_pylist()
        if row["validation"] == "cross" and (row["role"] == "model" or row["model"] in BESIDE)
    }


if __name__ == "__main__":
    main()
