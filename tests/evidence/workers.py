"""Two workers on two local nodes against one with the same global batch, and a node killed in the middle of an epoch.

    python -m tests.evidence.workers --out docs/evidence/workers

The fits are those of `tests/training/small_fits.py`: without what depends on a batch's neighbours or on each worker's
own draws (BatchNorm frozen or absent, no dropout), and as they usually are.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from carbonray.publish.markdown import table

FITS = ("U-Net on scenes", "sounding network")
PLAIN = ("BatchNorm frozen, batches of two lanes", "VGG trunk, no dropout, no augmentation")
USUAL = ("BatchNorm", "ResNet-50 trunk with BatchNorm, dropout and augmentation")
SCORES = ("train_loss", "validation_loss", "validation_f1", "validation_rmse", "validation_map")


def main() -> None:
    """Runs the program on its clusters and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.training.two_nodes", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout[done.stdout.index('{"plain"') :].splitlines()[0])
    flags.out.mkdir(parents=True, exist_ok=True)
    (flags.out / "README.md").write_text(page(found), encoding="utf-8")


def page(found: dict[str, Any]) -> str:
    """What was measured, as Markdown."""
    lines = []
    for kind, told in (("plain", PLAIN), ("usual", USUAL)):
        for number, (fit, what) in enumerate(zip(FITS, told, strict=True)):
            one = found[kind][str(number)]
            scores = ", ".join(
                f"{name} {one['scores'][name][0]:.6f} / {one['scores'][name][1]:.6f}"
                for name in SCORES
                if name in one["scores"]
            )
            lines.append((fit, what, f"{one['weights']:.1e}", scores))
    killed = found["killed"]
    return f"""# Several workers as one, and a killed node

    python -m tests.evidence.workers --out docs/evidence/workers

Two local nodes of one CPU each, one worker of Ray Train on each (DistributedDataParallel, gloo), against one worker
with the same global batch. `difference` is the largest of any learnt weight after the last epoch; scores are those of
one worker / two workers. The data are simulated and few: the scores say nothing of the models.

{table(("fit", "as", "difference", "scores"), lines)}

The first two rows are what the arithmetic allows: sums in another order. In the last two, statistics of a batch are of
half as many neighbours, and each worker draws its own dropout and augmentation: it is another fit.

A node killed in the middle of the third epoch: epochs fitted were {", ".join(map(str, killed["epochs"]))}, so one was
fitted twice, over {killed["nodes"]} nodes in all; the weights are {"the same" if killed["same"] else "NOT the same"} to
the last bit as those of a fit that nothing disturbed.
"""


if __name__ == "__main__":
    main()
