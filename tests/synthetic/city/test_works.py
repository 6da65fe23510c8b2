"""Works stand on the plots of sites and stations, and rise above the roofs."""

import numpy as np

from carbonray.synthetic.city.cities import CITIES
from carbonray.synthetic.city.works import Works, raised_works
from tests.synthetic.city.drawn import city


def test_works_stand_on_their_plots():
    one = city(CITIES["yinchuan_like"])
    works = one.scene.works
    assert (np.diff(works.place[:, 0]) >= 0).all()
    plots = np.floor(works.place / np.array(one.lie.window.plot_m)).astype(int)
    allowed = one.activity.site_scale > 0
    allowed[tuple(one.activity.stations.T)] = True
    assert allowed[tuple(plots.T)].all()
    large = works.radius_m > 30.0
    assert large.sum() == 2 * len(one.activity.stations)


def test_a_disc_is_drawn_where_it_stands_and_nowhere_else():
    south, east = np.arange(100.0, 200.0, 2.0), np.arange(0.0, 80.0, 2.0)
    colours, height = np.zeros((3, 50, 40), np.float32), np.zeros((50, 40), np.float32)
    places = np.array([[90.0, 500.0], [150.0, 40.0], [900.0, 40.0]])
    discs = Works(places, np.full(3, 11.0), np.full(3, 14.0), np.full(3, 200.0))
    raised_works(discs, (south, east), colours, height)
    rows, cols = np.nonzero(height)
    np.testing.assert_allclose([south[rows].mean(), east[cols].mean()], [150.0, 40.0], atol=1.0)
    assert abs(rows.size * 4.0 - np.pi * 11.0**2) < 40.0  # pixels of 4 m2
    assert (colours[:, height > 0] > 100).all() and not colours[:, height == 0].any()
