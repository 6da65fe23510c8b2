"""Two sweeps at the size of two CPU cores, and what they show: tuned against default on a fold that no trial saw.

    python -m tests.evidence.sweeps --store STORE --work DIR --out docs/evidence/sweeps

STORE is a finished ingest of the synthetic fleet (`tests/evidence/sweeps_world.yaml` makes one: `--store` empty). The
Sentinel-2 network of cooling towers and the plume network are searched with 24 trials a target; sizes and the narrowed
spaces are in `sweeps.yaml` and below. Everything is SYNTHETIC.
"""

import argparse
import base64
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from carbonray import demo
from carbonray.catalogue import run_job
from carbonray.publish.markdown import number, table
from carbonray.settings import load
from carbonray.training.learners import learner_of
from tune.plots import study_plots
from tune.storage import JOURNAL, name_of, opened, storage_at
from tune.sweep import Sweep, run_sweep

OVERLAY = str(Path(__file__).with_suffix(".yaml"))
WORLD = str(Path(__file__).with_name("sweeps_world.yaml"))
TRIALS = 24
KEPT = ("best.yaml", "trials.parquet", "scores.parquet")


@dataclass(frozen=True)
class Case:
    """One sweep: its model, what narrows its space, and how many splits judge a trial."""

    model: str
    splits: int
    space: dict[str, Any]


CASES = (
    # as the paper's, but for patches, batches, epochs and patience that some hundred images can bear
    Case(
        "sentinel2_resisc_ndt",
        2,
        {"patch_px": [8, 16, 32, 48], "batch_size": [16, 32], "epochs": [6, 10], "patience": [4, 8]},
    ),
    Case("plume_net", 1, {"fit": {"epochs": [4, 8, 12], "batch_size": [8, 16, 32]}}),
)


def main() -> None:
    """Parses the command line, runs what is not there yet, and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="", help="folder of a finished ingest; empty: made under the work folder")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    work = flags.work.resolve()
    store = flags.store or made_store(work)
    found = {case.model: swept(case, work, store) for case in CASES}
    write(work, flags.out, store, found)


def made_store(work: Path) -> str:
    """A fleet of 70 plants and the store of its images, Sentinel-2 alone."""
    world = work / "world"
    run_job("world", load([WORLD]), str(work), "world")
    inputs = [f"inputs.{name}={world}/{path}" for name, path in demo.INPUTS["ingest"].items() if name != "imagery"]
    layouts = sorted(folder.name for folder in (world / "reported").iterdir())
    inputs.append(f"inputs.reported={[f'{name}={world}/reported/{name}/*' for name in layouts]}")
    run_job("ingest", load([WORLD], inputs), str(work), "store")
    return str(work / "store")


def swept(case: Case, work: Path, store: str) -> dict[str, Any]:
    """The facts of a sweep, run or resumed."""
    told = [f"model={case.model}", f"plants.store_url={store}", f"tune.splits={case.splits}"]
    settings = load([OVERLAY], [*told, f"tune.space={json.dumps(case.space)}"])
    return run_sweep(Sweep(settings, str(work), f"sweep-{case.model}", TRIALS))


def write(work: Path, out: Path, store: str, found: dict[str, dict[str, Any]]) -> None:
    """The page, and beside it what the sweeps left."""
    out.mkdir(parents=True, exist_ok=True)
    parts = []
    for case in CASES:
        folder = work / f"sweep-{case.model}"
        for name in KEPT:
            kept = out / case.model / name
            kept.parent.mkdir(exist_ok=True)
            shutil.copy(folder / name, kept)
        parts.append(section(case, folder, found[case.model], drawn(case, folder, out / case.model)))
    facts = json.loads((Path(store) / "run.json").read_text())
    (out / "README.md").write_text(page(facts, parts), encoding="utf-8")


def drawn(case: Case, folder: Path, out: Path) -> str:
    """Optuna's pictures of a sweep's studies as files, and the lines of Markdown that show them."""
    storage, lines = storage_at(str(folder / JOURNAL)), []
    for target in learner_of(case.model).targets(case.model):
        study = opened(storage, name_of(folder.name, target), target)
        for place, plot in enumerate(plot for plot in study_plots(study, target) if plot.uri):
            name = f"{target.name}-{place}.png"
            (out / name).write_bytes(base64.b64decode(plot.uri.partition(",")[2]))
            lines.append(f"![{plot.title}, {target.name}]({out.name}/{name})")
    return "\n".join(lines)


def section(case: Case, folder: Path, facts: dict[str, Any], pictures: str) -> str:
    """One sweep: its size, its winner, and the scores on the untouched fold."""
    scores = pq.read_table(folder / "scores.parquet").to_pylist()
    trials = pq.read_table(folder / "trials.parquet").to_pylist()
    heads = ("target", "metric", "model", "on the untouched fold", "interval")
    order = ("tuned", "default", "trivial", "tuned - default")
    lines = [
        (r["target"], r["metric"], r["model"], number(r["value"]), f"[{number(r['low'])}, {number(r['high'])}]")
        for r in sorted(scores, key=lambda r: (r["target"], order.index(r["model"])))
    ]
    states = {state: sum(row["state"] == state for row in trials) for state in sorted({row["state"] for row in trials})}
    wall = facts["updated_unix_s"] - facts["started_unix_s"]
    searching = sum(row["seconds"] for row in trials if row["seconds"] > 0)
    best = (folder / "best.yaml").read_text().strip()
    return f"""## {case.model}

{TRIALS} trials a target, judged by {case.splits} of the turns among the three folds that are not the test fold; space
narrowed to `{json.dumps(case.space)}`. Trials: {json.dumps(states)}, those among them that could not be tried at all
(a patch too small for its stride) included. {searching:.0f} s of trials, two at a time on two cores; {wall:.0f} s from
the first start to the end, with the final fits, interruptions and whatever else the machine did meanwhile.
Tier {facts["data_tier"]}.

{table(heads, lines)}

The winner, as an overlay over the settings:

```yaml
{best}
```

{pictures}

[All trials]({case.model}/trials.parquet).
"""


def page(store: dict[str, Any], parts: list[str]) -> str:
    """The evidence as Markdown."""
    told = ", ".join(f"{name} {value}" for name, value in store["summary"].items())
    return f"""# Tuned against default, on a fold that no trial saw

    python -m tests.evidence.sweeps --work out/evidence --out docs/evidence/sweeps

SYNTHETIC throughout; no figure here stands beside a published one. The store: {told}.

Sounding networks are a quarter as wide as the published trunk, with random first weights. `default` is the settings as
they are: 12 epochs and a patience of 4 for soundings, the registry's 5 epochs for the plume network, so that part of
what tuning gains there is longer fits. `tuned` is the best finished trial's. Both were fitted as instance 0 (trained on
folds 2 and 3, stopped on fold 1) and are judged on fold 0, whose plants no trial read. Intervals are bootstraps over
plants (scenes for the plume network); `tuned - default` is paired: an interval that holds 0 says that no difference can
be told.

{chr(10).join(parts)}"""


if __name__ == "__main__":
    main()
