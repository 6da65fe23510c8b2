"""Tables and figures in Markdown: a dash stands for what is undefined."""

import math
from collections.abc import Iterable, Sequence


def number(value: float | None, digits: int = 3) -> str:
    """A figure of so many digits after the point, a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def table(heads: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A ruled table."""
    ruled = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in cells) + " |" for cells in ruled)
