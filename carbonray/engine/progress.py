"""How a run tells its progress: a bar on a terminal, one JSON line at a time otherwise, and metrics for the pager.

Job logs are no terminal: a bar there is thousands of lines. Lines come at most every few seconds and at the end.
"""

import json
import sys
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self, TextIO

from ray.util.metrics import Counter as MetricCounter
from ray.util.metrics import Gauge
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from carbonray.engine.sinks import Outcome

LINE_EVERY_S = 5.0  # a line in a job's log at most so often


class PassProgress:
    """Counts a pass's outcomes and shows them; a context manager around the pass.

    Args:
        name: the pass.
        planned: units in its plan.
        done: units committed or quarantined by earlier attempts.
        stream: where to write; standard error, so that standard output stays for results.
    """

    def __init__(self, name: str, planned: int, done: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.name, self.planned = name, planned
        self.counts: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.bytes = 0
        self._already, self._last_line, self._start = done, 0.0, time.monotonic()
        self._bar = self._make_bar() if self._stream.isatty() else None
        self._task = self._bar.add_task(name, total=planned, completed=done) if self._bar else None
        self._units = MetricCounter("carbonray_units_total", "Units by pass and status", tag_keys=("pass", "status"))
        self._progress = Gauge("carbonray_last_progress_seconds", "Unix time of the last finished unit", ("pass",))

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        self._mark()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()
        else:
            self._line(final=True)

    def report(self, outcome: Outcome) -> None:
        """Takes a finished unit into account and shows it."""
        self.counts[outcome.status] += 1
        self.rows.update(outcome.rows)
        self.seconds.update(dict(outcome.seconds))
        self.bytes += outcome.bytes
        self._units.inc(tags={"pass": self.name, "status": outcome.status})
        self._mark()
        if self._bar and self._task is not None:
            self._bar.advance(self._task, outcome.status != "failed")
        elif time.monotonic() - self._last_line > LINE_EVERY_S:
            self._line(final=False)

    def _mark(self) -> None:
        self._progress.set(time.time(), tags={"pass": self.name})

    def _line(self, *, final: bool) -> None:
        self._last_line = time.monotonic()
        line: dict[str, Any] = {
            "event": "pass finished" if final else "progress",
            "pass": self.name,
            "planned": self.planned,
            "done_before": self._already,
            **{status: self.counts[status] for status in ("committed", "quarantined", "failed")},
            "seconds": round(time.monotonic() - self._start, 1),
        }
        print(json.dumps(line), file=self._stream, flush=True)

    def _make_bar(self) -> Progress:
        columns = (
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        return Progress(*columns, console=Console(file=self._stream))
