"""Rendered images: functions of their keys, plumes that follow physics, stores and knobs that hold."""

import dataclasses
import itertools

import numpy as np
import pytest

from carbonray.errors import SettingsError
from carbonray.io.image_store import PlantYear, encode_images
from carbonray.io.imagery.image import FLAG_BITS, QUALITY_BITS
from carbonray.synthetic.backgrounds import snow_depth
from carbonray.synthetic.confusers import ConfuserRules
from carbonray.synthetic.fleet import FleetRules, plant_of
from carbonray.synthetic.plant_views import RenderRules, structures_seen, view_of
from carbonray.synthetic.vapor import VAPOR_TRUTH, render_plant_year
from carbonray.vocab.sensors import IMAGERS, Band, Imager
from tests.synthetic.small_fleet import FLEET, RULES, one_image, plant_with, values, view

OLD = FleetRules(first_year=2018, last_year=2018)
FOUR_BANDS = Imager(
    name="fictional",
    bands=(
        Band("X1", 490.0, 5.0, "blue"),
        Band("X2", 670.0, 5.0, "red"),
        Band("X3", 1610.0, 10.0, "swir16"),
        Band("X4", 11000.0, 5.0, "lwir11"),
    ),
    pixel_m=5.0,
    overpass_local_hour=(9.5, 9.5),
    revisit_days=10.0,
    bits=12,
    derived=(),
    patch_px=(4, 8),
    reader="generic",
)


def first(imager, count=2, fleet=FLEET, rules=RULES, kind="FGD", year=2021):
    plant = plant_with(kind)
    return list(itertools.islice(render_plant_year(rules, fleet, plant, imager, year), count))


@pytest.mark.parametrize("name", [*IMAGERS, "fictional"])
def test_an_image_is_a_function_of_its_key(name):
    imager = IMAGERS.get(name, FOUR_BANDS)
    once, again = (one_image("FGD", imager, cloud=0.4, fresh=True) for _ in range(2))
    np.testing.assert_array_equal(once.image.dn, again.image.dn)
    np.testing.assert_array_equal(once.image.flags, again.image.flags)
    assert once.truth.equals(again.truth)
    grid = once.image.grid
    assert once.image.dn.shape == (len(imager.bands), grid.rows, grid.cols)
    assert once.image.dn.min() >= 1
    assert once.truth.schema.equals(VAPOR_TRUTH)
    other = one_image("FGD", imager, cloud=0.4, seed=FLEET.seed + 1, fresh=True)
    assert not np.array_equal(other.image.dn, once.image.dn)


def test_a_duplicate_shows_the_same_moment_through_another_processing():
    one, two = (one_image("FGD", "landsat8", name=name).image for name in ("one", "one_2"))
    np.testing.assert_array_equal(one.dn, two.dn)
    assert (one.covered_km2, one.downloaded_utc_ns) != (two.covered_km2, two.downloaded_utc_ns)


def test_a_year_fills_one_store():
    of = PlantYear(plant_with("FGD").plant_id, "landsat8", 2021)
    images = [each.image for each in first(IMAGERS["landsat8"], 4)]
    objects = encode_images(of, images, structures_seen(plant_with("FGD")))
    assert f"{of.stem}.parquet" in objects


