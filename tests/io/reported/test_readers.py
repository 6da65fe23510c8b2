"""Each source's own layout, clock and units arrive as UTC intervals of MWh; what is broken in it is named."""

from pathlib import Path

import numpy as np
import pytest

from carbonray.errors import DataError, SettingsError
from carbonray.io.reported.readers import READERS, read_reported
from carbonray.io.reported.reading import ReportedReading, ReportedRules, SourceFacts
from carbonray.science.spatial.geodesy import HOUR_NS


def read(folder: Path, name: str, text: str | bytes, facts: SourceFacts | None = None, file="table.csv", **rules):
    path = folder / file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_reported(name, str(path), ReportedRules(**rules), facts)


def utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def rows(reading: ReportedReading) -> list[tuple[str, str, float, float]]:
    """Id, start, hours, MWh."""
    return [
        (
            row["source_id"],
            str(np.datetime64(row["start_utc_ns"], "ns").astype("datetime64[m]")),
            (row["end_utc_ns"] - row["start_utc_ns"]) / HOUR_NS,
            row["generation_mwh"],
        )
        for row in reading.reported.to_pylist()
    ]


def reasons(reading: ReportedReading) -> list[str]:
    return [str(reason) for reason in reading.quarantined.column("reason").to_pylist()]


CAMPD = "State,Facility Name,Facility ID,Unit ID,Date,Hour,Operating Time,Gross Load (MW),CO2 Mass (short tons)\n"


def test_campd_hours_begin_in_standard_time_and_load_is_of_the_operating_part(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "campd",
        CAMPD
        + "AL,Barry,3,4,2018-07-01,0,1,300,310\nAL,Barry,3,4,2018-07-01,1,0.5,200,100\nAL,Barry,3,4,2018-07-01,2,0,,\n",
    )
    assert rows(reading) == [
        ("3:4", "2018-07-01T06:00", 1.0, 300.0),  # UTC-6 in summer too
        ("3:4", "2018-07-01T07:00", 1.0, 100.0),
        ("3:4", "2018-07-01T08:00", 1.0, 0.0),
    ]
    assert reading.reported.column("emissions_t_co2").to_pylist() == pytest.approx([281.227, 90.718, 0.0], abs=1e-3)
    assert reading.reported.column("gross").to_pylist() == [True] * 3


def test_campd_needs_a_place_or_an_offset_where_a_state_has_two_zones(tmp_path: Path) -> None:
    text = CAMPD + "IN,Gibson,6113,1,2018-01-01,0,1,600,1\n"
    assert "no standard time" in reasons(read(tmp_path, "campd", text))[0]
    gibson = read(tmp_path, "campd", text, SourceFacts(position={"6113": (38.37, -87.77)}))
    merom = read(tmp_path, "campd", text, SourceFacts(position={"6113": (39.07, -87.51)}))
    given = read(tmp_path, "campd", text, SourceFacts(utc_offset_h={"6113": -7.0}))
    assert [rows(reading)[0][1][11:] for reading in (gibson, merom, given)] == ["06:00", "05:00", "07:00"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("AL,B,3,4,2018-13-01,0,1,300,1", "time: unreadable date: '2018-13-01'"),
        ("AL,B,3,4,2018-01-01,24,1,300,1", "time: no hour from 0 to 23: '24'"),
        ("AL,B,3,4,2018-01-01,0,1,3oo,1", "generation: no number: '3oo'"),
        ("AL,B,3,4,2018-01-01,0,2,300,1", "operating time: no share of the hour: '2'"),
        ("AL,B,3,4,2018-01-01,0,1,300,x", "emissions: no number: 'x'"),
        ("ZZ,B,3,4,2018-01-01,0,1,300,1", "time: no standard time without the plant's place or offset, state: 'ZZ'"),
        ("AL,B,,4,2018-01-01,0,1,300,1", "id: missing"),
        ("AL,B,3,4,9999-01-01,0,1,300,1", "time: unreadable date: '9999-01-01'"),
    ],
)
def test_a_bad_line_of_campd_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    reading = read(tmp_path, "campd", CAMPD + line + "\n")
    assert reading.rows()["quarantined"] == 1
    assert reasons(reading) == [reason]


