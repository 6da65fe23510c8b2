"""Blocks and lots: sizes as asked, the same for a place whatever picture it is drawn in."""

import numpy as np

from carbonray.synthetic.city.blocks import blocks_of, districts_near, lots_of

SPACING = 800.0


def plan(south, east):
    south, east = (each.astype(np.float32) for each in np.broadcast_arrays(south[:, None], east[None, :]))
    box = float(south.min()), float(south.max()), float(east.min()), float(east.max())
    districts = districts_near(box, SPACING, np.uint64(5))
    count = districts.south.size
    side = np.repeat(np.array([[120.0], [80.0]], np.float32), count, axis=1)
    turn = (districts.bits % np.uint64(7)).astype(np.float32) / 10
    blocks = blocks_of(south, east, districts, side, turn)
    street = np.full(blocks.bits.size, 12.0, np.float32)
    return blocks, lots_of(blocks, street, np.repeat([[30.0], [20.0]], blocks.bits.size, axis=1).astype(np.float32))


def test_a_place_has_the_same_block_and_lot_in_every_picture():
    south, east = np.arange(3000.0, 3600.0, 3.0), np.arange(2000.0, 2500.0, 3.0)
    whole, lots = plan(south, east)
    part, fewer = plan(south[70:150], east[20:90])
    cut = np.s_[70:150, 20:90]
    np.testing.assert_array_equal(whole.bits[whole.of[cut]], part.bits[part.of])
    np.testing.assert_array_equal(lots.bits[lots.of[cut]], fewer.bits[fewer.of])
    np.testing.assert_allclose(whole.down[cut], part.down, atol=0.02)
    np.testing.assert_allclose(whole.edge[cut], part.edge, atol=0.02)


def test_pixels_lie_in_their_block_and_lot():
    blocks, lots = plan(np.arange(0.0, 900.0, 4.0), np.arange(0.0, 900.0, 4.0))
    side = blocks.side[:, blocks.of]
    assert ((blocks.down >= 0) & (blocks.down <= side[0] * 1.0001)).all()
    assert ((blocks.along >= 0) & (blocks.along <= side[1] * 1.0001)).all()
    street = 6.0
    inner = np.minimum(blocks.down, side[0] - blocks.down) > street
    inner &= np.minimum(blocks.along, side[1] - blocks.along) > street
    for place, pitch in ((lots.down, lots.side[0]), (lots.along, lots.side[1])):
        assert (np.abs(place)[inner] <= pitch[lots.of][inner] * 0.5001).all()
    assert np.unique(blocks.bits).size == blocks.bits.size


def test_blocks_have_the_area_asked_for():
    blocks, _ = plan(np.arange(0.0, 1500.0, 3.0), np.arange(0.0, 1500.0, 3.0))
    pixels = np.bincount(blocks.of.ravel())
    assert np.median(pixels[pixels > 300]) * 9.0 > 0.8 * 120 * 80
    assert pixels.max() * 9.0 < 1.05 * 120 * 80


def test_places_near_a_middle_belong_to_its_district():
    districts = districts_near((0.0, 4000.0, 0.0, 4000.0), SPACING, np.uint64(5))
    inside = (districts.south > 0) & (districts.south < 4000) & (districts.east > 0) & (districts.east < 4000)
    assert 16 <= inside.sum() <= 36
