"""Rows, shares and log-ratios: sums, scales and what is unknown."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from carbonray.science.energy.mix import MixRows, log_ratio, proportions, stacked
from tests.science.energy.energy_rows import daily_rows

AMOUNTS = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(2, 8)), elements=st.floats(0.0, 1e6, width=32)
)


@given(amounts=AMOUNTS, scale=st.floats(1e-3, 1e3))
def test_shares_sum_to_one_and_scaling_scales_the_total_alone(amounts: np.ndarray, scale: float) -> None:  # type: ignore[type-arg]
    shares, total = proportions(amounts)
    some = total > 0.0
    assert (shares[some] >= 0.0).all() and np.allclose(shares[some].sum(axis=1), 1.0)
    assert np.isnan(shares[~some]).all()
    scaled, larger = proportions(scale * amounts)
    assert np.allclose(larger, scale * total)
    normal = total > 1e-300
    assert np.allclose(scaled[normal], shares[normal])


def test_what_is_unknown_has_no_share_and_what_cannot_be_is_refused() -> None:
    shares, total = proportions([[1.0, 3.0], [np.nan, 3.0], [0.0, 0.0]])
    assert shares[0].tolist() == [0.25, 0.75] and total[0] == 4.0
    assert np.isnan(shares[1:]).all() and np.isnan(total[1]) and total[2] == 0.0
    for wrong in ([[-1.0, 2.0]], [[np.inf, 2.0]], [1.0, 2.0]):
        with pytest.raises(ValueError, match="expected"):
            proportions(wrong)


def test_the_log_ratios_of_known_shares() -> None:
    shares = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    centred, additive = log_ratio(shares, 1e-3), log_ratio(shares, 1e-3, "additive")
    ln2 = np.log(2.0)
    assert np.allclose(centred[0], [2 * ln2 / 3, -ln2 / 3, -ln2 / 3])
    assert np.allclose(additive, [[ln2, 0.0], [np.log(1e3), 0.0]])
    assert np.allclose(centred.sum(axis=1), 0.0)
    assert np.allclose(centred[:, :2] - centred[:, 2:], additive)


def test_a_log_ratio_wants_a_floor_and_a_kind_that_there_is() -> None:
    for floor in (0.0, -1.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="floor"):
            log_ratio([[0.5, 0.5]], floor)
    with pytest.raises(ValueError, match="'centred' or 'additive'"):
        log_ratio([[0.5, 0.5]], 1e-3, "isometric")  # type: ignore[arg-type]


def test_rows_are_chosen_by_mask_or_number_and_stacked_again() -> None:
    rows = daily_rows(("A", "B"), 3)
    assert len(rows) == 6 and len(rows.rows([])) == 0
    back = stacked([rows.rows(rows.region == "A"), rows.rows([3, 4, 5])])
    for name in ("region", "start_ns", "end_ns", "energy", "emissions"):
        assert np.array_equal(getattr(back, name), getattr(rows, name))
    assert rows.rows([5, 0]).region.tolist() == ["B", "A"]


def test_rows_of_unequal_lengths_are_refused() -> None:
    rows = daily_rows(("A",), 3)
    with pytest.raises(ValueError, match="one length"):
        MixRows(rows.region, rows.start_ns, rows.end_ns, rows.energy[:2], rows.emissions)
    with pytest.raises(ValueError, match="at least one"):
        stacked([])
