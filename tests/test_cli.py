"""The command line: help, exit codes, one JSON document on standard output, progress on standard error."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from carbonray import cli
from carbonray.catalogue import JOBS
from carbonray.engine.progress import PassProgress
from carbonray.engine.sinks import Outcome
from tests.untrained import untrained_bundle

SMALL = ("world.days=1", "world.region=[110,30,113,33]", "world.sources=2", "world.weak_sources=1")
MEMORY = [flag for text in (*SMALL, "engine.backend=memory") for flag in ("--set", text)]
COMMANDS = ("run", "demo", "plan", "status", "verify", "report", "submit")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def carbonray(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process: its exit code, standard output and standard error."""

    def call(*words: object, main: Callable[[], None] = cli.main) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["carbonray", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of the smallest world there is."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["carbonray", "run", "world", "--out", str(out), "--run-id", "w", *MEMORY])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return out / "w"


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def plain(text: str) -> str:
    """Help without colours and line breaks."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╰─╮╯]", " ", text).split())


def test_help_names_every_command_and_the_exit_codes(carbonray: Command) -> None:
    code, out, _ = carbonray("--help")
    assert code == 0
    assert "Exit codes: 0 done, 2 settings or contract, 3 quarantine over the limit, 4 incomplete" in plain(out)
    for name in COMMANDS:
        assert f" {name} " in plain(out)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(carbonray: Command, name: str) -> None:
    code, out, _ = carbonray(name, "--help")
    assert code == 0
    assert f"carbonray {name}" in plain(out)
    flags = {"run": ("--out", "--run-id", "--json"), "submit": ("--out", "--run-id", "--address"), "plan": ("--json",)}
    for flag in (*flags.get(name, ()), *(("--settings", "--set", "--model") if name in flags else ())):
        assert flag in out


def test_the_jobs_that_help_names_are_those_there_are(carbonray: Command) -> None:
    named = re.search(r"JOB <str> ([a-z, ]+ or [a-z]+)\.", plain(carbonray("run", "--help")[1]))
    assert named
    assert set(re.split(r", | or ", named[1])) == set(JOBS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "world", "--set", "world.dys=1"), "unknown setting 'world.dys'"),
        (("run", "world", "--set", "engine.watch.stall=1"), "unknown setting 'engine.watch.stall'"),
        (("run", "world", "--set", "world.days=soon"), "world.days"),
        (("run", "world", "--set", "world.days"), "is no override"),
        (("run", "world", "--settings", "absent.yaml"), "absent.yaml"),
        (("run", "volcanoes"), "there is no job 'volcanoes'"),
        (("run", "train"), "needs a model"),
        (("run", "hotspots"), "inputs.tropomi"),
        (("run", "hotspots", "--set", "inputs.tropomi=nowhere/*.nc"), "no input matches [nowhere/*.nc]"),
        (("run", "world", "--speed", "11"), "No such option"),
    ],
)
def test_wrong_settings_end_with_2_and_name_the_place(
    carbonray: Command, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    code, out, err = carbonray(*words, "--out", tmp_path / "out", "--run-id", "w")
    assert code == 2
    assert said in plain(err)
    assert out == ""
    assert "Traceback" not in err


def test_the_runs_id_belongs_to_its_settings(carbonray: Command, finished: Path) -> None:
    before = contents(finished)
    code, _, err = carbonray(
        "run", "world", "--out", finished.parent, "--run-id", "w", *MEMORY, "--set", "world.seed=3"
    )
    assert code == 2
    assert "belongs to another job or to other settings" in err
    assert contents(finished) == before


def test_a_script_takes_the_same_flags(carbonray: Command, tmp_path: Path) -> None:
    script = lambda: cli.run_as_script("world")
    assert "Run the job 'world'" in plain(carbonray("--help", main=script)[1])
    code, _, err = carbonray("--out", tmp_path, "--run-id", "w", "--set", "world.dys=1", main=script)
    assert (code, "world.dys" in err) == (2, True)


def test_a_plan_is_printed_and_nothing_is_written(
    carbonray: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = carbonray("plan", "world", *MEMORY)
    assert code == 0
    assert "truth" in out
    code, out, _ = carbonray("plan", "world", *MEMORY, "--json")
    units = json.loads(out)["units"]
    assert code == 0
    assert {"weather-000", "truth"} < set(units)
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_document_and_progress_goes_elsewhere(carbonray: Command, tmp_path: Path) -> None:
    code, out, err = carbonray("run", "world", "--out", tmp_path, "--run-id", "w", *MEMORY, "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["status"], facts["run_id"], facts["job"]) == ("complete", "w", "world")
    assert facts == json.loads((tmp_path / "w" / "run.json").read_text())
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert lines[-1]["event"] == "pass finished"
    assert lines[-1]["committed"] == lines[-1]["planned"] == facts["units"]["planned"]


def test_a_finished_run_run_again_reads_nothing_and_writes_nothing(carbonray: Command, finished: Path) -> None:
    before = contents(finished)
    for flags in ((), ("--set", "engine.read_cpus=0.5")):  # how machines are used is no part of what a run is
        code, out, err = carbonray("run", "world", "--out", finished.parent, "--run-id", "w", *MEMORY, *flags, "--json")
        assert code == 0
        assert json.loads(out)["status"] == "complete"
        assert '"event"' not in err
    assert contents(finished) == before


def test_a_finished_run_is_verified_with_0_and_a_damaged_one_with_4(carbonray: Command, finished: Path) -> None:
    code, out, _ = carbonray("verify", finished)
    assert code == 0
    assert json.loads(out)["complete"] is True
    victim = finished / "truth" / "sources.csv"
    whole = victim.read_bytes()
    try:
        victim.write_bytes(whole.replace(b"1", b"2", 1))
        code, out, err = carbonray("verify", finished)
        assert code == 4
        assert json.loads(out)["bad_objects"] == ["truth/sources.csv"]
        assert "truth/sources.csv" in err
    finally:
        victim.write_bytes(whole)
    assert carbonray("verify", finished)[0] == 0


def test_verify_and_status_of_no_run_say_so(carbonray: Command, tmp_path: Path) -> None:
    code, _, err = carbonray("verify", tmp_path / "nothing")
    assert (code, "there is no plan" in err) == (4, True)
    code, _, err = carbonray("status", tmp_path / "nothing")
    assert (code, "there is no run here" in err) == (2, True)
    code, _, err = carbonray("report", tmp_path / "nothing")
    assert (code, "the run is absent" in err) == (2, True)


def test_too_many_bad_granules_end_with_3(carbonray: Command, finished: Path, tmp_path: Path) -> None:
    granules = [tmp_path / f"S5P_{number}.nc" for number in range(2)]
    for path in granules:
        path.write_bytes(b"CDF: nothing of the kind")
    inputs = [
        f"inputs.tropomi={tmp_path}/S5P*.nc",
        f"inputs.weather={finished}/weather/*.nc",
        f"inputs.bundles={untrained_bundle(f'{tmp_path}/bundle')}",
        "engine.backend=memory",
    ]
    sets = [flag for text in inputs for flag in ("--set", text)]
    code, _, err = carbonray("run", "hotspots", "--out", tmp_path / "out", "--run-id", "h", *sets)
    assert code == 3, err
    assert "2 of 3 units are quarantined" in err
    facts = json.loads((tmp_path / "out" / "h" / "run.json").read_text())
    assert (facts["status"], facts["units"]["quarantined"]) == ("failed", 2)
    assert "max_quarantine_rate" in facts["error"]


def test_status_of_a_run_that_is_half_done(carbonray: Command, finished: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    for name in ("run.json", "plan.parquet"):
        (half / name).parent.mkdir(exist_ok=True)
        (half / name).write_bytes((finished / name).read_bytes())
    record = next((finished / "ledger" / "world").glob("*.json"))
    (half / "ledger" / "world").mkdir(parents=True)
    (half / "ledger" / "world" / record.name).write_bytes(record.read_bytes())
    code, out, _ = carbonray("status", half, "--json")
    [found] = json.loads(out)["passes"]
    assert code == 0
    assert (found["committed"], found["pending"]) == (1, found["planned"] - 1)
    code, out, _ = carbonray("status", half)
    assert code == 0
    assert str(found["pending"]) in out


class Terminal:
    """A stream that says whether it is a terminal, and remembers what is written."""

    def __init__(self, *, isatty: bool) -> None:
        self.text, self._isatty = "", isatty

    def isatty(self) -> bool:
        return self._isatty

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


@pytest.mark.parametrize("isatty", [False, True])
def test_progress_is_a_bar_on_a_terminal_and_json_lines_elsewhere(isatty: bool) -> None:
    stream = Terminal(isatty=isatty)
    with PassProgress("detect", 3, 1, stream) as progress:  # type: ignore[arg-type]
        for status in ("committed", "quarantined"):
            progress.report(Outcome("id", "key", status, rows={"read": 2}, seconds={"read": 0.5}))  # type: ignore[arg-type]
    if isatty:
        assert "3/3" in stream.text
        assert "event" not in stream.text
    else:
        last = json.loads(stream.text.splitlines()[-1])
        assert (last["done_before"], last["committed"], last["quarantined"], last["planned"]) == (1, 1, 1, 3)
    assert (progress.rows["read"], progress.seconds["read"]) == (4, 1.0)
