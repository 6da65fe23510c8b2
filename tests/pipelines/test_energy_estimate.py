"""What a plan of the energy product says it costs: rows by the size of files, seconds by scenario and instance."""

from pathlib import Path
from typing import Any

import pytest

from carbonray.catalogue import digest, find_job
from carbonray.contract import Unit
from carbonray.errors import SettingsError
from carbonray.pipelines.estimate import ROW_BYTES, estimate
from carbonray.settings import Settings
from tests.pipelines.small_regions import energy_settings, region_world, save_untrained

RATES = ("rates.energy_read_s=0.5", "rates.energy_model_s=0.25", "rates.cpu_usd_per_h=36", "engine.local.num_cpus=3")


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("earth")
    region_world(out)
    save_untrained(out)
    return out


def planned(settings: Settings) -> tuple[Unit, ...]:
    return tuple(find_job("energy").plan(settings, digest("energy", settings)))


def told(earth: Path, *more: str) -> dict[str, Any]:
    settings = energy_settings(earth, *RATES, *more)
    return estimate(planned(settings), settings)


def test_rows_are_told_by_the_size_of_the_emissions(earth: Path) -> None:
    """20 days of nine regions, the world and its rest: what is left out is counted too, and lines differ in length."""
    size = sum(path.stat().st_size for path in (earth / "world/emissions").glob("*.csv"))
    found = told(earth)
    assert found["estimated_region_days"] == round(size / ROW_BYTES)
    assert 0.8 * 180 < found["estimated_region_days"] < 1.6 * 180
    assert found["units"] == 4 and found["input_mb"] > size / 1e6


def test_a_reader_may_be_named_before_the_files(earth: Path) -> None:
    named = f"inputs.emissions=[carbon_monitor={earth}/world/emissions/*.csv]"
    assert told(earth, named)["estimated_region_days"] == told(earth)["estimated_region_days"]


@pytest.mark.parametrize("scenarios", [0, 1, 3])
@pytest.mark.parametrize("instances", [1, 2])
def test_seconds_follow_scenarios_and_instances(earth: Path, scenarios: int, instances: int) -> None:
    """Files are rows before networks answer: the two waits add up."""
    texts = ", ".join(f"scale wind by {2 + number}" for number in range(scenarios))
    bundles = ", ".join(f"{earth}/bundles/{number}" for number in range(instances))
    found = told(earth, f"energy.predict.scenarios=[{texts}]", f"inputs.bundles=[{bundles}]")
    days = found["estimated_region_days"]
    assert found["estimated_answers"] == days * (1 + scenarios)
    read_s, model_s = 0.5 * days, 0.25 * days * (1 + scenarios) * instances
    assert found["estimated_wall_s"] == pytest.approx(read_s / 2 + model_s, abs=0.1)
    assert found["estimated_cpu_h"] == pytest.approx((read_s + model_s) / 3600, abs=1e-3)
    assert found["estimated_usd"] == pytest.approx(36 * (read_s + model_s) / 3600, rel=1e-2)


def test_without_bundles_nothing_can_be_priced(earth: Path) -> None:
    with pytest.raises(SettingsError, match="no bundle is given"):
        told(earth, "inputs.bundles=[]")


def test_files_that_networks_are_to_learn_from_are_not_priced_as_answers(earth: Path) -> None:
    settings = energy_settings(earth, *RATES)
    fit = Unit("fit", "f", "clean_mlp-0", {}, (), ())
    assert "estimated_answers" not in estimate((*planned(settings), fit), settings)
