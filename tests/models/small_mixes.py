"""A few regions whose power follows emission factors and whose other sectors follow their size, day after day."""

import numpy as np

from carbonray.models.clean import CleanConfig, MixBatch, mix_batch
from carbonray.models.energy_factors import source_factors
from carbonray.science.energy.mix import MixRows

DAY_NS = 86_400_000_000_000
NAMES = ("Aland", "Borduria", "Carpania", "Drakonia", "Elbonia", "Florin", "Genovia", "Hav")


def regions(count: int = 6, days: int = 60, seed: int = 3) -> MixRows:
    """Rows of all regions, region by region."""
    rng = np.random.default_rng(seed)
    energy, emissions = [], []
    for _ in range(count):
        mix, size = rng.dirichlet(np.full(8, 0.6)), 10.0 ** rng.uniform(1.5, 3.5)
        moved = mix * np.exp(0.1 * rng.standard_normal((days, 8)))
        g = size * np.exp(0.1 * rng.standard_normal((days, 1))) * moved
        power = 1000.0 * g @ np.asarray(source_factors())
        rest = 400.0 * size * rng.dirichlet(np.full(5, 3.0)) * np.exp(0.05 * rng.standard_normal((days, 5)))
        energy.append(g)
        emissions.append(np.column_stack([power, rest]))
    starts = np.tile(np.arange(days) * DAY_NS, count)
    names = np.repeat(np.array(NAMES[:count], object), days)
    return MixRows(names, starts, starts + DAY_NS, np.concatenate(energy), np.concatenate(emissions))


def batch(rows: MixRows) -> MixBatch:
    """As the networks read them."""
    return mix_batch(rows.energy, rows.emissions)


def config(**changed: object) -> CleanConfig:
    """A small network."""
    return CleanConfig(**{"width": 16, "d": 8, **changed})  # type: ignore[arg-type]
