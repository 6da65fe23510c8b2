"""A city of a few hundred cells whose emissions follow a smooth field, with points and lights that tell of it."""

import numpy as np

from carbonray.models.baselines import SplitRows
from carbonray.models.cell_rows import CellRows
from carbonray.science.spatial.cells import COLS, cell_at
from carbonray.science.spatial.folds import rotation
from carbonray.science.urban.cell_splits import TRAIN, VALIDATE, CellSplitRules, cell_folds, roles

SIDE = 22
CATEGORIES = 4


def small_city(seed: int = 0, lat: float = 51.6, lon: float = -0.2, name: str = "a", side: int = SIDE) -> CellRows:
    """A square of cells, in the order of their numbers."""
    rng = np.random.default_rng(seed)
    row, col = cell_at(lat, lon)
    rows, cols = np.meshgrid(int(row) + np.arange(side), int(col) + np.arange(side), indexing="ij")
    south, east = (part.ravel() / side for part in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    field = np.sin(5.0 * south) + np.cos(4.0 * east)
    counts = rng.poisson(np.exp(1.0 + field[:, None] * np.linspace(-0.5, 1.0, CATEGORIES)))
    return CellRows(
        (rows * COLS + cols % COLS).ravel(),
        np.full(side * side, name),
        8.0 + field + 0.2 * rng.normal(size=side * side),
        counts.astype(np.float64),
        np.exp(field + 0.3 * rng.normal(size=side * side)),
    )


def together(*cities: CellRows) -> CellRows:
    """Several cities in one table."""
    names = ("cell", "city", "ln_e", "counts", "radiance")
    return CellRows(*(np.concatenate([getattr(city, name) for city in cities]) for name in names))


def city_roles(rows: CellRows, by: str = "blocks", k: int = 0) -> np.ndarray:
    """(row,) role of each cell in rotation k."""
    rules = CellSplitRules(by=by)
    folds = cell_folds(rows.cell, rows.city.tolist(), rules)
    return roles(rows.cell, folds.fold, rotation(k, folds.n_folds), rules)


def split_of(role: np.ndarray) -> SplitRows:
    """Rows to learn from and to choose by."""
    return SplitRows(np.flatnonzero(role == TRAIN), np.flatnonzero(role == VALIDATE))
