"""The rules of the house that a machine can check: sizes, names, docstrings, imports, what must never be written.

Layers and siblings are import-linter's (`make check`); what stands here is what it cannot say.
"""

import ast
import graphlib
import re
import statistics
import sys
from pathlib import Path
from typing import get_args

import pytest

from tests import source_tree as source

ROOT = source.ROOT
FILES = source.modules()
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
MAX_MEDIAN_FUNCTION_LINES = 12
FORBIDDEN_NAMES = {"util", "common", "helper", "base", "manager", "misc"}
RAY_ROOMS = ("carbonray/engine/", "carbonray/pipelines/", "carbonray/training/", "carbonray/cli.py", "jobs/", "tune/")
SCIENCE_MAY_IMPORT = (
    "numpy", "scipy", "carbonray.science", "carbonray.errors", "carbonray.vocab.sensors", "carbonray.vocab.plants",
)  # fmt: skip
EXECUTES_CODE = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
NEVER_CALLED = {"torch.load", "torch.save", "yaml.load", "yaml.unsafe_load", "eval", "exec", "os.system"}
TOP_LEVEL = {
    "pyproject.toml", "constraints.txt", "cluster.yaml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE",
    "Makefile", ".pre-commit-config.yaml", ".gitignore", ".ci", "carbonray", "jobs", "tune", "tests", "infra", "docs",
}  # fmt: skip


