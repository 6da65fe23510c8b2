"""Published numbers from `golden/`, each section with its place in the paper."""

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "golden"


def golden(name: str) -> dict[str, Any]:
    """Section -> its numbers; every section names its place."""
    sections = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    assert all(section["place"] for section in sections.values())
    return sections


def golden_rows(section: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table, by column."""
    return [dict(zip(section["columns"], row, strict=True)) for row in section["rows"]]
