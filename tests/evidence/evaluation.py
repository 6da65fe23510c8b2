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
from carbonray.settings import Settings, overrides_of, tree_of_defaults
from carbonray.stages.score_tables import better_on_shift
from tests.evidence.evaluation_spread import f1_spread, rmse_spread

KEPT = (
    "table.md",
    "scores.parquet",
    "emission_scores.parquet",
    "detection_curves.parquet",
    "detection_curves.png",
    "precision_recall.png",
    "f1_by_stratum.png",
)
SECTIONS = ("evaluation", "inputs", "model")
EMISSIONS = """
Emissions of the same target sources, in two groups whose rows cannot be compared with each other. Quantifiers were
**told the place** of each source, a privilege, and the reported wind; the oracle also knows the true weather; the
trivial row is the mean emission of validation sources. The others **found the place** themselves, and have an estimate
only of what they detected. `times gain` is an estimate times the oracle's gain, which validation scenes give for what
the retrieval takes away on average. A quantifier takes a scene to hold its source alone, and most scenes hold several.
Bias, RMSE and relative error are over estimated sources, so a method that refuses the hard ones looks better; common
sources are those that no told method refused, the same for every row of that group. One fit that runs away carries an
RMSE, and leaves the median where it is."""


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
    (out / "README.md").write_text(readme(facts, run, out), encoding="utf-8")


def readme(facts: dict[str, Any], run: Path, out: Path) -> str:
    """What was judged, on which scenes, with which bytes, and the verdict."""
    settings = _settings(facts["settings"])
    scores, emissions = pq.read_table(out / "scores.parquet"), pq.read_table(out / "emission_scores.parquet")
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

{EMISSIONS.strip()}

{_emissions(emissions, told=True)}

{_emissions(emissions, told=False)}

The default bundle is the better one on G2: **{better_on_shift(scores, shipped, theta)}** of {", ".join(shipped)}.

- `table.md`: every score with its 90 % interval, at own cuts and at theta, by strength, wind, cloud, number of sources.
  Emissions by strength and number of sources, on the sources that no told method refused, and why others were refused.
- `scores.parquet`, `emission_scores.parquet`, `detection_curves.parquet`: the same as data.
- `detection_curves.png` (it says nothing of false detections: a map that is positive everywhere finds every source;
  their number a scene stands in `table.md`), `precision_recall.png`, `f1_by_stratum.png`.

Made by

    {command}
    python -m tests.evidence.evaluation --run out/{facts["run_id"]} --out docs/evidence/no2-evaluation

from {rows["read"]} simulated scenes, of which {rows["rejected: incomplete tile"]} are no complete observation, in
{seconds:.0f} s of wall time on two cores that other work shared.

## Spread over test scenes

Mean and standard deviation over five disjoint fifths of the test scenes, at own cuts. This is a spread over test
scenes, not over training seeds: **every bundle was trained once, with one seed**, so how far another seed would move a
row is not known, and the intervals above do not hold it either.

{f1_spread(run, theta, [name for name, *_ in _by_f1(scores, theta)])}

{rmse_spread(run, theta, settings.training.samples.q_max_kg_s, _methods(emissions))}

## Frozen before a bundle was opened

{_rows(("what", "value"), ((name, f"`{value}`") for name, value in frozen.items()))}

## Bundles

{_rows(("bundle", "cut", "sha256", "trained by", "flag"), bundles)}

## Files

The digest over all objects the run committed is `{facts["sha256"]}`.

{_rows(("file", "sha256"), ((f"`{name}`", f"`{sha256((out / name).read_bytes())}`") for name in KEPT))}
"""


def _settings(written: dict[str, Any]) -> Settings:
    """The run's settings; sections that came after it have their defaults."""
    tree = {
        name: {**default, **written.get(name, {})} if isinstance(default, dict) else written.get(name, default)
        for name, default in tree_of_defaults().items()
    }
    return Settings.model_validate(tree)


def _by_f1(scores: pa.Table, theta: float) -> list[tuple[Any, ...]]:
    """Each method with its rows on both generators at its own cut, the best on G2 first."""
    own = [
        row
        for row in scores.to_pylist()
        if (row["theta"], row["found_at"], row["stratum"]) == (theta, "cut", "all")
    ]  # fmt: skip
    methods = sorted({row["method"] for row in own}, key=lambda name: -_of(own, name, "g2")["f1"])
    return [(name, _of(own, name, "g1"), _of(own, name, "g2")) for name in methods]


def _methods(emissions: pa.Table) -> list[tuple[str, bool]]:
    """Methods that answer with an emission, those told the place first."""
    rows = emissions.to_pylist()
    keys = dict.fromkeys((row["method"], row["told_place"]) for row in rows)
    return sorted(keys, key=lambda key: not key[1])


def _emissions(emissions: pa.Table, *, told: bool) -> str:
    """Bias, RMSE and relative error on both generators, over all estimated sources and over the common ones."""
    rows = {
        (row["method"], row["generator"], row["stratum_of"]): row
        for row in emissions.to_pylist()
        if row["told_place"] is told
    }
    lines = []
    for name, _ in (method for method in _methods(emissions) if method[1] is told):
        cells: list[str] = []
        for generator in ("g1", "g2"):
            row, common = rows[name, generator, "all"], rows[name, generator, "common"]
            cells += [f"{row['n_estimated']} of {row['n_sources']}", f"{row['bias_kg_s']:.3f}"]
            cells.append(f"{row['rmse_kg_s']:.3f} [{row['rmse_kg_s_p05']:.3f}, {row['rmse_kg_s_p95']:.3f}]")
            cells += [f"{row['relative_error']:.2f}", f"{common['rmse_kg_s']:.3f} ({common['n_estimated']})"]
        lines.append((name, *cells))
    names = ("estimated", "bias kg/s", "RMSE kg/s [90 %]", "median relative error", "RMSE, common (n)")
    heads = ["told the place" if told else "found the place"]
    heads += [f"{name}, {tier}" for tier in ("SYNTHETIC-T1", "SYNTHETIC-T2") for name in names]
    return _rows(heads, lines).replace("nan", "–")


def _verdict(scores: pa.Table, theta: float) -> str:
    lines = []
    for name, *rows in _by_f1(scores, theta):
        cells = []
        for row in rows:
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
