"""The `carbonray` command: run a job, look at a run, prove it complete, and the flags that all jobs share.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 2 settings or contract,
3 quarantine over the limit, 4 incomplete, 1 anything else.
"""

import json
import logging
import shlex
import sys
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from carbonray.errors import CarbonrayError, SettingsError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Re-infers the planet's CO2 emissions on a Ray cluster: plan, run, prove and publish.",
    epilog="Exit codes: 0 done, 2 settings or contract, 3 quarantine over the limit, 4 incomplete, 1 anything else.",
)

SettingsFiles = Annotated[
    list[str] | None,
    typer.Option("--settings", metavar="FILE", help="YAML overlay over jobs/settings.yaml; may repeat."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="One setting, VALUE read as YAML; may repeat.")
]
Out = Annotated[str, typer.Option("--out", metavar="URL", help="Folder of runs: a path, file:// or s3://.")]
RunId = Annotated[str, typer.Option("--run-id", metavar="ID", help="Name of the run; the same name again resumes it.")]
Model = Annotated[
    str,
    typer.Option(
        "--model", metavar="NAME", help="Model of the registry, or plants for that product; for train and evaluate."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the run's facts as JSON.")]
JobName = Annotated[
    str, typer.Argument(metavar="JOB", help="world, ingest, train, evaluate, plants, hotspots, grid, energy or annual.")
]
RunUrl = Annotated[str, typer.Argument(metavar="URL/ID", help="A run's folder.")]


@app.command()
def run(
    job: JobName,
    out: Out,
    run_id: RunId,
    settings: SettingsFiles = None,
    set_: Overrides = None,
    model: Model = "",
    as_json: AsJson = False,
) -> None:
    """Run a job, or resume it where the run id exists: what is committed is never read again."""
    facts = _run(job, out, run_id, settings, set_, model)
    print_facts(facts, out, run_id, as_json=as_json)


@app.command()
def demo(out: Out = "out", as_json: AsJson = False) -> None:
    """Make a small Earth, train on it, and run its year: plants, NO2 hotspots, a city cell by cell, energy, what if."""
    from carbonray.demo import run_demo

    for facts, folder in run_demo(out):
        print_facts(facts, folder, facts["run_id"], as_json=as_json)


@app.command()
def plan(
    job: JobName,
    settings: SettingsFiles = None,
    set_: Overrides = None,
    model: Model = "",
    as_json: AsJson = False,
) -> None:
    """Print the work units a job would run, with an estimate of time and cost; reads no pixel, writes nothing."""
    from carbonray.catalogue import digest, find_job
    from carbonray.pipelines.annual import estimated
    from carbonray.pipelines.estimate import estimate

    tree = _load(settings, set_, model)
    units = find_job(job, tree.model).plan(tree, digest(job, tree))
    facts = estimated(tree) if job == "annual" else estimate(units, tree)
    if as_json:
        print(json.dumps({**facts, "units": [unit.key for unit in units]}, indent=1))
        return
    table = Table("pass", "units", "bytes", "first", "last", title=f"plan of {job}")
    for name in dict.fromkeys(unit.pass_name for unit in units):
        chosen = [unit for unit in units if unit.pass_name == name]
        size = sum(unit.bytes for unit in chosen)
        table.add_row(name, str(len(chosen)), f"{size:,}", chosen[0].key, chosen[-1].key)
    console = Console()
    console.print(table)
    for name, value in facts.items():
        console.print(f"  {name}: {value}")


@app.command()
def status(url: RunUrl, as_json: AsJson = False) -> None:
    """Print how far a run is, from its plan and its ledger: no cluster is asked."""
    from carbonray.engine.status import run_status

    found = run_status(url)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = Table("pass", "planned", "committed", "quarantined", "pending", title=f"{url}: {found['status']}")
    for entry in found["passes"]:
        table.add_row(*(str(entry[name]) for name in ("pass", "planned", "committed", "quarantined", "pending")))
    Console().print(table)
    for name, state in found.get("parts", {}).items():
        Console().print(f"  {name}: {state}")


@app.command()
def verify(url: RunUrl) -> None:
    """Prove a run complete: units against the ledger, objects against their checksums, all read anew."""
    from dataclasses import asdict

    from carbonray.engine.verify import check
    from carbonray.engine.verify import verify as prove

    found = prove(url)
    print(json.dumps(asdict(found), indent=1, sort_keys=True))
    check(found, max_quarantine_rate=1.0)


@app.command()
def report(url: RunUrl) -> None:
    """Write a run's report page again, from its committed products."""
    from carbonray.catalogue import rewrite_report

    print(rewrite_report(url))


@app.command()
def submit(
    job: JobName,
    out: Out,
    run_id: RunId,
    settings: SettingsFiles = None,
    set_: Overrides = None,
    model: Model = "",
    address: Annotated[
        str, typer.Option(help="Ray dashboard, such as http://127.0.0.1:8265.")
    ] = "http://127.0.0.1:8265",
    working_dir: Annotated[str, typer.Option(help="Folder to upload; empty where the image has carbonray.")] = "",
) -> None:
    """Submit a job to a Ray cluster, stream its logs, and end with its exit code."""
    from carbonray.engine.submission import submit_and_follow

    flags = [("--settings", path) for path in settings or []] + [("--set", text) for text in set_ or []]
    flags += [("--out", out), ("--run-id", run_id)] + ([("--model", model)] if model else [])
    entrypoint = shlex.join(["python", "-m", f"jobs.{job}", *(part for flag in flags for part in flag)])
    raise typer.Exit(submit_and_follow(entrypoint, address, working_dir))


def run_as_script(job: str) -> NoReturn:
    """What `python -m jobs.JOB` does: the flags of `carbonray run`, without naming the job."""
    script = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @script.command(help=f"Run the job {job!r}; see `carbonray run --help`.")
    def command(
        out: Out,
        run_id: RunId,
        settings: SettingsFiles = None,
        set_: Overrides = None,
        model: Model = "",
        as_json: AsJson = False,
    ) -> None:
        run(job, out, run_id, settings, set_, model, as_json)

    guarded(script)


def main() -> NoReturn:
    """The console script."""
    guarded(app)


def guarded(entry: typer.Typer) -> NoReturn:
    """Runs a command; a failure that a person can act on becomes one line and its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        entry()
    except CarbonrayError as error:
        print(f"carbonray: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(0)


def _load(settings: list[str] | None, overrides: list[str] | None, model: str) -> Any:
    from carbonray.settings import load

    chosen = [f"model={model}"] if model else []
    return load(settings or [], [*(overrides or []), *chosen])


def _run(
    job: str, out: str, run_id: str, files: list[str] | None, sets: list[str] | None, model: str
) -> dict[str, Any]:
    from carbonray.catalogue import find_job, run_job

    if find_job(job).takes_model and not model:
        raise SettingsError(
            f"job {job!r} needs a model",
            where="--model",
            expected="a name of the registry",
            remedy="Add --model unet, say.",
        )
    return run_job(job, _load(files, sets, model), out, run_id)


def print_facts(facts: dict[str, Any], out: str, run_id: str, *, as_json: bool) -> None:
    """What a finished run tells of itself, on standard output."""
    if as_json:
        print(json.dumps(facts, indent=1, sort_keys=True))
        return
    units, digest = facts.get("units", {}), str(facts.get("sha256"))[:16]
    console = Console(highlight=False)
    console.print(f"[bold]{facts['job']}[/bold] {facts['status']}: {out}/{run_id}")
    console.print(
        f"  units: {units.get('planned')} planned, {units.get('committed')} committed, "
        f"{units.get('quarantined')} quarantined, {units.get('retried')} retried; sha256 {digest}"
    )
    for name, value in facts.get("summary", {}).items():
        console.print(f"  {name}: {value}")
    for name, product in facts.get("products", {}).items():
        told = (f"{key} {value}" for key, value in (product["summary"] or {}).items() if key != "data tier")
        words = ", ".join([product["status"], f"sha256 {str(product['sha256'])[:16]}", *told])
        console.print(f"  {name}: {words}")
