"""The stream of bags: every image once, an order of the epoch, a window of memory, statistics of what it streams."""

import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from carbonray.errors import ContractError, DataError
from carbonray.io.bag_store import encode_bags, read_bags
from carbonray.io.objectstore import put_bytes, read_bytes
from carbonray.stages import sounding_streams
from carbonray.stages.sounding_samples import physical
from carbonray.stages.sounding_streams import BagStream, bag_files, band_scaling
from tests.io.test_bag_store import bags

BANDS = ("B3", "B4")


@pytest.fixture
def urls(tmp_path):
    """Seven files of five images, of one to three structures: an image's capacity factor is its number."""
    made = []
    for number in range(7):
        held = bags(5, 1 + number % 3, side=8, seed=number, fold=number % 4)
        held = type(held)(
            held.keys.set_column(5, "capacity_factor", [np.arange(5 * number, 5 * number + 5, dtype=np.float32)]),
            held.dn, held.numbers, held.bands,
        )  # fmt: skip
        made.append(f"{tmp_path}/bags/landsat8/P{number}-2021.arrow")
        put_bytes(made[-1], encode_bags({"NDT": held, "FGD": bags(2, 1, side=8, kind="FGD")}))
    return made


def stream(urls, **more):
    told = {"kind": "NDT", "bands": BANDS, "patch_px": 4, "batch_size": 4, "with_loads": False, "seed": 1} | more
    return BagStream(bag_files(urls, told["kind"], with_loads=told["with_loads"]), **told)


def numbers(batches):
    return [int(n) for batch in batches for n in batch.capacity_factor]


def test_files_are_listed_by_name_with_what_they_hold(urls):
    files = bag_files(urls[::-1], "NDT", with_loads=False)
    assert [file.url for file in files] == urls
    assert [file.fold for file in files] == [0, 1, 2, 3, 0, 1, 2] and {file.plant_id for file in files} == {"P"}
    assert {(file.off, file.on) for file in files} == {(2, 3)} and {file.data_tier for file in files} == {"REAL"}
    assert stream(urls).counts == (14, 21)


@pytest.mark.parametrize("window_files", [1, 2, 3, 7, 64])
def test_every_image_once_in_an_order_of_the_epoch(urls, window_files):
    one = stream(urls, window_files=window_files)
    orders = [numbers(one.shuffled(epoch)) for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order) == list(range(35)) for order in orders)
    assert numbers(one.in_order()) == list(range(35))
    assert {len(batch) for batch in one.shuffled(0)} <= {3, 4} and len(list(one.shuffled(0))) == 9


@pytest.mark.parametrize("window_files", [2, 64])
def test_a_batch_is_the_bands_and_middle_of_its_images(urls, window_files):
    seen = 0
    for batch in stream(urls, window_files=window_files).shuffled(3):
        for row, number in enumerate(numbers([batch])):
            held = read_bags(read_bytes(urls[number // 5]), "NDT", where="x")
            whole = physical(held.dn, held.numbers)[number % 5]
            assert batch.mask[row].sum() == len(whole) and batch.mask[row, : len(whole)].all()
            np.testing.assert_array_equal(batch.patches[row, : len(whole)], whole[:, [1, 0], 2:6, 2:6])
            assert bool(batch.on[row]) == (number % 5 % 2 == 0)
            seen += 1
    assert seen == 35


def test_at_most_two_windows_are_in_memory_and_few_files_are_read_once(urls, monkeypatch):
    read = []
    known = sounding_streams.read_bags

    def counted(data, kind, *, where):
        read.append(where)
        return known(data, kind, where=where)

    monkeypatch.setattr(sounding_streams, "read_bags", counted)
    batches = stream(urls, window_files=1, batch_size=5).shuffled(0)
    for taken in range(1, 8):
        next(batches)
        assert len(read) <= taken + 1
    read.clear()
    few = stream(urls, window_files=7)
    for epoch in range(3):
        assert len(numbers(few.shuffled(epoch))) == len(numbers(few.in_order())) == 35
    assert Counter(read) == Counter(urls)


@pytest.mark.parametrize("world", [2, 3])
def test_workers_share_every_batch_and_judge_all_images(urls, world):
    whole = [numbers([batch]) for batch in stream(urls, window_files=2).shuffled(1)]
    workers = [stream(urls, window_files=2, rank=rank, world=world) for rank in range(world)]
    shared = list(zip(*(list(one.shuffled(1)) for one in workers), strict=True))
    assert [sorted(numbers(parts)) for parts in shared] == [sorted(batch) for batch in whole]
    assert all(numbers([part]) == batch[rank::world] for parts, batch in zip(shared, whole, strict=True)
               for rank, part in enumerate(parts))  # fmt: skip
    assert all(numbers(one.in_order()) == list(range(35)) for one in workers)
    assert stream(urls, rank=1, world=world).counts == (14, 21)


def test_more_workers_than_images_a_batch_are_refused(urls):
    with pytest.raises(ContractError, match="batches of 3 images for 4 workers"):
        next(stream(urls, world=4).shuffled(0))


def test_a_stream_travels_without_the_files_it_keeps(urls):
    one = stream(urls)
    whole = numbers(one.in_order())
    data = pickle.dumps(one)
    assert len(data) < 4000 and numbers(pickle.loads(data).in_order()) == whole


def test_images_of_unknown_capacity_factor_tell_of_on_and_off_alone(tmp_path):
    url = f"{tmp_path}/bags/landsat8/P-2021.arrow"
    put_bytes(url, encode_bags({"NDT": bags(6, side=8)}))  # every third is unknown
    assert stream([url]).counts == (3, 3) and stream([url], with_loads=True).counts == (2, 2)
    batch = next(stream([url], with_loads=True).in_order())
    assert len(batch) == 4 and bool(torch.isfinite(batch.capacity_factor).all()) and batch.patches.shape[:2] == (4, 2)


@pytest.mark.parametrize("window_files", [1, 64])
def test_scaling_is_that_of_all_measured_pixels(urls, window_files):
    one = stream(urls, window_files=window_files)
    pixels = np.concatenate([batch.patches[batch.mask].numpy() for batch in one.in_order()]).astype(np.float64)
    scaling = band_scaling(one)
    np.testing.assert_allclose(scaling.mean, np.nanmean(pixels, axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(scaling.sd, np.nanstd(pixels, axis=(0, 2, 3)), rtol=1e-9)


def test_a_band_that_tells_nothing_is_bad_data(tmp_path):
    held = bags(6, side=8)
    held.dn[:, :, 1] = 7
    held.numbers[:, :2, 1] = 0.1
    url = f"{tmp_path}/bags/landsat8/P-2021.arrow"
    put_bytes(url, encode_bags({"NDT": held}))
    with pytest.raises(DataError, match=r"bands \['B3'\] hold nothing"):
        band_scaling(stream([url]))


@pytest.mark.parametrize("more", [{"patch_px": 10}, {"bands": ("B3", "B99")}])
def test_bags_that_do_not_hold_what_the_network_reads_are_bad_data(urls, more):
    with pytest.raises(DataError, match="no bags of NDT that hold"):
        next(stream(urls, **more).in_order())


def test_no_files_no_batches():
    assert list(stream([]).shuffled(0)) == list(stream([]).in_order()) == []
