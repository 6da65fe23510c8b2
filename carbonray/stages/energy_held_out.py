"""What a fitted network says of the rows that its turn held out, straight from the tables, beside memory alone.

Sources: SCIENCE 0.3 and 2.5: a region is scored by the instance that held it out, beside the mean ln total that each
region had among the rows that taught, which for a new region is the mean over these. Amounts of a row are read once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.models.energy_readings import Reading, Task
from carbonray.science.energy.factors import RegionMeans
from carbonray.science.energy.mix import MixRows
from carbonray.science.energy.splits import TEST, TRAIN
from carbonray.stages.energy_bundles import TASKS, EnergyPin, opened_energy
from carbonray.stages.energy_networks import EnergyAnswers, stream_answers
from carbonray.stages.energy_roles import DividedEnergy
from carbonray.stages.energy_streams import EnergyStream

Floats = NDArray[np.float64]

BATCH = 4096  # rows in a call of the network


@dataclass(frozen=True, eq=False)
class HeldOutEnergy:
    """Rows that a turn held out.

    Attributes:
        told: their regions and times, truths and answers.
        trivial: (row, task) ln of the totals by the means of the regions that taught.
    """

    told: EnergyAnswers
    trivial: Floats


def held_out_energy(
    pin: EnergyPin, divided: DividedEnergy, *, device: str = "cpu", window_rows: int = 200_000
) -> HeldOutEnergy:
    """Answers of one instance about what it was to be tested on.

    Args:
        pin: of the bundle.
        divided: rows, divided as the bundle's were.
        device: 'cpu' or 'cuda'.
        window_rows: rows in memory at a time.

    Raises:
        ContractError: the bundle is not the one pinned.
        DataError: rows are divided otherwise than the bundle's were.
    """
    found = divided.rows_of(divided.turn(pin.instance))
    if divided.seen(found) != pin.seen:
        raise DataError(
            "the bundle's rows were divided otherwise",
            where=pin.url,
            expected="the rows, the split and the synthesised countries it was fitted on",
            remedy="Judge a bundle on the rows of its own run.",
        )
    test, train = (EnergyStream(divided.shards(found, role), BATCH, window_rows) for role in (TEST, TRAIN))
    told = stream_answers(opened_energy(pin, device).network, test, device)
    means = taught_means(train.parts())
    return HeldOutEnergy(told, np.column_stack([means[task].of(told.rows.region) for task in TASKS]))


def taught_means(parts: Iterable[MixRows]) -> dict[Task, RegionMeans]:
    """Task -> mean ln of the total of each region, of rows that come some at a time."""
    sums: dict[str, Floats] = {}
    for rows in parts:
        asked = np.column_stack([np.ones(len(rows)), *(Reading(task).asked(rows) for task in TASKS)])
        names, number = np.unique(rows.region.astype(str), return_inverse=True)
        for at, name in enumerate(names.tolist()):
            sums[name] = sums.get(name, np.zeros(asked.shape[1])) + asked[number == at].sum(axis=0)
    table = np.array([sums[name] for name in sorted(sums)])
    mean = table[:, 1:] / table[:, :1]
    regions = np.array(sorted(sums), object)
    return {task: RegionMeans(regions, mean[:, at], float(mean[:, at].mean())) for at, task in enumerate(TASKS)}
