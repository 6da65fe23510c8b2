"""What-if: totals kept or lowered as told, no change at all where none is asked."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from carbonray.science.energy.scenarios import Change, applied

VALUES = hnp.arrays(np.float64, st.tuples(st.integers(0, 5), st.just(8)), elements=st.floats(0.0, 1e6))
PLACES = st.permutations(range(8))
COAL, GAS, OIL, SOLAR, WIND = 0, 1, 2, 5, 6


@given(values=VALUES, places=PLACES, share=st.floats(0.0, 1.0), few=st.integers(1, 4), takers=st.integers(1, 4))
def test_replacing_keeps_the_total_and_what_is_not_named(
    values: np.ndarray,  # type: ignore[type-arg]
    places: list[int],
    share: float,
    few: int,
    takers: int,
) -> None:
    of, by, rest = tuple(places[:few]), tuple(places[few : few + takers]), places[few + takers :]
    before = values.copy()
    after = applied(values, [Change("replace", of, share, by)])
    assert np.array_equal(values, before)
    assert np.allclose(after.sum(axis=1), values.sum(axis=1)) and (after >= 0.0).all()
    assert np.allclose(after[:, of], (1.0 - share) * values[:, of])
    assert np.array_equal(after[:, rest], values[:, rest])


@given(values=VALUES, places=PLACES, few=st.integers(1, 7))
def test_no_change_gives_the_very_same_numbers(values: np.ndarray, places: list[int], few: int) -> None:  # type: ignore[type-arg]
    of, by = tuple(places[:few]), tuple(places[few:])
    nothing = [Change("replace", of, 0.0, by), Change("cut", of, 0.0), Change("scale", of, 1.0)]
    assert applied(values, []).tobytes() == applied(values, nothing).tobytes() == values.tobytes()


@given(values=VALUES, place=st.integers(0, 7), share=st.floats(0.0, 1.0))
def test_a_cut_lowers_the_total_by_the_share_of_its_part(values: np.ndarray, place: int, share: float) -> None:  # type: ignore[type-arg]
    after = applied(values, [Change("cut", (place,), share)])
    lost = values.sum(axis=1) - after.sum(axis=1)
    assert np.allclose(lost, share * values[:, place], atol=1e-6)
    assert (after.sum(axis=1) <= values.sum(axis=1)).all()


def test_ten_percent_of_fossil_fuels_by_wind_and_sun() -> None:
    day = np.array([[40.0, 20.0, 10.0, 10.0, 10.0, 2.0, 6.0, 2.0]])
    change = Change("replace", (COAL, GAS, OIL), 0.1, (SOLAR, WIND))
    # 7 GWh, three to one as they are
    assert np.allclose(applied(day, [change]), [[36.0, 18.0, 9.0, 10.0, 10.0, 3.75, 11.25, 2.0]])
    assert np.allclose(
        applied([[8.0, 0, 0, 0, 0, 0, 0, 0]], [Change("replace", (COAL,), 0.5, (SOLAR, WIND))])[0, 5:7], 2
    )


def test_changes_follow_one_another() -> None:
    first, then = Change("replace", (COAL,), 0.5, (GAS,)), Change("cut", (GAS,), 0.5)
    day = np.array([[4.0, 2.0]])
    assert applied(day, [first, then]).tolist() == [[2.0, 2.0]]
    assert applied(day, [then, first]).tolist() == [[2.0, 3.0]]
    assert applied(day, [Change("scale", (COAL, GAS), 3.0)]).tolist() == [[12.0, 6.0]]


def test_what_is_unknown_stays_unknown() -> None:
    after = applied([[np.nan, 2.0, 3.0]], [Change("replace", (COAL,), 0.1, (GAS,))])
    assert np.isnan(after[0, :2]).all() and after[0, 2] == 3.0


@pytest.mark.parametrize(
    ("kind", "of", "amount", "by"),
    [
        ("swap", (0,), 0.1, ()),
        ("cut", (0,), 1.1, ()),
        ("cut", (0,), -0.1, ()),
        ("cut", (0,), float("nan"), ()),
        ("scale", (0,), -1.0, ()),
        ("scale", (0,), float("inf"), ()),
        ("cut", (), 0.1, ()),
        ("cut", (0,), 0.1, (1,)),
        ("replace", (0,), 0.1, ()),
        ("replace", (0,), 0.1, (0,)),
        ("replace", (0, 0), 0.1, (1,)),
        ("replace", (-1,), 0.1, (1,)),
    ],
)
def test_changes_that_cannot_be_are_refused(kind: str, of: tuple[int, ...], amount: float, by: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Change(kind, of, amount, by)  # type: ignore[arg-type]


def test_a_part_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="places below 6"):
        applied(np.ones((1, 6)), [Change("cut", (7,), 0.1)])
