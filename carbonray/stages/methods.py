"""Every method of an evaluation over the same scenes: trivial, classical, oracle, networks, and their wind controls.

Sources: SCIENCE 0.3 (trivial, strong classical peer, oracle ceiling), 3.5 and 3.8 (with and without wind). An answer is
a score map (n, y, x): relative emission of `q_max_kg_s`, or the column itself for the VCD threshold; missing is NaN.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from carbonray.io.model_store import open_bundle
from carbonray.models.detector import PlumeDetector
from carbonray.science.no2 import peers
from carbonray.science.no2.masks import MaskRules
from carbonray.science.no2.peers import Floats, Maps, OracleRules, PeerRules
from carbonray.science.no2.scene_sources import PIXEL_NORTH_M
from carbonray.science.no2.scenes import Scenes
from carbonray.science.spatial.tiling import TileRules, fill_gaps
from carbonray.stages.held_out import HeldOut

WIND_CONTROLS: Mapping[str, float] = {"": 1.0, ", no wind": 0.0, ", reversed wind": -1.0}
PEERS = ("zero", "all positive", "VCD threshold", "z-test mask", "divergence", "oracle")
REL_CUTS = np.round(np.geomspace(0.01, 0.9, 48), 4)  # of the precision-recall curves
VCD_CUTS_UMOL_M2 = np.round(np.geomspace(20.0, 1000.0, 48), 1)
_BINARY = 0.5  # between no and yes


@dataclass(frozen=True)
class Network:
    """One bundle among the methods.

    Attributes:
        name: of its rows.
        url: of the bundle.
        sha256: its digest.
        reads_wind: whether wind is among its channels, so that the controls make sense.
        quantifies: whether its map is an emission, and not a presence.
    """

    name: str
    url: str
    sha256: str
    reads_wind: bool
    quantifies: bool = True

    def controls(self) -> dict[str, float]:
        """Name of each of its rows, and what the wind is multiplied by in it."""
        return {self.name + suffix: factor for suffix, factor in WIND_CONTROLS.items() if self.reads_wind or not suffix}


@dataclass(frozen=True)
class MethodRules:
    """What the methods are told.

    Attributes:
        q_max_kg_s: emission of relative emission 1 in targets and answers.
        peers: the classical ones.
        masks: the z-test.
        oracle: the ceiling.
        tiles: how gaps are filled for the networks.
        batch_tiles: scenes in one call of a network.
    """

    q_max_kg_s: float
    peers: PeerRules
    masks: MaskRules
    oracle: OracleRules
    tiles: TileRules
    batch_tiles: int


@dataclass(frozen=True)
class PeerChoice:
    """What validation scenes say of the peers: nothing of it has seen a test scene.

    Attributes:
        vcd_umol_m2: the column's best cut for each theta.
        divergence: cut of best F1 at the first theta.
        oracle: likewise.
        oracle_gain: true over estimated emission of the oracle.
        mean_kg_s: mean emission of the target sources at the first theta, 0 without any.
    """

    vcd_umol_m2: tuple[float, ...]
    divergence: float
    oracle: float
    oracle_gain: float = 1.0
    mean_kg_s: float = 0.0


@dataclass(frozen=True)
class Answer:
    """One method's answer to a batch of scenes.

    Attributes:
        name: of the method.
        score: (n, y, x) map.
        own_cut: a pixel at or above it is a detection.
        theta_cuts: the same for each theta, where detections are those above theta.
        steps: cuts of the precision-recall curve.
        kg_s: emission of a score of 1; NaN where the score is no emission.
    """

    name: str
    score: Maps
    own_cut: float
    theta_cuts: tuple[float, ...]
    steps: Floats
    kg_s: float


class Methods:
    """All methods, the networks' weights loaded once."""

    def __init__(
        self, networks: tuple[Network, ...], rules: MethodRules, choice: PeerChoice, thetas: tuple[float, ...]
    ) -> None:
        torch.set_num_threads(1)  # one thread a process, as in use
        self._rules, self._choice = rules, choice
        self._above = tuple(just_above(theta) for theta in thetas)
        self._networks = [(network, *_opened(network)) for network in networks]

    def __call__(self, held_out: HeldOut) -> Iterator[Answer]:
        """Every method's answer, one after the other."""
        yield from self.peers(held_out)
        for network, detector, cut in self._networks:
            yield from self._network(held_out.scenes, network, detector, cut)

    def peers(self, held_out: HeldOut) -> Iterator[Answer]:
        """The trivial and classical methods and the oracle, in the order of `PEERS`."""
        rules, choice, no2 = self._rules, self._choice, held_out.scenes.no2_umol_m2
        q_max = rules.q_max_kg_s
        yield self._binary("zero", peers.zero(no2), q_max)
        yield self._binary("all positive", peers.all_positive(no2), np.nan)
        cuts = choice.vcd_umol_m2
        yield Answer("VCD threshold", no2, cuts[0], cuts, VCD_CUTS_UMOL_M2, np.nan)
        yield self._binary("z-test mask", peers.ztest(no2, rules.masks), np.nan)
        yield self._map("divergence", _divergence(held_out.scenes, rules), choice.divergence, q_max)
        oracle = calibrated_oracle(rules, choice)
        found = peers.oracle(held_out.scenes, held_out.weather, q_max, oracle, held_out.unit_plumes)
        yield self._map("oracle", found, choice.oracle, q_max)

    def _network(self, scenes: Scenes, network: Network, detector: PlumeDetector, cut: float) -> Iterator[Answer]:
        valid = np.isfinite(scenes.no2_umol_m2)
        filled = fill_gaps(scenes.no2_umol_m2, valid, self._rules.tiles)
        # a bundle may call another emission 1
        scale = np.float32(detector.encoding.q_max_kg_s / self._rules.q_max_kg_s)
        kg_s = self._rules.q_max_kg_s if network.quantifies else np.nan
        for name, factor in network.controls().items():
            wind = (np.float32(factor) * scenes.wind_u_m_s, np.float32(factor) * scenes.wind_v_m_s)
            found = _in_batches(detector, (filled, valid.astype(np.float32), *wind), self._rules.batch_tiles)
            yield self._map(name, scale * found, float(np.float32(scale * np.float32(cut))), kg_s)

    def _map(self, name: str, score: Maps, own_cut: float, kg_s: float) -> Answer:
        return Answer(name, score, own_cut, self._above, REL_CUTS, kg_s)

    def _binary(self, name: str, score: Maps, kg_s: float) -> Answer:
        return Answer(name, score, _BINARY, tuple(_BINARY for _ in self._above), np.array([_BINARY]), kg_s)


