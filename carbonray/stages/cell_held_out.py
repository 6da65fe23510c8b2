"""What a fitted network of 1 km cells says of the cells of the fold that it held out, straight from the samples.

Source: SCIENCE 0.3 and 1.5: a fold is scored by the instance that held it out, beside one that answers the mean of the
cells that taught. Rows are cells by shard and number; groups are spatial blocks, for neighbours err together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.science.urban.cell_splits import TEST, TRAIN
from carbonray.stages.cell_bundles import CellPin, opened_cells
from carbonray.stages.cell_networks import block_names, stream_answers
from carbonray.stages.cell_roles import DividedCells
from carbonray.stages.cell_streams import stream_for

BATCH = 64  # cells in a call of the network


@dataclass(frozen=True)
class HeldOutCells:
    """Cells of a fold.

    Attributes:
        cell_id: (cell,) numbers.
        block: (cell,) spatial block.
        truth: (cell,) ln t CO2 a year, as labelled.
        answer: (cell,) of the model.
        trivial: mean of the labels of the cells that taught.
        factor: tonnes of the mean over tonnes of the median, of the bundle.
    """

    cell_id: NDArray[np.int64]
    block: tuple[str, ...]
    truth: NDArray[np.float64]
    answer: NDArray[np.float64]
    trivial: float
    factor: float


def held_out_cells(pin: CellPin, divided: DividedCells, *, device: str = "cpu", window_shards: int = 8) -> HeldOutCells:
    """Answers of one instance about the cells of its own fold of which it sees anything.

    Args:
        pin: of the bundle.
        divided: labelled cells, dealt as the bundle's were.
        device: 'cpu' or 'cuda'.
        window_shards: shards in memory at a time.

    Raises:
        ContractError: the bundle is not the one pinned.
        DataError: cells are dealt otherwise than the bundle's were, or it sees none of the fold's.
    """
    turn = divided.turn(pin.instance)
    if divided.split != pin.split or divided.table(turn) != pin.table:
        raise _refusal("the bundle's cells were dealt otherwise", pin.url, "the samples and the split it was fitted on")
    test, train = (divided.of_role(turn, role, pin.reads) for role in (TEST, TRAIN))
    if not len(test):
        raise _refusal(f"no cell of fold {turn.test} can be seen", pin.url, f"cells with {' or '.join(pin.reads)}")
    model = opened_cells(pin, device)
    stream = stream_for(model.network.config, divided.shards_with(test), BATCH, window_shards=window_shards)
    told = stream_answers(model.network, stream, device)
    trivial = float(divided.rows.ln_t_co2[train].mean())
    blocks = tuple(block_names(told.cell_id, divided.split))
    return HeldOutCells(told.cell_id, blocks, told.truth, told.answer, trivial, model.back.factor)


def _refusal(what: str, where: str, expected: str) -> DataError:
    return DataError(what, where=where, expected=expected, remedy="Judge a bundle on the samples of its own run.")
