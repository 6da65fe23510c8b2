"""Bundles of the networks of 1 km cells: one instance each, with how far off it was on cells it had not seen.

Sources: SCIENCE 1.3, 1.5 and pitfall 5 (smearing). A bundle remembers the categories of its rasters by name, so that a
run cannot feed it others, and which cells it never saw, so that a run over its own city asks the instance that held a
cell out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError
from carbonray.io.model_store import Bundle, Lineage, open_bundle
from carbonray.models.detector import dataclass_of, load_tensors
from carbonray.models.layers import channels_last
from carbonray.models.opencarbon import OpenCarbon, OpenCarbonConfig
from carbonray.science.urban.cell_splits import CellSplitRules
from carbonray.science.urban.labels import BackTransform


@dataclass(frozen=True)
class CellPin:
    """One instance that a run uses: where it is, what pins it, and what a plan must know of it.

    Attributes:
        url: folder of the bundle.
        sha256: its digest.
        model: name in the registry.
        instance: rotation it was trained in; it tested on the fold of its number.
        image_px: side of images and rasters.
        width: d, the length of an embedding.
        reads: modalities, 'image', 'poi' or both.
        pad: what stands in place of absent neighbours.
        categories: names of the points' categories.
        split: how its cells were divided.
        table: name of a group of cells -> fold.
        tier: data tier of what it was trained on.
    """

    url: str
    sha256: str
    model: str
    instance: int
    image_px: int
    width: int
    reads: tuple[str, ...]
    pad: str
    categories: tuple[str, ...]
    split: CellSplitRules
    table: Mapping[str, int]
    tier: str


def cell_bundle(
    name: str,
    instance: int,
    config: OpenCarbonConfig,
    tensors: Mapping[str, NDArray[Any]],
    *,
    back: BackTransform,
    categories: Sequence[str],
    split: CellSplitRules,
    lineage: Lineage,
) -> Bundle:
    """The bundle of one fitted network.

    Args:
        name: in `models.cell_registry`.
        instance: rotation it was trained in.
        config: of the network.
        tensors: weights by name.
        back: what its validation cells say of its errors.
        categories: names of the points' categories, in the order of the rasters.
        split: how cells were divided; the folds are in the lineage.
        lineage: how it came about.
    """
    half_width = back.half_width if np.isfinite(back.half_width) else None  # JSON knows no infinity
    encoding = {
        "categories": list(categories),
        "factor": back.factor,
        "half_width": half_width,
        "split": asdict(split),
    }
    return Bundle(name, asdict(config) | {"instance": instance}, encoding, 0.0, lineage, dict(tensors))


def cell_pin(url: str, digest: str) -> CellPin:
    """What a run must know of a bundle.

    Raises:
        ContractError: it is no bundle of cells, or is not the one pinned.
    """
    bundle = open_bundle(url, digest)
    config, instance = _config_of(bundle, url)
    encoding = bundle.encoding
    return CellPin(
        url,
        digest,
        bundle.model,
        instance,
        config.image_px,
        config.d,
        config.modalities,
        config.pad,
        tuple(encoding["categories"]),
        CellSplitRules(**encoding["split"]),
        dict(bundle.lineage.fold_table),
        bundle.lineage.data_tier,
    )


@dataclass(frozen=True)
class CellModel:
    """One instance ready for use."""

    network: OpenCarbon
    back: BackTransform


def opened_cells(pin: CellPin, device: str = "cpu") -> CellModel:
    """The network of a pin, in evaluation.

    Raises:
        ContractError: it is no bundle of cells, its weights do not fit, or it is not the one pinned.
    """
    bundle = open_bundle(pin.url, pin.sha256)
    config, _ = _config_of(bundle, pin.url)
    network = OpenCarbon(config)
    load_tensors(network, bundle.tensors, where=pin.url)
    half_width = bundle.encoding["half_width"]
    back = BackTransform(bundle.encoding["factor"], np.inf if half_width is None else half_width)
    channels_last(network.to(device)).eval()
    return CellModel(network, back)


def _config_of(bundle: Bundle, url: str) -> tuple[OpenCarbonConfig, int]:
    fields = dict(bundle.config)
    instance = fields.pop("instance", None)
    needed = {"categories", "factor", "half_width", "split"}
    if not isinstance(instance, int) or set(bundle.encoding) != needed:
        raise _refusal(f"the bundle of {bundle.model!r} is none of cells", url)
    config = dataclass_of(OpenCarbonConfig, fields, where=url)
    if len(bundle.encoding["categories"]) != config.poi_categories:
        raise _refusal(f"{config.poi_categories} categories, {len(bundle.encoding['categories'])} names", url)
    return config, instance


def _refusal(what: str, url: str) -> ContractError:
    return ContractError(
        what,
        where=url,
        expected="a bundle that `jobs.train --model opencarbon` wrote, whole",
        remedy="Name a bundle of cells in inputs.bundles, or train one.",
    )
