"""Encoding: values by hand, identities, and that missing pixels and unknown names are handled aloud."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carbonray.errors import ContractError
from carbonray.models.encoding import CHANNELS, Encoding, decode_output, encode_inputs, encode_target
from carbonray.models.tiles import TileBatch


def _tiles(no2: float, mask: float = 1.0, u: float = 0.0, v: float = 0.0) -> TileBatch:
    return TileBatch(*(torch.full((1, 4, 4), value) for value in (no2, mask, u, v)))


def test_channels_by_hand() -> None:
    encoded = encode_inputs(_tiles(40.0, 1.0, 5.0, -20.0), Encoding(channels=CHANNELS, no2="asinh"))
    assert encoded[0, :, 0, 0].tolist() == pytest.approx([math.asinh(2.0), 1.0, 0.5, -2.0])


def test_minmax_maps_the_range_to_0_and_1() -> None:
    encoding = Encoding().with_range(-50.0, 150.0)
    assert [encode_inputs(_tiles(c), encoding).mean().item() for c in (-50.0, 50.0, 150.0)] == [0.0, 0.5, 1.0]


def test_tile_max_is_of_each_tile_and_ignores_missing_pixels() -> None:
    no2 = torch.tensor([[[1.0, 4.0], [torch.nan, 2.0]], [[10.0, 20.0], [5.0, torch.nan]]])
    tiles = TileBatch(no2, ~no2.isnan(), no2, no2)
    assert encode_inputs(tiles, Encoding(no2="tile_max")).flatten(1).tolist() == [[0.25, 1, 0, 0.5], [0.5, 1, 0.25, 0]]


def test_missing_column_and_wind_enter_as_zero() -> None:
    encoded = encode_inputs(_tiles(math.nan, 0.0, math.nan, 3.0), Encoding(channels=CHANNELS, no2="asinh"))
    assert encoded[0, :, 0, 0].tolist() == pytest.approx([0.0, 0.0, 0.0, 0.3])


@given(e=st.floats(0.0, 1.0, width=32), target=st.sampled_from(["linear", "sqrt"]))
def test_decoding_undoes_encoding(e: float, target: str) -> None:
    encoding = Encoding(target=target)
    back = decode_output(encode_target(torch.tensor([e]), encoding), encoding)
    assert back.item() == pytest.approx(e, rel=1e-5, abs=1e-30)


@given(y=st.floats(-1e6, 1e6), target=st.sampled_from(["linear", "sqrt"]))
def test_decoded_emission_lies_in_0_to_1(y: float, target: str) -> None:
    assert 0.0 <= decode_output(torch.tensor([y]), Encoding(target=target)).item() <= 1.0


@pytest.mark.parametrize(
    "wrong", [{"channels": ("no2", "humidity")}, {"channels": ()}, {"no2": "log"}, {"target": "log"}]
)
def test_unknown_names_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="no such encoding"):
        Encoding(**wrong)  # type: ignore[arg-type]
