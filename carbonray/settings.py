"""The run configuration: one frozen tree, loaded strictly from `jobs/settings.yaml` and overlays.

Every leaf is a dataclass that lives beside its consumer; here they are only composed. A key that the defaults do not
have is an error, named by its dotted path. The digest of the sections that can change bytes enters every unit id.
"""

import json
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from carbonray.errors import SettingsError
from carbonray.execution import EngineRules, Rates, SampleRules, ThresholdRules, TrackRules, TrainRules, TuneRules
from carbonray.io import grid_layout
from carbonray.io.imagery.region import RegionRules
from carbonray.io.inventory.harmonise import InventoryMergeRules
from carbonray.io.objectstore import sha256
from carbonray.io.plant_weather import PlantWeatherRules
from carbonray.io.reported.reading import ReportedRules
from carbonray.io.urban import masks
from carbonray.io.urban.basemap import BasemapRules
from carbonray.io.urban.poi_rows import PoiRules
from carbonray.io.weather import PlumeWindRules
from carbonray.models.generation import GenerationRules
from carbonray.overlays import at, from_file, from_override, known, mapping, merged, paths, unknown
from carbonray.science.no2.detection_limit import CurveRules
from carbonray.science.no2.hotspots import PersistenceRules
from carbonray.science.no2.masks import MaskRules
from carbonray.science.no2.matching import InventoryRules, OverlapRules
from carbonray.science.no2.peers import OracleRules, PeerRules
from carbonray.science.no2.scenes import SceneRules
from carbonray.science.power.annual import IntervalRules
from carbonray.science.power.backgrounds import BackgroundRules
from carbonray.science.power.duplicates import DuplicateRules
from carbonray.science.power.emissions import Calibration
from carbonray.science.power.image_rules import ImageRules
from carbonray.science.power.label_rules import LabelRules
from carbonray.science.power.lookback import LookbackRules
from carbonray.science.power.plant_rules import PlantRules
from carbonray.science.power.weather_rules import VisibilityRules
from carbonray.science.spatial import gridding
from carbonray.science.spatial.folds import FoldRules
from carbonray.science.spatial.tiling import TileRules
from carbonray.science.stats.bootstrap import BootstrapRules
from carbonray.stages.cell_encoding import CellPredictRules
from carbonray.stages.cell_networks import CellTrainRules
from carbonray.stages.cell_regression import GridRules
from carbonray.stages.generation_folds import GenerationFoldRules
from carbonray.stages.generation_targets import TargetRules
from carbonray.stages.held_out import HeldOutRules
from carbonray.stages.labels import PlaceLabels
from carbonray.stages.plant_score_tables import PlantScoreRules
from carbonray.stages.plumes import DetectRules
from carbonray.stages.quantifying import QuantifierRules
from carbonray.stages.score_tables import StrataRules
from carbonray.stages.scoring import ScoringRules
from carbonray.stages.sounding_rules import SoundingRules
from carbonray.stages.soundings import PredictRules
from carbonray.stages.swaths import PixelRules
from carbonray.synthetic.city.knobs import CityKnobs
from carbonray.synthetic.fleet import FleetRules
from carbonray.synthetic.plant_views import RenderRules
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
    structures: Urls
    imagery: Urls
    reported: Urls
    labels: Urls
    co2_grid: Urls
    mask: Urls
    poi: Urls
    basemap: Urls
    night_lights: Urls
    bundles: Urls
    plants: Urls
    truth: Urls
    national: Urls


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


class Plants(BaseModel):
    """The plant store: whose word counts, what an image may be, and every rule between file and label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    earlier_url: str
    store_url: str
    images_from: Literal["items", "fleet", "earlier"]
    merge: InventoryMergeRules
    folds: FoldRules
    region: RegionRules
    background: BackgroundRules
    reported: ReportedRules
    weather: PlantWeatherRules
    selection: PlantRules
    images: ImageRules
    duplicates: DuplicateRules
    visibility: VisibilityRules
    labels: LabelRules
    placing: PlaceLabels


class Soundings(BaseModel):
    """The sounding models of the plants: which there are, who never teaches them, how they are fitted and run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...]
    left_out_countries: tuple[str, ...]
    fit: SoundingRules
    predict: PredictRules


class Generation(BaseModel):
    """From soundings to 30 days and years: features, models, intervals, and countries' rows of emission factors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    soundings_url: str
    lookback: LookbackRules
    models: GenerationRules
    interval: IntervalRules
    targets: TargetRules
    calibration: tuple[Calibration, ...]

    def folds(self) -> GenerationFoldRules:
        """What the rotations read."""
        return GenerationFoldRules(self.lookback, self.models, self.interval)


class Grid(BaseModel):
    """The 1 km product: what is urban, what points count as, how cells are seen, answered for and learned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: GridRules
    mask: masks.MaskRules
    points: PoiRules
    categories_url: str
    basemap: BasemapRules
    predict: CellPredictRules
    training: CellTrainRules


class Training(BaseModel):
    """Scenes, their division and the fit; `fit` and `config` hold what differs from the registry's entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenes_url: str
    instances: tuple[int, ...]
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
    quantifiers: QuantifierRules
    strata: StrataRules
    curve: CurveRules
    bootstrap: BootstrapRules
    plants: PlantScoreRules


class Settings(BaseModel):
    """The whole tree; see `jobs/settings.yaml` for every leaf's unit and source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    inputs: Inputs
    engine: EngineRules
    rates: Rates
    hotspots: Hotspots
    plants: Plants
    soundings: Soundings
    generation: Generation
    grid: Grid
    training: Training
    tune: TuneRules
    tracking: TrackRules
    evaluation: Evaluation
    world: WorldRules
    fleet: FleetRules
    render: RenderRules
    cities: CityKnobs

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
