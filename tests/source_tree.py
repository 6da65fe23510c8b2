"""The project's own source as data for the tests that hold the rules of the house: files, syntax trees, symbols."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("carbonray", "jobs", "tune")
NOT_OURS = re.compile(r"^(\.git|\.venv|out|build|dist|__pycache__|.*\.egg-info|\..*_cache|\.hypothesis|\.benchmarks)$")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def own_files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the project, without environments, caches and what runs write."""
    for path in sorted(folder.iterdir()):
        if NOT_OURS.match(path.name):
            continue
        if path.is_dir():
            yield from own_files(path)
        else:
            yield path


def modules(*roots: str) -> list[Path]:
    """Python files under some folders of the project (the three packages by default), relative to its root."""
    folders = [ROOT / root for root in roots or PACKAGES]
    return [path.relative_to(ROOT) for folder in folders if folder.is_dir() for path in sorted(folder.rglob("*.py"))]


@functools.cache
def tree(path: Path) -> ast.Module:
    """Syntax tree of a file named relative to the root."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> list[Function]:
    """Every function and method of a file, nested ones too."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def imports(path: Path, *, lazy: bool = True) -> set[str]:
    """Dotted names a file imports: `a.b` and, for `from a import b`, both `a` and `a.b`."""
    nodes = ast.walk(tree(path)) if lazy else iter(tree(path).body)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def dotted(path: Path) -> str:
    """`carbonray/io/ledger.py` -> `carbonray.io.ledger`."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def name_of(node: ast.AST) -> str:
    """`a.b.c` for a chain of names and attributes, '' for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = name_of(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def symbol(reference: str) -> ast.AST | None:
    """What `file::Name` or `file::Class.name` defines, or None where there is no such thing."""
    file, _, names = reference.partition("::")
    if not (ROOT / file).is_file():
        return None
    node: ast.AST | None = tree(Path(file))
    for name in filter(None, names.split(".")):
        node = _member(node, name)
    return node


def _member(node: ast.AST | None, name: str) -> ast.AST | None:
    for child in getattr(node, "body", []):
        if isinstance(child, Definition) and child.name == name:
            return child
        targets = child.targets if isinstance(child, ast.Assign) else [getattr(child, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return child
    return None


def table_rows(document: str) -> list[list[str]]:
    """Cells of every Markdown table row in a file of docs/ that is not a heading or a rule."""
    lines = (ROOT / "docs" / document).read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("|")]
    rules = [index for index, row in enumerate(rows) if all(set(cell) <= set("-: ") for cell in row)]
    headings = {index - 1 for index in rules}
    return [row for index, row in enumerate(rows) if index not in headings and index not in rules]


def pins() -> dict[str, str]:
    """constraints.txt: canonical name -> version."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}
