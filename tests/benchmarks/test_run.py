"""The benchmark runner: every module with rows is found, selected by word, checked, and one failure costs no other."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks import run

ROW = {"name": "scene", "value": 1.0, "unit": "ms", "against": "loop", "ratio": 0.5}


def benchmark(name: str, rows: list[run.Row]) -> ModuleType:
    module = ModuleType(name)
    module.__dict__["rows"] = lambda: rows
    return module


def test_modules_are_found_and_tests_are_not(tmp_path: Path) -> None:
    for name in ("run.py", "gridding.py", "scenes.py", "test_run.py"):
        (tmp_path / name).touch()

    assert run.modules(tmp_path) == ["gridding", "scenes"]


def test_words_select_and_an_unknown_word_is_an_error() -> None:
    assert run.select(["gridding", "scenes"], []) == ["gridding", "scenes"]
    assert run.select(["gridding", "scenes"], ["scene"]) == ["scenes"]
    with pytest.raises(SystemExit, match="no benchmark is called tiles"):
        run.select(["gridding", "scenes"], ["tiles"])


@pytest.mark.parametrize("wrong", [{"name": "scene"}, {**ROW, "value": "fast"}, {**ROW, "extra": 1}])
def test_a_row_of_another_shape_is_refused(wrong: run.Row) -> None:
    with pytest.raises(ValueError, match="scenes"):
        run.measure(benchmark("scenes", [wrong]))


def test_a_module_without_rows_measures_nothing() -> None:
    assert run.measure(ModuleType("shared_scenes")) == []


def test_rows_are_written_and_a_failure_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    available = {"tests.benchmarks.good": benchmark("good", [ROW]), "tests.benchmarks.bad": benchmark("bad", [{}])}
    monkeypatch.setattr(run, "modules", lambda: ["bad", "good"])
    monkeypatch.setattr(run.importlib, "import_module", available.__getitem__)

    assert run.main(["--out", str(tmp_path / "deep" / "bench.json")]) == 1
    assert json.loads((tmp_path / "deep" / "bench.json").read_text()) == [ROW]
    assert "failed: bad" in capsys.readouterr().err
    assert run.main(["good", "--out", str(tmp_path / "bench.json")]) == 0