def test_a_clock_that_was_put_back_shows_as_a_repeat_and_one_put_forward_as_a_gap(tmp_path: Path) -> None:
    # a file written in daylight time by mistake: hour 1 twice in November, no hour 2 in March
    lines = "".join(f"AL,B,3,4,2018-11-04,{hour},1,{300 + n},1\n" for n, hour in enumerate([0, 1, 1, 2]))
    assert [word.split(":")[0] for word in reasons(read(tmp_path, "campd", CAMPD + lines))] == ["repeated interval"] * 2
    lines = "".join(f"AL,B,3,4,2018-03-11,{hour},1,300,1\n" for hour in [0, 1, 3])
    assert reasons(read(tmp_path, "campd", CAMPD + lines)) == ["gap: 1 h without a line"]


def test_nem_intervals_end_at_their_name_in_market_time(tmp_path: Path) -> None:
    head = '"trading_interval","facility_code","generated"\n'
    text = head + '"2021-02-01 00:00:00","VP6",240\n"2021-02-01 00:05:00","VP6",120\n'
    assert rows(read(tmp_path, "nem", text)) == [
        ("VP6", "2021-01-31T13:55", pytest.approx(1 / 12), 20.0),
        ("VP6", "2021-01-31T14:00", pytest.approx(1 / 12), 10.0),
    ]
    own = (
        "C,NEMP.WORLD,DISPATCHSCADA,AEMO,PUBLIC\nI,DISPATCH,UNIT_SCADA,1,SETTLEMENTDATE,DUID,SCADAVALUE\n"
        'D,DISPATCH,UNIT_SCADA,1,"2021/02/01 00:05:00",VP6,120\nC,"END OF REPORT",3,,,,\n'
    )
    assert rows(read(tmp_path, "nem", own)) == [("VP6", "2021-01-31T14:00", pytest.approx(1 / 12), 10.0)]
    odd = text.replace("00:05:00", "00:04:00")
    assert reasons(read(tmp_path, "nem", odd)) == ["time: not the end of a 5-minute interval: '2021-02-01 00:04:00'"]


ENTSOE = (
    "DateTime (UTC)\tResolutionCode\tGenerationUnitCode\tGenerationUnitName\tActualGenerationOutput(MW)\t"
    "ActualConsumption(MW)\tGenerationUnitInstalledCapacity(MW)\tUpdateTime(UTC)\n"
)


def test_entsoe_power_becomes_energy_by_the_resolution_and_consumption_is_negative(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "entsoe",
        ENTSOE
        + "2024-07-01 00:00:00.000\tPT60M\t14W-A\tA\t100.00\t\t400.00\t2024-07-06 00:16:32.032\n"
        + "2024-07-01 01:00:00.000\tPT15M\t14W-A\tA\t100.00\t\t400.00\t2024-07-06 00:16:32.032\n"
        + "2024-07-01 01:15:00.000\tPT15M\t14W-A\tA\t\t40.00\t400.00\t2024-07-06 00:16:32.032\n"
        + "2024-07-01 01:30:00.000\tPT15M\t14W-A\tA\t\t\t400.00\t2024-07-06 00:16:32.032\n",
    )
    assert [row[1:3] for row in rows(reading)][:2] == [("2024-07-01T00:00", 1.0), ("2024-07-01T01:00", 0.25)]
    assert reading.reported.column("generation_mwh").to_pylist() == pytest.approx([100, 25, -10, np.nan], nan_ok=True)
    assert "negative generation kept" in reading.notes.column("note").to_pylist()


def test_an_entsoe_row_that_was_updated_is_superseded_in_utf_16_too(tmp_path: Path) -> None:
    line = "2024-07-01 00:00:00\tPT60M\t14W-A\tA\t{}\t\t400\t2024-07-{}\n"
    text = ENTSOE + line.format(100, "06 00:00:00") + line.format(90, "07 00:00:00")
    for data in (text.encode(), text.encode("utf-16"), text.replace("\t", ",").encode("utf-8-sig")):
        reading = read(tmp_path, "entsoe", data)
        assert reading.reported.column("generation_mwh").to_pylist() == [90.0]
        assert reasons(reading) == ["repeated interval: superseded by a later update"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2024-07-01 00:00:00\tP1D\tA\tA\t100\t\t400\t", "time: unknown resolution: 'P1D'"),
        ("1 July\tPT60M\tA\tA\t100\t\t400\t", "time: unreadable: '1 July'"),
        ("2024-07-01 00:00:00\tPT60M\tA\tA\tn.a\t\t400\t", "generation: no number: 'n.a'"),
        (
            "2024-07-01 00:00:00\tPT60M\tA\tA\t100000\t\t400\t",
            "units: 100000 MWh is 250 times what 400 MW can give (limit 1.5)",
        ),
    ],
)
def test_a_bad_line_of_entsoe_is_set_aside(tmp_path: Path, line: str, reason: str) -> None:
    assert reasons(read(tmp_path, "entsoe", ENTSOE + line + "\n")) == [reason]


