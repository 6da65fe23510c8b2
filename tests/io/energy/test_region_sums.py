import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbonray.io.energy.records import MixRules, mix_rows
from carbonray.io.energy.region_sums import SumRules, short_composites, undeclared_sums
from carbonray.science.energy.mix import MixRows
from tests.io.energy.energy_files import days, records, region_parts

RULES = SumRules()
DAY_NS = 86_400 * 10**9


def world(series: dict[str, np.ndarray]) -> MixRows:
    """Rows of regions from (day, 14) amounts."""
    count = len(next(iter(series.values())))
    start = np.tile(np.arange(count) * DAY_NS, len(series))
    amounts = np.concatenate(list(series.values()))
    return MixRows(
        np.repeat(np.array(list(series), object), count), start, start + DAY_NS, amounts[:, :8], amounts[:, 8:]
    )


def drawn(seed: int, regions: int = 6, count: int = 20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(0.0, 1.0, regions)
    return {f"region-{at}": size * rng.lognormal(0.0, 0.3, (count, 14)) for at, size in enumerate(sizes)}


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sets(st.integers(0, 5), min_size=2, max_size=5))
def test_a_sum_is_found_whatever_it_is_the_sum_of(seed: int, members: set[int]) -> None:
    series = drawn(seed)
    names = [f"region-{at}" for at in sorted(members)]
    series["union"] = sum(series[name] for name in names)

    assert undeclared_sums(world(series), {}, RULES) == {
        "union": f"sum: equals {' + '.join(names)}, which is not declared among the composites"
    }
    assert undeclared_sums(world(series), {"union": tuple(names)}, RULES) == {}


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_regions_of_their_own_are_no_sums(seed: int) -> None:
    assert undeclared_sums(world(drawn(seed)), {}, RULES) == {}


def test_a_sum_with_a_composite_in_it_is_found_beside_the_members() -> None:
    series = drawn(1)
    series["inner"] = series["region-0"] + series["region-1"]
    series["outer"] = series["inner"] + series["region-2"]

    found = undeclared_sums(world(series), {"inner": ("region-0", "region-1")}, RULES)
    assert found["outer"].startswith("sum: equals region-0 + region-1 + region-2")


def test_a_composite_that_holds_more_than_its_members_is_a_part_like_others() -> None:
    series = drawn(2)
    series["inner"] = series["region-0"] + series["region-1"] + 0.4
    series["outer"] = series["inner"] + series["region-2"]

    found = undeclared_sums(world(series), {"inner": ("region-0", "region-1")}, RULES)
    assert found["outer"].startswith("sum: equals inner + region-2")


def test_rounded_sums_are_sums_and_others_are_not() -> None:
    series = drawn(3)
    total = series["region-0"] + series["region-1"]

    assert "union" in undeclared_sums(world(series | {"union": total * 1.0005}), {}, RULES)
    assert undeclared_sums(world(series | {"union": total * 1.01}), {}, RULES) == {}


def test_a_region_under_two_names_is_one_copy() -> None:
    series = drawn(4)
    series["twin"] = series["region-3"].copy()

    assert undeclared_sums(world(series), {}, RULES) == {"twin": "copy: the same amounts as region-3"}


def test_a_copy_does_not_hide_a_sum() -> None:
    series = drawn(4)
    series["twin"] = series["region-3"].copy()
    series["union"] = series["region-3"] + series["region-0"]

    found = undeclared_sums(world(series), {}, RULES)
    assert found["union"].startswith("sum: equals region-0 + region-3")


def test_parts_that_are_not_known_on_every_day_are_compared_where_they_are() -> None:
    series = drawn(7)
    series["union"] = series["region-0"] + series["region-1"]
    rows = world(series)
    holes = (rows.region == "region-0") & (rows.start_ns < 5 * DAY_NS)

    assert "union" in undeclared_sums(rows.rows(~holes), {}, RULES)


def test_among_too_many_regions_no_sum_is_looked_for() -> None:
    series = drawn(8)
    series["union"] = series["region-0"] + series["region-1"]

    assert "union" in undeclared_sums(world(series), {}, SumRules(max_regions=7))
    assert undeclared_sums(world(series), {}, SumRules(max_regions=6)) == {}


def test_a_few_days_say_nothing() -> None:
    series = {name: amounts[:2] for name, amounts in drawn(5).items()}
    series["union"] = series["region-0"] + series["region-1"]

    assert undeclared_sums(world(series), {}, RULES) == {}


def test_a_composite_smaller_than_its_members_is_named_on_the_days_that_it_is() -> None:
    series = drawn(6)
    series["inner"] = series["region-0"] + series["region-1"]
    series["inner"][3] *= 0.9
    rows = world(series)
    reasons = short_composites(rows, {"inner": ("region-0", "region-1", "absent")}, RULES)

    assert reasons[reasons != ""].tolist() == ["composite: less than region-0, region-1 together"]
    assert rows.region[reasons != ""] == ["inner"] and rows.start_ns[reasons != ""] == [3 * DAY_NS]


@pytest.mark.parametrize("declared", [True, False])
def test_rows_of_an_undeclared_sum_are_refused(declared: bool) -> None:
    week = days("2023-05-01", 7)
    alpha, beta = region_parts(100.0, coal=30.0), region_parts(250.0, industry=9e4)
    both = {name: alpha[name] + beta[name] for name in alpha}
    table = records({"Alpha": alpha, "Beta": beta, "Union": both}, week)
    reading = mix_rows(table, MixRules(), {"Union": ("Alpha", "Beta")} if declared else {})

    assert set(reading.rows.region) == ({"Alpha", "Beta", "Union"} if declared else {"Alpha", "Beta"})
    assert reading.refused.num_rows == (0 if declared else 7)
