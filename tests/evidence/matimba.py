"""Runs the hotspots job on the real granule around Matimba and writes down what it finds, as it is.

`python -m tests.evidence.matimba --data ../shared/data --out docs/evidence/no2-matimba [--bundle URL ...]` judges every
bundle that ships (and those given), with the wind of ERA5, without wind and with it reversed, beside plain column
thresholds and classical emission estimates. Nothing is fitted to the granule: cuts are the bundles' own.
"""

import argparse
import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from carbonray.io.model_store import MANIFEST, bundle_sha256, open_bundle, packaged_bundle_url
from carbonray.settings import load
from tests.evidence import matimba_page, matimba_runs
from tests.evidence.matimba_fluxes import fluxes
from tests.evidence.matimba_map import draw
from tests.evidence.matimba_targets import TARGETS, known_plants


def main() -> None:
    """Parses the command line and writes the four files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of real data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the evidence")
    parser.add_argument("--bundle", action="append", default=[], help="another bundle to judge; may repeat")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(flags.data, flags.out, bundles(flags.bundle), Path(folder))


def bundles(given: list[str]) -> dict[str, str]:
    """Name -> URL of the bundles to judge: the default first, then the others that ship, then those given."""
    root = resources.files("carbonray") / "bundles"
    shipped = [entry.name for entry in root.iterdir() if (entry / MANIFEST).is_file()] if root.is_dir() else []
    default = load().hotspots.model
    ordered = sorted(shipped, key=lambda name: (name != default, name))
    return {name: packaged_bundle_url(name) for name in ordered} | {Path(url).name: url for url in given}


def write(data: Path, out: Path, chosen: dict[str, str], runs: Path) -> dict[str, Any]:
    """Judges the granule and writes results.json, table.md, README.md and map.png; answers the results."""
    plants_csv = str(data / matimba_runs.PLANTS)
    field = matimba_runs.gridded_field(data)
    found = {
        (name, wind): matimba_runs.detect(data, url, wind, runs)
        for name, url in chosen.items()
        for wind in matimba_runs.WINDS
    }
    results = {
        "inputs_sha256": matimba_runs.input_hashes(data),
        "bundles": {name: _bundle(url) for name, url in chosen.items()},
        "measured_pixels": len(field["row"]),
        "runs": [matimba_runs.told(run, name, wind, plants_csv) for (name, wind), run in found.items()],
        "thresholds": matimba_runs.threshold_rows(field),
        "fluxes": {
            target.name: {wind: fluxes(field, target, factor) for wind, factor in matimba_runs.WINDS.items()}
            for target in TARGETS
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "table.md").write_text(matimba_page.table(results), encoding="utf-8")
    (out / "README.md").write_text(matimba_page.readme(results), encoding="utf-8")
    draw(field, found[next(iter(chosen)), "ERA5"].pixels, results["runs"][0], known_plants(plants_csv), out / "map.png")
    return results


def _bundle(url: str) -> dict[str, Any]:
    bundle = open_bundle(url)
    lineage = bundle.lineage
    return {
        "model": bundle.model,
        "sha256": bundle_sha256(url),
        "cut": bundle.cut,
        "command": lineage.command,
        "scenes": lineage.scenes,
        "epochs": lineage.epochs,
        "seed": lineage.seed,
        "channels": list(bundle.encoding["channels"]),
    }


if __name__ == "__main__":
    main()
