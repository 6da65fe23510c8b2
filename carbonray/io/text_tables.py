"""Tables that others publish, as chunks of text cells: CSV in any delimiter and encoding, and workbooks.

Source: RFC 4180, Office Open XML, and the files themselves. Columns are found by their names in any spelling; cells
stay text until a reader says what they mean. A number knows its decimal sign, a time its format.
"""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray
from python_calamine import CalamineError, CalamineWorkbook

from carbonray.errors import DataError
from carbonray.io import objectstore

NEVER_NS = int(np.iinfo(np.int64).min)  # a time that could not be read, or that a source does not give

CHUNK_BYTES = 16 * 2**20  # of a text file held at once

Aliases = Mapping[str, tuple[str, ...]]  # our name -> the names, made plain, that sources have for it

_ABSENT = ("", "-", "--", "n/a", "na", "nan", "null", "n/e")  # how tables say that a value is missing
_NUMBER = {
    ".": r"[+-]?(\d+|\d{1,3}(,\d{2,3})+)?(\.\d*)?([eE][+-]?\d+)?",  # 12,34,567 is how India groups
    ",": r"[+-]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?([eE][+-]?\d+)?",
}
_FIRST_NS, _LAST_NS = (int(np.datetime64(day, "ns").astype(np.int64)) for day in ("1900-01-01", "2200-01-01"))
_COMMENT = "C,"  # AEMO opens and ends its reports with lines that begin so
_HEADER_WITHIN = 15  # rows of a workbook's sheet in which its header is looked for
_DIMENSION = re.compile(rb"<dimension\b[^>]*/>")  # of a sheet; some writers leave out its columns


def plain(name: object) -> str:
    """A column's name without case, accents, blanks and punctuation."""
    letters = unicodedata.normalize("NFKD", str(name).replace("ı", "i").replace("İ", "I"))
    return re.sub(r"[^a-z0-9]", "", letters.casefold())


