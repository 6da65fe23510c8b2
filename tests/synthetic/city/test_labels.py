"""Night light and the label made of it: totals kept, blurred, saturated, power stations misplaced a little."""

import numpy as np
import pytest

from carbonray.synthetic.city.cities import CITIES
from carbonray.synthetic.city.emissions import SECTORS
from carbonray.synthetic.city.geography import PLOTS
from carbonray.synthetic.city.labels import LabelRules, monthly_t_c
from tests.synthetic.city.drawn import city, demo

BEIJING = city(CITIES["beijing_like"])
POWER = SECTORS.index("power")


def test_the_label_has_the_total_of_the_truth_elsewhere():
    for rules in CITIES.values():
        one = city(rules)
        # mixing with neighbours keeps a total but at the window's edge, where the city is not
        assert one.labels.t_co2.sum() == pytest.approx(one.emissions.t_co2.sum(), rel=1e-6)
        assert (one.labels.t_co2 >= 0).all()


def test_night_light_saturates_and_dark_cells_have_no_label():
    labels = BEIJING.labels
    assert labels.night_light.min() >= 0.0 and labels.night_light.max() <= 63.0
    assert (labels.t_co2 == 0).any()
    assert labels.night_light[labels.t_co2 == 0].max() < 10.0


def test_power_stations_are_listed_within_two_kilometres():
    moved, at_home = (demo(label__misplaced_km=km, seed=5).labels.t_co2 for km in (2.0, 0.0))
    one = demo(seed=5)
    (size,), true = one.emissions.stations_t_co2, one.activity.stations[0] // PLOTS
    (here,), (there,) = (np.argwhere(change > 0.9 * size).tolist() for change in (at_home - moved, moved - at_home))
    assert here == true.tolist() != there
    steps = (np.array(there) - true) * np.array(one.lie.window.cell_m)
    assert np.hypot(*steps) < 2000.0 + np.hypot(*one.lie.window.cell_m)


def test_the_label_follows_the_truth_loosely():
    inside = BEIJING.lie.inside & (BEIJING.labels.t_co2 > 0)
    r = np.corrcoef(*(np.log(each[inside]) for each in (BEIJING.labels.t_co2, BEIJING.emissions.t_co2)))[0, 1]
    assert 0.5 < r < 0.95


def test_twelve_months_are_a_year_and_carbon_is_not_carbon_dioxide():
    months = monthly_t_c(LabelRules(winter=0.25), np.array([[44.0, 0.0]]))
    assert months.shape == (12, 1, 2)
    np.testing.assert_allclose(months.sum(axis=0), [[12.0, 0.0]])
    assert months[0, 0, 0] == pytest.approx(1.25) and months[6, 0, 0] == pytest.approx(0.75)
