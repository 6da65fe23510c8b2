"""The registry of networks of cells: every entry builds and answers, ablations differ in one thing."""

from dataclasses import asdict, replace

import pytest
import torch

from carbonray.errors import ContractError
from carbonray.models.cell_registry import CELL_MODELS, GRAPH_MODELS, CellEntry, cell_entry
from carbonray.models.opencarbon import OpenCarbon, OpenCarbonConfig
from tests.models.cell_shards import SMALL, town


@pytest.mark.parametrize("name", CELL_MODELS)
def test_every_network_builds_and_answers(name: str) -> None:
    network = OpenCarbon(replace(cell_entry(name).config, **SMALL)).eval()
    assert network(town()).ln_e.isfinite().all() and cell_entry(name).says


def changed(name: str) -> dict[str, object]:
    """What a network has otherwise than the production one."""
    ours, other = CELL_MODELS["opencarbon"], CELL_MODELS[name]
    told = [{**asdict(entry.config), **asdict(entry.fit), **asdict(entry.fit.loss)} for entry in (ours, other)]
    return {key: value for key, value in told[1].items() if value != told[0][key] and key != "loss"}


def test_ablations_differ_in_one_thing() -> None:
    assert changed("opencarbon_no_se") == {"se": False}
    assert changed("opencarbon_no_neighborhood") == {"neighborhood": False}
    assert changed("opencarbon_no_contrastive") == {"alpha": 0.0}
    assert changed("opencarbon_no_image") == {"modalities": ("poi",)}
    assert changed("opencarbon_no_poi") == {"modalities": ("image",)}
    assert changed("concat") == {"neighborhood": False, "fusion": "concat"}


def test_production_masks_and_the_authors_do_not() -> None:
    assert CELL_MODELS["opencarbon"].config.pad == "learned_mask"
    assert changed("opencarbon_authors") == {"pad": "authors", "image_norm": "authors"}


def test_the_padding_bug_stands_under_its_name_only() -> None:
    assert [name for name, entry in CELL_MODELS.items() if entry.config.pad == "authors"] == ["opencarbon_authors"]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ContractError, match="no network of cells 'closedcarbon'"):
        cell_entry("closedcarbon")


def test_a_new_network_is_one_entry() -> None:
    entry = CellEntry(replace(OpenCarbonConfig(**SMALL), neighbor_size=2), "two rings")
    assert OpenCarbon(entry.config).eval()(town(size=2)).ln_e.shape == torch.Size([30])


def test_graphs_read_points_images_or_both() -> None:
    assert set(GRAPH_MODELS.values()) == {("poi",), ("image",), ("image", "poi")}
