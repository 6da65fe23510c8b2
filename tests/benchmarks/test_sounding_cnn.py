"""The sounding benchmark compares like with like: its peers give the network's own answer."""

from dataclasses import replace

import pytest
import torch

from carbonray.models.sounding_cnn import SoundingCnn
from tests.benchmarks import sounding_cnn as bench
from tests.benchmarks.run import checked

SMALL = replace(bench.CONFIG, width=4, patch_px=16)


@pytest.mark.parametrize("peer", [bench.Dense, bench.Nchw])
def test_peers_compute_the_same(peer: type[SoundingCnn]) -> None:
    network, other = SoundingCnn(SMALL).eval(), peer(SMALL).eval()
    other.load_state_dict(network.state_dict())
    patches, mask = torch.rand(2, 4, 3, 16, 16), torch.tensor([[True, True, False, False]] * 2)
    torch.testing.assert_close(other(patches, mask), network(patches, mask), equal_nan=True, rtol=1e-4, atol=1e-5)


def test_rows_are_those_of_a_benchmark() -> None:
    threads = torch.get_num_threads()
    try:
        found = checked(bench.rows(SMALL, images=1), "sounding_cnn")
    finally:
        torch.set_num_threads(threads)
    assert [row["against"] for row in found] == ["", "NCHW", "padding computed", "VGG-16"]
