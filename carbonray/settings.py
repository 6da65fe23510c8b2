"""The run configuration: one frozen tree, loaded strictly from `jobs/settings.yaml` and overlays.

Every leaf is a dataclass that lives beside its consumer; here they are only composed. A key that the defaults do not
have is an error, named by its dotted path. The digest of the sections that can change bytes enters every unit id.
"""

import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from carbonray.errors import SettingsError
from carbonray.execution import EngineRules, Rates, TrackRules, TuneRules
from carbonray.io.objectstore import sha256
from carbonray.overlays import at, from_file, from_override, known, mapping, merged, paths, unknown
from carbonray.sections import (
    Annual,
    Energy,
    Evaluation,
    Generation,
    Grid,
    Hotspots,
    Inputs,
    Plants,
    Soundings,
    Training,
)
from carbonray.synthetic.city.knobs import CityKnobs
from carbonray.synthetic.fleet import FleetRules
from carbonray.synthetic.plant_views import RenderRules
from carbonray.synthetic.regions.ceiling import CeilingRules
from carbonray.synthetic.regions.knobs import RegionKnobs
from carbonray.synthetic.regions.reports import ReportRules
from carbonray.synthetic.world import WorldRules

DEFAULTS = resources.files("jobs") / "settings.yaml"
DEMO = resources.files("jobs") / "demo.yaml"


class Settings(BaseModel):
    """The whole tree; see `jobs/settings.yaml` for every leaf's unit and source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    inputs: Inputs
    engine: EngineRules
    rates: Rates
    annual: Annual
    hotspots: Hotspots
    plants: Plants
    soundings: Soundings
    generation: Generation
    grid: Grid
    energy: Energy
    training: Training
    tune: TuneRules
    tracking: TrackRules
    evaluation: Evaluation
    world: WorldRules
    fleet: FleetRules
    render: RenderRules
    cities: CityKnobs
    regions: RegionKnobs
    region_reports: ReportRules
    region_ceiling: CeilingRules

    def digest(self, sections: Iterable[str]) -> str:
        """sha256 of some sections, dotted paths, in a canonical form; the same on every machine."""
        dumped = self.model_dump(mode="json")
        chosen = {path: at(dumped, path) for path in _paths_of(dumped, sections)}
        return sha256(json.dumps(chosen, sort_keys=True, separators=(",", ":")).encode())


def load(files: Sequence[str | Path] = (), overrides: Sequence[str] = ()) -> Settings:
    """The defaults, then each overlay file, then each `a.b=VALUE` (VALUE read as YAML).

    Raises:
        SettingsError: a file cannot be read, a key is unknown, or a value does not fit.
    """
    defaults = tree_of_defaults()
    tree = defaults
    overlays = [(from_file(path), str(path)) for path in files] + [
        (from_override(text), f"--set {text}") for text in overrides
    ]
    for overlay, where in overlays:
        strange = sorted(path for path in paths(overlay) if not known(path, defaults))
        if strange:
            raise unknown(strange[0], where, list(paths(defaults)))
        tree = merged(tree, overlay)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path} = {first['input']!r}: {first['msg']}",
            where=", ".join(where for _, where in overlays) or str(DEFAULTS),
            expected=f"a value like {at(tree_of_defaults(), path)!r}",
            remedy="See jobs/settings.yaml for its unit and meaning.",
        ) from error


def recorded(tree: dict[str, Any], where: str) -> Settings:
    """The settings that a run's file holds, with today's defaults for those that it did not know yet.

    Raises:
        SettingsError: it holds what is no setting any more.
    """
    try:
        return Settings.model_validate(merged(tree_of_defaults(), tree))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path}: {first['msg']}",
            where=where,
            expected="settings of this version",
            remedy="Use the version that its run.json names.",
        ) from error


def overrides_of(settings: Settings, sections: Iterable[str]) -> list[str]:
    """What differs from the defaults in some sections, as `a.b=VALUE`, sorted: enough to repeat a run elsewhere.

    Places of stores (`*_url`) are left out: they change no byte.
    """
    tree, defaults = settings.model_dump(mode="json"), load().model_dump(mode="json")
    changed = [
        f"{path}={json.dumps(at(tree, path))}"
        for path in _paths_of(tree, sections)
        if at(tree, path) != at(defaults, path)
    ]
    return sorted(changed)


def _paths_of(tree: dict[str, Any], sections: Iterable[str]) -> list[str]:
    """Dotted paths of all values in some sections but places of stores, which change no byte."""
    chosen = tuple(sections)
    inside = (path for path in paths(tree) if any(f"{path}.".startswith(f"{name}.") for name in chosen))
    return [path for path in inside if not path.endswith("_url")]


def tree_of_defaults() -> dict[str, Any]:
    """`jobs/settings.yaml` as plain mappings."""
    return mapping(DEFAULTS.read_text(encoding="utf-8"), str(DEFAULTS))
