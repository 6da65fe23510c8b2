"""A small town for the tests: tiles in rows and columns, images and points of interest that tell of emissions."""

from typing import Any

import torch

from carbonray.models.cell_batches import CellBatch
from carbonray.models.opencarbon import OpenCarbonConfig

PX, CATEGORIES = 27, 4
SMALL: dict[str, Any] = {"poi_categories": CATEGORIES, "image_px": PX, "width": 4, "d": 8}


def config(**changes: Any) -> OpenCarbonConfig:
    return OpenCarbonConfig(**{**SMALL, **changes})


def windows_of(rows: int, cols: int, size: int = 1) -> torch.Tensor:
    """(rows * cols, M, M) positions in a town of that many cells, -1 beyond it."""
    places = torch.full((rows + 2 * size, cols + 2 * size), -1)
    places[size : size + rows, size : size + cols] = torch.arange(rows * cols).view(rows, cols)
    side = 2 * size + 1
    return places.unfold(0, side, 1).unfold(1, side, 1).reshape(-1, side, side).contiguous()


def town(rows: int = 5, cols: int = 6, *, size: int = 1, seed: int = 0, points: int = 12) -> CellBatch:
    """A town whose ln E grows with the brightness of a cell and with its points of interest."""
    draw = torch.Generator().manual_seed(seed)
    count = rows * cols
    bright, busy = torch.rand(count, generator=draw), torch.rand(count, generator=draw)
    noise = torch.randint(0, 40, (count, 3, PX, PX), generator=draw)
    tile = torch.repeat_interleave((busy * points).long() + 1)
    place = [torch.randint(0, 65536, (len(tile),), generator=draw).to(torch.uint16) for _ in "yx"]
    return CellBatch(
        images=(noise + (200 * bright)[:, None, None, None].long()).to(torch.uint8),
        image_present=torch.ones(count, dtype=torch.bool),
        poi_present=torch.ones(count, dtype=torch.bool),
        point_tile=tile,
        point_category=torch.randint(0, CATEGORIES, (len(tile),), generator=draw).short(),
        point_y=place[0],
        point_x=place[1],
        neighbors=windows_of(rows, cols, size),
        ln_e=8.0 + 2.0 * bright + 2.0 * busy,
        cell_ids=torch.arange(count) + 1000,
    )
