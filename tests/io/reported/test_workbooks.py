"""Workbooks with titles above the header, headings between the stations, and a sheet that misstates its size."""

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest

from carbonray.errors import DataError
from carbonray.io.reported.readers import read_reported

REPORT = [
    ["Daily Generation Report, sub-report 2"],
    ["for 20-Oct-2022"],
    ["", "Monitored Cap.(MW)", "TODAY'S\nACTUAL\n", "APR 1 TO DATE ACTUAL"],
    ["NORTHERN", "", "", ""],
    ["DELHI", "", "", ""],
    ["SECTOR: STATE SECTOR", "", "", ""],
    ["I.P.CCPP", 270, 1.5, 300],
    ["Unit 1", 90, 0.5, 100],
    ["RIHAND", 3000, "65,5", 1000],
    ["SINGRAULI STPS", 2000, 44.25, 9000],
    ["STATE TOTAL", 2270, 45.75, 9300],
    ["REGION TOTAL", 2270, 45.75, 9300],
]


def cell(value: object) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def workbook(rows: list[list[object]], dimension: str = "") -> bytes:
    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    spreadsheet = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = 'xmlns="http://schemas.openxmlformats.org/package/2006'
    parts = {
        "[Content_Types].xml": f'<Types {package}/content-types"><Default Extension="xml" ContentType="a/b"/></Types>',
        "_rels/.rels": f'<Relationships {package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {spreadsheet} xmlns:r="{office}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships {package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet {spreadsheet}>{dimension}<sheetData>{sheet}</sheetData></worksheet>",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)
    return buffer.getvalue()


def utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


@pytest.mark.parametrize("name", ["dgr2-2022-10-20.xlsx", "report.xlsx"])
def test_india_s_report_holds_stations_between_its_headings(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(workbook(REPORT))
    reading = read_reported("india", str(tmp_path / name))
    rows = {row["source_id"]: row for row in reading.reported.to_pylist()}
    assert {station: row["generation_mwh"] for station, row in rows.items()} == {
        "I.P.CCPP": 1500.0,
        "SINGRAULI STPS": 44_250.0,
    }
    assert {row["start_utc_ns"] for row in rows.values()} == {utc("2022-10-19T18:30")}
    bad = [(row["source_id"], row["line"], row["reason"]) for row in reading.quarantined.to_pylist()]
    assert bad == [("RIHAND", 6, "generation: no number: '65,5'")]


def test_a_sheet_that_misstates_its_size_is_read_all_the_same(tmp_path: Path) -> None:
    egrid = [
        [
            "Plant file sequence number",
            "Plant nameplate capacity (MW)",
            "Plant capacity factor",
            "CO2 equivalent (tons)",
        ],
        ["SEQPLT14", "NAMEPCAP", "CAPFAC", "PLCO2EQA"],
        [1, 100, 0.5, 1000],
        [2, 100, "", 0],
    ]
    path = tmp_path / "egrid.xlsx"
    path.write_bytes(workbook(egrid, '<dimension ref="1:4"/>'))
    reading = read_reported("egrid", str(path))
    assert reading.reported.column("generation_mwh").to_pylist() == pytest.approx([438_000.0, np.nan], nan_ok=True)
    assert reading.reported.column("emissions_t_co2").to_pylist() == pytest.approx([907.18474, 0.0])
    assert reading.sites.column("country").to_pylist() == ["USA", "USA"]


def test_a_workbook_without_the_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "egrid.xlsx"
    path.write_bytes(workbook([["a", "b"], [1, 2]]))
    with pytest.raises(DataError, match="no header"):
        read_reported("egrid", str(path))
