"""Annual labels of cells from monthly CO2 grids of 30 arc seconds: ODIAC's files, or any laid out alike.

Sources: ODIAC data product description (tonnes of carbon a cell and month; the file's name ends in year and month);
SCIENCE 1.2, 1.6 (t C and t CO2, month and year, zeros). Arrays are (cell,), in tonnes of CO2.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from carbonray.errors import DataError
from carbonray.io.co2_grids import Co2Grid, read_co2_grid
from carbonray.io.urban.cell_windows import CellBlock, cell_blocks
from carbonray.io.urban.local_files import local_copy
from carbonray.science.urban.labels import ln_label
from carbonray.vocab.grid_tables import CELL_LABELS

Floats = NDArray[np.float64]

MONTHS = 12
_SIDE = 360  # cells read at once (inferred)
_ALIGNED = 1e-3  # of a cell: centres closer than this coincide
_AROUND_DEG = 2.0  # about a block, in which centres of a coarser grid must lie


@dataclass(frozen=True)
class LabelRules:
    """How a year is put together.

    Attributes:
        year_month: finds `year` (two or four digits) and `month` in a file's name (inferred from ODIAC's names).
        least_months: with fewer there is no label; with fewer than twelve the year is 12 / n times their sum, which
            leaves out how months differ (inferred).
        variable: of NetCDF files; empty where they hold one grid.
    """

    year_month: str = r"(?P<year>\d{4}|\d{2})[-_]?(?P<month>0[1-9]|1[0-2])(?=\.\w+$)"
    least_months: int = MONTHS
    variable: str = ""


@dataclass(frozen=True)
class CellLabels:
    """Labels, and how many cells have none to learn from.

    Attributes:
        table: schema `CELL_LABELS`, every cell that is known, those with zero too (their logarithm is NaN).
        zeros: cells without emissions, which training leaves out.
        unknown: cells of which the grids hold no value.
    """

    table: pa.Table
    zeros: int
    unknown: int


def monthly_files(urls: Iterable[str], year: int, rules: LabelRules | None = None) -> dict[int, tuple[str, ...]]:
    """Month -> the files of it, sorted by name, for a year.

    Raises:
        DataError: a name says no month, or fewer months than the rules ask for are there.
    """
    rule = rules or LabelRules()
    found: dict[int, list[str]] = {}
    for url in sorted(set(urls)):
        named = re.search(rule.year_month, url.rsplit("/", 1)[-1])
        if named is None:
            raise _fault("its name says no year and month", url, f"a name in which {rule.year_month} finds them")
        if int(named["year"]) in (year, year - 2000):
            found.setdefault(int(named["month"]), []).append(url)
    if len(found) < max(rule.least_months, 1):
        raise _fault(
            f"{len(found)} months of {year}: {sorted(found)}", f"CO2 grids of {year}", f"{rule.least_months} months"
        )
    return {month: tuple(found[month]) for month in sorted(found)}


def read_cell_labels(
    months: Mapping[int, Sequence[str]], cells: ArrayLike, year: int, data_tier: str, rules: LabelRules | None = None
) -> CellLabels:
    """Annual tonnes of CO2 of ascending (n,) cells, and their logarithm.

    A cell that one month does not hold is unknown for the year. Where files of a month overlap, the first by name
    counts.

    Args:
        months: of `monthly_files`.
        cells: ascending numbers.
        year: of the label.
        data_tier: of the grids.
        rules: of `monthly_files`.

    Raises:
        DataError: a grid is not of 30 arc seconds, or has negative emissions.
        TransportError: it could not be moved.
    """
    numbers = np.asarray(cells, np.int64)
    every = [_month(urls, numbers, (rules or LabelRules()).variable) for urls in months.values()]
    tonnes = np.sum(every, axis=0) * (MONTHS / len(every))
    known = np.isfinite(tonnes)
    count = int(known.sum())
    columns = [
        pa.array(numbers[known]),
        pa.array(np.full(count, year, np.int16)),
        pa.array(tonnes[known]),
        pa.array(ln_label(tonnes[known])),
        pa.array(np.full(count, len(every), np.int8)),
        pa.array([data_tier] * count, pa.string()),
    ]
    zeros = int(np.count_nonzero(tonnes[known] == 0.0))
    return CellLabels(pa.table(columns, schema=CELL_LABELS), zeros, len(numbers) - count)


def _month(urls: Sequence[str], cells: NDArray[np.int64], variable: str) -> Floats:
    tonnes = np.full(len(cells), np.nan)
    for url in urls:
        found = grid_t_co2(url, cells, variable)
        tonnes = np.where(np.isnan(tonnes), found, tonnes)
    return tonnes


def grid_t_co2(url: str, cells: ArrayLike, variable: str = "") -> Floats:
    """(n,) tonnes of CO2 of cells in one file's period, NaN where it holds none.

    Raises:
        DataError: it is no grid of 30 arc seconds on the cells' lattice, or has negative emissions.
        TransportError: it could not be moved.
    """
    numbers = np.asarray(cells, np.int64)
    tonnes = np.full(len(numbers), np.nan)
    with local_copy(url) as path:
        for block, members, row, col in cell_blocks(numbers, _SIDE):
            grid = read_co2_grid(str(path), block.bounds, variable or None)
            if grid.lat.size and grid.lon.size:
                tonnes[members] = _of_block(grid, block, url)[row, col]
            else:
                _refuse_coarse(read_co2_grid(str(path), _around(block), variable or None), url)
    return tonnes


def _of_block(grid: Co2Grid, block: CellBlock, url: str) -> Floats:
    """A block's cells, (row, col), NaN where the grid's window does not reach."""
    rows = (90.0 - grid.lat) * 120 - 0.5 - block.row
    cols = (grid.lon + 180.0) * 120 - 0.5 - block.col
    for name, at in (("latitude", rows), ("longitude", cols)):
        whole = np.rint(at)
        if np.abs(at - whole).max() > _ALIGNED or not (np.diff(whole) == 1).all():
            raise _off_lattice(url, f"centres in {name} that are not those of the cells")
    found = np.full((block.rows, block.cols), np.nan)
    found[np.ix_(np.rint(rows).astype(int), np.rint(cols).astype(int))] = grid.emissions_t_co2
    return found


def _around(block: CellBlock) -> tuple[float, float, float, float]:
    west, south, east, north = block.bounds
    return west - _AROUND_DEG, south - _AROUND_DEG, east + _AROUND_DEG, north + _AROUND_DEG


def _refuse_coarse(grid: Co2Grid, url: str) -> None:
    """A grid without a centre in a block ends beside it, or is coarser than cells are."""
    steps = np.concatenate([np.abs(np.diff(grid.lat)), np.abs(np.diff(grid.lon)) % 359.0])
    if steps.size and np.median(steps) > 1.5 / 120:
        raise _off_lattice(url, f"steps of {np.median(steps):g} degrees")


def _off_lattice(url: str, what: str) -> DataError:
    return _fault(what, url, "a grid of 30 arc seconds whose cells lie as ODIAC's do, from 90 N and 180 W")


def _fault(what: str, url: str, expected: str) -> DataError:
    return DataError(
        what, where=url, expected=expected, remedy="Take the 1 km files, or leave it out of inputs.co2_grid."
    )
