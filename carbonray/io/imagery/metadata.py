"""The text files beside an image: XML, Landsat's MTL as text or JSON, and the times written in them.

Sources: Landsat 8 Data Format Control Books (MTL is ODL: nested GROUPs of KEY = VALUE; the JSON has the same names),
Sentinel-2 Products Specification, Planet's PSScene specification. XML is looked up by an element's name alone, for
its namespaces change with the version of a product.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from carbonray.errors import DataError
from carbonray.io import objectstore

MAX_BYTES = 32 * 2**20  # a granule's metadata is some hundred kilobytes; what is longer is no metadata
_ODL_LINE = re.compile(r"^\s*(\w+)\s*=\s*(.*?)\s*$")


def xml_root(url: str) -> ET.Element:
    """The root of an XML file.

    Raises:
        DataError: it is absent, no XML, too long, or declares a document type of its own.
    """
    data = _short(url)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # products never do; entities can be made to explode
        raise _unreadable(url, ValueError("it declares a document type"))
    try:
        return ET.fromstring(data)  # noqa: S314
    except ET.ParseError as error:
        raise _unreadable(url, error) from error


def elements(root: ET.Element, name: str) -> Iterator[ET.Element]:
    """All elements of a name, in the order of the file, whatever their namespace."""
    return (element for element in root.iter() if element.tag.rpartition("}")[2] == name)


def xml_text(root: ET.Element, name: str, default: str | None = None) -> str:
    """The text of the first element of a name.

    Raises:
        DataError: there is none, and no default is given.
    """
    found = next((element.text for element in elements(root, name) if element.text), default)
    if found is None:
        raise _missing(name, root.tag)
    return found.strip()


def mtl_groups(url: str) -> dict[str, dict[str, str]]:
    """Group -> key -> value of a Landsat MTL file, text or JSON, quotes taken off.

    Raises:
        DataError: it is absent or no MTL.
    """
    text = _short(url).decode("utf-8", errors="replace")
    try:
        groups = _json_groups(json.loads(text)) if text.lstrip().startswith("{") else _odl_groups(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(url, error) from error
    if not groups:
        raise _unreadable(url, ValueError("no group of keys"))
    return groups


def mtl_value(groups: dict[str, dict[str, str]], key: str, default: str | None = None) -> str:
    """The value of a key; level-1 groups come before those of a level-2 product, which repeat their keys.

    Raises:
        DataError: no group has the key, and no default is given.
    """
    order = sorted(groups, key=lambda name: name.startswith("LEVEL2"))
    found = next((groups[name][key] for name in order if key in groups[name]), default)
    if found is None:
        raise _missing(key, "MTL")
    return found


def read_json(url: str) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: it is absent, too long or no JSON.
    """
    try:
        return json.loads(_short(url))
    except (ValueError, RecursionError) as error:
        raise _unreadable(url, error) from error


def number(text: str, where: str) -> float:
    """A finite number.

    Raises:
        DataError: it is none.
    """
    try:
        value = float(text)
        if np.isfinite(value):
            return value
    except (TypeError, ValueError):
        value = float("nan")
    raise DataError(f"{text!r} is no number", where=where, expected="a finite number", remedy="Take the product again.")


def utc_ns(text: str, where: str) -> int:
    """An ISO 8601 time in UTC, ns since 1970.

    Raises:
        DataError: it is none.
    """
    try:
        plain = re.sub(r"(Z|\+00:?00)$", "", text.strip())
        return int(np.datetime64(plain, "ns").astype(np.int64))
    except ValueError as error:
        raise DataError(
            f"{text!r} is no time in UTC", where=where, expected="ISO 8601", remedy="Take the product again."
        ) from error


def utc_datetime(text: str, where: str) -> datetime:
    """The same time as a STAC item keeps it, to the microsecond.

    Raises:
        DataError: it is none.
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc_ns(text, where) // 1000)


def _odl_groups(text: str) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    names: list[str] = []
    for line in text.splitlines():
        found = _ODL_LINE.match(line)
        if not found:
            continue
        key, value = found.groups()
        if key == "GROUP":
            names.append(value)
        elif key == "END_GROUP":
            names = names[:-1]
        elif names:
            groups.setdefault(names[-1], {})[key] = value.strip('"')
    return groups


def _json_groups(content: dict[str, Any]) -> dict[str, dict[str, str]]:
    inner = next(iter(content.values())) if len(content) == 1 else content
    return {
        name: {key: str(value) for key, value in group.items()}
        for name, group in inner.items()
        if isinstance(group, dict)
    }


def _short(url: str) -> bytes:
    data = objectstore.read_bytes(url)
    if len(data) > MAX_BYTES:
        raise _unreadable(url, ValueError(f"{len(data)} bytes"))
    return data


def _unreadable(url: str, error: Exception) -> DataError:
    return DataError(
        f"the metadata cannot be read ({type(error).__name__}: {error})",
        where=url,
        expected="the product's own metadata, whole",
        remedy="Take the product from its provider again.",
    )


def _missing(name: str, where: str) -> DataError:
    return DataError(
        f"the metadata has no {name}", where=where, expected=name, remedy="Take the product from its provider again."
    )