def lines_of(node: source.Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def where(path: Path, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
    return f"{path}:{node.lineno}"


def test_there_is_source_to_look_at() -> None:
    assert len(FILES) > 20
    assert sum(len(source.functions(path)) for path in FILES) > 100


@pytest.mark.parametrize("path", [*FILES, *source.modules("tests")], ids=str)
def test_a_file_is_a_room_of_at_most_300_lines(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


def test_functions_are_short() -> None:
    lengths = {f"{path}:{node.lineno} {node.name}": lines_of(node) for path in FILES for node in source.functions(path)}

    assert {name: lines for name, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}
    assert statistics.median(lengths.values()) <= MAX_MEDIAN_FUNCTION_LINES


def test_every_module_opens_with_a_sentence_and_every_init_is_empty() -> None:
    for path in FILES:
        text = (ROOT / path).read_text(encoding="utf-8")
        if path.name == "__init__.py" and path != Path("carbonray/__init__.py"):
            assert text.strip() == "", f"{path} must be empty: one import path per name"
            continue
        docstring = ast.get_docstring(source.tree(path))
        assert docstring, f"{path} says nothing of what it is"
        assert docstring.split("\n\n")[0].rstrip().endswith((".", ":")), f"{path} does not open with a sentence"


def test_every_package_folder_has_an_init() -> None:
    folders = {path.parent for path in FILES}
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()] == []


def test_everything_public_has_a_docstring() -> None:
    silent = []
    for path in FILES:
        body = source.tree(path).body
        classes = [node for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
        named = [node for owner in (source.tree(path), *classes) for node in owner.body]
        public = [node for node in named if isinstance(node, source.Definition) and not node.name.startswith("_")]
        silent += [where(path, node) for node in public if not ast.get_docstring(node)]
    assert silent == []


def test_no_module_hides_behind_a_name_that_says_nothing() -> None:
    named = [part for path in FILES for part in path.with_suffix("").parts]
    assert [name for name in named if name.rstrip("s") in FORBIDDEN_NAMES] == []


def test_the_top_of_the_tree_is_as_the_house_says() -> None:
    found = {path.name for path in ROOT.iterdir() if not source.NOT_OURS.match(path.name)}
    assert found - TOP_LEVEL == set()
    assert TOP_LEVEL - found <= {"tune"}


def test_ray_lives_in_its_rooms_and_maps_batches_in_one() -> None:
    for path in FILES:
        if not str(path).startswith(RAY_ROOMS):
            assert not any(name.split(".")[0] == "ray" for name in source.imports(path)), f"{path} imports ray"
        calls = [node for node in ast.walk(source.tree(path)) if isinstance(node, ast.Attribute)]
        if any(node.attr == "map_batches" for node in calls):
            assert path == Path("carbonray/engine/graph.py"), f"{path} calls map_batches"


def test_science_imports_nothing_but_numbers() -> None:
    for path in source.modules("carbonray/science"):
        for name in source.imports(path):
            allowed = name.split(".")[0] in sys.stdlib_module_names or name in ("carbonray", "carbonray.vocab")
            assert allowed or name.startswith(SCIENCE_MAY_IMPORT), f"{path} imports {name}"


def test_models_open_no_files_and_io_builds_no_networks() -> None:
    for path in source.modules("carbonray/models"):
        assert not {"pathlib", "os", "io", "shutil", "tempfile"} & source.imports(path), f"{path} touches files"
        calls = [source.name_of(node.func) for node in ast.walk(source.tree(path)) if isinstance(node, ast.Call)]
        assert "open" not in calls, f"{path} opens a file"
    for path in source.modules("carbonray/io"):
        assert not any(name.split(".")[0] == "torch" for name in source.imports(path)), f"{path} imports torch"


def test_the_top_level_of_a_module_only_declares() -> None:
    declaring = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, *get_args(source.Definition), ast.If)
    at_work = {"os.environ", "os.getenv", "ray.init", "logging.basicConfig", "open", "Path.cwd"}
    for path in FILES:
        for node in source.tree(path).body:
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert docstring or isinstance(node, declaring), f"{where(path, node)} does something at import"
            if isinstance(node, ast.If):
                assert ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'"), where(path, node)
            if isinstance(node, ast.Assign | ast.AnnAssign):
                names = {source.name_of(part) for part in ast.walk(node)}
                assert not names & at_work, f"{where(path, node)} reads the world at import"


def test_no_failure_is_swallowed() -> None:
    for path in [*FILES, *source.modules("tests")]:
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or source.name_of(node.type) in ("Exception", "BaseException")
                silent = all(isinstance(step, ast.Pass | ast.Continue | ast.Break) for step in node.body)
                assert not (broad and silent), f"{where(path, node)} swallows every failure"
            if isinstance(node, ast.Call) and source.name_of(node.func) == "contextlib.suppress":
                named = {source.name_of(argument) for argument in node.args}
                assert not named & {"Exception", "BaseException"}, f"{where(path, node)} swallows every failure"


def test_nothing_that_executes_code_is_loaded() -> None:
    for path in FILES:
        roots = {name.split(".")[0] for name in source.imports(path)}
        assert not roots & EXECUTES_CODE, f"{path} imports {roots & EXECUTES_CODE}"
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.Call):
                assert source.name_of(node.func) not in NEVER_CALLED, where(path, node)
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), where(path, node.value)
                assert node.value.value is False, where(path, node.value)


def test_imports_have_no_cycles() -> None:
    known = {source.dotted(path) for path in FILES}
    graph = {source.dotted(path): source.imports(path, lazy=False) & known for path in FILES}
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the modules
    assert set(order) == known


def test_no_path_of_a_machine_and_no_unfinished_note_is_in_the_tree() -> None:
    machine = re.compile(r"(?<![\w.])/(work|root|Users)/\w")
    note = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)))
    for path in source.own_files():
        if path.suffix in (".py", ".md", ".yaml", ".toml", ".json", ".txt", "") and path.stat().st_size < 2**20:
            text = path.read_text(encoding="utf-8")
            assert not machine.search(text), f"{path} names a path of one machine"
            if path.suffix == ".py" and path.name != "test_house_rules.py":
                assert not note.search(text), f"{path} holds an unfinished note"


def test_bundles_in_the_tree_stay_small_and_are_never_pickles() -> None:
    bundles = [path for path in source.own_files() if path.is_relative_to(ROOT / "carbonray" / "bundles")]
    assert sum(path.stat().st_size for path in bundles) <= 20 * 2**20
    assert {path.suffix for path in bundles} <= {".safetensors", ".json", ".sha256"}
