"""The files that inventories come in, as frames of strings: CSV, the sheets of an Excel workbook, JSON.

Sources: CSV in UTF-8 with or without a byte-order mark; Office Open XML read by calamine. Every cell stays the text it
was, so that a reader can tell an empty cell from a wrong one.
"""

import io
import json
from typing import Any

import pandas as pd
from python_calamine import CalamineError

from carbonray.errors import DataError
from carbonray.io.objectstore import read_bytes

_ZIP = b"PK\x03\x04"  # an Excel workbook is a ZIP archive
_HEADING_ROWS = 3  # a title may stand above the columns' names


def read_frame(url: str) -> pd.DataFrame:
    """A CSV file, or the first sheet of a workbook, every cell a string, without surrounding spaces.

    Raises:
        DataError: it is no such file.
        TransportError: it could not be moved.
    """
    data = read_bytes(url)
    try:
        frame = _first_sheet(data) if data[:4] == _ZIP else _csv(data)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError, CalamineError) as error:
        raise _not_read(
            url, f"not a table ({type(error).__name__}: {error})", "a CSV file in UTF-8, or .xlsx"
        ) from error
    stripped: dict[str, pd.Series[str]] = {str(name).strip(): frame[name].str.strip() for name in frame.columns}
    return pd.DataFrame(stripped, index=frame.index)


def read_json(url: str) -> Any:
    """A JSON document.

    Raises:
        DataError: it is none.
        TransportError: it could not be moved.
    """
    try:
        return json.loads(read_bytes(url).decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _not_read(url, f"not JSON ({type(error).__name__}: {error})", "a JSON document in UTF-8") from error


def is_json(url: str) -> bool:
    """Whether a file is JSON by its first sign."""
    return read_bytes(url).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def is_parquet(url: str) -> bool:
    """Whether a file is a Parquet table by its first four bytes."""
    return read_bytes(url)[:4] == b"PAR1"


def _csv(data: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _first_sheet(data: bytes) -> pd.DataFrame:
    """The sheet below the row that names most columns."""
    cells = pd.read_excel(io.BytesIO(data), engine="calamine", header=None, dtype=str, keep_default_na=False)
    filled = (cells.head(_HEADING_ROWS) != "").sum(axis=1)
    heading = int(filled.to_numpy().argmax())
    body = cells.iloc[heading + 1 :].reset_index(drop=True)
    return body.set_axis(cells.iloc[heading].tolist(), axis=1)


def _not_read(url: str, what: str, expected: str) -> DataError:
    return DataError(what, where=url, expected=expected, remedy="Repair the file or leave it out of inputs.inventory.")