def csv_chunks(url: str, aliases: Aliases, required: Sequence[str], chunk_bytes: int) -> Iterator[pd.DataFrame]:
    """The columns that `aliases` names, under our names, as text without outer blanks, some lines at a time.

    A column `line` counts the lines of data from 1; `broken` says what is wrong with a line that has too many or too
    few cells, all of which are then empty. A column that is neither required nor there is all empty.

    Raises:
        DataError: no text table, or a required column is missing.
        TransportError: it could not be moved.
    """
    wanted = {alias for names in aliases.values() for alias in names}
    lines = _Lines()
    try:
        with objectstore.opened(url) as file:
            start = file.read(65_536)
            encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            top = re.split(r"[\r\n]+", start.decode(encoding, "ignore").removeprefix("\ufeff"))
            lines.commented = top[0].startswith(_COMMENT)
            head = top[lines.commented]
            delimiter = max("\t;,", key=head.count)
            names = [name for name in next(csv.reader([head], delimiter=delimiter)) if plain(name) in wanted]
            file.seek(0)
            batches = arrow_csv.open_csv(
                pa.PythonFile(file),
                arrow_csv.ReadOptions(
                    use_threads=False, block_size=chunk_bytes, skip_rows=int(lines.commented), encoding=encoding
                ),
                arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=lines.skip),
                arrow_csv.ConvertOptions(
                    include_columns=names, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
            for batch in batches:
                cells = named_cells(batch.to_pandas(), aliases, required, url)
                yield from lines.numbered(cells)
            yield from lines.numbered(named_cells(pd.DataFrame(columns=names, dtype=str), aliases, required, url))
    except (UnicodeError, csv.Error, pa.ArrowInvalid, StopIteration, IndexError) as error:
        raise _no_table(url, f"{type(error).__name__}: {error}", "a whole CSV file in UTF-8 or UTF-16") from error


@dataclass
class _Lines:
    """Counts the lines of a text file, and keeps those of the wrong shape until they can be told."""

    commented: bool = False  # whether lines that begin with a comment's mark are no data
    told: int = 0
    broken: dict[int, str] = field(default_factory=dict)

    def skip(self, row: arrow_csv.InvalidRow) -> str:
        if not (self.commented and row.text.startswith(_COMMENT)):
            first = 2 + self.commented  # the parser counts lines of the file from 1
            self.broken[row.number - first + 1] = f"line: {row.actual_columns} cells (expected {row.expected_columns})"
        return "skip"

    def numbered(self, cells: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """The cells with the numbers of their lines, and the broken lines before the last of them; of none, all."""
        bad = np.array(sorted(self.broken), np.int64)
        good = np.arange(self.told + 1, self.told + 1 + len(cells) + len(bad))
        good = good[~np.isin(good, bad)][: len(cells)]
        if len(cells):
            yield cells.assign(line=good, broken="")
            self.told = int(good[-1])
            bad = bad[bad < self.told]  # the parser may have read on
        if len(bad):
            empty = pd.DataFrame("", index=range(len(bad)), columns=cells.columns)
            yield empty.assign(line=bad, broken=[self.broken.pop(int(line)) for line in bad])


def sheet(url: str, aliases: Aliases, required: Sequence[str]) -> pd.DataFrame:
    """The first sheet of a workbook (xls, xlsx, xlsb, ods), as `csv_chunks` gives a chunk.

    Its header is the first of the top rows that has the required columns; rows above it are titles. Lines are counted
    from the row under the header.
    """
    rows = _sheet_rows(url)
    for top, row in enumerate(rows[:_HEADER_WITHIN]):
        found = {plain(cell) for cell in row}
        if all(found & set(aliases[name]) for name in required):
            frame = pd.DataFrame(
                [[_text(cell) for cell in cells] for cells in rows[top + 1 :]], columns=list(row), dtype=str
            )
            named = named_cells(frame, aliases, required, url)
            return named.assign(line=np.arange(1, len(named) + 1), broken="")
    raise _no_table(url, f"no header within {_HEADER_WITHIN} rows", f"columns {[aliases[name] for name in required]}")


def titles(url: str) -> str:
    """The text of the top rows of a workbook, where reports say what day they are of."""
    return " ".join(_text(cell) for row in _sheet_rows(url)[:_HEADER_WITHIN] for cell in row)


def numbers(text: pd.Series, decimal: str = ".") -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers with or without grouped thousands: values, NaN where missing, and which cells are no number."""
    values = np.full(len(text), np.nan)
    if decimal == ".":  # most numbers are plain
        values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, copy=True, na_value=np.nan)
    rest = np.flatnonzero(~np.isfinite(values))
    cells = text.iloc[rest].str.strip()
    absent = cells.str.lower().isin(_ABSENT)
    shaped = cells.str.fullmatch(_NUMBER[decimal])
    grouping = "," if decimal == "." else "."
    clean = cells.str.replace(grouping, "", regex=False).str.replace(decimal, ".", regex=False)
    found = pd.to_numeric(clean.where(shaped & ~absent), errors="coerce").to_numpy(np.float64, na_value=np.nan)
    values[rest] = np.where(np.isfinite(found), found, np.nan)
    bad = np.zeros(len(text), np.bool_)
    bad[rest] = np.isnan(values[rest]) & ~absent.to_numpy(bool)
    return values, bad


def instants_ns(text: pd.Series, formats: Sequence[str]) -> NDArray[np.int64]:
    """Times as int64 ns, `NEVER_NS` where no format fits or the year is absurd; no offset in the text means UTC."""
    found = np.full(len(text), NEVER_NS)
    for form in formats:
        parsed = pd.to_datetime(text, format=form, errors="coerce", utc=True)
        seconds = parsed.dt.as_unit("us").astype("int64").to_numpy()  # ns would overflow for absurd years
        inside = parsed.notna().to_numpy() & (seconds >= _FIRST_NS // 1000) & (seconds < _LAST_NS // 1000)
        found = np.where((found == NEVER_NS) & inside, np.where(inside, seconds, 0) * 1000, found)
    return found


def faults(cells: pd.DataFrame, *checks: tuple[NDArray[np.bool_], str, pd.Series]) -> NDArray[np.object_]:
    """(n,) why a line is broken, else the first check that fails for it, as `what: 'cell'`; empty where none does."""
    words = cells["broken"].to_numpy(object).copy()
    for bad, what, text in checks:
        rows = np.flatnonzero(bad & (words == ""))
        words[rows] = [f"{what}: {cell!r}" for cell in text.iloc[rows]]
    return words


def named_cells(frame: pd.DataFrame, aliases: Aliases, required: Sequence[str], url: str) -> pd.DataFrame:
    """The frame's columns under our names; the first alias that is there counts."""
    theirs = {plain(name): position for position, name in reversed(list(enumerate(frame.columns)))}
    place = {ours: next((theirs[name] for name in names if name in theirs), None) for ours, names in aliases.items()}
    missing = [name for name in required if place[name] is None]
    if missing:
        raise _no_table(url, f"columns {missing} are missing", f"{[aliases[name] for name in missing]}")
    empty = pd.Series("", index=frame.index, dtype=str)
    return pd.DataFrame(
        {
            ours: empty if at is None else frame.iloc[:, at].fillna("").astype(str).str.strip()
            for ours, at in place.items()
        }
    )


def _sheet_rows(url: str) -> Sequence[Sequence[object]]:
    data = objectstore.read_bytes(url)
    try:
        try:
            book = CalamineWorkbook.from_filelike(io.BytesIO(data))
            return book.get_sheet_by_index(0).to_python(skip_empty_area=False)
        except CalamineError:
            book = CalamineWorkbook.from_filelike(io.BytesIO(_without_dimension(data)))
            return book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile, IndexError, OSError) as error:
        raise _no_table(url, f"{type(error).__name__}: {error}", "a whole workbook") from error


def _without_dimension(data: bytes) -> bytes:
    """An xlsx workbook whose sheets no longer say how large they are: readers then look for themselves."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            is_sheet = name.startswith("xl/worksheets/") and name.endswith(".xml")
            target.writestr(name, _DIMENSION.sub(b"", part, count=1) if is_sheet else part)
    return buffer.getvalue()


def _text(cell: object) -> str:
    """A cell as text; whole numbers without a decimal point, for they may be ids."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _no_table(url: str, what: str, expected: str) -> DataError:
    return DataError(
        f"not the table that its source publishes ({what})",
        where=url,
        expected=expected,
        remedy="Fetch the file again, or name it as what it is.",
    )
