"""Keeps a finished evaluation as evidence: its page, scores, curves and figures, and how to make them again.

`python -m jobs.evaluate --out out --run-id evaluation`, then
`python -m tests.evidence.evaluation --run out/evaluation --out docs/evidence/no2-evaluation`. The scores that are kept
here decide which bundle is the default (`tests/pipelines/test_evaluate.py`).
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from carbonray.io.objectstore import sha256
from carbonray.settings import Settings, overrides_of
from carbonray.stages.score_tables import better_on_shift

KEPT = (
    "table.md",
    "scores.parquet",
    "detection_curves.parquet",
    "detection_curves.png",
    "precision_recall.png",
    "f1_by_stratum.png",
)
SECTIONS = ("evaluation", "inputs", "model")


def main() -> None:
    """Parses the command line and writes the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished evaluation")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    flags = parser.parse_args()
    write(flags.run, flags.out)


def write(run: Path, out: Path) -> None:
    """Copies what is kept and writes the README."""
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert facts["job"] == "evaluate", f"{run} holds no evaluation"
    assert facts["status"] == "complete", f"{run} is not complete"
    out.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        (out / name).write_bytes((run / "evaluation" / name).read_bytes())
    (out / "README.md").write_text(readme(facts, out), encoding="utf-8")


def readme(facts: dict[str, Any], out: Path) -> str:
    """What was judged, on which scenes, with which bytes, and the verdict."""
    settings = Settings.model_validate(facts["settings"])
    scores = pq.read_table(out / "scores.parquet")
    shipped, theta = settings.evaluation.bundles, settings.evaluation.scoring.thetas[0]
    sets = [f"--set {shlex.quote(text)}" for text in overrides_of(settings, SECTIONS)]
    command = " ".join(["python -m jobs.evaluate --out out --run-id", facts["run_id"], *sets])
    rows, seconds = facts["rows"], sum(entry["wall_seconds"] for entry in facts["passes"])
    frozen = facts["frozen"]
    bundles = [(f"`{b['name']}`", b["cut"], f"`{b['sha256']}`", b["trained by"], b["flag"]) for b in facts["bundles"]]
    return f"""# NO2 hotspot detection on simulated scenes that no fit has seen

Data tier: {facts["data_tier"]}. Every method answers for the same scenes; G2 is simulated by another
generator than the one that trains. Published figures stand in columns of their own in `table.md` and cannot be compared
with these. Networks were trained for different times (see Bundles): the row of one that was trained briefly says little
of what it could learn.

At each method's own cut, targets above a relative emission of {theta:g}:

{_verdict(scores, theta)}

The default bundle is the better one on G2: **{better_on_shift(scores, shipped, theta)}** of {", ".join(shipped)}.

- `table.md`: every score with its 90 % interval, at own cuts and at theta, by strength, wind, cloud, number of sources.
- `scores.parquet`, `detection_curves.parquet`: the same as data.
- `detection_curves.png` (it says nothing of false detections: a map that is positive everywhere finds every source;
  their number a scene stands in `table.md`), `precision_recall.png`, `f1_by_stratum.png`.

Made by

    {command}
    python -m tests.evidence.evaluation --run out/{facts["run_id"]} --out docs/evidence/no2-evaluation

from {rows["read"]} simulated scenes, of which {rows["rejected: incomplete tile"]} are no complete observation, in
{seconds:.0f} s of wall time on two cores that other work shared.

## Frozen before a bundle was opened

{_rows(("what", "value"), ((name, f"`{value}`") for name, value in frozen.items()))}

## Bundles

{_rows(("bundle", "cut", "sha256", "trained by", "flag"), bundles)}

## Files

The digest over all objects the run committed is `{facts["sha256"]}`.

{_rows(("file", "sha256"), ((f"`{name}`", f"`{sha256((out / name).read_bytes())}`") for name in KEPT))}
"""


def _verdict(scores: pa.Table, theta: float) -> str:
    own = [
        row
        for row in scores.to_pylist()
        if (row["theta"], row["found_at"], row["stratum"]) == (theta, "cut", "all")
    ]  # fmt: skip
    methods = sorted({row["method"] for row in own}, key=lambda name: -_of(own, name, "g2")["f1"])
    lines = []
    for name in methods:
        cells = []
        for generator in ("g1", "g2"):
            row = _of(own, name, generator)
            cells += [f"{row['f1']:.3f} [{row['f1_p05']:.3f}, {row['f1_p95']:.3f}]", f"{row['ra']:.3f}"]
            cells.append(f"{row['precision']:.3f}")
        lines.append((name, *cells))
    tiers, names = ("SYNTHETIC-T1", "SYNTHETIC-T2"), ("F1 [90 %]", "RA", "precision")
    heads = [f"{name}, {tier}" for tier in tiers for name in names]
    return _rows(("method", *heads), lines).replace("nan", "–")


def _of(rows: list[dict[str, Any]], method: str, generator: str) -> dict[str, Any]:
    return next(row for row in rows if (row["method"], row["generator"]) == (method, generator))


def _rows(heads: Any, lines: Any) -> str:
    table = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in cells) + " |" for cells in table)


if __name__ == "__main__":
    main()