def test_every_image_of_a_year_lies_in_it_and_memory_holds_one():
    plant = plant_with("FGD")
    images = render_plant_year(RULES, FLEET, plant, IMAGERS["landsat8"], 2021)
    assert iter(images) is images  # a generator: nothing is made before it is asked for
    times = [each.image.time_utc_ns for each in images]
    assert len(times) == len(set(times)) + sum(np.diff(times) == 0) > 15
    assert times == sorted(times)
    assert {int(time // 10**9 // 86400 / 365.2425) for time in times} == {51}


def test_a_fictional_imager_sees_the_same_ground_by_its_wavelengths():
    calm = dataclasses.replace(RULES, confuser=ConfuserRules(cirrus_share=0.0, smoke_share=0.0, haze_spread=0.0))
    new, known = (one_image("FGD", each, rules=calm, load=0.0).image for each in (FOUR_BANDS, "sentinel2"))
    assert np.isfinite(new.k1[3]) and np.isnan(new.k1[:3]).all()
    kelvin = new.k2[3] / np.log1p(new.k1[3] / values(new)[3])
    assert 230 < kelvin.min() < kelvin.max() < 310
    middle = slice(30, -30)
    for band, other in ((0, 1), (1, 3), (2, 11)):
        fine, coarse = values(new)[band], values(known)[other][middle, middle]
        assert np.median(fine) == pytest.approx(np.median(coarse), rel=0.15)


@pytest.mark.parametrize("kind", ["NDT", "FGD"])
@pytest.mark.parametrize("imager", list(IMAGERS))
def test_vapor_is_white_bright_and_only_there_when_the_plant_runs(kind, imager):
    on, off = (one_image(kind, imager, load=load, temperature_c=-5.0) for load in (1.0, 0.0))
    declared = IMAGERS[imager]
    visible = [declared.band_index(name) for name in ("blue", "green", "red")]
    gain = values(on.image)[visible] - values(off.image)[visible]
    brighter = gain.min(axis=0) > 0.08
    truth = on.truth.to_pandas()
    assert off.truth.to_pandas()["vapor_m2"].sum() == 0.0
    assert truth["vapor_depth_max"].min() > 3.0
    area = brighter.sum() * declared.pixel_m**2
    assert 0.15 * truth["vapor_m2"].sum() < area < 1.5 * truth["vapor_m2"].sum() + 4 * declared.pixel_m**2


def test_vapor_grows_with_load_and_cold_and_vanishes_in_hot_dry_air():
    def area(**weather):
        return np.mean([one_image("FGD", wind=(u, 1.0), **weather).truth["vapor_m2"][0].as_py() for u in (2, 3, 4, 5)])

    full = area(load=1.0)
    assert full > area(load=0.5) > area(load=0.15) > 0
    assert area(load=1.0, temperature_c=-8.0) > full
    assert area(load=1.0, temperature_c=33.0, humidity=30.0) < 0.2 * full


def test_the_plume_drifts_down_the_wind():
    imager = IMAGERS["sentinel2"]
    red = imager.band_index("red")
    off = values(one_image("FGD", load=0.0).image)[red]
    for wind, axis, sign in (((5, 0), 1, 1), ((-5, 0), 1, -1), ((0, 5), 0, -1), ((0, -5), 0, 1)):
        gain = np.clip(values(one_image("FGD", wind=wind, temperature_c=-3.0).image)[red] - off, 0.05, None) - 0.05
        centre = np.average(np.indices(gain.shape)[axis], weights=gain)
        seen = view("FGD")
        across = {0: seen.structures.north_m, 1: seen.structures.east_m}[axis][0]
        origin = {0: seen.canvas.north_m[0] - across, 1: across - seen.canvas.east_m[0]}[axis] / 10.0
        assert sign * (centre - origin) > 3.0


def test_the_cirrus_band_is_dark_under_a_clear_sky():
    image = one_image("FGD").image
    assert values(image)[IMAGERS["sentinel2"].band_index("cirrus")].mean() < 0.02


def test_the_loads_of_a_negative_control_say_nothing():
    chance, nothing = (dataclasses.replace(RULES, vapor_follows=name) for name in ("chance", "nothing"))
    chosen = {"load": RULES, "chance": chance, "nothing": nothing}
    rows = {name: first(IMAGERS["landsat8"], 8, rules=rules) for name, rules in chosen.items()}
    drawn = {name: np.array([each.truth["drawn_load"][0].as_py() for each in found]) for name, found in rows.items()}
    true = np.array([each.truth["true_load"][0].as_py() for each in rows["chance"]])
    np.testing.assert_allclose(drawn["load"], true)
    assert not np.allclose(drawn["chance"], true)
    assert not drawn["nothing"].any()


def test_an_unknown_control_is_refused():
    with pytest.raises(SettingsError, match="plumes cannot follow 'mood'"):
        first(IMAGERS["landsat8"], rules=RenderRules(vapor_follows="mood"))


def test_tier_t0_has_no_confusers():
    fleet = dataclasses.replace(FLEET, tier="T0")
    plant = plant_of(fleet, 0)
    images = list(itertools.islice(render_plant_year(RULES, fleet, plant, IMAGERS["sentinel2"], 2021), 12))
    assert plant.data_tier == "SYNTHETIC-T0" == images[0].image.data_tier
    assert all(each.truth["cloud_share"][0].as_py() == 0.0 for each in images)
    assert len({each.truth["haze_depth"][0].as_py() for each in images}) == 1
    white = view_of(RULES, fleet.seed, plant, IMAGERS["sentinel2"]).cover
    assert white[9].max() == 0.0  # white roofs


def test_clouds_shade_and_are_flagged_imperfectly():
    images = [one_image("FGD", cloud=cover, humidity=70.0).image for cover in (0.0, 0.9)]
    red = IMAGERS["sentinel2"].band_index("red")
    assert values(images[1])[red].mean() > values(images[0])[red].mean() + 0.1
    assert images[0].fraction("cloud") < 0.05
    assert 0.3 < images[1].fraction("cloud") <= 1.0


def test_planetscope_came_without_masks_at_first():
    early, late = (first(IMAGERS["planetscope"], 1, fleet=OLD, year=year)[0].image
                   for year in (2017, 2019))  # fmt: skip
    assert early.quality == QUALITY_BITS["no_cloud_mask"] | QUALITY_BITS["no_haze_mask"]
    assert not early.flags.any()
    assert late.quality == 0
    assert not late.flags.max() & FLAG_BITS["nodata"]


def test_snow_falls_in_frost_and_melts():
    temperature = np.r_[np.full(48, -3.0), np.full(48, -3.0), np.full(200, 8.0)]
    cloud = np.r_[np.full(48, 1.0), np.zeros(248)]
    depth = snow_depth(temperature, cloud)
    assert depth[47] > 1.5
    assert depth[47] > depth[95] > 1.0
    assert depth[-1] == 0.0
    assert depth.min() >= 0.0
