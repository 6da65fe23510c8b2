"""Batches of 1 km cells for the networks: every tile once, and for every cell the window of tiles around it.

Source: SCIENCE 1.2 and pitfall 9: 32 windows of 3 x 3 share most of their tiles, and each is encoded once. Images are
(tile, 3, y, x) uint8 red, green, blue, row 0 north. Points of interest travel packed, (tile, category, y, x) each, with
y and x in parts of 65536 of the tile's side from its north-west corner, and become counts where pixels are needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from carbonray.errors import ContractError, DataError

PARTS = 16  # bits of a fraction of a tile's side
SYMMETRIES = 8  # of the square
OF_TILES = ("images", "image_present", "poi_present")
OF_POINTS = ("point_tile", "point_category", "point_y", "point_x")
OF_CELLS = ("neighbors", "ln_e", "cell_ids")


@dataclass(frozen=True)
class CellBatch:
    """Some cells and the tiles of their windows; a whole shard of a training store has the same form.

    Attributes:
        images: (t, 3, s, s) uint8; anything where there is none.
        image_present: (t,) bool, whether the tile has an image.
        poi_present: (t,) bool, whether points of interest are known there, none being a fact too.
        point_tile: (p,) int64 position of each point's tile.
        point_category: (p,) int16.
        point_y: (p,) uint16 parts of 65536 southward.
        point_x: (p,) uint16 parts of 65536 eastward.
        neighbors: (b, M, M) int64 positions of the tiles around each cell, north-west first; -1 for none.
        ln_e: (b,) float32 ln of t CO2 a year; NaN where it is not known.
        cell_ids: (b,) int64.
        symmetry: of the square, 0 to 7, under which tiles and windows are looked at: quarter turns counter-clockwise,
            from 4 on mirrored east to west afterwards.

    Raises:
        ContractError: lengths or shapes do not fit each other.
    """

    images: Tensor
    image_present: Tensor
    poi_present: Tensor
    point_tile: Tensor
    point_category: Tensor
    point_y: Tensor
    point_x: Tensor
    neighbors: Tensor
    ln_e: Tensor
    cell_ids: Tensor
    symmetry: int = 0

    def __post_init__(self) -> None:
        alike = all(len({len(getattr(self, name)) for name in names}) == 1 for names in (OF_TILES, OF_POINTS, OF_CELLS))
        window = self.neighbors.shape[1:]
        if not (alike and self.images.ndim == 4 and len(window) == 2 and window[0] == window[1] and window[0] % 2):
            shapes = {name: tuple(getattr(self, name).shape) for name in (*OF_TILES, *OF_POINTS, *OF_CELLS)}
            raise ContractError(
                f"a batch of cells of the shapes {shapes}",
                where="CellBatch",
                expected="one length for what tells of tiles, of points and of cells; images (t, 3, s, s) and odd "
                "square windows (b, M, M)",
                remedy="Build batches from one shard, or join them with `joined`.",
            )

    def __len__(self) -> int:
        return len(self.neighbors)

    @property
    def size(self) -> int:
        """Rings of neighbours around each cell."""
        return self.neighbors.shape[1] // 2

    def to(self, device: torch.device) -> "CellBatch":
        """The batch on a device."""
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "symmetry"}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in moved.items()})

    def rows(self, index: Tensor) -> "CellBatch":
        """Some of the cells, with the tiles of their windows and no others."""
        chosen = {name: getattr(self, name)[index] for name in OF_CELLS}
        return replace(self, **chosen).only_tiles_in_windows()

    def cropped(self, size: int) -> "CellBatch":
        """The same cells with windows of that many rings, and the tiles of those; itself where they are no larger."""
        cut = self.size - size
        if cut <= 0:
            return self
        return replace(self, neighbors=self.neighbors[:, cut:-cut, cut:-cut]).only_tiles_in_windows()

    def padded_as_authors(self) -> "CellBatch":
        """The authors' padding: what is absent beside a cell becomes tile 0, as their index of zeros has it.

        To be called on a whole shard, whose tile 0 is the city's first (SCIENCE 1.6, pitfall 1).
        """
        return replace(self, neighbors=self.neighbors.clamp(min=0))

    def only_tiles_in_windows(self) -> "CellBatch":
        """Tiles and points that no window shows left out; the order of the rest is kept."""
        shown = torch.unique(self.neighbors[self.neighbors >= 0])
        place = torch.full((len(self.images) + 1,), -1, device=shown.device)  # its last entry is for -1
        place[shown] = torch.arange(len(shown), device=shown.device)
        kept = place[self.point_tile] >= 0
        tiles = {name: getattr(self, name)[shown] for name in OF_TILES}
        points = {name: getattr(self, name)[kept] for name in OF_POINTS}
        points["point_tile"] = place[points["point_tile"]]
        return replace(self, **tiles, **points, neighbors=place[self.neighbors])

    def pixels(self) -> Tensor:
        """(t, 3, s, s) uint8, under the batch's symmetry."""
        return turned(self.images, self.symmetry)

    def windows(self) -> Tensor:
        """(b, M, M) positions of tiles, under the batch's symmetry."""
        return turned(self.neighbors, self.symmetry)

    def raster(self, categories: int, side: int) -> Tensor:
        """(t, C, s, s) float32 counts of the points of interest, under the batch's symmetry, channels last in memory.

        Raises:
            DataError: a point is of a category beyond C.
        """
        if (
            len(self.point_category)
            and not 0 <= int(self.point_category.min()) <= self.point_category.max() < categories
        ):
            raise DataError(
                f"points of the categories {int(self.point_category.min())} to {int(self.point_category.max())}",
                where="CellBatch.raster",
                expected=f"0 to {categories - 1}",
                remedy="Read the points by the category map that the network was fitted with.",
            )
        y, x = ((part.int() * side) >> PARTS for part in (self.point_y, self.point_x))
        for _ in range(self.symmetry % 4):
            y, x = side - 1 - x, y
        if self.symmetry >= 4:
            x = side - 1 - x
        place = ((self.point_tile * side + y) * side + x) * categories + self.point_category
        counts = torch.zeros(len(self.images) * side * side * categories, device=place.device)
        counts.index_add_(0, place, counts.new_ones(()).expand(len(place)))
        return counts.view(-1, side, side, categories).permute(0, 3, 1, 2)

    def present(self) -> Tensor:
        """(b, M, M, 2) bool, whether there is an image, and points, at each place of the windows."""
        windows = self.windows()
        known = torch.stack([self.image_present, self.poi_present], 1)
        return gathered(known, windows) & (windows >= 0)[..., None]


