"""Rows of made-up regions that the tests of this folder share."""

from collections.abc import Sequence

import numpy as np

from carbonray.science.energy.mix import MixRows

DAY_NS = 86_400_000_000_000
START_NS = int(np.datetime64("2023-01-01", "ns").astype(np.int64))
EU = "EU27 & UK"
COMPOSITES = {EU: ("France", "Germany", "Italy", "Spain", "United Kingdom")}
TWELVE = (
    "Brazil", "China", EU, "France", "Germany", "India", "Italy", "Japan", "Russia", "Spain", "United Kingdom",
    "United States",
)  # fmt: skip


def daily_rows(regions: Sequence[str], days: int, seed: int = 0, start_ns: int = START_NS) -> MixRows:
    """Every region on every day, each with a mix and a size of its own."""
    rng = np.random.default_rng(seed)
    n = len(regions) * days
    own_energy = np.repeat(rng.lognormal(4.0, 1.0, (len(regions), 8)), days, axis=0)
    own_emissions = np.repeat(rng.lognormal(10.0, 1.0, (len(regions), 6)), days, axis=0)
    start = np.tile(start_ns + np.arange(days) * DAY_NS, len(regions))
    return MixRows(
        np.repeat(np.array(regions, object), days),
        start,
        start + DAY_NS,
        own_energy * rng.lognormal(0.0, 0.1, (n, 8)),
        own_emissions * rng.lognormal(0.0, 0.1, (n, 6)),
    )
