"""The pass in which every image of a plant is read once and all sounding models of its imager answer.

Training and annual re-inference share it: they differ in the plants, the instances that may answer, and the years.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from carbonray.engine.plan import Pass, Pool
from carbonray.io.plant_product import SoundingPin
from carbonray.pipelines.plant_sources import PlantStore, Site, site_unit
from carbonray.settings import Settings
from carbonray.stages.selection import SelectImages
from carbonray.stages.sounding_images import ReadPlantYear
from carbonray.stages.soundings import EncodeSoundings, PredictSoundings

Instances = Mapping[str, Sequence[int]]  # structure kind -> instances that may answer


def sounding_pass(
    digest: str,
    settings: Settings,
    store: PlantStore,
    asked: Iterable[tuple[Site, Instances]],
    models: tuple[str, tuple[SoundingPin, ...]],
) -> Pass:
    """One unit a plant, imager and year.

    Args:
        digest: of the settings.
        settings: rules on images, and how models are run.
        store: images and weather.
        asked: sites, and who may answer for them; kinds that no model of the imager knows are left out.
        models: folder of the run that holds the bundles, and the bundles.
    """
    url, pins = models
    units = []
    for site, instances in asked:
        known = {pin.kind for pin in pins if pin.imager == site.imager}
        told = {kind: list(numbers) for kind, numbers in sorted(instances.items()) if kind in known}
        if told:
            bundles = [
                pin.sha256
                for pin in pins
                if pin.imager == site.imager and pin.instance in told.get(pin.kind, ())
            ]  # fmt: skip
            weather = store.about(store.weather, site.plant_id, "weather")
            partition = {"instances": json.dumps(told, sort_keys=True)}
            units.append(site_unit(digest, "soundings", site, weather, partition, bundles))
    rules, engine = settings.plants, settings.engine
    reader = ReadPlantYear(SelectImages(rules.images, rules.duplicates, rules.visibility, rules.weather), pins)
    make = partial(PredictSoundings, url, pins, settings.soundings.predict)
    # two units an actor: while one is in the models, the other is unpacked or packed
    pool = Pool(make, engine.model_actors, engine.model_cpus, engine.model_gpus, units_at_once=2)
    return Pass("soundings", tuple(units), reader, EncodeSoundings(), (pool,))
