"""Parameters as settings: what a trial or a winner changes is an overlay that any job reads with `--settings`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from carbonray.errors import ContractError, SettingsError
from carbonray.overlays import at, from_override, merged
from carbonray.settings import Settings
from carbonray.training.learner import Learner, Target
from tune.spaces import Parameters, Space

BEYOND = 10**9  # every choice of a size


def overlay_of(space: Space, parameters: Parameters) -> dict[str, Any]:
    """Parameters as nested mappings of settings."""
    overlay: dict[str, Any] = {}
    for name, value in parameters.items():
        nested: Any = value
        for part in reversed(space.path(name).split(".")):
            nested = {part: nested}
        overlay = merged(overlay, nested)
    return overlay


def overlaid(settings: Settings, overlay: Mapping[str, Any]) -> Settings:
    """Settings with an overlay over them.

    Raises:
        SettingsError: a value does not fit.
    """
    try:
        return Settings.model_validate(merged(settings.model_dump(mode="json"), overlay))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path} = {first['input']!r}: {first['msg']}",
            where="tune.space",
            expected="a space whose values the settings take",
            remedy="Correct what tune.space tells of it.",
        ) from error


def with_room(settings: Settings, spaces: Iterable[Space]) -> Settings:
    """Settings whose prepared data serve every trial, whatever it draws: patches as large as the largest, say."""
    for space in spaces:
        for name, path in space.room.items():
            told = at(settings.model_dump(mode="json"), path)
            settings = overlaid(settings, from_override(f"{path}={max(told, space.parameters[name].nearest(BEYOND))}"))
    return settings


def defaults_of(learner: Learner, settings: Settings, target: Target, space: Space) -> dict[str, Any]:
    """The parameters of a space as the settings have them, brought inside where the space is narrower.

    Raises:
        ContractError: the learner does not know a setting that the space searches.
    """
    known = learner.defaults(settings, target.name)
    lacking = [space.path(name) for name in space.parameters if space.path(name) not in known]
    if lacking:
        raise ContractError(
            f"the learner of {settings.model!r} tells no default of {lacking}",
            where="tune/spaces.py",
            expected=f"paths of {', '.join(known)}",
            remedy="Let the learner's `defaults` tell it, or take it out of the space.",
        )
    return space.nearest({name: known[space.path(name)] for name in space.parameters})


def encode_overlay(overlay: Mapping[str, Any], comments: Sequence[str]) -> bytes:
    """An overlay as a YAML file that opens with comments."""
    head = "".join(f"# {line}\n" for line in comments)
    return (head + yaml.safe_dump(dict(overlay), sort_keys=True)).encode()
