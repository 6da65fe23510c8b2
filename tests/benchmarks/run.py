"""Runs the benchmarks: every module beside this one that has `rows()`, into one table and one JSON file.

    python -m tests.benchmarks.run [NAME ...] [--out FILE]

A row is `{"name", "value", "unit", "against", "ratio"}`: what was measured, the peer it stands against in the same run
on the same machine, and value over the peer's value (None where there is no peer). A benchmark that fails is named at
the end and fails the command; the others' rows are written all the same.
"""

import argparse
import importlib
import json
import pkgutil
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

COLUMNS = ("name", "value", "unit", "against", "ratio")
Row = dict[str, Any]


def modules(folder: Path = Path(__file__).parent) -> list[str]:
    """Names of the benchmarks: modules of the folder that are neither this one nor tests."""
    found = (info.name for info in pkgutil.iter_modules([str(folder)]))
    return sorted(name for name in found if name != "run" and not name.startswith("test_"))


def select(available: list[str], wanted: list[str]) -> list[str]:
    """The benchmarks whose name holds one of the words asked for; all where none is asked for."""
    chosen = [name for name in available if not wanted or any(word in name for word in wanted)]
    idle = [word for word in wanted if not any(word in name for name in available)]
    if idle:
        raise SystemExit(f"no benchmark is called {', '.join(idle)}; there are: {', '.join(available)}")
    return chosen


def checked(rows: list[Row], name: str) -> list[Row]:
    """The rows, each with exactly the five columns, name and unit as text and value as a number."""
    for row in rows:
        if set(row) != set(COLUMNS):
            raise ValueError(f"{name}: a row has the columns {sorted(row)}, expected {sorted(COLUMNS)}")
        numbers = isinstance(row["value"], int | float) and isinstance(row["ratio"], int | float | None)
        if not numbers or not isinstance(row["name"], str) or not isinstance(row["unit"], str):
            raise ValueError(f"{name}: {row} does not hold text and numbers")
    return rows


def measure(module: ModuleType) -> list[Row]:
    """Rows of one benchmark; none where the module has no `rows()`."""
    maker = getattr(module, "rows", None)
    return checked(list(maker()), module.__name__) if maker else []


def show(rows: list[Row]) -> None:
    """Prints the rows as a table."""
    table = Table(*COLUMNS)
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3g}"
        table.add_row(row["name"], f"{row['value']:.4g}", row["unit"], str(row["against"] or ""), ratio)
    Console().print(table)


def main(arguments: list[str] | None = None) -> int:
    """Runs, prints and writes; 1 where a benchmark failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only benchmarks whose name holds this word")
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"), help="JSON file to write")
    options = parser.parse_args(arguments)
    rows, failed = [], []
    for name in select(modules(), options.names):
        start = time.perf_counter()
        try:
            rows += measure(importlib.import_module(f"tests.benchmarks.{name}"))
        except Exception:  # reported below, and the command fails: one benchmark must not cost the others' hours
            traceback.print_exc()
            failed.append(name)
        print(f"{name}: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    show(rows)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
