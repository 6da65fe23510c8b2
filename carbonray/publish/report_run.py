"""The parts of the report about the run itself: units, stages, what was set aside, and how to make it again."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from carbonray.publish.charts import stage_chart
from carbonray.publish.page import code_block, fact_list, figure, fold, section, side_by_side, table
from carbonray.publish.svg import Markup, tag

_MOST_ROWS = 50


def run_section(run: Mapping[str, Any]) -> Markup:
    """Units, rows, passes and where the time went."""
    units: Mapping[str, int] = run.get("units") or {}
    rows: Mapping[str, int] = run.get("rows") or {}
    passes: list[Mapping[str, Any]] = run.get("passes") or []
    facts: dict[str, object] = {
        "status": run.get("status"),
        "units": ", ".join(f"{units[name]:,} {name}" for name in units) or None,
        "rows": ", ".join(f"{rows[name]:,} {name}" for name in rows) or None,
        "bytes read and written": sum(int(entry.get("bytes") or 0) for entry in passes) or None,
        "wall time, s": sum(float(entry.get("wall_seconds") or 0.0) for entry in passes) or None,
    }
    seconds = _seconds(passes)
    chart = (
        figure(stage_chart(seconds), "Seconds of work by pass and stage, summed over all processes.") if seconds else ""
    )
    heads = ("pass", "planned", "committed", "set aside", "failed", "rows kept", "MB", "wall s", "efficiency")
    listing = table(heads, [_pass_row(entry) for entry in passes], "Passes, in the order they ran") if passes else ""
    lead = "Every planned unit was committed or set aside with a reason; the checksums of all objects were checked."
    if run.get("status") not in ("complete", "verified"):
        lead = f"This run is {run.get('status', 'of unknown status')}: its numbers are not final."
    return section("run", "The run", lead, side_by_side(fact_list(facts), chart), listing)


def quarantine_section(quarantine: pa.Table | None) -> Markup | None:
    """What was set aside, and why."""
    if quarantine is None:
        return None
    rows = quarantine.slice(0, _MOST_ROWS).to_pylist()
    if not rows:
        return section("set-aside", "Set aside", "Nothing was set aside: every unit and row could be used.")
    cells = [
        (row["pass_name"], row["key"], row["reason"], "whole unit" if row["rows"] < 0 else row["rows"]) for row in rows
    ]
    more = (
        f"The first {_MOST_ROWS} of {quarantine.num_rows:,}; all are in quarantine.parquet."
        if quarantine.num_rows > _MOST_ROWS
        else ""
    )
    lead = f"Bad data, kept out of the product: {quarantine.num_rows:,} units or groups of rows. {more}"
    return section("set-aside", "Set aside", lead, table(("pass", "key", "reason", "rows"), cells))


def again_section(run: Mapping[str, Any], commands: tuple[str, ...]) -> Markup:
    """Everything another person needs to make the same bytes."""
    facts: dict[str, object] = {
        "settings digest": _mono(run.get("settings_digest")),
        "objects digest": _mono(run.get("sha256")),
        "revision": _mono(run.get("git_revision")),
        "versions": ", ".join(f"{name} {version}" for name, version in (run.get("versions") or {}).items()) or None,
    }
    bundles = [
        (b.get("model") or b.get("name"), _mono(b.get("sha256")), b.get("cut")) for b in run.get("bundles") or ()
    ]
    settings = json.dumps(run.get("settings") or {}, indent=1, sort_keys=True).splitlines()
    lead = "The same settings, inputs and bundles give the same bytes, on any number of machines."
    return section(
        "again",
        "Make it again",
        lead,
        code_block(commands) if commands else "",
        fact_list(facts),
        table(("model", "sha256 of its bundle", "cut"), bundles, "Bundles") if bundles else "",
        fold("All settings of the run", code_block(settings)) if run.get("settings") else "",
    )


def _seconds(passes: list[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds by pass and step, attempts of a resumed run added up."""
    total: dict[str, float] = {}
    for entry in passes:
        for step, value in (entry.get("seconds_by_step") or {}).items():
            name = f"{entry.get('pass', '')}: {step}"
            total[name] = total.get(name, 0.0) + float(value)
    return total


def _pass_row(entry: Mapping[str, Any]) -> tuple[object, ...]:
    names = ("pass", "planned", "committed", "quarantined", "failed")
    kept = (entry.get("rows") or {}).get("kept")
    size = entry.get("bytes")
    return (
        *(entry.get(name) for name in names),
        kept,
        None if size is None else float(size) / 1e6,
        entry.get("wall_seconds"),
        entry.get("efficiency"),
    )


def _mono(value: object) -> Markup | None:
    return tag("span", value, class_="mono") if value else None
