"""One plant of the synthetic fleet: its place, its generating units, and the towers and stacks that can be seen.

Source: SCIENCE 4.13 (capacities 0.5 to 4 GW, structures, label noise) and chapter 5 (NOx by control class); emission
factors follow SCIENCE 4.8, with an efficiency of each unit's own. Numbers are inferred. A plant is drawn from one
generator that belongs to it alone, so that it is the same in a fleet of any size.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from carbonray.synthetic.fleet_regions import FleetRegion
from carbonray.vocab.plants import FGD, FUELS, NDT

_METRES_PER_DEGREE = 111_320.0
_KINDS = {"NDT": (NDT,), "FGD": (FGD,), "BOTH": (NDT, FGD)}


@dataclass(frozen=True)
class PlantRules:
    """What plants look like; numbers are inferred where SCIENCE 4.13 gives none.

    Attributes:
        median_mw, spread: lognormal distribution of the steam capacity.
        capacity_mw: its least and most.
        unit_mw: largest steam unit.
        one_block_share: plants whose units all run and stop together; the others have two blocks.
        gas_share: plants with gas turbines beside the steam units.
        gas_mw: capacity of those, smallest and largest.
        partial_share: plants where one block only has the towers or the desulphurisation.
        commissioned: first and last year.
        retired_share: plants that lose a block within the span.
        dry_cooled_share, fgd_off_share: label noise: towers called wet that are dry, desulphurisation never run.
        tower_height_m, tower_radius_m: natural-draft towers; the radius is that of the mouth.
        stack_height_m, stack_radius_m: stacks.
        steam_efficiency, gas_efficiency: net electric efficiency, least and most.
        calibration_spread: lognormal spread of a country's emission factors, SCIENCE 4.8.
        nox_kg_per_mwh: control class -> NOx rate, least and most.
        nox_shares: how often each class occurs.
    """

    median_mw: float = 1150.0
    spread: float = 0.5
    capacity_mw: tuple[float, float] = (500.0, 4000.0)
    unit_mw: float = 900.0
    one_block_share: float = 0.75
    gas_share: float = 0.1
    gas_mw: tuple[float, float] = (80.0, 400.0)
    partial_share: float = 0.08
    commissioned: tuple[int, int] = (1968, 2012)
    retired_share: float = 0.08
    dry_cooled_share: float = 0.05
    fgd_off_share: float = 0.05
    tower_height_m: tuple[float, float] = (100.0, 180.0)
    tower_radius_m: tuple[float, float] = (25.0, 35.0)
    stack_height_m: tuple[float, float] = (150.0, 250.0)
    stack_radius_m: tuple[float, float] = (4.0, 6.0)
    steam_efficiency: tuple[float, float] = (0.33, 0.40)
    gas_efficiency: tuple[float, float] = (0.31, 0.38)
    calibration_spread: float = 0.08
    nox_kg_per_mwh: tuple[tuple[str, float, float], ...] = (
        ("SCR", 0.3, 0.7),
        ("low-NOx burner", 0.8, 1.6),
        ("none", 1.8, 3.0),
    )
    nox_shares: tuple[float, ...] = (0.4, 0.4, 0.2)


@dataclass(frozen=True)
class FleetUnit:
    """A generating unit.

    Attributes:
        unit_id: id within the fleet.
        name: as reports call it.
        fuel, prime_mover: keys of `vocab.plants`.
        capacity_mw: net capacity.
        start_utc_ns, end_utc_ns: commissioning and retirement; no end is None.
        cooling_type: as the inventory says, one of `vocab.plants.COOLING_TYPES`.
        wet_fgd: as the inventory says.
        block: units of one block run and stop together.
        intensity_t_per_mwh: true t CO2 per MWh.
        nox_kg_per_mwh: true NOx as NO2 per MWh.
    """

    unit_id: str
    name: str
    fuel: str
    prime_mover: str
    capacity_mw: float
    start_utc_ns: int
    end_utc_ns: int | None
    cooling_type: str
    wet_fgd: bool
    block: int
    intensity_t_per_mwh: float
    nox_kg_per_mwh: float


@dataclass(frozen=True)
class FleetStructure:
    """A cooling tower or a stack.

    Attributes:
        structure_id: id within the fleet.
        kind: NDT or FGD, as it is annotated.
        lat, lon: position, degrees.
        height_m, radius_m: of its mouth.
        shares: part of each of the plant's units, in their order, that leaves through it.
        emits_vapor: False where the label is wrong: a dry tower, a stack whose desulphurisation is off.
    """

    structure_id: str
    kind: str
    lat: float
    lon: float
    height_m: float
    radius_m: float
    shares: tuple[float, ...]
    emits_vapor: bool


@dataclass(frozen=True)
class FleetPlant:
    """A power station with everything about it that does not change from hour to hour.

    Attributes:
        index: its number in the fleet.
        plant_id, name, country: as the inventory has it.
        region: key of `fleet_regions.REGIONS`.
        lat, lon: position, degrees.
        nox_control: control class.
        data_tier: SYNTHETIC-T0, -T1 or -T2.
        units, structures: its parts.
    """

    index: int
    plant_id: str
    name: str
    country: str
    region: str
    lat: float
    lon: float
    nox_control: str
    data_tier: str
    units: tuple[FleetUnit, ...] = field(repr=False)
    structures: tuple[FleetStructure, ...] = field(repr=False)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Structure kinds it shows."""
        return tuple(sorted({structure.kind for structure in self.structures}))


