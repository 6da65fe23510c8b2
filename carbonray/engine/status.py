"""How far a run is, read from its plan and its ledger alone: it works while the job runs, after it died, anywhere."""

import json
from typing import Any

from carbonray.engine import plan
from carbonray.engine.run import FILE
from carbonray.errors import SettingsError
from carbonray.io import ledger, objectstore

NOT_BEGUN = "not begun"  # of a part of a run of runs


def run_status(run_url: str) -> dict[str, Any]:
    """Units planned, committed, quarantined and pending of every pass, and the run's own word.

    Of a run of runs, the passes of its parts stand behind their names, `parts` tells how each stands, and the latest
    change of any of them is the run's.

    Raises:
        SettingsError: there is no run in this folder.
    """
    url = objectstore.join(run_url, FILE)
    if not objectstore.exists(url):
        raise SettingsError(
            "there is no run here", where=run_url, expected=f"a folder with {FILE}", remedy="Check URL and run id."
        )
    facts = json.loads(objectstore.read_bytes(url))
    units = plan.read(run_url)
    passes = [_pass_status(run_url, name, units) for name in dict.fromkeys(unit.pass_name for unit in units)]
    own = {
        "status": facts.get("status"),
        "job": facts.get("job"),
        "updated_unix_s": facts.get("updated_unix_s"),
        "error": facts.get("error", ""),
        "passes": passes,
    }
    parts = {name: _part_status(objectstore.join(run_url, name)) for name in plan.parts(run_url)}
    return _with_parts(own, parts) if parts else own


def _part_status(run_url: str) -> dict[str, Any]:
    if not objectstore.exists(objectstore.join(run_url, FILE)):
        return {"status": NOT_BEGUN, "updated_unix_s": 0.0, "error": "", "passes": []}
    return run_status(run_url)


def _with_parts(own: dict[str, Any], parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    below = [{**entry, "pass": f"{name}/{entry['pass']}"} for name, part in parts.items() for entry in part["passes"]]
    return {
        **own,
        "updated_unix_s": max(part["updated_unix_s"] for part in (own, *parts.values())),
        "parts": {name: part["status"] for name, part in parts.items()},
        "passes": own["passes"] + below,
    }


def _pass_status(run_url: str, name: str, units: list[Any]) -> dict[str, Any]:
    planned = {unit.unit_id for unit in units if unit.pass_name == name}
    commits = [commit for unit_id, commit in ledger.read(run_url, name).items() if unit_id in planned]
    quarantined = sum(commit.status == "quarantined" for commit in commits)
    return {
        "pass": name,
        "planned": len(planned),
        "committed": len(commits) - quarantined,
        "quarantined": quarantined,
        "pending": len(planned) - len(commits),
    }