def calibrated_oracle(rules: MethodRules, choice: PeerChoice) -> OracleRules:
    """The oracle with the gain that validation scenes give it."""
    return replace(rules.oracle, column_gain=rules.oracle.column_gain * choice.oracle_gain)


def just_above(theta: float) -> float:
    """The smallest float32 above theta: a float32 score at or above it is a score above theta."""
    return float(np.nextafter(np.float32(theta), np.float32(np.inf)))


def _opened(network: Network) -> tuple[PlumeDetector, float]:
    bundle = open_bundle(network.url, network.sha256)
    return PlumeDetector(bundle.model, bundle.config, bundle.encoding, bundle.tensors), bundle.cut


def _divergence(scenes: Scenes, rules: MethodRules) -> Maps:
    pixel_m = (PIXEL_NORTH_M * np.cos(np.radians(scenes.lat_deg)), PIXEL_NORTH_M)
    wind = (scenes.wind_u_m_s, scenes.wind_v_m_s)
    return peers.divergence(scenes.no2_umol_m2, *wind, pixel_m, rules.q_max_kg_s, rules.peers, rules.masks)


def _in_batches(detector: PlumeDetector, fields: tuple[Maps, ...], size: int) -> Maps:
    """The detector over scenes in batches of one size, the last padded: outputs differ in the last bits otherwise."""
    count = len(fields[0])
    padding = [(0, -count % size), (0, 0), (0, 0)]
    padded = [np.pad(field, padding) for field in fields]
    found = [detector(*(field[at : at + size] for field in padded)) for at in range(0, count, size)]
    return np.concatenate([np.zeros((0, *fields[0].shape[1:]), np.float32), *found])[:count]
