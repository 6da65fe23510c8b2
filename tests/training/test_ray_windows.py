"""Windows read by tasks of Ray Data are those a thread reads, in the same order."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from carbonray.errors import DataError
from carbonray.io.read_ahead import ReadWindows, in_groups, read_by_thread
from carbonray.models.fit import Workers
from carbonray.stages.sounding_streams import BagStream
from carbonray.training.ray_windows import WINDOWS, read_by_tasks
from carbonray.training.streaming import SceneStream
from tests.training.small_fits import SoundingFit, bag_files, bag_urls, plain, scene_shards

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_local")]


def doubled(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


@pytest.mark.parametrize("read", WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize("count", [0, 1, 7])
def test_every_group_once_in_its_order(read: ReadWindows, count: int) -> None:
    groups = in_groups(range(count), 3)
    assert list(read(doubled, groups)) == [doubled(group) for group in groups]


def torn(items: Sequence[int]) -> list[int]:
    if 4 in items:
        raise DataError("torn", where=str(items), expected="whole", remedy="Write it again.")
    return doubled(items)


@pytest.mark.parametrize("read", WINDOWS.values(), ids=WINDOWS.keys())
def test_a_window_that_cannot_be_read_is_the_readers_error(read: ReadWindows) -> None:
    windows = read(torn, [[1, 2], [3, 4], [5]])
    assert next(windows) == [2, 4]
    with pytest.raises(DataError, match=r"torn \[\[3, 4\]\]"):
        next(windows)


def test_batches_are_the_same_whoever_reads_them(tmp_path: Path) -> None:
    shards = scene_shards(tmp_path)["train"]
    files = bag_files(bag_urls(tmp_path), "NDT", with_loads=False)
    streams = (
        SceneStream(shards, 4, 2, lanes=2),
        BagStream(files, "NDT", ("B3", "B4"), 8, 8, with_loads=False, window_files=2),
    )
    for one in streams:
        other = replace(one, windows=read_by_tasks)
        for expected, found in zip(one.shuffled(1), other.shuffled(1), strict=True):
            for part in fields(expected):
                a, b = (torch.nan_to_num(getattr(batch, part.name)) for batch in (expected, found))
                assert torch.equal(a, b)


def test_a_fit_ends_in_the_same_weights_whoever_reads(tmp_path: Path) -> None:
    """Windows by tasks, in the middle of which a fit computes."""
    _, fit = plain(tmp_path).fits
    assert isinstance(fit, SoundingFit)
    other = replace(fit, train=replace(fit.train, windows=read_by_tasks))
    [*_, expected], [*_, found] = fit.epochs(Workers()), other.epochs(Workers())
    assert other.digest() == fit.digest() and read_by_thread is fit.train.windows
    assert all(torch.equal(found.state.tensors[name], value) for name, value in expected.state.tensors.items())
