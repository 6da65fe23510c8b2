"""What-if answers of some rows: the laws of SCIENCE 2.7, whatever the mix, the order and the scenario."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.contract import Batch
from carbonray.io.energy.scenarios import scenarios_of
from carbonray.io.model_store import bundle_sha256
from carbonray.stages.energy_answers import EMISSIONS, ENERGY, AnswerEnergy, EnergyPredictRules, Told
from carbonray.stages.energy_bundles import EnergyPin, energy_pin
from carbonray.vocab.energy import SECTORS, SOURCES
from tests.pipelines.small_regions import region_world, save_untrained

DAY_NS = 86_400 * 10**9
COAL, GAS = SOURCES.index("coal"), SOURCES.index("gas")
OF_EMISSIONS = ("emissions_t_co2", "emissions_t_co2_p05", "emissions_t_co2_p95", "factual_emissions_t_co2")
OF_ENERGY = ("energy_gwh", "energy_gwh_p05", "energy_gwh_p95", "factual_energy_gwh")

share = st.floats(0.0, 1.0)
names = st.sampled_from(SOURCES) | st.sampled_from(SECTORS)
nothing = st.one_of(
    st.tuples(names, st.just("cut {} by 0 %")), st.tuples(names, st.just("scale {} by 1")),
    st.tuples(st.sampled_from(SOURCES[1:]), st.just("replace 0 % of {} by coal")),
    st.tuples(st.sampled_from(SECTORS[1:]), st.just("replace 0 % of {} by power")),
).map(lambda told: told[1].format(told[0]))  # fmt: skip


@pytest.fixture(scope="module")
def pins(tmp_path_factory: pytest.TempPathFactory) -> tuple[EnergyPin, ...]:
    """Two instances that read mixes without totals."""
    out = tmp_path_factory.mktemp("pins")
    region_world(out)
    save_untrained(out)
    urls = [str(out / "bundles" / str(instance)) for instance in range(2)]
    return tuple(energy_pin(url, bundle_sha256(url)) for url in urls)


def batch_of(seed: int, count: int = 7) -> Batch:
    """Rows of new regions, some without coal and some of one source alone."""
    rng = np.random.default_rng(seed)
    energy, emissions = rng.lognormal(3.0, 1.0, (count, 8)), rng.lognormal(9.0, 1.0, (count, 6))
    energy[1, COAL] = 0.0
    energy[2, np.arange(8) != GAS] = 0.0
    start = np.arange(count) * DAY_NS
    columns = dict(zip((*ENERGY, *EMISSIONS), (*energy.T, *emissions.T), strict=True))
    words = {"region": [f"New {at}" for at in range(count)], "data_tier": ["SYNTHETIC-T0"] * count}
    return columns | {name: np.array(told, object) for name, told in words.items()} | {
        "start": start, "end": start + DAY_NS, "constant_mix": np.zeros(count, np.bool_)
    }  # fmt: skip


def answers(pins: Sequence[EnergyPin], batch: Batch, *scenarios: str) -> dict[str, Batch]:
    """The columns of each scenario, the factual one first."""
    found = AnswerEnergy(pins, EnergyPredictRules(), scenarios_of(scenarios, []), Told("v", "t"))(batch)
    each = {name: found["scenario"] == name for name in dict.fromkeys(found["scenario"].tolist())}
    return {name: {column: values[at] for column, values in found.items()} for name, at in each.items()}


@settings(max_examples=25)  # each opens both instances
@given(seed=st.integers(0, 2**32 - 1), words=st.lists(nothing, min_size=1, max_size=4))
def test_no_change_gives_the_factual_answer_to_the_bit(
    pins: tuple[EnergyPin, ...], seed: int, words: list[str]
) -> None:
    found = answers(pins, batch_of(seed), "; ".join(words))
    factual, same = found.values()
    for name, values in factual.items():
        if name != "scenario":
            np.testing.assert_array_equal(same[name], values, err_msg=name)


@settings(max_examples=25)  # each opens both instances
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-6, 6))
def test_a_region_of_another_size_has_the_same_mix_and_so_the_same_answer(
    pins: tuple[EnergyPin, ...], seed: int, power: int
) -> None:
    """Scaling both sides scales the totals and what factors say, and moves no share: sizes are powers of two."""
    scenario, batch, size = "replace 30 % of coal + oil by gas", batch_of(seed), 2.0**power
    larger = batch | {name: batch[name] * size for name in (*ENERGY, *EMISSIONS)}
    one, other = answers(pins, batch, scenario)[scenario], answers(pins, larger, scenario)[scenario]
    for name in (*OF_EMISSIONS, *OF_ENERGY, "emissions_outside", "energy_outside", "emissions_change_percent"):
        np.testing.assert_array_equal(other[name], one[name], err_msg=name)
    for name in ("told_energy_gwh", "told_emissions_t_co2", "factor_emissions_t_co2", "factor_energy_gwh", "gas_gwh"):
        np.testing.assert_allclose(other[name], one[name] * size, rtol=1e-12, err_msg=name)


@settings(max_examples=25)  # each opens both instances
@given(seed=st.integers(0, 2**32 - 1), part=share)
def test_gas_for_coal_never_raises_what_factors_say_and_keeps_the_total(
    pins: tuple[EnergyPin, ...], seed: int, part: float
) -> None:
    scenario = f"replace {100 * part:.4f} % of coal by gas"
    before, after = answers(pins, batch_of(seed), scenario).values()
    assert (after["factor_emissions_t_co2"] <= before["factor_emissions_t_co2"] * (1 + 1e-12)).all()
    np.testing.assert_allclose(after["told_energy_gwh"], before["told_energy_gwh"], rtol=1e-12)
    np.testing.assert_array_equal(after["energy_gwh"], before["energy_gwh"])
    untouched = before["coal_gwh"] == 0.0
    assert untouched.any()
    np.testing.assert_array_equal(after["emissions_t_co2"][untouched], before["emissions_t_co2"][untouched])


@settings(max_examples=25)  # each opens both instances
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_decides_nothing(pins: tuple[EnergyPin, ...], seed: int) -> None:
    batch, scenario = batch_of(seed), "cut industry by 15 %"
    order = np.random.default_rng(seed).permutation(len(batch["region"]))
    mixed = answers(pins, {name: values[order] for name, values in batch.items()}, scenario)
    for name, block in answers(pins, batch, scenario).items():
        for column, values in block.items():
            if values.dtype == np.float64:
                rounding = 1e-4 if column.endswith(("percent", "spread")) else 0.0  # of float32, in what is near 0
                np.testing.assert_allclose(mixed[name][column], values[order], 1e-5, rounding, err_msg=column)
            else:
                np.testing.assert_array_equal(mixed[name][column], values[order], err_msg=column)


def test_an_interval_holds_its_answer_and_nothing_unknown_is_claimed(pins: tuple[EnergyPin, ...]) -> None:
    found = answers(pins, batch_of(0), "cut coal + gas + oil + nuclear + hydro + solar + wind + other by 100 %")
    factual, dark = found.values()
    for low, high, name in (("emissions_t_co2_p05", "emissions_t_co2_p95", "emissions_t_co2"),
                            ("energy_gwh_p05", "energy_gwh_p95", "energy_gwh")):  # fmt: skip
        assert ((factual[low] < factual[name]) & (factual[name] < factual[high])).all()
    assert np.isnan(dark["emissions_t_co2"]).all(), "no mix is left that could tell of emissions"
    np.testing.assert_array_equal(dark["energy_gwh"], factual["energy_gwh"])
