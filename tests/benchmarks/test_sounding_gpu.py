"""The script for a GPU runs on a processor at small size, imports what a bare machine has, and adds hours up."""

import subprocess
import sys

import pytest

from tests.benchmarks import sounding_gpu as bench


def test_all_ten_networks_are_measured() -> None:
    found = bench.main(["--device", "cpu", "--images", "1", "--structures", "1", "--rounds", "1", "--width", "4"])
    assert len(found["models"]) == 10
    for model in found["models"]:
        assert all(model[name]["images_per_s"] > 0.0 for name in ("fp32", "bf16", "folded"))
        assert 0.0 < model["bf16"]["difference"] < 0.01 and 0.0 < model["folded"]["difference"] < 0.01
    slowest = min(model["fp32"]["images_per_s"] for model in found["models"])
    assert found["device_hours"]["fp32"] > bench.OBSERVATIONS * 4 / slowest / 3600


def test_hours_are_those_of_every_observation_through_every_network_and_instance() -> None:
    assert bench.hours([bench.OBSERVATIONS / 3600.0] * 2) == pytest.approx(8.0)


def test_it_imports_neither_ray_nor_stores_nor_trees() -> None:
    code = "import sys, tests.benchmarks.sounding_gpu; print({'ray', 'zarr', 'xgboost', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
