"""One run of one job: its folder, its passes one after the other, its resume, and the facts it leaves in `run.json`.

Every job follows one path: plan, stream, commit, verify, publish. A run id belongs to one job, one set of settings
and one set of inputs; the same command again resumes it, and does nothing where it is complete.
"""

import json
import logging
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from carbonray.contract import Unit
from carbonray.engine import cluster, graph, plan, verify
from carbonray.engine.plan import Pass
from carbonray.engine.progress import PassProgress
from carbonray.engine.sinks import Outcome
from carbonray.engine.verify import Verification
from carbonray.engine.watchdog import run_watched
from carbonray.errors import CarbonrayError, IncompleteError, SettingsError, revived
from carbonray.execution import EngineRules
from carbonray.io import ledger, objectstore
from carbonray.io.ledger import Commit

_log = logging.getLogger(__name__)

FILE = "run.json"
# whose next version may give other bytes: numbers, geometry, what is read and how it is written
LIBRARIES = (
    "carbonray", "ray", "torch", "numpy", "scipy", "pyarrow", "zarr", "xarray", "safetensors", "h5netcdf", "h5py",
    "kornia", "numcodecs", "optuna", "osmium", "pandas", "pyogrio", "pyproj", "pystac", "python-calamine", "rapidfuzz",
    "rasterio", "scikit-learn", "shapely", "xgboost", "xgboost-cpu",
)  # fmt: skip


@dataclass
class Run:
    """A run's folder and what is known of it so far.

    Attributes:
        url: the folder, `OUT/ID`.
        job: the job's name.
        settings_digest: digest of the settings that can change its bytes.
        rules: how it uses its machines.
        facts: the content of `run.json`.
    """

    url: str
    job: str
    settings_digest: str
    rules: EngineRules
    facts: dict[str, Any] = field(default_factory=dict)

    def complete(self) -> bool:
        """Whether an earlier attempt finished this run; there is then nothing to do."""
        return self.facts.get("status") == "complete"

    def execute(self, pass_: Pass) -> list[Commit]:
        """Runs what is not committed of a pass; answers all its commits in key order.

        Raises:
            SettingsError: the run id was planned with other inputs.
            IncompleteError: units are uncommitted after the last attempt.
        """
        plan.check_unique(pass_.units)
        self._adopt(pass_)
        self.facts.setdefault("data", {})[pass_.name] = data_read(pass_.units)
        done = self._done(pass_)
        started = time.monotonic()
        with PassProgress(pass_.name, len(pass_.units), len(done)) as progress:
            ended = self._stream(pass_, progress) if len(done) < len(pass_.units) else 0
        self._record_pass(pass_, progress, len(done), ended, time.monotonic() - started)
        commits = ledger.read(self.url, pass_.name)
        missing = [unit.key for unit in pass_.units if unit.unit_id not in commits]
        if missing:
            raise IncompleteError(
                f"{len(missing)} of {len(pass_.units)} units of pass {pass_.name!r} are not committed",
                where=", ".join(missing[:5]),
                expected=f"all within {self.rules.watch.max_passes} attempts",
                remedy="Read the warnings above, then run again under the same --run-id: what is committed is kept.",
            )
        return list(commits.values())

    def finish(self) -> Verification:
        """Writes the quarantine table and the verification, and checks both.

        Raises:
            IncompleteError: the run is incomplete.
            QuarantineLimitError: too much was set aside.
        """
        verify.write_quarantine(self.url)
        found = verify.verify(self.url)
        self.facts["units"] = {
            "planned": found.planned,
            "committed": found.committed,
            "quarantined": found.quarantined,
            "retried": sum(entry["failed"] + entry["attempts_ended"] for entry in self.facts.get("passes", [])),
        }
        self.facts["rows"], self.facts["sha256"] = found.rows, found.sha256
        self.write("verified")
        verify.check(found, max_quarantine_rate=self.rules.max_quarantine_rate)
        return found

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Writes how an attempt ends: complete, or failed with whatever ended it, which goes on."""
        try:
            yield
        except Exception as error:
            own = isinstance(error, CarbonrayError)
            self.facts["error"] = str(error) if own else f"{type(error).__name__}: {error}"
            self.write("failed")
            raise
        self.facts.pop("error", None)
        self.write("complete")

    def write(self, status: str) -> None:
        """Writes `run.json` with the facts so far."""
        self.facts["status"] = status
        self.facts["updated_unix_s"] = time.time()
        text = json.dumps(self.facts, indent=1)
        objectstore.put_bytes(objectstore.join(self.url, FILE), text.encode())

    def _adopt(self, pass_: Pass) -> None:
        """Puts the pass into the run's plan, or checks that it is the one planned before."""
        planned = plan.read(self.url)
        before = [unit for unit in planned if unit.pass_name == pass_.name]
        if not before:
            plan.write(self.url, [*planned, *pass_.units])
        elif {unit.unit_id for unit in before} != {unit.unit_id for unit in pass_.units}:
            raise SettingsError(
                f"pass {pass_.name!r} was planned with other inputs",
                where=self.url,
                expected=_difference(before, pass_.units),
                remedy="Start a new --run-id, or bring back the inputs that the plan names.",
            )

    def _done(self, pass_: Pass) -> set[str]:
        return ledger.committed_ids(self.url, pass_.name) & {unit.unit_id for unit in pass_.units}

    def _pending(self, pass_: Pass) -> tuple[Unit, ...]:
        done = self._done(pass_)
        return tuple(unit for unit in pass_.units if unit.unit_id not in done)

    def _stream(self, pass_: Pass, progress: PassProgress) -> int:
        if self.rules.backend == "memory" or pass_.on_driver:
            for outcome in graph.run_in_memory(pass_, self.url, self._pending(pass_)):
                _hear(outcome, progress)
            return 0
        cluster.connect(self.rules.local)
        cluster.warn_without_room(pass_.name, pass_.pools, self.rules.read_cpus)
        return run_watched(
            pass_,
            self.url,
            lambda: self._pending(pass_),
            lambda outcome: _hear(outcome, progress),
            rules=self.rules.watch,
            read_cpus=self.rules.read_cpus,
        )

    def _record_pass(self, pass_: Pass, progress: PassProgress, before: int, ended: int, wall_s: float) -> None:
        """Adds what this attempt did to the facts; a resumed run has one entry an attempt."""
        entry: dict[str, Any] = {
            "pass": pass_.name,
            "planned": len(pass_.units),
            "committed_before": before,
            "wall_seconds": round(wall_s, 3),
            "seconds_by_step": {name: round(value, 3) for name, value in sorted(progress.seconds.items())},
            "rows": dict(sorted(progress.rows.items())),
            "bytes": progress.bytes,
            "attempts_ended": ended,
            **{status: progress.counts[status] for status in ("committed", "quarantined", "failed")},
        }
        model_s = sum(value for name, value in progress.seconds.items() if name not in ("read", "commit"))
        actors = sum(pool.actors for pool in pass_.pools)
        # share of the pool's time spent in its stages; start-up of Ray and of the actors is in the denominator
        entry["efficiency"] = round(model_s / (wall_s * actors), 3) if actors and wall_s > 0 else None
        self.facts.setdefault("passes", []).append(entry)
        self.write("running")


