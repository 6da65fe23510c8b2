"""What pip is told: every import is required, every requirement is pinned, and nothing is required in vain."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.source_tree import ROOT, imports, modules, pins

OWN = {"carbonray", "jobs", "tune", "tests"}
THROUGH_ANOTHER = {"s3fs": "fsspec", "h5netcdf": "xarray"}  # a back end is found by its name


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]  # type: ignore[no-any-return]


def test_every_requirement_is_pinned_and_the_pins_satisfy_it(project: dict[str, Any]) -> None:
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (Requirement(text) for group in lists for text in group):
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin, f"{requirement.name} is in no constraint"
        assert requirement.specifier.contains(pin), f"{requirement} is not met by {pin}"


@pytest.mark.parametrize("folders", [("carbonray", "jobs"), ("tests",)], ids=" and ".join)
def test_everything_imported_is_required(project: dict[str, Any], folders: tuple[str, ...]) -> None:
    texts = [*project["dependencies"], *(project["optional-dependencies"]["dev"] if folders == ("tests",) else [])]
    required = {canonicalize_name(Requirement(text).name) for text in texts}
    distributions = packages_distributions()
    for path in modules(*folders):
        for root in {name.split(".")[0] for name in imports(path)} - OWN - sys.stdlib_module_names:
            names = {canonicalize_name(name) for name in distributions.get(root, [])}
            assert names & required, f"{path} imports {root}, which pyproject.toml does not require"


def test_everything_required_is_imported_or_reached_through_another(project: dict[str, Any]) -> None:
    imported = {name.split(".")[0] for path in modules() for name in imports(path)}
    distributions = packages_distributions()
    present = {canonicalize_name(name) for root in imported for name in distributions.get(root, [])}
    for name in (canonicalize_name(Requirement(text).name) for text in project["dependencies"]):
        assert name in present or THROUGH_ANOTHER.get(name) in imported, f"{name} is required and never imported"


def test_constraints_are_exact_public_versions() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), line
