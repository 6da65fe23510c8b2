"""Trees and peers on rendered Sentinel-2 patches: skill where vapor follows the load, none where there is no vapor.

A few plants with cooling towers, each on and off in turn, more often on when it is cold, so that the weather tells
something without any pixel. Some plants are trained on, some stopped on, some tested on.
"""

import functools

import numpy as np

from carbonray.io.imagery.region import RegionRules, structure_pixels
from carbonray.models.baselines import PEERS, Boosted, SoundingTruth, SplitRows
from carbonray.models.sounding_trees import TreeRules
from carbonray.science.power import band_math
from carbonray.science.power.backgrounds import pixel_median
from carbonray.science.power.patch_features import feature_names, patch_features
from carbonray.science.power.patches import cut_patches
from carbonray.science.power.peer_inputs import index_columns, weather_columns
from carbonray.science.stats.metrics import rmse, two_class_map
from carbonray.synthetic.backgrounds import season_at
from carbonray.synthetic.fleet import FleetRules, plant_of
from carbonray.synthetic.plant_views import RenderRules, structures_seen, view_of
from carbonray.synthetic.vapor import Moment, rendered
from carbonray.synthetic.vapor_plumes import Air
from carbonray.vocab.sensors import IMAGERS
from tests.synthetic.small_fleet import NOON_NS

IMAGER = IMAGERS["sentinel2"]
FLEET, RULES = FleetRules(), RenderRules(region=RegionRules(margin_px=17))
PLANTS, IMAGES, EVERY_NS = 10, 20, 18 * 86_400 * 10**9
PART = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 2])  # of the plants: trained on, stopped on, tested on
TREES = TreeRules(rounds=150, learning_rate=0.1, max_depth=3, min_child_weight=2.0, stop_rounds=20)


@functools.cache
def plants():
    every = (plant_of(FLEET, index) for index in range(400))
    towers = (
        p for p in every if p.kinds == ("NDT",) and p.country == "USA" and all(s.emits_vapor for s in p.structures)
    )
    return [plant for plant, _ in zip(towers, range(PLANTS), strict=False)]


def year_of(plant, follows):
    """Blocks of inputs of one plant's images, and its load; plumes of a negative control are drawn with none."""
    rng = np.random.default_rng(plant.index)
    view = view_of(RULES, FLEET.seed, plant, IMAGER)
    temperature, humidity, cloud = (rng.uniform(*ends, IMAGES) for ends in ((-5, 15), (50, 90), (0.0, 0.3)))
    wind = rng.normal(0.0, 3.0, (2, IMAGES))
    load = rng.uniform(0.4, 1.0, IMAGES) * (rng.random(IMAGES) < np.where(temperature < 5, 0.8, 0.4))
    time = NOON_NS + np.arange(IMAGES) * EVERY_NS
    count, drawn = len(plant.structures), load if follows == "load" else np.zeros(IMAGES)
    made = [
        rendered(
            RULES, FLEET.seed, view,
            Moment(int(time[k]), Air(temperature[k], humidity[k], *wind[:, k]), cloud[k], np.full(count, drawn[k]),
                   season_at(int(time[k]), plant.lat, 0.0, 1.0)),
            f"{plant.plant_id}-{k}", np.full(count, load[k]),
        )
        for k in range(IMAGES)
    ]  # fmt: skip
    weather = weather_columns(temperature, humidity, *wind, cloud, time, plant.lat)
    area, depth = (np.array([m.truth.column(n) for m in made], np.float32) for n in ("vapor_m2", "vapor_depth_max"))
    latent = np.stack([area.sum(axis=1), depth.max(axis=1)], axis=-1)
    blocks = {"weather": weather, "latent": latent, "latent_weather": np.hstack([latent, weather])}
    return blocks | seen_by(plant, [m.image for m in made]), load


def seen_by(plant, images):
    """The blocks that are made of pixels."""
    row, col = structure_pixels(structures_seen(plant), images[0].grid)
    dn, scale, offset, k1, k2 = (
        np.stack([getattr(i, n) for i in images]) for n in ("dn", "scale", "offset", "k1", "k2")
    )
    values = band_math.values(dn, scale, offset, k1, k2)
    background = pixel_median(values)
    bags, empty = (cut_patches(each, row, col, 32) for each in (values, background[None]))
    return {
        "patches": patch_features(IMAGER, values, background, row, col),
        "index": index_columns(IMAGER, bags, empty[0]),
    }


@functools.cache
def table(follows):
    """Blocks and truth of all rows, and the rows of each part."""
    years = [year_of(plant, follows) for plant in plants()]
    blocks = {name: np.concatenate([blocks[name] for blocks, _ in years]) for name in years[0][0]}
    load = np.concatenate([load for _, load in years])
    return blocks, SoundingTruth(load > 0.0, load), [np.flatnonzero(np.repeat(PART, IMAGES) == k) for k in range(3)]


@functools.cache
def skill(follows, name):
    """(mAP, RMSE) on the tested plants."""
    blocks, truth, (train, validation, test) = table(follows)
    peer = Boosted("patches", feature_names(IMAGER), TREES) if name == "trees" else PEERS[name](TREES)
    x = blocks[peer.reads]
    said = peer.fit(x, truth, SplitRows(train, validation)).predict(x[test])
    return two_class_map(truth.on[test], said.on_score), rmse(truth.capacity_factor[test], said.capacity_factor)


def test_trees_on_patches_beat_what_sees_no_vapor():
    precision, error = skill("load", "trees")
    assert precision > skill("load", "weather_only")[0] + 0.2 and precision > 0.9
    assert error < 0.7 * min(skill("load", name)[1] for name in ("always_on", "train_mean", "weather_only"))


def test_simple_peers_lie_between_the_trivial_and_the_oracle():
    trivial, ceiling = skill("load", "train_mean"), skill("load", "oracle")
    for name in ("white_threshold", "plume_area"):
        precision, error = skill("load", name)
        assert trivial[0] + 0.1 < precision < ceiling[0]
        assert ceiling[1] < error < trivial[1]


def test_oracles_are_no_worse_than_trees_on_pixels():
    for name in ("oracle", "oracle_weather"):
        precision, error = skill("load", name)
        assert precision >= skill("load", "trees")[0] and error <= skill("load", "trees")[1]


def test_without_plumes_trees_know_no_more_than_the_weather():
    precision, error = skill("nothing", "trees")
    assert precision <= skill("nothing", "weather_only")[0] + 0.05
    assert error >= 0.95 * skill("nothing", "train_mean")[1]
    assert precision < skill("load", "trees")[0] - 0.25
    assert skill("nothing", "oracle")[0] == 0.5  # of no vapor there is no truth to be told


def test_peers_that_see_no_pixels_do_not_care_for_plumes():
    for name in ("always_on", "train_mean", "weather_only"):
        assert skill("nothing", name) == skill("load", name)
    assert skill("load", "always_on")[0] == skill("load", "train_mean")[0] == 0.5  # SCIENCE 0.2
