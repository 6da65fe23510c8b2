"""The region of a plant: laws of its grid, anywhere on Earth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import DataError
from carbonray.io.imagery.image import RegionGrid, Structure
from carbonray.io.imagery.region import RegionRules, projected, region_grid, structure_pixels, zone_epsg
from carbonray.vocab.sensors import IMAGERS

lats = st.floats(-89.5, 89.5)
lons = st.floats(-180.0, 179.999)
near = st.floats(-0.004, 0.004)


def placed(lat: float, lon: float, shift_lat: float, shift_lon: float) -> tuple[Structure, ...]:
    other = (lon + shift_lon + 180.0) % 360.0 - 180.0
    return Structure("a", "NDT", lat, lon), Structure("b", "FGD", lat + shift_lat, other)


@given(lats, lons, near, near, st.sampled_from(sorted(IMAGERS)))
def test_every_structure_lies_inside_with_its_margin(lat: float, lon: float, dy: float, dx: float, name: str) -> None:
    structures, rules = placed(lat, lon, dy, dx), RegionRules(margin_px=20)

    grid = region_grid(structures, IMAGERS[name], rules)
    row, col = structure_pixels(structures, grid)

    for places, size in ((row, grid.rows), (col, grid.cols)):
        assert places.min() >= 20 and places.max() <= size - 20
        assert places.min() <= 21  # and no larger than it need be
    assert max(grid.rows, grid.cols) * grid.pixel_m < 3000.0


@given(lats, lons, st.sampled_from(sorted(IMAGERS)))
def test_the_grid_lies_on_the_lattice_of_the_product(lat: float, lon: float, name: str) -> None:
    grid = region_grid(placed(lat, lon, 0.0, 0.0), IMAGERS[name])

    edge = 15.0 if name == "landsat8" else 0.0
    assert (grid.left - edge) % grid.pixel_m == 0.0
    assert (grid.top - edge) % grid.pixel_m == 0.0


def test_a_plant_on_the_180th_meridian_has_one_region() -> None:
    grid = region_grid(placed(-16.8, 179.999, 0.001, 0.002), IMAGERS["sentinel2"])

    assert grid.epsg in (32701, 32760)
    assert grid.cols < 130


@pytest.mark.parametrize(
    ("lat", "lon", "epsg"),
    [(51.0, 7.0, 32632), (-32.4, 151.0, 32756), (0.0, -180.0, 32601), (10.0, 179.99, 32660), (10.0, 180.0, 32601),
     (85.0, 10.0, 3413), (-80.5, 10.0, 3031), (-0.1, 6.0, 32732)],
)  # fmt: skip
def test_zones_are_those_of_utm_and_the_polar_systems_beyond(lat: float, lon: float, epsg: int) -> None:
    assert zone_epsg(lat, lon) == epsg


def test_landsat_maps_the_south_in_northern_zones() -> None:
    grid = region_grid(placed(-32.4, 151.0, 0.0, 0.0), IMAGERS["landsat8"])

    assert grid.epsg == 32656
    assert grid.top < 0.0


def test_real_landsat_files_lie_on_the_lattice_too() -> None:
    """Corner of the clip of LC80200392015216 in the data beside the checkout."""
    grid = region_grid(placed(30.73, -87.4, 0.0, 0.0), IMAGERS["landsat8"])

    assert grid.epsg == 32616
    assert (grid.left - 452475.0) % 30.0 == (grid.top - 3408645.0) % 30.0 == 0.0


@pytest.mark.parametrize(
    ("structures", "found"),
    [((), "no structure"), (placed(50.0, 7.0, 0.4, 0.0), "km apart"), (placed(float("nan"), 7.0, 0.0, 0.0), "nowhere"),
     (placed(91.0, 7.0, 0.0, 0.0), "nowhere")],
)  # fmt: skip
def test_structures_that_make_no_region_are_bad_data(structures: tuple[Structure, ...], found: str) -> None:
    with pytest.raises(DataError, match=found):
        region_grid(structures, IMAGERS["sentinel2"])


def test_rows_count_from_the_north_and_columns_from_the_west() -> None:
    structures = (
        Structure("a", "NDT", 51.0, 7.0),
        Structure("n", "NDT", 51.001, 7.0),
        Structure("e", "NDT", 51.0, 7.001),
    )
    grid = RegionGrid(32632, 359000.0, 5653000.0, 10.0, 200, 200)

    row, col = structure_pixels(structures, grid)
    x, y = projected(structures, 32632)

    assert row[1] < row[0] and col[2] > col[0]
    assert np.all((grid.left + 10.0 * col <= x) & (x < grid.left + 10.0 * (col + 1)))
    assert np.all((grid.top - 10.0 * row >= y) & (y > grid.top - 10.0 * (row + 1)))
