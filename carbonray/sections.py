"""The sections of the run configuration: leaves that live beside their consumers, composed by product and by step."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from carbonray.execution import SampleRules, ThresholdRules, TrainRules
from carbonray.io import grid_layout
from carbonray.io.energy.reading import EnergyRules
from carbonray.io.energy.records import MixRules
from carbonray.io.imagery.region import RegionRules
from carbonray.io.inventory.harmonise import InventoryMergeRules
from carbonray.io.plant_weather import PlantWeatherRules
from carbonray.io.reported.reading import ReportedRules
from carbonray.io.urban import masks
from carbonray.io.urban.basemap import BasemapRules
from carbonray.io.urban.poi_rows import PoiRules
from carbonray.io.weather import PlumeWindRules
from carbonray.models.generation import GenerationRules
from carbonray.science.energy.hull import HullRules
from carbonray.science.energy.splits import EnergySplitRules
from carbonray.science.energy.synthesis import SynthesisRules
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
from carbonray.stages.energy_answers import EnergyPredictRules
from carbonray.stages.energy_blocks import EnergyBlockRules
from carbonray.stages.energy_networks import CleanTrainRules
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
    energy: Urls
    emissions: Urls
    scenarios: Urls


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


class Annual(BaseModel):
    """The year: which products there are, and what each reads in place of `inputs`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    products: tuple[Literal["plants", "hotspots", "grid", "energy"], ...]
    inputs: dict[str, dict[str, Urls]]


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


class Energy(BaseModel):
    """The energy product: how files are read, which rows are believed, and how they are divided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reading: EnergyRules
    rows: MixRules
    blocks: EnergyBlockRules
    predict: EnergyPredictRules
    synthesis: SynthesisRules
    splits: EnergySplitRules
    hull: HullRules
    training: CleanTrainRules


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
