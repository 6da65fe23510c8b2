"""The energy product as a whole: equal to the networks themselves, to any cut of the regions, and to a killed run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carbonray.catalogue import digest, find_job, rewrite_report, run_job
from carbonray.engine import graph
from carbonray.errors import SettingsError, TransportError
from carbonray.models.energy_factors import source_factors
from carbonray.science.energy.mix import proportions
from carbonray.vocab.energy import SECTORS, SOURCES
from carbonray.vocab.energy_tables import ENERGY_ANSWERS, ENERGY_SUMMARY
from tests.pipelines.small_regions import (
    SUMS,
    TURNS,
    WIDTH,
    energy_settings,
    model_of,
    region_rows,
    region_world,
    save_untrained,
)

COAL, CUT = "replace 10 % of coal by gas", "cut industry by 15 %"
NOTHING = ("replace 0 % of coal by gas", "cut industry by 0 %", "scale wind by 1; scale power by 1")
TIMED = ["region", "scenario", "start"]


@pytest.fixture(scope="module")
def earth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The regions' files, and two untrained instances."""
    out = tmp_path_factory.mktemp("earth")
    region_world(out)
    save_untrained(out)
    return out


@pytest.fixture(scope="module")
def done(earth: Path) -> dict[str, Any]:
    """One finished run, `plain`, that tests may look at but not change."""
    return run_job("energy", energy_settings(earth), str(earth), "plain")


def answers_of(run: Path) -> pa.Table:
    """All rows of a run by region, scenario and time."""
    table = pq.read_table(run / "energy.parquet").cast(ENERGY_ANSWERS)
    return table.sort_by([(name, "ascending") for name in TIMED])


def column(table: pa.Table, name: str) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False))


def of(table: pa.Table, **told: str) -> pa.Table:
    for name, value in told.items():
        table = table.filter(pa.compute.equal(table[name], value))
    return table


def test_the_products_agree_with_each_other(earth: Path, done: dict[str, Any]) -> None:
    run, rows = earth / "plain", answers_of(earth / "plain")
    verification = json.loads((run / "verification.json").read_text())
    assert verification["complete"] and verification["planned"] == verification["committed"]
    assert rows.num_rows == 3 * 9 * 20 and not set(SUMS) - set(column(rows, "region"))
    summary = pq.read_table(run / "energy_summary.parquet").cast(ENERGY_SUMMARY)
    assert summary.num_rows == 27 and sum(summary["rows"].to_pylist()) == rows.num_rows
    for row in summary.to_pylist():
        own = of(rows, region=row["region"], scenario=row["scenario"])
        for name in ("emissions_t_co2", "told_energy_gwh", "coal_gwh", "factual_energy_gwh"):
            assert row[name] == pytest.approx(column(own, name).sum())
    assert done["data_tier"] == "SYNTHETIC-T1, SYNTHETIC-T2"
    assert set(column(of(rows, region="Synland Hydro"), "data_tier")) == {"SYNTHETIC-T2"}
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "9 regions and 2 scenarios: 180 of 180 intervals have both answers" in page
    assert COAL in page and "What if" in page


def test_every_line_is_accounted_for(earth: Path, done: dict[str, Any]) -> None:
    by_pass = {entry["pass"]: entry["rows"] for entry in done["passes"]}
    records = by_pass["records"]
    assert records["read"] == records["kept"] + records["rejected: left out"] + records["quarantined"]
    assert records["kept"] == 9 * 20 * 14
    assert by_pass["rows"] == {"kept": 180, "quarantined": 0, "read": 180}


def test_a_row_is_what_the_networks_say_of_it(earth: Path, done: dict[str, Any]) -> None:
    """A region that an instance held out is answered by that one, others by the mean of both in ln."""
    rows, known = of(answers_of(earth / "plain"), scenario="factual"), region_rows(earth)
    models = [model_of(earth, instance) for instance in range(2)]
    for region, instances in {TURNS[0]: [0], TURNS[1]: [1], "Synland 003": [0, 1]}.items():
        own, mine = of(rows, region=region), known.rows(known.region == region)
        for task, told, name in (
            ("emissions", mine.energy, "emissions_t_co2"),
            ("energy", mine.emissions, "energy_gwh"),
        ):
            said = np.array([models[number].answers(task, *proportions(told)) for number in instances])  # type: ignore[arg-type]
            ln = said.mean(axis=0)
            assert np.allclose(column(own, name), np.exp(ln), rtol=1e-6)
            assert np.allclose(column(own, f"{name}_p05"), np.exp(ln - WIDTH), rtol=1e-6)
            assert np.allclose(column(own, f"{name}_p95"), np.exp(ln + WIDTH), rtol=1e-6)
            assert np.allclose(column(own, f"{task}_ln_spread"), said.std(axis=0), atol=1e-9)
            far = [models[number].told[task].hull.outside(proportions(told)[0]) for number in instances]  # type: ignore[index]
            assert np.allclose(column(own, f"{task}_outside"), np.mean(far, axis=0))
        assert set(own["instances"].to_pylist()) == {",".join(map(str, instances))}
        assert set(own["seen"].to_pylist()) == {len(instances) == 2}
    assert np.ptp(np.log(column(rows, "emissions_t_co2"))) > 0.01, "answers that are all alike would prove nothing"


