"""Samples of 1 km cells as Zarr groups: the cells of a tile with their labels, and the planned cells around them.

Source: SCIENCE 1.2; HOUSE "Decided" (integers in the store, scaling in the bundle). A group is a shard of a training
store, written and read whole. Images are (image, 3, y, x) uint8 red, green, blue, row 0 north, of the cells that have
one, in their order; points of interest are (point, 3) uint16 category, y and x in parts of 65536, cell by cell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import ContractError, DataError
from carbonray.io.array_group import ArrayNotes, decode_group, encode_group

Rows = NDArray[np.int64]
OWN, IMAGE, POI = 1, 2, 4  # bits of `state`
OF_CELLS = ("cell_id", "own", "image_present", "poi_present", "ln_t_co2", "radiance", "n_points")

_NOTES = {
    "cell_id": ArrayNotes(("cell",), "1", "number of the cell on the lattice, ascending"),
    "state": ArrayNotes(("cell",), "1", "bits: 1 of the tile itself, 2 image, 4 points of interest known"),
    "ln_t_co2": ArrayNotes(("cell",), "1", "natural logarithm of the tonnes of CO2 a year, NaN where none is learned"),
    "radiance": ArrayNotes(("cell",), "as in the file", "mean night light, NaN where unknown"),
    "n_points": ArrayNotes(("cell",), "1", "points of interest of the cell in `points`"),
    "images": ArrayNotes(("image", "band", "y", "x"), "1", "red, green, blue of the cells that have an image"),
    "points": ArrayNotes(("point", "part"), "1", "category; y and x in parts of 65536 from the north-west corner"),
}


@dataclass(frozen=True)
class CellSamples:
    """Cells by ascending number, each once.

    Attributes:
        cell_id: (t,) numbers.
        own: (t,) whether the cell is the tile's own; the others stand around it and have no label here.
        image_present: (t,) whether there is an image.
        poi_present: (t,) whether points of interest are known, none being a fact too.
        ln_t_co2: (t,) label; NaN where there is none to learn.
        radiance: (t,) float32 night light, NaN where unknown.
        n_points: (t,) int32 points of each.
        images: (i, 3, s, s) uint8, i of `image_present`.
        points: (p, 3) uint16 category, y, x; p the sum of `n_points`.

    Raises:
        ContractError: lengths do not fit each other, or numbers do not ascend.
    """

    cell_id: Rows
    own: NDArray[np.bool_]
    image_present: NDArray[np.bool_]
    poi_present: NDArray[np.bool_]
    ln_t_co2: NDArray[np.float64]
    radiance: NDArray[np.float32]
    n_points: NDArray[np.int32]
    images: NDArray[np.uint8]
    points: NDArray[np.uint16]

    def __post_init__(self) -> None:
        alike = len({len(getattr(self, name)) for name in OF_CELLS}) == 1 and bool(np.all(np.diff(self.cell_id) > 0))
        told = len(self.images) == self.image_present.sum() and len(self.points) == self.n_points.sum()
        if not (alike and told):
            shapes = {name: getattr(self, name).shape for name in (*OF_CELLS, "images", "points")}
            raise ContractError(
                f"samples of the shapes {shapes}",
                where="CellSamples",
                expected="ascending cells, an image for each that has one, and as many points as they tell",
                remedy="Make samples with `ReadCellSamples`, or join them with `joined_samples`.",
            )

    def __len__(self) -> int:
        return len(self.cell_id)

    def rows(self, chosen: Rows) -> "CellSamples":
        """Some cells, by ascending positions."""
        return CellSamples(**_taken(vars(self), chosen))

    def without_images(self) -> "CellSamples":
        """The same cells with images of one pixel: for networks that look at none, in a hundredth of the memory."""
        return replace(self, images=np.zeros((len(self.images), 3, 1, 1), np.uint8))


def joined_samples(parts: Sequence[CellSamples]) -> CellSamples:
    """Cells of several tiles; a cell that stands in one and around another is taken from where it is the tile's own."""
    if len(parts) == 1:
        return parts[0]
    every = {name: np.concatenate([getattr(part, name) for part in parts]) for name in (*OF_CELLS, "images", "points")}
    order = np.lexsort((~every["own"], every["cell_id"]))
    _, first = np.unique(every["cell_id"][order], return_index=True)
    return CellSamples(**_taken(every, order[first]))


def encode_samples(samples: CellSamples, facts: Mapping[str, Any]) -> dict[str, bytes]:
    """The group's objects by key; the same samples give the same bytes.

    Args:
        samples: at least one cell.
        facts: JSON values to keep beside them, such as the data tier.
    """
    state = OWN * samples.own + IMAGE * samples.image_present + POI * samples.poi_present
    arrays = {name: getattr(samples, name) for name in _NOTES if name != "state"} | {"state": state.astype(np.uint8)}
    # what has no row is left out: the seals say that it never was there
    held = {name: values for name, values in arrays.items() if len(values)}
    return encode_group(held, _NOTES, {**facts, "image_px": samples.images.shape[-1]}, chunk_rows=len(samples))


def decode_samples(objects: Mapping[str, bytes], where: str) -> CellSamples:
    """Samples from the objects of their group.

    Raises:
        DataError: they are not whole, or no samples of cells.
    """
    arrays, facts = decode_group(objects, where)
    try:
        side = int(facts["image_px"])
        held: dict[str, NDArray[Any]] = {
            "images": np.zeros((0, 3, side, side), np.uint8),
            "points": np.zeros((0, 3), np.uint16),
            **arrays,
        }
        state = held.pop("state")
        for name, bit in (("own", OWN), ("image_present", IMAGE), ("poi_present", POI)):
            held[name] = (state & bit) > 0
        return CellSamples(**held)
    except (KeyError, TypeError, ContractError) as error:
        raise DataError(
            f"the group holds no samples of cells ({type(error).__name__}: {error})",
            where=where,
            expected="a tile as the pass `samples` committed it",
            remedy="Remove the tile's objects and its ledger record, and run the job again.",
        ) from error


def _taken(arrays: Mapping[str, NDArray[Any]], chosen: Rows) -> dict[str, NDArray[Any]]:
    """Some cells in an order, with their images and points."""
    present, count = arrays["image_present"], arrays["n_points"].astype(np.int64)
    image = (np.cumsum(present) - 1)[chosen][present[chosen]]
    return {name: arrays[name][chosen] for name in OF_CELLS} | {
        "images": arrays["images"][image],
        "points": arrays["points"][_spans(np.cumsum(count) - count, count, chosen)],
    }


def _spans(first: Rows, count: Rows, chosen: Rows) -> Rows:
    """Positions of what the chosen rows hold, one row's after the other's."""
    taken = count[chosen]
    spans: Rows = np.arange(taken.sum()) + np.repeat(first[chosen] - (np.cumsum(taken) - taken), taken)
    return spans