A73 = """<?xml version="1.0" encoding="UTF-8"?>
<GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0">
<createdDateTime>2024-07-06T00:00:00Z</createdDateTime>
{series}
</GL_MarketDocument>"""
SERIES = """<TimeSeries><{domain} codingScheme="A01">10YAT</{domain}><curveType>{curve}</curveType>
<MktPSRType><psrType>B04</psrType>
<PowerSystemResources><mRID codingScheme="A01">14W-A</mRID></PowerSystemResources></MktPSRType>
<Period><timeInterval><start>2024-07-01T00:00Z</start><end>2024-07-01T01:00Z</end></timeInterval>
<resolution>PT15M</resolution>{points}</Period></TimeSeries>"""


def points(**quantity: float) -> str:
    return "".join(f"<Point><position>{k[1:]}</position><quantity>{v}</quantity></Point>" for k, v in quantity.items())


def test_an_a73_document_is_read_like_its_csv(tmp_path: Path) -> None:
    making = SERIES.format(domain="inBiddingZone_Domain.mRID", curve="A03", points=points(p1=100, p3=40))
    pumping = SERIES.format(domain="outBiddingZone_Domain.mRID", curve="A01", points=points(p4=8))
    reading = read(tmp_path, "entsoe", A73.format(series=making + pumping), file="a73.xml")
    assert reading.reported.column("generation_mwh").to_pylist() == [25.0, 25.0, 10.0, 8.0]
    assert rows(reading)[3][:3] == ("14W-A", "2024-07-01T00:45", 0.25)


@pytest.mark.parametrize("text", ["<html>", "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", A73.format(series="<TimeSeries>")])
def test_what_is_no_a73_document_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="A73"):
        read(tmp_path, "entsoe", text, file="a73.xml")


EPIAS = "Tarih;Saat;Toplam (MWh);Doğal Gaz;Linyit\n"


def test_epias_has_decimal_commas_and_turkish_time(tmp_path: Path) -> None:
    text = EPIAS + "01.07.2022;00:00;1.234,50;0,00;1.234,50\n01.07.2022;01:00;987,25;0,00;987,25\n"
    reading = read(tmp_path, "epias", text, SourceFacts(source_id="afsin"))
    assert rows(reading) == [("afsin", "2022-06-30T21:00", 1.0, 1234.5), ("afsin", "2022-06-30T22:00", 1.0, 987.25)]


def test_epias_before_the_clocks_stood_still_is_set_aside(tmp_path: Path) -> None:
    text = EPIAS + "27.03.2016;03:00;5,0;;\n27.03.2016;04:00;5,0;;\n"
    reading = read(tmp_path, "epias", text, SourceFacts(source_id="a"))
    assert reading.rows() == {"read": 2, "kept": 1, "quarantined": 1, "gaps": 0}
    assert reasons(reading)[0].startswith("time: before 2016-03-27")


