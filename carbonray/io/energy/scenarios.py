"""What-if scenarios in words and in YAML: which sources or sectors are moved, cut or scaled, and by how much.

Sources: SCIENCE 2.1 (what-if on the mix of energy and on that of sectors); the grammar is ours. A file is a list of
`{name, changes}`; a change is a text like those below, or a mapping:

    replace 10 % of coal by gas          {replace: coal, by: gas, share: 0.1}
    cut industry + residential by 15 %   {cut: [industry, residential], share: 0.15}
    scale wind by 2                      {scale: wind, factor: 2}

A text alone is a scenario that is named by itself; several changes, in their order, stand between semicolons.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.science.energy.scenarios import Change, Kind
from carbonray.vocab.energy import SECTORS, SOURCES

FACTUAL = "factual"
GRAMMAR = "'replace 10 % of coal by gas', 'cut industry by 15 %' or 'scale wind by 2', several between semicolons"
FORMS = "{replace: coal, by: gas, share: 0.1}, {cut: industry, share: 0.15} or {scale: wind, factor: 2}"

_NUMBER = r"(?P<amount>\d+(?:\.\d+)?)"
_TEXTS = tuple(
    re.compile(words, re.IGNORECASE)
    for words in (
        rf"(?P<kind>replace)\s+{_NUMBER}\s*%\s+of\s+(?P<of>.+?)\s+by\s+(?P<by>.+)",
        rf"(?P<kind>cut)\s+(?P<of>.+?)\s+by\s+{_NUMBER}\s*%",
        rf"(?P<kind>scale)\s+(?P<of>.+?)\s+by\s+{_NUMBER}",
    )
)
_KEYS: Mapping[Kind, frozenset[str]] = {
    "replace": frozenset({"replace", "by", "share"}),
    "cut": frozenset({"cut", "share"}),
    "scale": frozenset({"scale", "factor"}),
}


@dataclass(frozen=True)
class Scenario:
    """One what-if.

    Attributes:
        name: of the scenario.
        energy: changes of sources, by their places among SOURCES, in order.
        emissions: changes of sectors, by their places among SECTORS, in order.
    """

    name: str
    energy: tuple[Change, ...] = ()
    emissions: tuple[Change, ...] = ()


def scenarios_of(texts: Sequence[str], urls: Sequence[str]) -> tuple[Scenario, ...]:
    """Every scenario of some texts, then of some files.

    Raises:
        SettingsError: one cannot be understood, or two have one name.
        TransportError: a file could not be moved.
    """
    found = [_scenario(text, [text], "energy.predict.scenarios") for text in texts]
    found += [scenario for url in urls for scenario in _of_file(url)]
    for name, times in Counter([FACTUAL, *(scenario.name for scenario in found)]).items():
        if times > 1:
            raise _refusal(f"{times} scenarios named {name!r}", "inputs.scenarios", "a name for each, none 'factual'")
    return tuple(found)


def _of_file(url: str) -> list[Scenario]:
    try:
        told = yaml.safe_load(objectstore.read_bytes(url))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _refusal(f"no YAML ({error})", url, "a list of {name, changes}") from error
    if not isinstance(told, list) or not told:
        raise _refusal(f"{type(told).__name__} {str(told)[:60]!r}", url, "a list of {name, changes}, or of texts")
    return [_of_entry(entry, f"{url}, scenario {number}") for number, entry in enumerate(told, start=1)]


def _of_entry(entry: Any, where: str) -> Scenario:
    if isinstance(entry, str):
        return _scenario(entry, [entry], where)
    fitting = isinstance(entry, dict) and set(entry) == {"name", "changes"}
    if not fitting or not isinstance(entry["name"], str) or not entry["name"]:
        raise _refusal(f"{entry!r}", where, "a name and changes, or a text: " + GRAMMAR)
    changes = entry["changes"]
    return _scenario(entry["name"], changes if isinstance(changes, list) else [changes], where)


def _scenario(name: str, changes: Sequence[Any], where: str) -> Scenario:
    sides: dict[str, list[Change]] = {"energy": [], "emissions": []}
    for change in changes:
        for one in change.split(";") if isinstance(change, str) else [change]:
            side, made = _change(_fields(one, where), where)
            sides[side].append(made)
    if not any(sides.values()):
        raise _refusal(f"no change in {name!r}", where, FORMS)
    return Scenario(name, tuple(sides["energy"]), tuple(sides["emissions"]))


def _fields(change: Any, where: str) -> tuple[Kind, list[str], float, list[str]]:
    """Kind, parts, share or factor, and parts that replace, of a change in words or as a mapping."""
    if isinstance(change, str):
        found = next((match for words in _TEXTS if (match := words.fullmatch(change.strip()))), None)
        if found is None:
            raise _refusal(f"{change.strip()!r}", where, GRAMMAR)
        told = found.groupdict()
        kind = next(name for name in _KEYS if name == told["kind"].lower())
        amount = float(told["amount"]) * (1.0 if kind == "scale" else 0.01)
        return kind, _parts(told["of"]), amount, _parts(told.get("by") or "")
    kinds = [name for name, keys in _KEYS.items() if isinstance(change, dict) and set(change) == keys]
    if not kinds:
        raise _refusal(f"{change!r}", where, FORMS)
    kind = kinds[0]
    amount = change["factor" if kind == "scale" else "share"]
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise _refusal(f"{amount!r} in {change!r}", where, "a share from 0 to 1, or a factor from 0, as a number")
    return kind, _parts(change[kind]), float(amount), _parts(change.get("by", ""))


def _parts(told: Any) -> list[str]:
    """Names as the vocabulary has them."""
    names = told if isinstance(told, list) else str(told).split("+") if told else []
    return [re.sub(r"[\s_-]+", "_", str(name).strip().lower()) for name in names]


def _change(fields: tuple[Kind, list[str], float, list[str]], where: str) -> tuple[str, Change]:
    """The side that a change is of, and the change by places."""
    kind, of, amount, by = fields
    for side, names in (("energy", SOURCES), ("emissions", SECTORS)):
        if {*of, *by} <= set(names):
            try:
                places = tuple(map(names.index, of)), tuple(map(names.index, by))
                return side, Change(kind, places[0], amount, places[1])
            except ValueError as error:
                raise _refusal(str(error), where, FORMS) from error
    strange = sorted({*of, *by} - {*SOURCES, *SECTORS})
    what = (
        f"unknown: {', '.join(strange)}" if strange else f"{', '.join([*of, *by])}: sources and sectors in one change"
    )
    raise _refusal(what, where, f"sources ({', '.join(SOURCES)}) or sectors ({', '.join(SECTORS)})")


def _refusal(what: str, where: str, expected: str) -> SettingsError:
    return SettingsError(f"scenarios: {what}", where=where, expected=expected, remedy="Correct the scenario.")
