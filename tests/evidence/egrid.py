"""The plant sheet of eGRID 2014, read cell by cell: its workbook names no range that a spreadsheet library accepts.

Source: US EPA, eGRID2014, sheet PLNT14; the workbook at hand gives `<dimension ref="1:8505"/>`, rows without columns.
"""

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pandas as pd

_NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_HEADING_ROW = 2  # a row of long names stands above


def read_plants(path: Path) -> pd.DataFrame:
    """Every cell as text, columns named by the sheet's second row."""
    with zipfile.ZipFile(path) as book:
        shared = [
            "".join(part.text or "" for part in entry.iter(f"{_NAMESPACE}t"))
            for entry in ET.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        sheet = book.read("xl/worksheets/sheet1.xml")
    rows: list[dict[str, str]] = []
    for _, element in ET.iterparse(io.BytesIO(sheet)):
        if element.tag == f"{_NAMESPACE}row":
            rows.append({_column(cell): _text(cell, shared) for cell in element})
            element.clear()
    names = {column: name for column, name in rows[_HEADING_ROW - 1].items() if name}
    table = pd.DataFrame(rows[_HEADING_ROW:]).fillna("")
    return table.rename(columns=names)[list(names.values())]


def _column(cell: ET.Element) -> str:
    return re.sub(r"\d", "", cell.get("r", ""))


def _text(cell: ET.Element, shared: list[str]) -> str:
    value = cell.findtext(f"{_NAMESPACE}v") or ""
    return shared[int(value)] if cell.get("t") == "s" else value
