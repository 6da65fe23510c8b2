"""Bundles of the networks between energy and emissions: one instance each, with what it saw and how far off it was.

Sources: SCIENCE 2.5 (held-out regions, by their composites too) and 2.6 (what-if mixes leave the data: the hull of the
mixes that taught goes along). A task is named by what it answers: 'emissions' is told the mix of energy, 'energy' that
of sectors. Errors are distances in ln of a total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io.model_store import Bundle, Lineage, open_bundle
from carbonray.models.clean import Clean, CleanConfig
from carbonray.models.detector import dataclass_of, load_tensors
from carbonray.models.energy_readings import Task
from carbonray.science.energy.hull import Hull
from carbonray.science.energy.splits import EnergySplitRules
from carbonray.science.energy.synthesis import SynthesisRules
from carbonray.science.stats.conformal import conformal_half_width
from carbonray.stages.energy_seen import Seen

Floats = NDArray[np.float64]
Errors = Mapping[Task, Mapping[str, tuple[float, ...]]]  # task -> group of held-out rows -> quantiles of their errors

TASKS: tuple[Task, ...] = ("emissions", "energy")
BATCH = 4096  # rows in a call of the network
_HULL = "hull"  # opens the names of tensors that are none of the network's
_PARTS = ("directions", "support")
_ENCODING = {"composites", "errors", "half_width", "level", "split", "synthesis", "taught", "threshold", "turn"}


@dataclass(frozen=True, eq=False)
class ToldHull:
    """The mixes that taught a task, as seen from outside.

    Attributes:
        hull: of the mixes that it is told.
        threshold: distance beyond which a mix is stranger than that of a new region.
    """

    hull: Hull
    threshold: float


@dataclass(frozen=True)
class EnergyPin:
    """One instance that a run uses: where it is, what pins it, and what a plan must know of it.

    Attributes:
        url: folder of the bundle.
        sha256: its digest.
        model: name in the registry.
        instance: number of the turn it was trained in.
        include_total: whether it reads totals beside mixes.
        seen: what it was fitted on.
        tier: data tier of that.
        level: share of the truths within half a width.
        half_width: task -> how far, in ln, the truth lies from the answer at most; infinite where unknown.
        errors: task -> group held out from teaching -> quantiles of its errors, for `pooled_half_width`.
    """

    url: str
    sha256: str
    model: str
    instance: int
    include_total: bool
    seen: Seen
    tier: str
    level: float
    half_width: Mapping[Task, float]
    errors: Errors


@dataclass(frozen=True, eq=False)
class EnergyModel:
    """One instance ready for use.

    Attributes:
        network: in evaluation.
        told: task -> the hull of the mixes that taught it.
    """

    network: Clean
    told: Mapping[Task, ToldHull]

    def answers(self, task: Task, share: Floats, total: Floats) -> Floats:
        """(row,) ln of t CO2 a day from the mix of energy, or of GWh a day from that of sectors; NaN where untold.

        Args:
            task: what is asked.
            share: (row, part) of what is told.
            total: (row,) its total, GWh or t CO2 a day; a network without totals does not read it.
        """
        found = np.full(len(share), np.nan)
        known = np.flatnonzero(np.isfinite(share).all(axis=1) & (total > 0.0))
        answer = self.network.emissions if task == "emissions" else self.network.energy
        device = self.network.energy_scale.device
        with torch.inference_mode():
            for first in range(0, len(known), BATCH):
                at = known[first : first + BATCH]
                told = [torch.from_numpy(part.astype(np.float32)).to(device) for part in (share[at], np.log(total[at]))]
                found[at] = answer(*told).double().cpu().numpy()
        return found


def energy_bundle(
    name: str,
    instance: int,
    config: CleanConfig,
    tensors: Mapping[str, NDArray[Any]],
    *,
    told: Mapping[Task, ToldHull],
    seen: Seen,
    errors: Errors,
    level: float,
    lineage: Lineage,
) -> Bundle:
    """The bundle of one fitted network.

    Args:
        name: in `models.clean_registry`.
        instance: number of its turn.
        config: of the network.
        tensors: its weights by name.
        told: task -> hull of the mixes that taught.
        seen: what it was fitted on; its table becomes the lineage's.
        errors: of the rows that chose the epoch.
        level: of half widths.
        lineage: how it came about.
    """
    hulls = {f"{_HULL}.{task}.{part}": _bytes(getattr(told[task].hull, part)) for task in TASKS for part in _PARTS}
    encoding = {
        "composites": {name: list(members) for name, members in seen.composites.items()},
        "errors": {task: {group: list(values) for group, values in errors[task].items()} for task in TASKS},
        "half_width": {task: _plain(_half_width([errors[task]], level)) for task in TASKS},
        "level": level,
        "split": asdict(seen.split),
        "synthesis": asdict(seen.synthesis),
        "taught": list(seen.taught),
        "threshold": {task: told[task].threshold for task in TASKS},
        "turn": seen.turn,
    }
    return Bundle(name, asdict(config) | {"instance": instance}, encoding, 0.0, lineage, {**tensors, **hulls})


def energy_pin(url: str, digest: str) -> EnergyPin:
    """What a run must know of a bundle.

    Raises:
        ContractError: it is no bundle of energy and emissions, or is not the one pinned.
    """
    bundle = open_bundle(url, digest)
    config, instance = _config_of(bundle, url)
    told = bundle.encoding
    widths = {task: np.inf if told["half_width"][task] is None else told["half_width"][task] for task in TASKS}
    errors = {task: {group: tuple(values) for group, values in told["errors"][task].items()} for task in TASKS}
    return EnergyPin(
        url,
        digest,
        bundle.model,
        instance,
        config.include_total,
        _seen_of(bundle),
        bundle.lineage.data_tier,
        told["level"],
        widths,
        errors,
    )


def opened_energy(pin: EnergyPin, device: str = "cpu") -> EnergyModel:
    """The network of a pin, in evaluation, and its hulls.

    Raises:
        ContractError: it is no such bundle, its weights do not fit, or it is not the one pinned.
    """
    bundle = open_bundle(pin.url, pin.sha256)
    config, _ = _config_of(bundle, pin.url)
    network = Clean(config)
    own = {name: value for name, value in bundle.tensors.items() if not name.startswith(f"{_HULL}.")}
    load_tensors(network, own, where=pin.url)
    hulls = {}
    for task in TASKS:
        directions, support = (_floats(bundle.tensors[f"{_HULL}.{task}.{part}"]) for part in _PARTS)
        hull = Hull(directions.reshape(len(support), -1), support)
        hulls[task] = ToldHull(hull, bundle.encoding["threshold"][task])
    network.to(device).eval()
    return EnergyModel(network, hulls)


def answering(
    pins: Sequence[EnergyPin], region: NDArray[np.object_], start_ns: NDArray[np.int64], end_ns: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which instances answer which rows.

    Args:
        pins: of one model.
        region: (row,) names.
        start_ns: (row,) UTC, begin of each interval.
        end_ns: (row,) its end.

    Returns:
        (pin, row) whether the instance answers: it never saw the row, or all of them did; and (row,) whether they did.
    """
    saw = np.array([pin.seen.saw(region, start_ns, end_ns) for pin in pins], np.bool_).reshape(len(pins), len(region))
    every = np.all(saw, axis=0)
    return ~saw | every, every