def turned(squares: Tensor, symmetry: int) -> Tensor:
    """(..., s, s) squares under one symmetry: quarter turns counter-clockwise, from 4 on mirrored east to west."""
    out = torch.rot90(squares, symmetry % 4, (-2, -1)) if symmetry % 4 else squares
    return torch.flip(out, (-1,)) if symmetry >= 4 else out


def gathered(tiles: Tensor, windows: Tensor) -> Tensor:
    """(t, ...) of tiles and (b, M, M) positions -> (b, M, M, ...); -1 reads tile 0, which a mask has to cover."""
    return tiles[windows.clamp(min=0)]


def joined(batches: Sequence[CellBatch]) -> CellBatch:
    """Cells of several shards as one batch, their tiles one after the other; looked at as the first is."""
    first = 0
    moved: list[CellBatch] = []
    for batch in batches:
        windows = torch.where(batch.neighbors >= 0, batch.neighbors + first, -1)
        moved.append(replace(batch, neighbors=windows, point_tile=batch.point_tile + first))
        first += len(batch.images)
    names = (*OF_TILES, *OF_POINTS, *OF_CELLS)
    return CellBatch(
        **{name: torch.cat([getattr(batch, name) for batch in moved]) for name in names}, symmetry=moved[0].symmetry
    )
