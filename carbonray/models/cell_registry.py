"""Every network of 1 km cells by name: its shape and how it is fitted by default.

Source: SCIENCE 1.3 to 1.5: OpenCarbon, its ablations (the authors' code has the switches) and peers. What each of them
reads and sees follows from its configuration alone, so that two names differ in nothing but what is said here. A new
network is one entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from carbonray.errors import ContractError
from carbonray.models.cell_fit import CellFitRules
from carbonray.models.opencarbon import MODALITIES, OpenCarbonConfig
from carbonray.models.opencarbon_losses import CellLoss


@dataclass(frozen=True)
class CellEntry:
    """One line of the registry.

    Attributes:
        config: the network's shape.
        says: what it is, in words.
        fit: defaults of record of the fit; a city's recipe or the settings change them.
    """

    config: OpenCarbonConfig
    says: str
    fit: CellFitRules = field(default_factory=CellFitRules)


_OURS = OpenCarbonConfig(pad="learned_mask")
_ALONE = replace(_OURS, neighborhood=False)

CELL_MODELS: Mapping[str, CellEntry] = {
    "opencarbon": CellEntry(_OURS, "the network, mask tokens in place of what is absent"),
    "opencarbon_authors": CellEntry(
        OpenCarbonConfig(pad="authors", image_norm="authors"), "the authors' own, images and padding bug included"
    ),
    "opencarbon_no_se": CellEntry(replace(_OURS, se=False), "channels of points of interest not gated"),
    "opencarbon_no_neighborhood": CellEntry(_ALONE, "the cell alone"),
    "opencarbon_no_contrastive": CellEntry(
        _OURS, "images and points not drawn together", CellFitRules(loss=CellLoss(alpha=0.0))
    ),
    "opencarbon_no_image": CellEntry(replace(_OURS, modalities=MODALITIES[1:]), "points of interest and neighbours"),
    "opencarbon_no_poi": CellEntry(replace(_OURS, modalities=MODALITIES[:1]), "images and neighbours"),
    "image_only": CellEntry(replace(_ALONE, modalities=MODALITIES[:1]), "ResNet-18 on the cell's image"),
    "poi_only": CellEntry(replace(_ALONE, modalities=MODALITIES[1:]), "SE-CNN on the cell's points of interest"),
    "concat": CellEntry(replace(_ALONE, fusion="concat"), "both encoders side by side, the cell alone"),
}

GRAPH_MODELS: Mapping[str, tuple[str, ...]] = {
    "graphsage_poi": MODALITIES[1:],
    "graphsage_image": MODALITIES[:1],
    "graphsage_both": MODALITIES,
}


def cell_entry(name: str) -> CellEntry:
    """One line of `CELL_MODELS`.

    Raises:
        ContractError: the name is unknown.
    """
    entry = CELL_MODELS.get(name)
    if entry is None:
        raise ContractError(
            f"no network of cells {name!r}",
            where="carbonray/models/cell_registry.py",
            expected=f"one of {sorted(CELL_MODELS)}",
            remedy="Name a network of the registry.",
        )
    return entry
