"""The leak check, which can be handed any fit, and a way to plant a leak, which the check must then find."""

import dataclasses
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest

from carbonray.science.spatial.folds import Rotation, rotation

Rows = TypeVar("Rows")
Part = TypeVar("Part")


def check_leaks(
    fitted: Callable[[Rows], object],
    rows: Rows,
    perturbed: Callable[[Rows, Part], Rows],
    *,
    unseen: Iterable[Part],
    seen: Iterable[Part],
) -> None:
    """Fails where a part that a fit must not see changes it, and where a part that it sees does not.

    Args:
        fitted: what a fit leaves, or a search reports, as something that can be compared: a digest, facts.
        rows: what it is given.
        perturbed: the rows, those of one part with other inputs and other truths.
        unseen: parts, such as folds, that must change nothing.
        seen: parts that must change it, or the check would pass for a fit that reads nothing.
    """
    told = fitted(rows)
    for part in unseen:
        assert fitted(perturbed(rows, part)) == told, f"{part} leaks into the fit"
    for part in seen:
        assert fitted(perturbed(rows, part)) != told, f"{part} has no part in the fit, so the check is blind"


def plant(monkeypatch: pytest.MonkeyPatch, real: Callable[..., Any], leaky: Callable[..., Any]) -> None:
    """Puts another function wherever the product holds one."""
    name = real.__name__
    modules = [module for key, module in sys.modules.items() if key.startswith("carbonray.")]
    holders = [module for module in modules if getattr(module, name, None) is real]
    assert holders, f"nobody calls {name}"
    for module in holders:
        monkeypatch.setattr(module, name, leaky)


def plant_rotation(monkeypatch: pytest.MonkeyPatch, leaky: Callable[[Rotation], dict[str, Any]]) -> None:
    """Every rotation has some of its roles changed."""
    real = rotation

    def changed(*of: int) -> Rotation:
        turn = real(*of)
        return dataclasses.replace(turn, **leaky(turn))

    plant(monkeypatch, real, changed)