def test_what_if_is_what_the_networks_say_of_the_changed_mix(earth: Path, done: dict[str, Any]) -> None:
    rows, known, model = answers_of(earth / "plain"), region_rows(earth), model_of(earth, 1)
    mine = known.rows(known.region == TURNS[1])
    coal, gas = SOURCES.index("coal"), SOURCES.index("gas")
    after = mine.energy.copy()
    after[:, gas] += 0.1 * after[:, coal]
    after[:, coal] *= 0.9
    own = of(rows, region=TURNS[1], scenario=COAL)
    assert np.allclose(
        column(own, "emissions_t_co2"), np.exp(model.answers("emissions", *proportions(after))), rtol=1e-6
    )
    assert np.allclose(column(own, "told_energy_gwh"), mine.energy.sum(axis=1))
    change = 100 * (column(own, "emissions_t_co2") / column(own, "factual_emissions_t_co2") - 1)
    assert np.allclose(column(own, "emissions_change_percent"), change) and np.abs(change).min() > 0
    moved = 0.1 * mine.energy[:, coal] * 1e3 * (source_factors()[gas] - source_factors()[coal])
    before = of(rows, region=TURNS[1], scenario="factual")
    assert np.allclose(column(own, "factor_emissions_t_co2") - column(before, "factor_emissions_t_co2"), moved)
    cut = of(rows, region=TURNS[1], scenario=CUT)
    industry = mine.emissions[:, SECTORS.index("industry")]
    assert np.allclose(column(cut, "told_emissions_t_co2"), mine.emissions.sum(axis=1) - 0.15 * industry)
    assert set(column(cut, "emissions_change_percent")) == {0.0}
    assert np.abs(column(cut, "energy_change_percent")).min() > 0


def test_no_change_gives_the_factual_answer_to_the_bit(earth: Path) -> None:
    """SCIENCE 2.7."""
    run_job("energy", energy_settings(earth, f"energy.predict.scenarios={json.dumps(NOTHING)}"), str(earth), "same")
    rows = answers_of(earth / "same")
    factual = of(rows, scenario="factual").drop_columns("scenario")
    for name in NOTHING:
        assert of(rows, scenario=name).drop_columns("scenario").equals(factual), name


def test_emissions_that_rise_from_coal_to_gas_are_counted(earth: Path, done: dict[str, Any]) -> None:
    assert done["cleaner"] == [COAL]
    rows = of(answers_of(earth / "plain"), scenario=COAL)
    before, after = column(rows, "factual_emissions_t_co2"), column(rows, "emissions_t_co2")
    summary = of(pq.read_table(earth / "plain" / "energy_summary.parquet"), scenario=COAL)
    assert sum(summary["raised"].to_pylist()) == (after > before).sum() > 0
    assert sum(summary["cleaner"].to_pylist()) == (column(rows, "coal_gwh") > 0).sum() < rows.num_rows
    factual = of(answers_of(earth / "plain"), scenario="factual")
    assert (column(rows, "factor_emissions_t_co2") <= column(factual, "factor_emissions_t_co2")).all()


@pytest.mark.parametrize("strange", ["flag", "refuse"])
def test_what_extrapolates_is_flagged_or_refused(earth: Path, strange: str) -> None:
    all_wind = "replace 100 % of coal + gas + oil + nuclear + hydro + solar + other by wind"
    told = (f"energy.predict.scenarios=[{all_wind}]", f"energy.predict.strange={strange}")
    run_job("energy", energy_settings(earth, *told), str(earth), strange)
    rows = of(answers_of(earth / strange), scenario=all_wind)
    assert column(rows, "emissions_extrapolates").all() and (column(rows, "emissions_outside") > 0.2).all()
    assert np.isnan(column(rows, "emissions_t_co2")).all() == (strange == "refuse")
    assert np.isnan(column(rows, "emissions_t_co2_p95")).all() == (strange == "refuse")
    near = of(answers_of(earth / strange), scenario="factual", region="Synland 003")
    assert np.isfinite(column(near, "emissions_t_co2")).all()