def open_run(
    out_url: str, run_id: str, job: str, settings_digest: str, settings: Mapping[str, Any], rules: EngineRules
) -> Run:
    """Opens a run's folder, new or from an earlier attempt.

    Raises:
        SettingsError: the run id belongs to another job or to other settings, or is no plain name.
    """
    if not run_id or any(char in run_id for char in "/\\ ") or run_id.startswith("."):
        raise SettingsError(
            f"{run_id!r} cannot be a run id",
            where="--run-id",
            expected="letters, digits, '.', '_' and '-'",
            remedy="Choose a plain name.",
        )
    run = Run(objectstore.join(objectstore.absolute(out_url), run_id), job, settings_digest, rules)
    url = objectstore.join(run.url, FILE)
    if objectstore.exists(url):
        run.facts = json.loads(objectstore.read_bytes(url))
        found = (run.facts.get("job"), run.facts.get("settings_digest"))
        if found != (job, settings_digest):
            raise SettingsError(
                "this run id belongs to another job or to other settings",
                where=run.url,
                expected=f"job {found[0]}, settings digest {str(found[1])[:12]}; got {job}, {settings_digest[:12]}",
                remedy="Choose a new --run-id, or use the settings recorded in its run.json.",
            )
        return run
    run.facts = {
        "run_id": run_id,
        "job": job,
        "settings_digest": settings_digest,
        "settings": dict(settings),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES},
        "git_revision": _git_revision(),
        "started_unix_s": time.time(),
    }
    run.write("running")
    return run


def data_read(units: Sequence[Unit]) -> dict[str, Any]:
    """What a pass was planned to read: the same digest is the same versions of the same inputs, wherever they lie.

    Unlike the ids of units it does not change with the settings, so that runs of different settings can be told to
    have read the same data. A version is as good as its store gives it (docs/adr/0005): a copied local file is another.

    Returns:
        `sha256` over keys, partitions and input versions in the order of the keys; `units`; distinct `inputs`; `bytes`
        of all units, an input counted in each that reads it.
    """
    ordered = sorted(units, key=lambda unit: unit.key)
    told = [[unit.key, dict(unit.partition), list(unit.input_sha256)] for unit in ordered]
    return {
        "sha256": objectstore.sha256(json.dumps(told, sort_keys=True).encode()),
        "units": len(units),
        "inputs": len({url for unit in units for url in unit.inputs}),
        "bytes": sum(unit.bytes for unit in units),
    }


def _hear(outcome: Outcome, progress: PassProgress) -> None:
    """Takes a finished unit into account; an error of ours that came with it ends the run."""
    progress.report(outcome)
    if outcome.status == "failed" and not outcome.broken:
        _log.warning("unit %s/%s stays uncommitted: %s", progress.name, outcome.key, outcome.reason)
    if outcome.broken:
        raise revived(outcome.broken)


def _difference(before: Sequence[Unit], now: Sequence[Unit]) -> str:
    old, new = {unit.key for unit in before}, {unit.key for unit in now}
    if old == new:
        return "the same versions of the same inputs (or bundles); some have changed since"
    return f"the inputs planned before; added {sorted(new - old)[:5]}, gone {sorted(old - new)[:5]}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _git_revision() -> str:
    """The revision the code runs from, empty outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
