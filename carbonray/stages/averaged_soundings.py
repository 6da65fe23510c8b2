"""The long table of soundings as numbers: one value an image and output, averaged over the instances that may answer.

Source: SCIENCE 4.7, plume paper section 3.9 (predictions of a sounding model's instances are averaged before features
are made of them). Which instances may answer is said by `GenerationEnsemble.instances_for`.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from carbonray.errors import DataError
from carbonray.science.power.lookback import Output, Soundings
from carbonray.science.spatial.geodesy import DAY_NS

_SEPARATOR = "\x1f"  # in no name


def averaged_soundings(
    rows: pa.Table, outputs: Sequence[Output], plants: Sequence[str], instances: Sequence[int]
) -> Soundings:
    """Means over instances, in an order that does not depend on that of the rows.

    Args:
        rows: schema `SOUNDINGS`, of one structure kind.
        outputs: what is wanted; other rows are left out.
        plants: the plants wanted, which `Soundings.plant` counts in.
        instances: those that may answer; other rows are never read.

    Raises:
        DataError: an image has two values of one output and instance.
    """
    output = _positions(joined(rows, ("imager", "model", "head")), [_word(o) for o in outputs])
    plant = _positions(rows.column("plant_id"), list(plants))
    instance = rows.column("instance").to_numpy().astype(np.int64)
    value = rows.column("value").to_numpy().astype(np.float64)
    kept = np.flatnonzero((output >= 0) & (plant >= 0) & np.isin(instance, instances) & np.isfinite(value))
    image = _ranks(joined(rows.take(pa.array(kept)), ("plant_id", "imager", "image_id")))
    cell = image * len(outputs) + output[kept]
    order = np.lexsort((instance[kept], cell))
    cell, kept = cell[order], kept[order]
    same = np.diff(cell) == 0
    if np.any(same & (np.diff(instance[kept]) == 0)):
        raise _twice(rows, kept[1:][same & (np.diff(instance[kept]) == 0)][0])
    first = np.flatnonzero(np.append(True, ~same)) if len(cell) else np.zeros(0, np.int64)
    count = np.diff(np.append(first, len(cell)))
    total = np.add.reduceat(value[kept], first) if len(cell) else np.zeros(0)
    day = rows.column("time_utc_ns").to_numpy().astype(np.int64)[kept[first]] // DAY_NS
    return Soundings(plant[kept[first]], day, cell[first] // max(len(outputs), 1), output[kept[first]], total / count)


def _word(output: Output) -> str:
    return _SEPARATOR.join((output.imager, output.model, output.head))


def joined(rows: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    """(n,) columns of text as one: equal where all of them are."""
    return pc.binary_join_element_wise(*(rows.column(name).cast(pa.string()) for name in names), _SEPARATOR)


def _positions(words: pa.ChunkedArray, among: list[str]) -> NDArray[np.int64]:
    """(n,) position of each word, -1 where it is none of them."""
    found = pc.fill_null(pc.index_in(words, pa.array(among, pa.string())), -1)
    return np.asarray(found.to_numpy(), np.int64)


def _ranks(words: pa.ChunkedArray) -> NDArray[np.int64]:
    """(n,) rank of each word among the different ones."""
    different = pc.unique(words)
    ranks = np.empty(len(different), np.int64)
    ranks[pc.sort_indices(different).to_numpy()] = np.arange(len(different))
    return ranks[np.asarray(pc.index_in(words, different).to_numpy(), np.int64)]


def _twice(rows: pa.Table, at: np.int64) -> DataError:
    row = rows.slice(int(at), 1).to_pylist()[0]
    return DataError(
        f"image {row['image_id']} has two values of {row['imager']} {row['model']} {row['head']}",
        where=f"soundings of {row['plant_id']}, instance {row['instance']}",
        expected="one value for each image, model, instance and head",
        remedy="Score each image once, or read one run's soundings only.",
    )