def test_scenarios_come_from_a_file_too(earth: Path) -> None:
    (earth / "what.yaml").write_text("- {name: fewer, changes: [{cut: [industry, residential], share: 0.5}]}\n")
    facts = run_job("energy", energy_settings(earth, f"inputs.scenarios={earth}/what.yaml"), str(earth), "told")
    assert facts["scenarios"] == ["factual", COAL, CUT, "fewer"]
    rows = answers_of(earth / "told")
    before, after = (of(rows, scenario=name) for name in ("factual", "fewer"))
    assert np.allclose(column(after, "residential_t_co2"), column(before, "residential_t_co2") / 2)


def test_where_regions_are_cut_decides_nothing(earth: Path, done: dict[str, Any]) -> None:
    run_job("energy", energy_settings(earth, "energy.blocks.regions=4"), str(earth), "cut")
    assert len(list((earth / "cut" / "energy.parquet").iterdir())) == 3 * 2
    one, other = answers_of(earth / "plain"), answers_of(earth / "cut")
    for field in ENERGY_ANSWERS:
        if field.type == pa.float64():
            assert np.allclose(column(one, field.name), column(other, field.name), rtol=1e-5, equal_nan=True), (
                field.name
            )
        else:
            assert one[field.name].equals(other[field.name]), field.name


def test_a_killed_run_ends_in_the_same_bytes(
    earth: Path, done: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off after any commit, taken up again, nothing written twice."""
    plain, commit = done["sha256"], graph.commit
    for budget in (2, 6):
        left = [budget]

        def dying(*arguments: Any, left: list[int] = left) -> Any:
            if not left[0]:
                raise TransportError("killed", where="here", expected="life", remedy="Run it again.")
            left[0] -= 1
            return commit(*arguments)

        settings = energy_settings(earth, "engine.watch.max_passes=1")
        monkeypatch.setattr(graph, "commit", dying)
        with pytest.raises(Exception, match="not committed"):
            run_job("energy", settings, str(earth), f"killed-{budget}")
        monkeypatch.setattr(graph, "commit", commit)
        assert run_job("energy", settings, str(earth), f"killed-{budget}")["sha256"] == plain


@pytest.mark.ray
@pytest.mark.usefixtures("ray_local")
def test_ray_equals_memory_to_the_bit(earth: Path, done: dict[str, Any]) -> None:
    settings = energy_settings(earth, "engine.read_cpus=0.5", backend="ray")
    assert run_job("energy", settings, str(earth), "on-ray")["sha256"] == done["sha256"]


def test_the_plan_names_the_files(earth: Path) -> None:
    settings = energy_settings(earth)
    units = find_job("energy").plan(settings, digest("energy", settings))
    assert {unit.pass_name for unit in units} == {"records"}
    assert [unit.key for unit in units] == [
        "carbon_monitor_t1", "carbon_monitor_t2", "power_mix_t1", "power_mix_t2"
    ]  # fmt: skip
    assert sum(unit.bytes for unit in units) > 100_000


def test_the_page_can_be_made_again(earth: Path, done: dict[str, Any]) -> None:
    page = earth / "plain" / "report.html"
    before = page.read_bytes()
    page.unlink()
    rewrite_report(f"file://{earth}/plain")
    assert page.read_bytes() == before


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("inputs.energy=[]", "no energy or no emissions are given"),
        ("inputs.emissions=[]", "no energy or no emissions are given"),
        ("inputs.bundles=[]", "no bundle is given"),
        ("energy.predict.scenarios=[replace 10 % of coal by hope]", "unknown: hope"),
        ("energy.predict.scenarios=[cut industry by 150 %]", "expected 0 to 1"),
    ],
)
def test_bad_settings_are_refused_by_name(earth: Path, tmp_path: Path, told: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        run_job("energy", energy_settings(earth, told), str(tmp_path), "bad")


def test_bundles_of_two_models_are_not_mixed(earth: Path, tmp_path: Path) -> None:
    region_world(tmp_path)
    save_untrained(tmp_path, "clean_cnn", include=(1,))
    both = f"inputs.bundles=[{earth}/bundles/0, {tmp_path}/bundles]"
    with pytest.raises(SettingsError, match="do not belong together"):
        run_job("energy", energy_settings(earth, both), str(tmp_path), "mixed")
