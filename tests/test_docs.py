"""The documents speak of what exists: every symbol of the map, every constant and its value, every link and target."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from carbonray import errors
from tests import source_tree as source

ROOT = source.ROOT
MAP = source.table_rows("map.md")
NUMBERS = source.table_rows("numbers.md")
REFERENCE = re.compile(r"`([^`]+\.(?:py|yaml|yml|json|toml|md)(?:::[\w.]+)?)`")
DOCUMENTS = [path for path in source.own_files() if path.suffix == ".md"]


def value_of(text: str | ast.expr) -> object:
    """A literal or simple arithmetic of literals, from a cell or from the source."""
    node = ast.parse(text, mode="eval").body if isinstance(text, str) else text
    return eval(compile(ast.Expression(node), "<constant>", "eval"), {"__builtins__": {}}, {"np": np})


def test_the_map_and_the_numbers_are_not_empty() -> None:
    assert len(MAP) >= 25
    assert len(NUMBERS) >= 25


@pytest.mark.parametrize("row", MAP, ids=lambda row: row[0][:60])
def test_a_sentence_of_the_mission_leads_to_a_symbol(row: list[str]) -> None:
    sentence, places = row
    references = REFERENCE.findall(places)

    assert sentence.endswith(".")
    assert references, f"{sentence!r} leads nowhere"
    assert [place for place in references if not ((ROOT / place).is_file() or source.symbol(place))] == []


def test_a_symbol_that_does_not_exist_would_be_noticed() -> None:
    assert source.symbol("carbonray/errors.py::CarbonrayError.exit_code") is not None
    assert source.symbol("carbonray/errors.py::CarbonrayError.no_such") is None
    assert source.symbol("carbonray/no_such.py::name") is None


@pytest.mark.parametrize("row", NUMBERS, ids=lambda row: f"{row[0][:40]} {row[1]}")
def test_a_number_is_the_constant_it_says_and_has_a_source(row: list[str]) -> None:
    _, number, place, origin = row
    (reference,) = REFERENCE.findall(place)
    node = source.symbol(reference)

    assert origin, "a number without a source"
    assert isinstance(node, ast.Assign | ast.AnnAssign), f"{reference} is no constant"
    assert node.value is not None
    assert value_of(node.value) == value_of(number.strip("`")), f"{reference} is not {number}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


def test_every_make_target_that_is_written_about_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    asked = {
        name for path in DOCUMENTS for name in re.findall(r"`?\bmake ([a-z]+)\b", path.read_text(encoding="utf-8"))
    }

    assert {"setup", "demo", "test", "check", "bench"} <= targets
    assert asked & {"setup", "demo", "test", "check", "bench", "clean", "format"} <= targets


def test_every_decision_has_its_four_parts() -> None:
    for path in sorted((ROOT / "docs" / "adr").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert re.match(r"# \d{4} ", text), path.name
        parts = ("Status: ", "## Context", "## Decision", "## Consequences", "## Alternatives")
        assert [part for part in parts if part not in text] == [], path.name


def test_the_readme_names_every_exit_code_the_command_has() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", readme, flags=re.MULTILINE)}
    declared = {kind.exit_code for kind in vars(errors).values() if hasattr(kind, "exit_code")}

    assert codes == {0, *declared}