def test_an_epias_export_must_be_of_a_plant(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not name its plant"):
        read(tmp_path, "epias", EPIAS + "01.07.2022;00:00;1,0;;\n")
    named = "Santral;Tarih;Saat;Toplam\nSoma;01.07.2022;00:00;1,5\n"
    assert rows(read(tmp_path, "epias", named)) == [("Soma", "2022-06-30T21:00", 1.0, 1.5)]


def test_india_s_day_is_of_indian_time_in_million_units(tmp_path: Path) -> None:
    text = "Date,Station,Monitored Cap.(MW),Today's Actual\n2022-04-01,RIHAND,3000,65.5\n02/04/2022,RIHAND,3000,999\n"
    reading = read(tmp_path, "india", text)
    assert rows(reading) == [("RIHAND", "2022-03-31T18:30", 24.0, 65500.0)]
    assert reasons(reading)[0].startswith("units: 999000 MWh")


def test_annual_tables_take_fiscal_years_from_the_row_or_the_country(tmp_path: Path) -> None:
    text = (
        "source_id,country,year,fiscal start month,capacity_mw,generation_mwh,emissions_t_co2\n"
        "a,IND,2019,,1000,7e6,6e6\nb,USA,2019,,1000,7e6,\nc,AUS,2019,4,1000,7e6,\nd,USA,2019,13,1,1,\n"
        'e,USA,,,1,1,\nf,USA,2019,,-5,1,\ng,USA,2019,,1000,"4,079,788.00",\n'
    )
    reading = read(tmp_path, "annual", text)
    starts = {row["source_id"]: row["start_utc_ns"] for row in reading.reported.to_pylist()}
    assert starts == {"a": utc("2019-04-01"), "b": utc("2019-01-01"), "c": utc("2019-04-01"), "g": utc("2019-01-01")}
    assert sorted(reasons(reading)) == ["capacity: negative: '-5'", "time: no month: '13'", "time: no year: ''"]
    assert rows(reading)[0][2] == 366 * 24  # April 2019 to March 2020
    assert rows(reading)[3][3] == 4_079_788.0
    assert reading.sites.column("country").to_pylist()[:2] == ["IND", "USA"]


def test_a_year_that_nothing_names_is_a_setting(tmp_path: Path) -> None:
    text = "source_id,year,generation_mwh\na,,5\n"
    with pytest.raises(SettingsError, match="which year"):
        read(tmp_path, "annual", text)
    assert rows(read(tmp_path, "annual", text, SourceFacts(year=2016)))[0][1] == "2016-01-01T00:00"


@pytest.mark.parametrize("name", sorted(set(READERS) - {"egrid"}))
@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n\x00\x00", b'a,"b\n'])
def test_what_is_no_table_of_the_source_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(DataError):
        read(tmp_path, name, data, SourceFacts(source_id="x"))


@pytest.mark.parametrize("name", ["egrid", "india", "annual"])
def test_a_truncated_workbook_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        read(tmp_path, name, b"PK\x03\x04 cut short", file="table.xlsx")


def test_a_line_of_the_wrong_shape_is_set_aside_whole_wherever_it_stands(tmp_path: Path) -> None:
    good = "AL,B,3,4,2018-01-01,{},1,300,1\n"
    lines = ["AL,B,3,4,2018-01-01,0,1,300,1,9\n", good.format(1), "AL,Smith, J,3,4,2018-01-01,2,1,300,1\n"]
    lines += [good.format(3), "AL,B,3,4,2018-0"]  # cut short
    for chunk_bytes in (2**20, 160):
        reading = read(tmp_path, "campd", CAMPD + "".join(lines), chunk_bytes=chunk_bytes)
        assert [row[1][11:] for row in rows(reading)] == ["07:00", "09:00"]
        broken = [row for row in reading.quarantined.to_pylist() if row["line"]]
        assert sorted((row["line"], row["reason"]) for row in broken) == [
            (1, "line: 10 cells (expected 9)"),
            (3, "line: 10 cells (expected 9)"),
            (5, "line: 5 cells (expected 9)"),
        ]
        assert reading.rows() == {"read": 5, "kept": 2, "quarantined": 3, "gaps": 1}


def test_an_absent_file_and_an_unknown_source_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_reported("nem", str(tmp_path / "none.csv"))
    with pytest.raises(SettingsError, match="no reader"):
        read_reported("eurostat", str(tmp_path / "none.csv"))


def test_chunks_of_any_size_give_the_same_reading(tmp_path: Path) -> None:
    lines = "".join(f"AL,B,3,{n % 3},2018-01-{1 + n // 24:02d},{n % 24},1,{n % 7},1\n" for n in range(100))
    whole, small = (read(tmp_path, "campd", CAMPD + lines + lines.splitlines()[0], chunk_bytes=b) for b in (2**20, 200))
    assert whole.reported.equals(small.reported)
    assert whole.quarantined.equals(small.quarantined)
    assert whole.rows()["quarantined"] == 1