def drawn_plant(
    rules: PlantRules, region: FleetRegion, index: int, kind: str, years: tuple[int, int], tier: str,
    calibration: dict[str, float], rng: np.random.Generator,
) -> FleetPlant:  # fmt: skip
    """The plant of an index.

    Args:
        rules: what plants look like.
        region: where it stands.
        index: its number in the fleet.
        kind: structure kinds it shows, one of `region.kinds`.
        years: first and last year in which a block may retire.
        tier: data tier of the plant.
        calibration: country -> factor on emissions.
        rng: the plant's own generator.
    """
    country, (west, south, east, north) = region.boxes[rng.integers(len(region.boxes))]
    lon, lat = round(float(rng.uniform(west, east)), 4), round(float(rng.uniform(south, north)), 4)
    kinds = _KINDS[kind]
    plant_id = f"SYN{index:07d}"
    control = int(rng.choice(len(rules.nox_shares), p=rules.nox_shares))
    units = _units(rules, region, plant_id, kinds, years, calibration[country], control, rng)
    honest = {NDT: rng.random() >= rules.dry_cooled_share, FGD: rng.random() >= rules.fgd_off_share}
    structures = _structures(rules, plant_id, (lat, lon), units, kinds, honest, rng)
    return FleetPlant(
        index, plant_id, f"Synthetic {region.name.replace('_', ' ')} {index}", country, region.name, lat, lon,
        rules.nox_kg_per_mwh[control][0], tier, units, structures,
    )  # fmt: skip


def _units(
    rules: PlantRules, region: FleetRegion, plant_id: str, kinds: tuple[str, ...], years: tuple[int, int],
    calibration: float, control: int, rng: np.random.Generator,
) -> tuple[FleetUnit, ...]:  # fmt: skip
    """Steam units in one or two blocks, then gas turbines where the plant has some."""
    blocks = 1 if rng.random() < rules.one_block_share else 2
    total_mw = float(np.clip(rng.lognormal(np.log(rules.median_mw), rules.spread), *rules.capacity_mw))
    count = max(blocks, int(np.ceil(total_mw / rules.unit_mw)))
    partial = rng.random() < rules.partial_share and count > 1
    retired = {blocks - 1: _moment(int(rng.integers(years[0], years[1] + 1)), int(rng.integers(1, 13)))}
    ends = retired if rng.random() < rules.retired_share else {}
    first_year = int(rng.integers(rules.commissioned[0], rules.commissioned[1] + 1))
    nox = float(rng.uniform(*rules.nox_kg_per_mwh[control][1:]))
    units = []
    for place in range(count):
        block, equipped = place * blocks // count, not partial or place < count - count // 2
        units.append(
            FleetUnit(
                unit_id=f"{plant_id}-{place + 1}",
                name=str(place + 1),
                fuel=region.coal,
                prime_mover="ST",
                capacity_mw=round(total_mw / count, 1),
                start_utc_ns=_moment(min(first_year + 2 * place, rules.commissioned[1]), int(rng.integers(1, 13))),
                end_utc_ns=ends.get(block),
                cooling_type="natural_draft" if NDT in kinds and equipped else "once_through",
                wet_fgd=FGD in kinds and equipped,
                block=block,
                intensity_t_per_mwh=calibration * _intensity(region.coal, rng.uniform(*rules.steam_efficiency)),
                nox_kg_per_mwh=nox,
            )
        )
    return (*units, *_turbines(rules, plant_id, len(units), blocks, calibration, rng))


