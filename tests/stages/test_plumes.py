"""The detect stage: what it answers does not depend on how tiles are batched, cut or blended."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carbonray.contract import Batch, to_table
from carbonray.errors import ContractError
from carbonray.io.model_store import Bundle, save_bundle
from carbonray.models.detector import network_of
from carbonray.models.registry import MODELS
from carbonray.pipelines.hotspots import plan
from carbonray.science.spatial.tiling import TileRules
from carbonray.settings import load
from carbonray.stages.plumes import DetectPlumes, DetectRules
from carbonray.vocab import tables
from tests.pipelines.small_inputs import LINEAGE, granule, prepare, save_untrained

TOP, LEFT = 2280, 4120


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("untrained") / "bundle"
    save_untrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network that answers 0.5 everywhere, the square root of a relative emission of 0.25."""
    entry, config = MODELS["unet"], {"width": 8}
    network = network_of("unet", config)
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(0.5)
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    folder = tmp_path_factory.mktemp("constant") / "bundle"
    save_bundle(str(folder), Bundle("unet", config, asdict(entry.encoding), 0.2, LINEAGE, tensors))
    return str(folder)


def stage(url: str, **rules: float) -> DetectPlumes:
    from carbonray.io.model_store import bundle_sha256

    return DetectPlumes(url, bundle_sha256(url), TileRules(), DetectRules(**{"batch_tiles": 4, **rules}))


def field(rows: int, cols: int, *, top: int = TOP, left: int = LEFT, gaps: float = 0.05, seed: int = 0) -> Batch:
    """A rectangle of measured pixels with gaps, and one wind that turns slowly."""
    rng = np.random.default_rng(seed)
    row, col = (axis.ravel() for axis in np.indices((rows, cols)))
    kept = rng.random(row.size) >= gaps
    row, col = row[kept], col[kept]
    return {
        "row": (top + row).astype(np.int16),
        "col": ((left + col) % 7200).astype(np.int16),
        "day": np.full(row.size, 18_833, np.int32),
        "no2_umol_m2": (20.0 + 60.0 * rng.random(row.size) + col).astype(np.float32),
        "coverage": np.ones(row.size, np.float32),
        "wind_u_m_s": (5.0 + 0.01 * row).astype(np.float32),
        "wind_v_m_s": (-2.0 + 0.01 * col).astype(np.float32),
    }


def joined(*batches: Batch) -> Batch:
    """Rows of several batches in lattice order."""
    whole = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    order = np.lexsort((whole["col"], whole["row"]))
    return {name: values[order] for name, values in whole.items()}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(64, 130), cols=st.integers(64, 130), gaps=st.sampled_from([0.0, 0.1]))
def test_answers_that_are_alike_blend_to_themselves(constant, rows, cols, gaps):
    batch = field(rows, cols, gaps=gaps)
    found = stage(constant)(batch)
    np.testing.assert_allclose(found["rel_emission"], 0.25, rtol=1e-6)
    np.testing.assert_array_equal(found["row"], batch["row"])
    to_table(found, tables.DETECTIONS, stage="test")


def test_padding_and_companions_change_nothing(untrained):
    alone = field(64, 64)
    tile = stage(untrained, batch_tiles=1)(alone)
    for batch_tiles in (2, 3, 8):
        padded = stage(untrained, batch_tiles=batch_tiles)(alone)
        np.testing.assert_allclose(padded["rel_emission"], tile["rel_emission"], atol=1e-5)
    far = field(64, 64, top=TOP + 300, seed=1)
    found = stage(untrained, batch_tiles=4)(joined(alone, far))
    first = found["row"] < TOP + 64
    assert first.sum() == len(alone["row"])
    np.testing.assert_allclose(found["rel_emission"][first], tile["rel_emission"], atol=1e-5)


def test_the_same_call_gives_the_same_bits(untrained):
    batch = field(100, 90)
    first, second = (stage(untrained)(batch)["rel_emission"] for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_what_a_tile_holds_does_not_depend_on_where_on_the_lattice_it_lies(untrained):
    here = stage(untrained)(field(80, 96))
    across = stage(untrained)(field(80, 96, left=7200 - 40))
    order = np.lexsort((np.mod(across["col"].astype(int) + 40, 7200), across["row"]))
    np.testing.assert_allclose(across["rel_emission"][order], here["rel_emission"], atol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 0.0, -1.0, 0.5])
def test_the_wind_factor_is_a_factor_of_the_wind(untrained, factor):
    batch = field(64, 70)
    turned = {**batch, **{name: factor * batch[name] for name in ("wind_u_m_s", "wind_v_m_s")}}
    scaled, plain = stage(untrained, wind_factor=factor)(batch), stage(untrained)(turned)
    np.testing.assert_allclose(scaled["rel_emission"], plain["rel_emission"], atol=1e-6)
    if factor != 1.0:
        assert np.abs(scaled["rel_emission"] - stage(untrained)(batch)["rel_emission"]).max() > 1e-4


def test_pixels_that_no_complete_tile_sees_are_left_out(untrained):
    seen = field(64, 64)
    strip = field(20, 500, top=TOP + 400)  # as many pixels as two tiles, never three quarters of one
    found = stage(untrained)(joined(seen, strip))
    np.testing.assert_array_equal(found["row"], seen["row"])
    np.testing.assert_array_equal(found["col"], seen["col"])
    assert len(stage(untrained)(strip)["row"]) == 0


def test_an_unknown_wind_is_answered_all_the_same(untrained):
    batch = field(64, 64)
    unknown = {**batch, **{name: np.full_like(batch[name], np.nan) for name in ("wind_u_m_s", "wind_v_m_s")}}
    found = stage(untrained)(unknown)["rel_emission"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, stage(untrained, wind_factor=0.0)(batch)["rel_emission"], atol=1e-6)


def test_a_missing_column_is_named(untrained):
    batch = field(64, 64)
    del batch["coverage"]
    with pytest.raises(ContractError, match="coverage"):
        stage(untrained)(batch)


def test_another_bundle_than_the_pinned_one_is_refused(untrained):
    with pytest.raises(ContractError, match="digest is wrong"):
        DetectPlumes(untrained, "0" * 64, TileRules(), DetectRules())


def test_batch_size_and_wind_enter_the_digest_and_the_machine_does_not(tmp_path: Path):
    inputs = prepare(tmp_path)
    inputs.put("granules/one.nc", granule())

    def ids(*changes: str) -> tuple[str, list[str]]:
        tree = load(overrides=[*inputs.overrides(), *changes])
        found = tree.digest(("hotspots",))
        return found, [unit.unit_id for unit in plan(tree, found)]

    plain = ids()
    assert ids("engine.model_actors=7", "engine.read_cpus=0.1", "engine.backend=ray") == plain
    for change in ("hotspots.detect.batch_tiles=8", "hotspots.detect.wind_factor=0.0", "hotspots.tiles.stride_px=16"):
        assert ids(change)[0] != plain[0]
        assert set(ids(change)[1]).isdisjoint(plain[1])
