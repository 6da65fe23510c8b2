"""Methods on held-out scenes: a perfect map, the trivial ones, the wind controls, and counts that add up."""

from collections.abc import Iterator

import numpy as np
import pytest

from carbonray.contract import Batch, Unit, to_batch
from carbonray.io.model_store import bundle_sha256
from carbonray.io.table_store import decode_table
from carbonray.science.no2.masks import MaskRules
from carbonray.science.no2.peers import OracleRules, PeerRules
from carbonray.science.no2.scenes import SceneRules, paint_targets
from carbonray.science.spatial.tiling import TileRules
from carbonray.stages.held_out import HeldOut, HeldOutRules, SceneSource
from carbonray.stages.methods import PEERS, REL_CUTS, Answer, MethodRules, Methods, Network, PeerChoice, just_above
from carbonray.stages.quantifying import QuantifierRules
from carbonray.stages.scoring import INCOMPLETE, ChoosePeers, ScoreScenes, ScoringRules, judge
from carbonray.vocab import evaluation_tables as tables
from tests.untrained import untrained_bundle

Q_MAX = 3.0
RULES = MethodRules(Q_MAX, PeerRules(), MaskRules(), OracleRules(), TileRules(), batch_tiles=8)
SCORING = ScoringRules()
CHOICE = PeerChoice((120.0, 150.0), 0.15, 0.05)
SOURCE = SceneSource(SceneRules(), HeldOutRules(), min_covered=0.75)
START = HeldOutRules().first_scene


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    return SOURCE.draw("g1", START, START + 20)


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Network:
    url = untrained_bundle(f"file://{tmp_path_factory.mktemp('bundles')}/unet")
    return Network("unet", url, bundle_sha256(url), reads_wind=True)


@pytest.fixture(scope="module")
def peers(held_out: HeldOut) -> dict[str, Answer]:
    return {answer.name: answer for answer in Methods((), RULES, CHOICE, SCORING.thetas).peers(held_out)}


def of_score(name: str, score: np.ndarray) -> Answer:
    above = tuple(just_above(theta) for theta in SCORING.thetas)
    return Answer(name, score.astype(np.float32), above[0], above, REL_CUTS, Q_MAX)


def ratio(rows: Batch, part: str, *whole: str, where: np.ndarray | None = None) -> float:
    kept = slice(None) if where is None else where
    return float(rows[part][kept].sum() / sum(rows[name][kept].sum() for name in whole))


def test_held_out_scenes_are_complete_and_the_same_in_any_range(held_out: HeldOut) -> None:
    assert 5 < len(held_out.index) <= 20
    assert (np.isfinite(held_out.scenes.no2_umol_m2).mean(axis=(1, 2)) > 0.75).all()
    later = SOURCE.draw("g1", START + 7, START + 20)
    both = np.isin(held_out.index, later.index)
    np.testing.assert_array_equal(held_out.index[both], later.index)
    np.testing.assert_array_equal(held_out.scenes.no2_umol_m2[both], later.scenes.no2_umol_m2)
    np.testing.assert_array_equal(held_out.weather.u_m_s[both], later.weather.u_m_s)
    # the weather is the scenes' own
    np.testing.assert_array_equal(held_out.weather.lat_deg, held_out.scenes.lat_deg)


def test_the_perfect_map_scores_one(held_out: HeldOut) -> None:
    targets = paint_targets(held_out.scenes, Q_MAX)
    scenes, sources = judge(of_score("truth", targets), held_out, targets, SCORING)
    wanted = scenes["tp"] + scenes["fn"]
    assert wanted.sum() > 0
    at_theta = scenes["found_at"] == "theta"
    assert scenes["fp"][at_theta].sum() == scenes["fn"].sum() == 0
    assert ratio(scenes, "tp", "tp", "fp", where=at_theta) == 1.0
    for strength in ("weak", "middle", "strong"):
        np.testing.assert_array_equal(scenes[f"tp_{strength}"], scenes[f"n_{strength}"])
    np.testing.assert_array_equal(wanted, sum(scenes[f"n_{strength}"] for strength in ("weak", "middle", "strong")))
    assert scenes["n_false_blobs"].sum() == 0
    targeted = (sources["q_kg_s"] / Q_MAX > sources["theta"]) & (sources["found_at"] == "theta")
    assert sources["detected"][targeted].all()
    alone = targeted & np.isin(sources["scene"], held_out.index[held_out.scenes.n_sources == 1])
    assert sources["error_km"][alone].max() < 5.0  # a painted square's centre is within half a pixel, cut at an edge
    np.testing.assert_allclose(sources["q_found_kg_s"][alone], sources["q_kg_s"][alone], rtol=1e-6)


def test_the_all_positive_map_recalls_everything_and_the_zero_map_nothing(
    held_out: HeldOut, peers: dict[str, Answer]
) -> None:
    targets = paint_targets(held_out.scenes, Q_MAX)
    assert tuple(peers) == PEERS
    everything, _ = judge(peers["all positive"], held_out, targets, SCORING)
    assert ratio(everything, "tp", "tp", "fn") == 1.0
    assert ratio(everything, "tp", "tp", "fp") < 0.03
    nothing, sources = judge(peers["zero"], held_out, targets, SCORING)
    assert nothing["tp"].sum() == nothing["fp"].sum() == nothing["n_blobs"].sum() == 0
    assert not sources["detected"].any()
    assert (sources["q_found_kg_s"] == 0.0).all()  # the trivial estimate has a bias, and it is reported


