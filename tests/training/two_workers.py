"""One of two workers of a process group on this machine: fits the plain fits of `small_fits`, and keeps their state.

python -m tests.training.two_workers FOLDER RANK

Torch's own group of two processes, without Ray: what a worker of Ray Train does, in a quarter of the time.
"""

import sys
from pathlib import Path

import torch

from carbonray.stages.fit_checkpoints import FitCheckpoints
from carbonray.training.ddp import grouped_workers
from tests.training.small_fits import plain


def main() -> None:
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    *_, last = plain(folder).epochs(grouped_workers(rank, 2, "cpu"))
    FitCheckpoints(f"{folder}/{rank}", "").put(last.state)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
