"""The samples of sounding models: which plants teach, and the pass that cuts their labelled images from the store.

Source: SCIENCE 4.4 and 4.7. A unit is a training plant, imager and year; every image is read once, for trees and for
all networks of its imager.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carbonray.contract import Unit, encode_object_rows
from carbonray.engine.plan import Pass
from carbonray.engine.run import Run
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.models.sounding_registry import SOUNDING_MODELS
from carbonray.pipelines.planning import records_of, tiers_of
from carbonray.pipelines.plant_sources import PlantStore, TrainingPlant, open_store, site_unit, sites, training_plants
from carbonray.science.spatial.folds import N_FOLDS
from carbonray.settings import Settings
from carbonray.stages.sounding_rules import check_tuned
from carbonray.stages.sounding_samples import ReadSamples


@dataclass(frozen=True)
class Samples:
    """What sounding models are fitted on, in plain values.

    Attributes:
        url: folder of the run that holds them.
        folds: plant -> fold.
        tables: key -> record of the tables of patch statistics.
        bags: key -> record of the files of patches.
        tier: of the images.
    """

    url: str
    folds: Mapping[str, int]
    tables: Mapping[str, ObjectRecord]
    bags: Mapping[str, ObjectRecord]
    tier: str

    def inputs(self, name: str, folds: Sequence[int]) -> dict[str, ObjectRecord]:
        """URL -> record of what a model reads of the plants of some folds."""
        entry = SOUNDING_MODELS[name]
        known = self.bags if entry.trunk else self.tables
        return {
            objectstore.join(self.url, key): record
            for key, record in known.items()
            if key.split("/")[1] == entry.imager and self.folds[_plant(key)] in folds
        }


def asked_models(settings: Settings) -> tuple[str, ...]:
    """The sounding models that are trained: those of the settings, or all.

    Raises:
        SettingsError: one is unknown, or something unknown is tuned.
    """
    unknown = [name for name in settings.soundings.models if name not in SOUNDING_MODELS]
    if unknown:
        raise SettingsError(
            f"there are no sounding models {unknown}",
            where="soundings.models",
            expected=f"some of {', '.join(SOUNDING_MODELS)}; none given is all",
            remedy="Correct the names.",
        )
    check_tuned(settings.soundings.fit.tuned)
    return settings.soundings.models or tuple(SOUNDING_MODELS)


def teaching_plants(settings: Settings) -> tuple[PlantStore, dict[str, TrainingPlant]]:
    """The store, and the plants that models may learn from."""
    store = open_store(settings.plants.store_url)
    return store, training_plants(store, settings.soundings.left_out_countries)


def sample_units(
    settings: Settings, digest: str, store: PlantStore, known: Mapping[str, TrainingPlant]
) -> tuple[Unit, ...]:
    """A unit a training plant, imager and year."""
    imagers = {SOUNDING_MODELS[name].imager for name in asked_models(settings)}
    labels = {record.key: record for record in records_of(store.labelled, "labels/")}
    units = []
    for site in sites(store):
        plant, record = known.get(site.plant_id), labels.get(f"labels/{site.plant_id}.parquet")
        kinds = sorted(kind for kind, years in plant.years.items() if site.year in years) if plant else []
        if plant and record and kinds and site.imager in imagers:
            told = {objectstore.join(store.url, record.key): record}
            partition: dict[str, int | str] = {"fold": plant.fold, "kinds": ",".join(kinds)}
            units.append(site_unit(digest, "samples", site, told, partition))
    return tuple(units)


def sample(run: Run, settings: Settings, store: PlantStore, known: Mapping[str, TrainingPlant]) -> list[Commit]:
    """Executes the pass `samples`.

    Raises:
        SettingsError: a fold has no plant to learn from.
    """
    _require_folds(known)
    reader = ReadSamples(_patch_px(settings), settings.soundings.fit.index)
    units = sample_units(settings, run.settings_digest, store, known)
    return run.execute(Pass("samples", units, reader, encode_object_rows))


def samples_of(run_url: str, sampled: Sequence[Commit], known: Mapping[str, TrainingPlant]) -> Samples:
    """What the pass left, as fits read it."""
    found = {folder: records_of(sampled, f"{folder}/") for folder in ("samples", "bags")}
    return Samples(
        run_url,
        {name: plant.fold for name, plant in sorted(known.items())},
        {record.key: record for record in found["samples"]},
        {record.key: record for record in found["bags"]},
        ", ".join(tiers_of(sampled)),
    )


def _plant(key: str) -> str:
    return key.rsplit("/", 1)[-1].rsplit("-", 1)[0]


def _require_folds(known: Mapping[str, TrainingPlant]) -> None:
    lacking = sorted(set(range(N_FOLDS)) - {plant.fold for plant in known.values()})
    if lacking:
        raise SettingsError(
            f"{len(known)} plants can be learned from, none of them in folds {lacking}",
            where="plants.store_url, soundings.left_out_countries",
            expected="labelled plants in each of the four folds",
            remedy="Ingest more plants, or read rejections.parquet of the store: which rule took theirs.",
        )


def _patch_px(settings: Settings) -> dict[str, int]:
    """Imager -> side of the largest patch that is kept for its networks; trees have their own."""
    sizes: dict[str, int] = {}
    for name in asked_models(settings):
        entry = SOUNDING_MODELS[name]
        if entry.trunk:
            sizes[entry.imager] = max(sizes.get(entry.imager, 0), *settings.soundings.fit.patch_px(name))
    return sizes
