"""The category map: which channel of the model a class of points of interest counts in, as data.

Sources: `poi_categories.yaml` beside this module, which names its own; SCIENCE 1.2. A class is one word in lower case,
such as `fast_food`, or `key=value` where a source keeps OpenStreetMap's tags apart.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from carbonray.errors import SettingsError
from carbonray.io.objectstore import read_bytes

DROPPED, UNKNOWN, NONE = -1, -2, -3  # a class of no category; one the map does not know; nothing that is a class

_BUILT_IN = Path(__file__).with_name("poi_categories.yaml")
_PARTS = {"names", "keys", "classes", "dropped", "tags"}
_WORD = re.compile(r"[\s\-/]+")
_SHOWN = 10  # wrong words that an error tells


@dataclass(frozen=True)
class CategoryMap:
    """What a class counts as.

    Attributes:
        names: the categories, in the order of the raster's channels.
        keys: keys of OpenStreetMap's tags that are looked at, the most telling first.
        known: class, or `key=value`, or `key=*` -> place in `names`, or `DROPPED`.
    """

    names: tuple[str, ...]
    keys: tuple[str, ...]
    known: Mapping[str, int]

    def of_class(self, written: str) -> int:
        """Category of a class as a file writes it, of `a; b` that of a; `DROPPED`, `UNKNOWN`, or `NONE` if empty."""
        word = class_word(written)
        return self.known.get(word, UNKNOWN) if word else NONE

    def of_tag(self, key: str, value: str) -> int:
        """Category of a tag: by key and value, by the value alone, by the key alone; else `DROPPED` or `UNKNOWN`.

        A key that the map knows only with some values, such as building, says nothing with another: `NONE`.
        """
        word = class_word(value)
        exact, any_value = self.known.get(f"{key}={word}"), self.known.get(f"{key}=*")
        if exact is not None:
            return exact
        if not word or key in self.closed_keys:
            return NONE
        fallback = UNKNOWN if any_value is None else any_value
        return self.known.get(word, fallback)

    @cached_property
    def closed_keys(self) -> frozenset[str]:
        """Keys that stand in the map with values only."""
        told = {tag.partition("=")[0] for tag in self.known if "=" in tag}
        return frozenset(key for key in told if f"{key}=*" not in self.known)


def decided(found: Iterable[int]) -> int:
    """The one category of something told in several ways: the first that is one, else the most that is known of it."""
    codes = list(found)
    return next((code for code in codes if code >= 0), max(codes, default=NONE))


def class_word(written: str) -> str:
    """A class in lower case, words joined by `_`, the first where several stand."""
    return _WORD.sub("_", written.partition(";")[0].strip().casefold())


def read_category_map(url: str = "") -> CategoryMap:
    """The built-in map, or one that a file holds in its form.

    Raises:
        SettingsError: it is no such file, or a class stands in two categories.
        DataError: there is no such file.
        TransportError: it could not be moved.
    """
    where = url or str(_BUILT_IN)
    try:
        parts = yaml.safe_load(read_bytes(where))
    except yaml.YAMLError as error:
        raise _fault(f"no YAML ({error})", where) from error
    if not isinstance(parts, dict) or set(parts) != _PARTS:
        raise _fault(f"parts {sorted(parts) if isinstance(parts, dict) else type(parts).__name__}", where)
    names = [str(name) for name in parts["names"]]
    strange = (set(parts["classes"]) | set(parts["tags"])) - set(names)
    if strange or len(set(names)) != len(names) or not names:
        raise _fault(f"categories {sorted(strange) or names}", where)
    known: dict[str, int] = {}
    for place, words in _listed(parts, names):
        twice = [word for word in words if known.get(word, place) != place]
        if twice:
            raise _fault(f"{twice[:_SHOWN]} in two categories", where)
        known |= dict.fromkeys(words, place)
    return CategoryMap(tuple(names), tuple(str(key) for key in parts["keys"]), known)


def _listed(parts: Mapping[str, Any], names: Sequence[str]) -> Iterable[tuple[int, list[str]]]:
    """Category and the words of each list of the file."""
    for place, name in enumerate(names):
        yield place, [class_word(str(word)) for word in parts["classes"].get(name) or ()]
        yield place, [str(tag).strip().casefold() for tag in parts["tags"].get(name) or ()]
    yield DROPPED, [class_word(str(word)) for word in parts["dropped"] or ()]


def _fault(what: str, where: str) -> SettingsError:
    return SettingsError(
        f"not a category map: {what}",
        where=where,
        expected=f"{sorted(_PARTS)}, every class in one list, every list named in names",
        remedy="Correct the file of grid.categories_url, or leave it empty for the built-in map.",
    )
