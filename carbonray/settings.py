"""The run configuration: one frozen tree, loaded strictly from `jobs/settings.yaml` and overlays.

Every leaf is a dataclass that lives beside its consumer; here they are only composed. A key that the defaults do not
have is an error, named by its dotted path. The digest of the sections that can change bytes enters every unit id.
"""

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from carbonray.errors import SettingsError
from carbonray.execution import EngineRules, Rates, SampleRules, ThresholdRules, TrainRules
from carbonray.io import grid_layout
from carbonray.io.objectstore import sha256
from carbonray.io.weather import PlumeWindRules
from carbonray.science.no2.detection_limit import CurveRules
from carbonray.science.no2.hotspots import PersistenceRules
from carbonray.science.no2.masks import MaskRules
from carbonray.science.no2.matching import InventoryRules, OverlapRules
from carbonray.science.no2.peers import OracleRules, PeerRules
from carbonray.science.no2.scenes import SceneRules
from carbonray.science.spatial import gridding
from carbonray.science.spatial.tiling import TileRules
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.held_out import HeldOutRules
from carbonray.stages.plumes import DetectRules
from carbonray.stages.score_tables import StrataRules
from carbonray.stages.scoring import ScoringRules
from carbonray.stages.swaths import PixelRules
from carbonray.synthetic.world import WorldRules

DEFAULTS = resources.files("jobs") / "settings.yaml"
DEMO = resources.files("jobs") / "demo.yaml"

Urls = Annotated[tuple[str, ...], BeforeValidator(lambda urls: (urls,) if isinstance(urls, str) else urls)]


class Inputs(BaseModel):
    """URLs or globs of everything a run reads; empty means not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tropomi: Urls
    weather: Urls
    inventory: Urls
    co2_grid: Urls
    bundles: Urls


class Hotspots(BaseModel):
    """The NO2 product: which model, and the rules of every step from swath to table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    cut: float | None
    pixels: PixelRules
    gridding: gridding.GridRules
    wind: PlumeWindRules
    tiles: TileRules
    detect: DetectRules
    persistence: PersistenceRules
    store: grid_layout.GridRules
    inventory: InventoryRules
    overlap: OverlapRules


class Training(BaseModel):
    """Scenes, their division and the fit; `fit` and `config` hold what differs from the registry's entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenes_url: str
    scenes: SceneRules
    samples: SampleRules
    run: TrainRules
    threshold: ThresholdRules
    fit: dict[str, Any]
    config: dict[str, Any]


class Evaluation(BaseModel):
    """What is judged, on which held-out scenes, beside which peers, and how the scores are broken down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundles: Urls
    held_out: HeldOutRules
    scoring: ScoringRules
    peers: PeerRules
    masks: MaskRules
    oracle: OracleRules
    strata: StrataRules
    curve: CurveRules
    bootstrap: BootstrapRules


class Settings(BaseModel):
    """The whole tree; see `jobs/settings.yaml` for every leaf's unit and source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    inputs: Inputs
    engine: EngineRules
    rates: Rates
    hotspots: Hotspots
    training: Training
    evaluation: Evaluation
    world: WorldRules

    def digest(self, sections: Iterable[str]) -> str:
        """sha256 of the given top-level sections, in a canonical form; the same on every machine."""
        dumped = self.model_dump(mode="json")
        chosen = {path: _at(dumped, path) for name in sections for path in _paths({name: dumped[name]})}
        chosen = {path: value for path, value in chosen.items() if not path.endswith("_url")}
        return sha256(json.dumps(chosen, sort_keys=True, separators=(",", ":")).encode())


def load(files: Sequence[str | Path] = (), overrides: Sequence[str] = ()) -> Settings:
    """The defaults, then each overlay file, then each `a.b=VALUE` (VALUE read as YAML).

    Raises:
        SettingsError: a file cannot be read, a key is unknown, or a value does not fit.
    """
    tree = _mapping(DEFAULTS.read_text(encoding="utf-8"), str(DEFAULTS))
    overlays = [(_file(path), str(path)) for path in files] + [(_override(text), f"--set {text}") for text in overrides]
    for overlay, where in overlays:
        unknown = sorted(path for path in _paths(overlay) if not _known(path, tree))
        if unknown:
            raise _unknown(unknown[0], where, list(_paths(tree)))
        tree = _merged(tree, overlay)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path} = {first['input']!r}: {first['msg']}",
            where=", ".join(where for _, where in overlays) or str(DEFAULTS),
            expected=f"a value like {_at(tree_of_defaults(), path)!r}",
            remedy="See jobs/settings.yaml for its unit and meaning.",
        ) from error


def overrides_of(settings: Settings, sections: Iterable[str]) -> list[str]:
    """What differs from the defaults in some sections, as `a.b=VALUE`, sorted: enough to repeat a run elsewhere.

    Places of stores (`*_url`) are left out: they change no byte.
    """
    tree, defaults = settings.model_dump(mode="json"), load().model_dump(mode="json")
    changed = [
        f"{path}={json.dumps(_at(tree, path))}"
        for section in sections
        for path in _paths({section: tree[section]})
        if not path.endswith("_url") and _at(tree, path) != _at(defaults, path)
    ]
    return sorted(changed)


def tree_of_defaults() -> dict[str, Any]:
    """`jobs/settings.yaml` as plain mappings."""
    return _mapping(DEFAULTS.read_text(encoding="utf-8"), str(DEFAULTS))


def _file(path: str | Path) -> dict[str, Any]:
    try:
        return _mapping(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the settings file cannot be read ({error})",
            where=str(path),
            expected="a YAML file on this machine",
            remedy="Check the path; a submitted job finds files under its working directory.",
        ) from error


def _override(text: str) -> dict[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not all(path.split(".")):
        raise SettingsError(
            f"{text!r} is no override",
            where="--set",
            expected="a.b=VALUE",
            remedy="Write --set engine.read_cpus=0.5, say.",
        )
    nested: Any = _yaml(value, f"--set {path}")
    for part in reversed(path.split(".")):
        nested = {part: nested}
    return dict(nested)


def _mapping(text: str, where: str) -> dict[str, Any]:
    tree = _yaml(text, where) or {}
    if not isinstance(tree, dict):
        raise SettingsError(
            f"the settings are a {type(tree).__name__}",
            where=where,
            expected="a mapping of sections",
            remedy="Start the file with a section, such as `inputs:`.",
        )
    return tree


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(
            f"not YAML ({error})", where=where, expected="valid YAML", remedy="Repair it at the place named."
        ) from error


def _known(path: str, tree: Mapping[str, Any]) -> bool:
    """Whether the defaults have this key; `{}` in the defaults is an open mapping that its consumer checks."""
    below: Any = tree
    for part in path.split("."):
        if below == {}:
            return True
        if not isinstance(below, dict) or part not in below:
            return False
        below = below[part]
    return not isinstance(below, dict) or not below


def _paths(tree: Mapping[str, Any], before: str = "") -> Iterable[str]:
    for name, value in tree.items():
        path = f"{before}{name}"
        if isinstance(value, dict) and value:
            yield from _paths(value, f"{path}.")
        else:
            yield path


def _unknown(path: str, where: str, known: list[str]) -> SettingsError:
    near = difflib.get_close_matches(path, known, n=3)
    return SettingsError(
        f"unknown setting {path!r}",
        where=where,
        expected=f"one of {near}" if near else "a key of jobs/settings.yaml",
        remedy="Correct the key; every setting is listed in jobs/settings.yaml.",
    )


def _merged(tree: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(tree)
    for name, value in overlay.items():
        below = result.get(name)
        result[name] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def _at(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree
