"""What stays the same in all images of one plant by one imager: grid, background, structures, vents, textures.

Source: SCIENCE 4.13. What belongs to the plant is drawn from generators of the plant alone, so that every imager looks
at the same ground; only the pixels differ. Stacks are (cover, y, x) and (band, y, x), tables (structure,).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carbonray.io.imagery.image import RegionGrid, Structure
from carbonray.io.imagery.region import RegionRules, projected, region_grid
from carbonray.science.power.radiometry import AtmosphereRules
from carbonray.synthetic.backgrounds import BackgroundRules, ground_cover, scene_of
from carbonray.synthetic.canvas import Canvas, Field
from carbonray.synthetic.confusers import ConfuserRules, vents_of
from carbonray.synthetic.fleet_plants import FleetPlant
from carbonray.synthetic.masks import MaskRules
from carbonray.synthetic.sensing import product_of
from carbonray.synthetic.textures import texture
from carbonray.synthetic.vapor_plumes import PlumeRules, Structures, structures_of
from carbonray.vocab.sensors import Imager

Floats = NDArray[np.float64]

_STREAMS = {"scene": 31, "structures": 32, "vents": 33, "textures": 34}
_EDDY_SLOPE, _CLOUD_SLOPE = 2.7, 3.0  # of the textures' power: rough eddies, rounder clouds (inferred)


@dataclass(frozen=True)
class RenderRules:
    """How the fleet's images are made.

    Attributes:
        vapor_follows: what the plumes follow: `load`, `chance` (loads of other images of the same year) or `nothing`
            (no plume at all). The latter two are negative controls.
        scene_cell_m: cells of the background before it is seen by the imager are no coarser than this.
        region: how large regions are.
        background, plume, confuser, atmosphere, mask: the parts' own rules.
    """

    vapor_follows: str = "load"
    scene_cell_m: float = 5.0
    region: RegionRules = field(default_factory=RegionRules)
    background: BackgroundRules = field(default_factory=BackgroundRules)
    plume: PlumeRules = field(default_factory=PlumeRules)
    confuser: ConfuserRules = field(default_factory=ConfuserRules)
    atmosphere: AtmosphereRules = field(default_factory=AtmosphereRules)
    mask: MaskRules = field(default_factory=MaskRules)


@dataclass(frozen=True)
class PlantView:
    """One plant as one imager sees it.

    Attributes:
        plant: the plant.
        imager: who looks.
        confusers: whether there are any: not in tier T0.
        canvas: cells that plumes are drawn on.
        cover: (cover, y, x) shares of the pixels, times brightness.
        structures: towers and stacks, in the plant's order.
        vents: unrelated vents of steam.
        eddies, clouds: textures.
    """

    plant: FleetPlant
    imager: Imager
    confusers: bool
    canvas: Canvas
    cover: Field
    structures: Structures
    vents: Structures | None
    eddies: Field
    clouds: Field

    @property
    def grid(self) -> RegionGrid:
        """The region's pixels."""
        return self.canvas.grid

    @property
    def pixels(self) -> Canvas:
        """A canvas whose cells are the pixels."""
        return Canvas(self.grid, 1, self.canvas.centre_m)


def structures_seen(plant: FleetPlant) -> tuple[Structure, ...]:
    """The plant's structures as annotations."""
    return tuple(Structure(each.structure_id, each.kind, each.lat, each.lon) for each in plant.structures)


def view_of(rules: RenderRules, seed: int, plant: FleetPlant, imager: Imager) -> PlantView:
    """One plant as one imager sees it.

    Args:
        rules: how images are made.
        seed: of the fleet.
        plant: the plant.
        imager: any declared imager, or a new one.
    """
    annotated = structures_seen(plant)
    grid = region_grid(annotated, imager, rules.region)
    x, y = projected((*annotated, Structure("", "", plant.lat, plant.lon)), grid.epsg)
    centre = (float(x[-1]), float(y[-1]))
    east, north = x[:-1] - centre[0], y[:-1] - centre[1]
    mouths, heights = (np.array([getattr(s, name) for s in plant.structures]) for name in ("radius_m", "height_m"))
    confusers = not plant.data_tier.endswith("T0")
    emits = np.array([s.emits_vapor for s in plant.structures])
    kinds = tuple(s.kind for s in plant.structures)
    structures = structures_of(
        kinds, east, north, heights, mouths, emits, rules.plume.vapor, _rng(seed, "structures", plant)
    )
    scene = scene_of(
        rules.background, np.stack([east, north], axis=-1), mouths, plant.data_tier,
        confusers=confusers, rng=_rng(seed, "scene", plant),
    )  # fmt: skip
    cells = max(1, int(np.ceil(imager.pixel_m / rules.scene_cell_m)), 2 if imager.pixel_m < rules.scene_cell_m else 1)
    cover = ground_cover(scene, Canvas(grid, cells, centre), product_of(imager).sensor.spread_px)
    texture_rng, vent_rng = _rng(seed, "textures", plant), _rng(seed, "vents", plant)
    return PlantView(
        plant=plant,
        imager=imager,
        confusers=confusers,
        canvas=Canvas(grid, plume_cells(imager.pixel_m), centre),
        cover=cover,
        structures=structures,
        vents=vents_of(rules.confuser, 400.0, vent_rng) if confusers else None,
        eddies=texture(texture_rng, _EDDY_SLOPE, 256, longest=3.5 * rules.plume.eddies.per_radius),
        clouds=texture(texture_rng, _CLOUD_SLOPE, 512),
    )


def plume_cells(pixel_m: float) -> int:
    """Cells along a pixel that plumes are drawn on: 1 at 3 m, 2 at 10 m, 3 at 30 m."""
    return max(1, round(float(np.sqrt(pixel_m / 3.0))))


def _rng(seed: int, stream: str, plant: FleetPlant) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((seed, _STREAMS[stream], plant.index)))