def pooled_half_width(pins: Sequence[EnergyPin], task: Task, level: float) -> float:
    """How far, in ln, the truth of a new region lies from the answers of instances at most; infinite where unknown.

    Every region is held out by one instance or another, so that together they know a level that none knows alone.
    """
    return _half_width([pin.errors[task] for pin in pins], level)


def _half_width(parts: Sequence[Mapping[str, tuple[float, ...]]], level: float) -> float:
    pairs = [(group, error) for part in parts for group, values in part.items() for error in values]
    return conformal_half_width([error for _, error in pairs], [group for group, _ in pairs], level)


def _seen_of(bundle: Bundle) -> Seen:
    told = bundle.encoding
    return Seen(
        told["turn"],
        EnergySplitRules(**told["split"]),
        SynthesisRules(**told["synthesis"]),
        {name: tuple(members) for name, members in told["composites"].items()},
        tuple(told["taught"]),
        dict(bundle.lineage.fold_table),
    )


def _config_of(bundle: Bundle, url: str) -> tuple[CleanConfig, int]:
    fields = dict(bundle.config)
    instance = fields.pop("instance", None)
    hulls = {f"{_HULL}.{task}.{part}" for task in TASKS for part in _PARTS}
    if not isinstance(instance, int) or set(bundle.encoding) != _ENCODING or not hulls <= set(bundle.tensors):
        raise ContractError(
            f"the bundle of {bundle.model!r} is none of energy and emissions",
            where=url,
            expected="a bundle that `jobs.train --model clean_mlp` wrote, whole",
            remedy="Name a bundle of CLEAN in inputs.bundles, or train one.",
        )
    return dataclass_of(CleanConfig, fields, where=url), instance


def _plain(width: float) -> float | None:
    return width if np.isfinite(width) else None  # JSON knows no infinity


def _bytes(values: Floats) -> NDArray[np.uint8]:
    """Float64 as bytes: rounded to less, mixes that taught would lie outside their own hull."""
    return np.frombuffer(np.ascontiguousarray(values, "<f8").tobytes(), np.uint8)


def _floats(stored: NDArray[np.uint8]) -> Floats:
    return np.frombuffer(stored.tobytes(), "<f8").astype(np.float64)
