"""Provider files of rendered images, read back by the readers of real files."""

import numpy as np
import pytest

from carbonray.io.imagery.items import imager_of, load_item
from carbonray.io.imagery.readers import READERS
from carbonray.synthetic.native_files import native_files
from carbonray.synthetic.sensing import coarse
from carbonray.vocab.sensors import IMAGERS
from tests.synthetic.small_fleet import one_image


@pytest.fixture(scope="module", params=list(IMAGERS))
def image(request):
    return one_image("FGD", request.param, cloud=0.5, temperature_c=2.0).image


def test_what_is_read_back_is_what_was_rendered(image, tmp_path):
    for name, data in native_files(image).items():
        (tmp_path / name).write_bytes(data)
    item, imager = load_item(str(tmp_path / f"{image.image_id}.json")), IMAGERS[image.imager]
    assert imager_of(item) == image.imager
    read = READERS[imager.reader](item, imager, image.grid)
    np.testing.assert_array_equal(read.dn, image.dn)
    np.testing.assert_array_equal(read.flags, image.flags)
    for name in ("scale", "offset", "k1", "k2"):
        np.testing.assert_allclose(getattr(read, name), getattr(image, name), rtol=1e-9)
    assert read.time_utc_ns == pytest.approx(image.time_utc_ns, abs=10**3)
    assert read.sun_elevation_deg == pytest.approx(image.sun_elevation_deg)
    assert (read.data_tier, read.image_id, read.quality) == (image.data_tier, image.image_id, image.quality)


def test_equal_images_give_equal_files(image):
    assert native_files(image) == native_files(image)


@pytest.mark.parametrize("ending", ["_MTL.txt", "_MTL.json"])
def test_a_bare_landsat_delivery_is_read_too(ending, tmp_path):
    image = one_image("FGD", "landsat8", cloud=0.2).image
    for file, data in native_files(image).items():
        (tmp_path / file).write_bytes(data)
    item = load_item(str(tmp_path / f"{image.image_id}{ending}"))
    read = READERS["landsat8"](item, IMAGERS["landsat8"], image.grid)
    np.testing.assert_array_equal(read.dn, image.dn)
    np.testing.assert_allclose(read.scale, image.scale, rtol=1e-9)


def test_coarse_pixels_lie_on_the_products_lattice():
    field = np.arange(49.0, dtype=np.float32).reshape(7, 7)
    wide = coarse(field, 3, (1, 2))
    assert wide.mean() == pytest.approx(field.mean(), rel=0.2)
    np.testing.assert_array_equal(wide[0:2, 1:4], np.full((2, 3), field[0:2, 1:4].mean()))
    np.testing.assert_array_equal(wide[2:5, 0], np.full(3, field[2:5, 0].mean()))
