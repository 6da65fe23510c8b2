"""A73 documents of ENTSO-E's web service as the rows of its CSV export.

Source: IEC 62325-351, GL_MarketDocument (451-6): a time series holds one unit's periods, a period its points by
position; curve A03 leaves out a point that repeats the one before. Consumption is an outgoing domain's series.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from carbonray.errors import DataError
from carbonray.io import objectstore
from carbonray.science.spatial.geodesy import HOUR_NS

MOST_BYTES = 64 * 2**20  # a document holds a day of one area; more is none
RESOLUTION_NS: Mapping[str, int] = {"PT15M": HOUR_NS // 4, "PT30M": HOUR_NS // 2, "PT60M": HOUR_NS, "PT1H": HOUR_NS}

_POINT = ["unit", "start", "resolution"]


def is_document(url: str) -> bool:
    """Whether the file opens like XML."""
    with objectstore.opened(url) as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")


def points(url: str) -> pd.DataFrame:
    """Every point of a document as text cells, named as `entsoe.read_entsoe` names the columns of a CSV export.

    Raises:
        DataError: no such document, one that declares entities, or one too large.
    """
    data = objectstore.read_bytes(url)
    if len(data) > MOST_BYTES or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise _no_document(url, "it is too large or declares entities")
    try:
        root = ET.fromstring(data)  # noqa: S314 - no entities, see above: nothing can grow
        made, pumped = (
            pd.DataFrame(rows, columns=[*_POINT, name], dtype=str)
            for name, rows in (("power", _points(root, pumping=False)), ("consumption", _points(root, pumping=True)))
        )
    except (ET.ParseError, ValueError, KeyError) as error:
        raise _no_document(url, f"{type(error).__name__}: {error}") from error
    frame = made.merge(pumped, on=_POINT, how="outer").fillna("")
    updated = _text(root, "createdDateTime")
    return frame.assign(capacity="", updated=updated, line=np.arange(1, len(frame) + 1), broken="")


def _points(root: ET.Element, *, pumping: bool) -> list[tuple[str, ...]]:
    """Unit, start, resolution and power of every point of the series that generate, or of those that pump."""
    return [
        point
        for series in _all(root, "TimeSeries")
        if (series.find("{*}outBiddingZone_Domain.mRID") is not None) == pumping
        for period in _all(series, "Period")
        for point in _period(period, series)
    ]


def _period(period: ET.Element, series: ET.Element) -> Iterator[tuple[str, ...]]:
    unit, resolution = _text(series, "MktPSRType/PowerSystemResources/mRID"), _text(period, "resolution")
    start, end = (np.datetime64(_text(period, f"timeInterval/{edge}").rstrip("Z"), "ns") for edge in ("start", "end"))
    step = np.timedelta64(RESOLUTION_NS[resolution], "ns")
    given = {int(_text(point, "position")): _text(point, "quantity") for point in _all(period, "Point")}
    repeats = _text(series, "curveType") == "A03"
    power = ""
    for position in range(1, int((end - start) // step) + 1):
        power = given.get(position, power if repeats else "")
        if power:
            yield unit, str(start + (position - 1) * step), resolution, power


def _all(element: ET.Element, name: str) -> list[ET.Element]:
    return element.findall(f"{{*}}{name}")


def _text(element: ET.Element, path: str) -> str:
    found = element.find("/".join(f"{{*}}{name}" for name in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def _no_document(url: str, what: str) -> DataError:
    return DataError(
        f"not an A73 document ({what})",
        where=url,
        expected="a GL_MarketDocument of generation per unit",
        remedy="Fetch the document again.",
    )
