"""Everything a run of the energy product needs: some days of the synthetic regions, and an untrained model."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from carbonray.io.energy.carbon_monitor import read_carbon_monitor
from carbonray.io.energy.power_mix import read_power_mix
from carbonray.io.energy.reading import EnergyRules
from carbonray.io.energy.records import MixRules, mix_rows
from carbonray.io.model_store import Lineage, save_bundle
from carbonray.models.clean import Clean, CleanConfig
from carbonray.science.energy.hull import HullRules, hull
from carbonray.science.energy.mix import MixRows, proportions
from carbonray.science.energy.splits import TEST, TRAIN, EnergySplitRules
from carbonray.science.energy.synthesis import SynthesisRules
from carbonray.settings import Settings, load
from carbonray.stages.energy_bundles import TASKS, EnergyModel, ToldHull, energy_bundle
from carbonray.stages.energy_seen import Seen
from carbonray.synthetic.regions.files import TIERS, daily_file
from carbonray.synthetic.regions.reports import ReportRules
from carbonray.synthetic.regions.world import RegionRules, composites_of

RULES = RegionRules(count=6, days=20, first_day="2019-12-22")  # ten days of either year
SUMS = composites_of(RULES)
DECLARED = "energy.blocks.composites={" + "".join(f"{name}: [{', '.join(of)}]" for name, of in SUMS.items()) + "}"
TURNS = ("Synland 001", "Synland 002")  # what the two instances never saw
WIDTH, SHIFT = 0.25, (0.0, 0.1)


def region_world(out: Path) -> None:
    """The daily files of both tiers, under `OUT/world`."""
    for kind in ("emissions", "energy"):
        for tier in TIERS:
            name, data = daily_file(RULES, ReportRules(), kind, tier)
            (out / "world" / name).parent.mkdir(parents=True, exist_ok=True)
            (out / "world" / name).write_bytes(data)


def region_rows(out: Path) -> MixRows:
    """The rows of the first tier, straight from its files."""
    rules, tier = EnergyRules(), TIERS[0]
    mixes = read_power_mix(f"{out}/world/energy/power_mix_t1.csv", rules, tier).records
    sectors = read_carbon_monitor(f"{out}/world/emissions/carbon_monitor_t1.csv", rules, tier).records
    return mix_rows(pa.concat_tables([mixes, sectors]), MixRules(), SUMS).rows


def random_network(instance: int) -> Clean:
    """An untrained network, whose answers differ from row to row; the same for the same instance."""
    config = CleanConfig(
        width=8,
        d=8,
        dropout=0.0,
        energy_center=(0.0,) * 8 + (4.0 + SHIFT[instance],),
        energy_spread=(1.0,) * 9,
        emissions_center=(0.0,) * 6 + (11.0 + SHIFT[instance],),
        emissions_spread=(1.0,) * 7,
    )
    return Clean(config, seed=instance).eval()


def model_of(out: Path, instance: int) -> EnergyModel:
    """An instance as a run opens it, with the hull of the regions that it was not to hold out."""
    rows = region_rows(out)
    taught = rows.rows(~np.isin(rows.region.astype(str), [TURNS[instance], *SUMS]))
    told = {"emissions": taught.energy, "energy": taught.emissions}
    hulls = {task: ToldHull(hull(proportions(told[task])[0], HullRules(viewpoints=8)), 0.05) for task in TASKS}
    return EnergyModel(random_network(instance), hulls)


def save_untrained(out: Path, model: str = "clean_mlp", include: tuple[int, ...] = (0, 1)) -> None:
    """Bundles under `OUT/bundles`, whose held-out errors are all of one width."""
    for instance in include:
        made = model_of(out, instance)
        tensors = {name: value.numpy() for name, value in made.network.state_dict().items()}
        names = [f"Synland {number:03d}" for number in range(1, 7)]
        table = {name: TEST if name == TURNS[instance] else TRAIN for name in names}
        taught = tuple(name for name in names if name != TURNS[instance])
        seen = Seen(TURNS[instance], EnergySplitRules(), SynthesisRules(), SUMS, taught, table)
        errors = {task: {f"{name} {instance}": (WIDTH,) * 5 for name in names} for task in TASKS}
        lineage = Lineage("none", "none", 0, 0, 0, 0, "", "", {}, {}, {}, table)
        bundle = energy_bundle(
            model, instance, made.network.config, tensors,
            told=made.told, seen=seen, errors=errors, level=0.9, lineage=lineage,
        )  # fmt: skip
        save_bundle(str(out / "bundles" / str(instance)), bundle)


def energy_settings(out: Path, *more: str, backend: str = "memory", declared: str = DECLARED) -> Settings:
    """Of a run over the regions."""
    named = [f"inputs.{name}={out}/world/{name}/*.csv" for name in ("energy", "emissions")]
    told = [f"engine.backend={backend}", f"inputs.bundles={out}/bundles", declared]
    return load(overrides=[*told, *named, *more])
