"""Peers of the networks of cells that know where a cell is and nothing else: the nearest labels, and kriging.

Source: SCIENCE 1.5 (spatial-only peers must be there: a random split rewards them). Only labels of the same city have a
say. **For a city that no training cell lies in, both answer the training mean**: place tells nothing there, and the
validation cells of such a city choose nothing, so that the first of the numbers tried is taken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from carbonray.models.baselines import SplitRows
from carbonray.models.cell_rows import CellRows, best_on_validation, checked_split
from carbonray.science.spatial.kriging import kriged, nearest_places

Floats = NDArray[np.float64]
Told = Callable[[Floats, Floats, Floats], Floats]  # places, values there, places wanted -> values


@dataclass(frozen=True)
class KnownPlaces:
    """Training cells.

    Attributes:
        cities: name -> ((cell, 3) km, (cell,) ln of tonnes), in the order of the cells.
        mean: of all labels.
    """

    cities: Mapping[str, tuple[Floats, Floats]]
    mean: float

    def answer(self, rows: CellRows, told: Told) -> Floats:
        """(row,) what the labels of the same city say; their mean where there are none."""
        answer, wanted = np.full(len(rows.cell), self.mean), rows.places_km()
        for city in np.unique(rows.city).tolist():
            here = rows.city == city
            if city in self.cities:
                answer[here] = told(*self.cities[city], wanted[here])
        return answer


def known_places(rows: CellRows, train: NDArray[np.int64]) -> KnownPlaces:
    """The training cells, city by city."""
    some = rows.only(train)
    places = some.places_km()
    cities = {str(city): (places[some.city == city], some.ln_e[some.city == city]) for city in np.unique(some.city)}
    return KnownPlaces(cities, float(some.ln_e.mean()))


@dataclass(frozen=True)
class NearestAnswer:
    """The mean of the labels of the nearest training cells."""

    known: KnownPlaces
    neighbors: int

    def predict(self, rows: CellRows) -> Floats:
        """(row,) ln of tonnes; of all labels where a city has fewer than asked for."""
        return self.known.answer(rows, self._mean)

    def _mean(self, places: Floats, values: Floats, wanted: Floats) -> Floats:
        _, near = nearest_places(places, wanted, self.neighbors)
        return np.asarray(values[near].mean(axis=1), np.float64)


@dataclass(frozen=True)
class Nearest:
    """The mean of k labels, with the k that serves the validation cells best.

    Attributes:
        tried: numbers of neighbours.
    """

    tried: tuple[int, ...]

    def fit(self, rows: CellRows, split: SplitRows) -> NearestAnswer:
        """Chooses k; see `CellPeer.fit`."""
        ordered = checked_split(rows, split)
        known, judged = known_places(rows, ordered.train), rows.only(ordered.validation)
        models = [NearestAnswer(known, count) for count in self.tried]
        return models[best_on_validation([model.predict(judged) for model in models], judged.ln_e)]


@dataclass(frozen=True)
class KrigingAnswer:
    """Ordinary kriging among the nearest training cells.

    Attributes:
        known: training cells.
        length_km: of the correlation.
        nugget: share of the variance that neighbours do not share.
        window: most training cells that have a say in an answer, the nearest.
    """

    known: KnownPlaces
    length_km: float
    nugget: float
    window: int

    def predict(self, rows: CellRows) -> Floats:
        """(row,) ln of tonnes."""
        return self.known.answer(rows, self._kriged)

    def _kriged(self, places: Floats, values: Floats, wanted: Floats) -> Floats:
        rules = {"length_km": self.length_km, "nugget": self.nugget}
        return kriged(places, values, wanted, **rules, window=self.window)


@dataclass(frozen=True)
class Kriging:
    """Kriging with the correlation that serves the validation cells best.

    Attributes:
        length_km: lengths tried.
        nugget: nuggets tried.
        window: most training cells that have a say in an answer, the nearest.
    """

    length_km: tuple[float, ...]
    nugget: tuple[float, ...]
    window: int

    def fit(self, rows: CellRows, split: SplitRows) -> KrigingAnswer:
        """Chooses length and nugget; see `CellPeer.fit`."""
        ordered = checked_split(rows, split)
        known, judged = known_places(rows, ordered.train), rows.only(ordered.validation)
        models = [KrigingAnswer(known, *pair, self.window) for pair in product(self.length_km, self.nugget)]
        return models[best_on_validation([model.predict(judged) for model in models], judged.ln_e)]