def _turbines(
    rules: PlantRules, plant_id: str, before: int, block: int, calibration: float, rng: np.random.Generator
) -> tuple[FleetUnit, ...]:
    """An open-cycle gas turbine, a block of its own, or none."""
    if rng.random() >= rules.gas_share:
        return ()
    return (
        FleetUnit(
            unit_id=f"{plant_id}-{before + 1}",
            name=f"GT{before + 1}",
            fuel="gas",
            prime_mover="GT",
            capacity_mw=round(float(rng.uniform(*rules.gas_mw)), 1),
            start_utc_ns=_moment(int(rng.integers(1990, rules.commissioned[1] + 1)), 1),
            end_utc_ns=None,
            cooling_type="",
            wet_fgd=False,
            block=block,
            intensity_t_per_mwh=calibration * _intensity("gas", rng.uniform(*rules.gas_efficiency)),
            nox_kg_per_mwh=float(rng.uniform(*rules.nox_kg_per_mwh[0][1:])),
        ),
    )


def _structures(
    rules: PlantRules, plant_id: str, centre: tuple[float, float], units: tuple[FleetUnit, ...],
    kinds: tuple[str, ...], honest: dict[str, bool], rng: np.random.Generator,
) -> tuple[FleetStructure, ...]:  # fmt: skip
    """A tower for each cooled unit in one row, a stack for each block with desulphurisation in another."""
    turn = rng.uniform(0.0, 2 * np.pi)
    feeds: dict[str, list[tuple[int, ...]]] = {
        NDT: [(place,) for place, unit in enumerate(units) if unit.cooling_type == "natural_draft"],
        FGD: [
            tuple(place for place, unit in enumerate(units) if unit.wet_fgd and unit.block == block)
            for block in sorted({unit.block for unit in units if unit.wet_fgd})
        ],
    }
    sizes = {
        NDT: (rules.tower_height_m, rules.tower_radius_m, rng.uniform(150.0, 260.0)),
        FGD: (rules.stack_height_m, rules.stack_radius_m, rng.uniform(90.0, 200.0)),
    }
    rows = {NDT: 150.0, FGD: -120.0}  # m from the plant's middle, across the row
    found = []
    for kind in kinds:
        heights, radii, step_m = sizes[kind]
        height_m, radius_m = float(rng.uniform(*heights)), float(rng.uniform(*radii))
        for place, fed in enumerate(feeds[kind]):
            along, across = (place - (len(feeds[kind]) - 1) / 2) * step_m, rows[kind] + rng.normal(0.0, 10.0)
            east, north = along * np.cos(turn) - across * np.sin(turn), along * np.sin(turn) + across * np.cos(turn)
            lat = centre[0] + north / _METRES_PER_DEGREE
            lon = centre[1] + east / (_METRES_PER_DEGREE * np.cos(np.radians(centre[0])))
            shares = tuple(1.0 if unit in fed else 0.0 for unit in range(len(units)))
            name = f"{plant_id}-{kind}{place + 1}"
            found.append(
                FleetStructure(
                    name, kind, round(float(lat), 6), round(float(lon), 6), height_m, radius_m, shares, honest[kind]
                )
            )
    return tuple(found)


def _intensity(fuel: str, efficiency: float) -> float:
    """CO2 in t per MWh, SCIENCE 4.8."""
    return FUELS[fuel].kg_co2_per_gj * 3.6 / efficiency / 1000.0


def _moment(year: int, month: int) -> int:
    """Start of a month, ns since 1970-01-01 UTC."""
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 10**9
