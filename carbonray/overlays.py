"""Strict overlays: YAML files and `a.b=VALUE` texts laid over the defaults, unknown keys named by their dotted path."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from carbonray.errors import SettingsError


class _PlainLoader(yaml.SafeLoader):
    """Reads a date as the text it is written as: settings are JSON values."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as its base class has it
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def from_file(path: str | Path) -> dict[str, Any]:
    """An overlay file as plain mappings."""
    try:
        return mapping(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the settings file cannot be read ({error})",
            where=str(path),
            expected="a YAML file on this machine",
            remedy="Check the path; a submitted job finds files under its working directory.",
        ) from error


def from_override(text: str) -> dict[str, Any]:
    """`a.b=VALUE` as nested mappings."""
    path, equals, value = text.partition("=")
    if not equals or not all(path.split(".")):
        raise SettingsError(
            f"{text!r} is no override",
            where="--set",
            expected="a.b=VALUE",
            remedy="Write --set engine.read_cpus=0.5, say.",
        )
    nested: Any = _yaml(value, f"--set {path}")
    for part in reversed(path.split(".")):
        nested = {part: nested}
    return dict(nested)


def mapping(text: str, where: str) -> dict[str, Any]:
    """A YAML text as a mapping of sections."""
    tree = _yaml(text, where) or {}
    if not isinstance(tree, dict):
        raise SettingsError(
            f"the settings are a {type(tree).__name__}",
            where=where,
            expected="a mapping of sections",
            remedy="Start the file with a section, such as `inputs:`.",
        )
    return tree


def _yaml(text: str, where: str) -> Any:
    try:
        loader = _PlainLoader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise SettingsError(
            f"not YAML ({error})", where=where, expected="valid YAML", remedy="Repair it at the place named."
        ) from error


def known(path: str, tree: Mapping[str, Any]) -> bool:
    """Whether the defaults have this key; `{}` in the defaults is an open mapping that its consumer checks."""
    below: Any = tree
    for part in path.split("."):
        if below == {}:
            return True
        if not isinstance(below, dict) or part not in below:
            return False
        below = below[part]
    return not isinstance(below, dict) or not below


def paths(tree: Mapping[str, Any], before: str = "") -> Iterable[str]:
    """Dotted paths of all values."""
    for name, value in tree.items():
        path = f"{before}{name}"
        if isinstance(value, dict) and value:
            yield from paths(value, f"{path}.")
        else:
            yield path


def unknown(path: str, where: str, known: list[str]) -> SettingsError:
    """The error for a key that the defaults do not have."""
    near = difflib.get_close_matches(path, known, n=3)
    return SettingsError(
        f"unknown setting {path!r}",
        where=where,
        expected=f"one of {near}" if near else "a key of jobs/settings.yaml",
        remedy="Correct the key; every setting is listed in jobs/settings.yaml.",
    )


def merged(tree: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """A tree with another laid over it; lists and values replace, mappings merge."""
    result = dict(tree)
    for name, value in overlay.items():
        below = result.get(name)
        result[name] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def at(tree: Any, path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree
