"""CLEAN: total CO2 from the mix of energy and total energy from the mix of sectors, by two encoders of one space.

Source: SCIENCE 2.3, all of it inferred: what is published of CLEAN names a dual encoder, a cycle loss after CycleGAN
(Zhu et al. 2017, arXiv 1703.10593) and no equation. Shares are (n, 8) of the sources and (n, 6) of the sectors, in the
order of `vocab.energy`; totals are (n,) ln of GWh and of t CO2 a day. A row's answer depends on no other row.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from carbonray.errors import ContractError, DataError
from carbonray.models.clean_layers import ENCODERS, Decoder
from carbonray.science.energy.mix import Floats, proportions

Module = TypeVar("Module", bound=nn.Module)

LEAST_SPREAD = 1e-6  # what varies less in float32 does not vary: its spread is taken for 1


@dataclass(frozen=True)
class CleanConfig:
    """Shape of the network and the scales of what it reads and says.

    Attributes:
        encoder: key of `clean_layers.ENCODERS`: 'mlp' or 'cnn'.
        sources: of energy.
        sectors: that emit.
        width: of hidden layers.
        d: length of an embedding.
        dropout: of hidden layers.
        cycle: whether there are decoders, without which nothing can be led around the cycle.
        include_total: whether encoders read ln of the total beside the shares; the mix alone is the published reading.
        ratio: whether heads then answer by how much the total asked departs from the total told, so that what they do
            not know of a size they carry over; no part of SCIENCE 2.3.
        energy_center: what is taken off the shares of the sources and off ln G; zeros where empty.
        energy_spread: by what they are divided then; ones where empty.
        emissions_center: likewise of the sectors and of ln E.
        emissions_spread: likewise.

    Raises:
        ContractError: a choice is unknown, a size or a spread is not above 0, or lengths do not fit.
    """

    encoder: str = "mlp"
    sources: int = 8
    sectors: int = 6
    width: int = 128
    d: int = 64
    dropout: float = 0.1
    cycle: bool = True
    include_total: bool = False
    ratio: bool = False
    energy_center: tuple[float, ...] = ()
    energy_spread: tuple[float, ...] = ()
    emissions_center: tuple[float, ...] = ()
    emissions_spread: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for side, parts in (("energy", self.sources), ("emissions", self.sectors)):
            for name, plain in ((f"{side}_center", 0.0), (f"{side}_spread", 1.0)):
                # a bundle's JSON holds a list
                object.__setattr__(self, name, tuple(getattr(self, name)) or (plain,) * (parts + 1))
        sizes = min(self.sources, self.sectors, self.width, self.d) >= 1 and 0.0 <= self.dropout < 1.0
        fitting = {len(self.energy_center), len(self.energy_spread)} == {self.sources + 1}
        fitting &= {len(self.emissions_center), len(self.emissions_spread)} == {self.sectors + 1}
        known = self.encoder in ENCODERS and self.include_total >= self.ratio
        if not (sizes and fitting and known and min(self.energy_spread + self.emissions_spread) > 0.0):
            raise ContractError(
                f"no such network: {self}",
                where="CleanConfig",
                expected=f"encoder of {tuple(ENCODERS)}, sizes and spreads above 0, a dropout of 0 up to 1, ratios "
                "of totals only where they are included, a centre and a spread for every share and for the total",
                remedy="Correct the configuration, or install the version of carbonray that wrote the bundle.",
            )


@dataclass(frozen=True)
class MixBatch:
    """Some rows of a region and a time.

    Attributes:
        source_share: (n, sources) float32, each row summing to 1.
        ln_g: (n,) ln of all energy.
        sector_share: (n, sectors).
        ln_e: (n,) ln of all emissions.
    """

    source_share: Tensor
    ln_g: Tensor
    sector_share: Tensor
    ln_e: Tensor

    def __len__(self) -> int:
        return len(self.ln_e)

    def rows(self, chosen: Tensor | slice) -> "MixBatch":
        """Some of the rows."""
        return self._each(lambda tensor: tensor[chosen])

    def to(self, device: str | torch.device) -> "MixBatch":
        """The batch on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "MixBatch":
        return MixBatch(*(change(getattr(self, f.name)) for f in fields(self)))


def mix_batch(energy: ArrayLike, emissions: ArrayLike) -> MixBatch:
    """Rows as the networks read them.

    Args:
        energy: (n, sources) GWh a day.
        emissions: (n, sectors) t CO2 a day.

    Raises:
        DataError: a part is unknown, or a total is 0: it has no logarithm.
        ValueError: a part is negative.
    """
    (source_share, g), (sector_share, e) = proportions(energy), proportions(emissions)
    bad = int((~(g > 0.0)).sum() + (~(e > 0.0)).sum())
    if len(g) != len(e) or bad:
        raise DataError(
            f"{len(g)} rows of energy, {len(e)} of emissions, {bad} of them unknown or of nothing",
            where="mix_batch",
            expected="as many of each, every part known and every total above 0",
            remedy="Leave incomplete rows out before networks are fitted.",
        )
    parts = source_share, np.log(g), sector_share, np.log(e)
    return MixBatch(*(torch.from_numpy(part.astype(np.float32)) for part in parts))


def scaled_to(config: CleanConfig, train: MixBatch, *, shares: bool = False) -> CleanConfig:
    """The configuration with centres and spreads of the rows that teach: of the totals, and of the shares if asked for.

    What does not vary keeps a spread of 1.
    """
    energy_center, energy_spread = _scales(train.source_share, train.ln_g, shares=shares)
    emissions_center, emissions_spread = _scales(train.sector_share, train.ln_e, shares=shares)
    return replace(
        config,
        energy_center=energy_center,
        energy_spread=energy_spread,
        emissions_center=emissions_center,
        emissions_spread=emissions_spread,
    )


class CleanAnswer(NamedTuple):
    """What the network says of n rows.

    Attributes:
        ln_e: (n,) ln of t CO2 a day, from the mix of energy.
        ln_g: (n,) ln of GWh a day, from the mix of sectors.
        z_g: (n, d) embedding of the mix of energy.
        z_s: (n, d) that of the mix of sectors.
        told_g: (n, sources (+ 1)) what was read: shares, and ln G where totals are included.
        told_s: (n, sectors (+ 1)) likewise.
        seen_s: like told_s, the sectors that the mix of energy is translated to; None without decoders.
        seen_g: like told_g, the other way round.
        back_g: like told_g, seen_s translated back: the end of the cycle.
        back_s: like told_s.
    """

    ln_e: Tensor
    ln_g: Tensor
    z_g: Tensor
    z_s: Tensor
    told_g: Tensor
    told_s: Tensor
    seen_s: Tensor | None = None
    seen_g: Tensor | None = None
    back_g: Tensor | None = None
    back_s: Tensor | None = None


class Clean(nn.Module):
    """Two encoders with a head each, and decoders that lead from one mix to the other and back.

    Every part draws its first weights from a seed of its own, so that leaving one out changes none of the others.
    """

    energy_scale: Tensor
    emissions_scale: Tensor

    def __init__(self, config: CleanConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        total, encoder, sizes = int(config.include_total), ENCODERS[config.encoder], (config.width, config.d)
        self.phi_g = _seeded(lambda: encoder(config.sources + total, *sizes, config.dropout), seed, 0)
        self.phi_s = _seeded(lambda: encoder(config.sectors + total, *sizes, config.dropout), seed, 1)
        self.a_e = _seeded(lambda: nn.Linear(config.d, 1), seed, 2)
        self.a_g = _seeded(lambda: nn.Linear(config.d, 1), seed, 3)
        if config.cycle:
            self.psi_s = _seeded(lambda: Decoder(*sizes, config.sectors, total), seed, 4)
            self.psi_g = _seeded(lambda: Decoder(*sizes, config.sources, total), seed, 5)
        for side in ("energy", "emissions"):
            scale = torch.tensor([getattr(config, f"{side}_center"), getattr(config, f"{side}_spread")])
            self.register_buffer(f"{side}_scale", scale, persistent=False)  # the bundle's configuration has it

    def emissions(self, source_share: Tensor, ln_g: Tensor | None = None) -> Tensor:
        """(n, sources) shares -> (n,) ln of t CO2 a day.

        Args:
            source_share: each row summing to 1.
            ln_g: (n,) ln of all energy, read where the network includes totals.

        Raises:
            ContractError: the network needs totals and there are none.
        """
        told = _told(self.config, source_share, ln_g)
        return self._ln_e(self.encoded_energy(told), told)

    def energy(self, sector_share: Tensor, ln_e: Tensor | None = None) -> Tensor:
        """(n, sectors) shares, and (n,) ln of all emissions where totals are included -> (n,) ln of GWh a day.

        Raises:
            ContractError: the network needs totals and there are none.
        """
        told = _told(self.config, sector_share, ln_e)
        return self._ln_g(self.encoded_emissions(told), told)

    def encoded_energy(self, told: Tensor) -> Tensor:
        """(n, sources (+ 1)) -> (n, d)."""
        z: Tensor = self.phi_g(_scaled(told, self.energy_scale))
        return z

    def encoded_emissions(self, told: Tensor) -> Tensor:
        """(n, sectors (+ 1)) -> (n, d)."""
        z: Tensor = self.phi_s(_scaled(told, self.emissions_scale))
        return z

    def forward(self, batch: MixBatch) -> CleanAnswer:
        """Everything that losses look at, of rows on the network's device."""
        told_g = _told(self.config, batch.source_share, batch.ln_g)
        told_s = _told(self.config, batch.sector_share, batch.ln_e)
        z_g, z_s = self.encoded_energy(told_g), self.encoded_emissions(told_s)
        answer = CleanAnswer(self._ln_e(z_g, told_g), self._ln_g(z_s, told_s), z_g, z_s, told_g, told_s)
        if not self.config.cycle:
            return answer
        seen_s, seen_g = self.psi_s(z_g, self.emissions_scale), self.psi_g(z_s, self.energy_scale)
        back_g = self.psi_g(self.encoded_emissions(seen_s), self.energy_scale)
        back_s = self.psi_s(self.encoded_energy(seen_g), self.emissions_scale)
        return answer._replace(seen_s=seen_s, seen_g=seen_g, back_g=back_g, back_s=back_s)

    def _ln_e(self, z_g: Tensor, told_g: Tensor) -> Tensor:
        return self._answer(self.a_e(z_g)[:, 0], self.emissions_scale, told_g, self.energy_scale)

    def _ln_g(self, z_s: Tensor, told_s: Tensor) -> Tensor:
        return self._answer(self.a_g(z_s)[:, 0], self.energy_scale, told_s, self.emissions_scale)

    def _answer(self, out: Tensor, scale: Tensor, told: Tensor, told_scale: Tensor) -> Tensor:
        answer = scale[0, -1] + scale[1, -1] * out
        return answer + told[:, -1] - told_scale[0, -1] if self.config.ratio else answer


def _scales(share: Tensor, ln_total: Tensor, *, shares: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    table: Floats = torch.cat([share, ln_total[:, None]], 1).double().numpy()
    center, spread = table.mean(axis=0), table.std(axis=0)
    moved = np.append(np.full(share.shape[1], shares), [True])
    spread = np.where(moved & (spread > LEAST_SPREAD), spread, 1.0)
    return tuple(np.where(moved, center, 0.0).tolist()), tuple(spread.tolist())


def _told(config: CleanConfig, share: Tensor, ln_total: Tensor | None) -> Tensor:
    if not config.include_total:
        return share
    if ln_total is None:
        raise ContractError(
            "shares alone",
            where="Clean",
            expected="shares and ln of their total: the network was fitted with both",
            remedy="Give the total, or use a network that was fitted with include_total off.",
        )
    return torch.cat([share, ln_total[:, None]], 1)


def _scaled(told: Tensor, scale: Tensor) -> Tensor:
    parts = scale[:, : told.shape[1]]
    return (told - parts[0]) / parts[1]


def _seeded(build: Callable[[], Module], seed: int, number: int) -> Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence((seed, number)).generate_state(1)[0]))
        return build()