def test_a_method_without_emissions_reports_none(held_out: HeldOut, peers: dict[str, Answer]) -> None:
    targets = paint_targets(held_out.scenes, Q_MAX)
    for answer in peers.values():
        _, sources = judge(answer, held_out, targets, SCORING)
        quantifies = answer.name in ("zero", "divergence", "oracle")
        assert np.isfinite(sources["q_found_kg_s"]).all() == quantifies, answer.name


def test_the_oracle_is_a_ceiling_on_both_generators(held_out: HeldOut, peers: dict[str, Answer]) -> None:
    shifted = SOURCE.draw("g2", START, START + 10)
    assert held_out.unit_plumes is None
    asked = Methods((), RULES, CHOICE, SCORING.thetas)
    for scenes, answers in ((held_out, peers.values()), (shifted, asked.peers(shifted))):
        targets = paint_targets(scenes.scenes, Q_MAX)
        f1 = {}
        for answer in answers:
            rows, _ = judge(answer, scenes, targets, SCORING)
            f1[answer.name] = ratio(rows, "tp", "tp", "fp", "tp", "fn") * 2.0
        assert f1["oracle"] > 1.3 * max(value for name, value in f1.items() if name != "oracle")


def test_a_network_brings_its_wind_controls(held_out: HeldOut, unet: Network) -> None:
    answers = {answer.name: answer for answer in Methods((unet,), RULES, CHOICE, SCORING.thetas)(held_out)}
    assert list(answers) == [*PEERS, "unet", "unet, no wind", "unet, reversed wind"]
    with_wind, none, reversed_wind = (answers[name].score for name in list(answers)[-3:])
    assert not np.array_equal(with_wind, none)
    assert not np.array_equal(with_wind, reversed_wind)
    assert Network("finch", "", "", reads_wind=False).controls() == {"finch": 1.0}


def test_an_answer_does_not_depend_on_the_scenes_beside_it(unet: Network) -> None:
    ask = Methods((unet,), RULES, CHOICE, SCORING.thetas)
    whole, part = SOURCE.draw("g1", START, START + 12), SOURCE.draw("g1", START + 4, START + 12)
    kept = np.isin(whole.index, part.index)
    for together, apart in zip(ask(whole), ask(part), strict=True):
        np.testing.assert_allclose(together.score[kept], apart.score, atol=1e-6, err_msg=together.name)


def test_a_work_unit_is_counted_into_three_tables(unet: Network) -> None:
    unit = Unit("score", "id", "g1-a", {"generator": "g1", "start": START, "stop": START + 10}, (), ())
    reader = ScoreScenes(SOURCE, (unet,), RULES, CHOICE, SCORING, QuantifierRules(), "evaluation")
    reading = reader(unit)
    assert reading.rows["read"] == 10
    assert reading.rows["kept"] + reading.rows[INCOMPLETE] == 10
    again = reader(unit)
    assert list(reading.batch["data"]) == list(again.batch["data"])  # the same bytes
    tables_of = dict(zip(reading.batch["object_key"], reading.batch["data"], strict=True))
    schemas = {"scenes": tables.SCENE_SCORES, "sources": tables.SOURCE_SCORES, "cuts": tables.CUT_COUNTS}
    decoded = {
        name: to_batch(decode_table(tables_of[f"evaluation/{name}/g1-a.parquet"], schema))
        for name, schema in schemas.items()
    }
    n_methods = len(PEERS) + 3
    assert len(decoded["scenes"]["scene"]) == n_methods * 4 * reading.rows["kept"]
    for rows in pairs_at_theta(decoded["scenes"], decoded["cuts"]):
        assert rows[0] == rows[1]


def pairs_at_theta(scenes: Batch, cuts: Batch) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Totals of binary methods, whose one cut of the curve is the one of the map."""
    for method in ("zero", "all positive", "z-test mask"):
        for theta in SCORING.thetas:
            mine = (scenes["method"] == method) & (scenes["theta"] == theta) & (scenes["found_at"] == "theta")
            curve = (cuts["method"] == method) & (cuts["theta"] == theta)
            counted = tuple(int(scenes[name][mine].sum()) for name in ("tp", "fp", "fn"))
            yield counted, tuple(int(cuts[name][curve].sum()) for name in ("tp", "fp", "fn"))


def test_validation_scenes_choose_the_cut_of_best_f1() -> None:
    unit = Unit("validate", "id", "validation", {"start": START, "stop": START + 20}, (), ())
    reading = ChoosePeers(SOURCE, RULES, SCORING, "evaluation")(unit)
    chosen = reading.facts["choice"]
    cuts = to_batch(decode_table(reading.batch["data"][0], tables.CUT_COUNTS))
    own = (cuts["method"] == "VCD threshold") & (cuts["theta"] == 0.05)
    f1 = 2 * cuts["tp"][own] / (2 * cuts["tp"][own] + cuts["fp"][own] + cuts["fn"][own])
    assert chosen["vcd_umol_m2"][0] == cuts["cut"][own][np.argmax(f1)]
    assert 0.8 < chosen["oracle_gain"] < 2.0  # what the retrieval takes away, a factor of .6 to 1.1, is given back


def test_without_validation_scenes_the_set_cut_stands() -> None:
    unit = Unit("validate", "id", "validation", {"start": START, "stop": START}, (), ())
    reading = ChoosePeers(SOURCE, RULES, SCORING, "evaluation")(unit)
    assert reading.facts["choice"]["vcd_umol_m2"] == (PeerRules().vcd_cut_umol_m2,) * 2
