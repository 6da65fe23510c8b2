"""Which rows of energy and emissions teach, validate and test a network: tables of rows divided, countries synthesised.

Sources: SCIENCE 2.4 and 2.5. A division needs regions and times alone, so that no amount of a row that tests is read
before it is judged; synthesised countries take part as recipes over rows that teach, but in the paper's protocol.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from carbonray.errors import DataError, SettingsError
from carbonray.io import objectstore
from carbonray.io.energy.row_tables import rows_of
from carbonray.io.table_store import decode_table
from carbonray.science.energy.mix import MixRows, stacked
from carbonray.science.energy.splits import (
    PAPER_TURN,
    TEST,
    TRAIN,
    UNUSED,
    VALIDATE,
    EnergySplitRules,
    Roles,
    overlap,
    roles,
    sample,
    turns,
)
from carbonray.science.energy.synthesis import Recipe, SynthesisRules, recipes, synthesised
from carbonray.stages.energy_seen import Seen, block_names
from carbonray.stages.energy_streams import EnergyShard, Rows, RowTable
from carbonray.vocab.energy_tables import ENERGY_ROWS

Value = TypeVar("Value")


@dataclass(frozen=True)
class TrainingEnergy:
    """What networks of energy and emissions are fitted on, in plain values.

    Attributes:
        url: folder of the run that holds the rows.
        tables: of rows, in the order of their names.
        composites: regions that are sums of others.
        left_out: regions whose rows nobody may use.
        tier: data tiers of the rows.
        generator_sha256: digest of the generator's sources, empty for real data.
    """

    url: str
    tables: tuple[RowTable, ...]
    composites: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...] = ()
    tier: str = ""
    generator_sha256: str = ""


@dataclass(frozen=True)
class EnergyTurn:
    """What a fit must not see, and what chooses its epoch.

    Attributes:
        test: one of `science.energy.splits.turns`.
        validates: empty where those validate that validate in this turn; else the turn of a search, which validates on
            what this one tests on, of regions together with what validates there.
    """

    test: str
    validates: str = ""


@dataclass(frozen=True, eq=False)
class TurnRows:
    """The rows of a turn, without their amounts.

    Attributes:
        turn: which.
        real: (row,) those that were not synthesised, as in the index.
        role: (row,) of each.
        made: (row,) of synthesised countries.
        made_role: (row,) of each.
    """

    turn: EnergyTurn
    real: MixRows
    role: Roles
    made: MixRows
    made_role: Roles

    @property
    def makes(self) -> MixRows:
        """The rows that countries are made of: those that teach; as in the paper, all."""
        return self.real if self.turn.test == PAPER_TURN else self.real.rows(self.role == TRAIN)

    def count(self, role: int) -> int:
        """Rows of a role."""
        return int((self.role == role).sum() + (self.made_role == role).sum())


@dataclass(frozen=True, eq=False)
class DividedEnergy:
    """Rows by region and time, and how they are divided.

    Attributes:
        index: (row,) by region and start, without amounts.
        table: (row,) position of the table that holds each.
        row: (row,) and which of its rows it is.
        data: the tables.
        split: how rows are divided.
        synthesis: which countries are made.
    """

    index: MixRows
    table: Rows
    row: Rows
    data: TrainingEnergy
    split: EnergySplitRules
    synthesis: SynthesisRules

    @cached_property
    def turns(self) -> tuple[str, ...]:
        """What is tested on in turn; instances are numbered in this order.

        Raises:
            DataError: there are fewer blocks of time than runs.
        """
        return self._divided(lambda: turns(self.index, self.split))

    def turn(self, instance: int, where: str = "training.instances") -> EnergyTurn:
        """The turn of an instance.

        Raises:
            DataError: there are fewer blocks of time than runs.
            SettingsError: there is no such instance.
        """
        if instance not in range(len(self.turns)):
            raise SettingsError(
                f"there is no turn {instance}",
                where=where,
                expected=f"0 to {len(self.turns) - 1}, of which the last tests on {self.turns[-1]}",
                remedy="Name one of them, or divide rows otherwise (energy.splits.protocol).",
            )
        return EnergyTurn(self.turns[instance])

    def search_turns(self, instance: int, count: int) -> tuple[EnergyTurn, ...]:
        """At most so many turns that see nothing of what an instance tests on; in each of them others validate.

        Rows that are divided at random have but one.

        Raises:
            DataError: too few regions or blocks are left.
            SettingsError: there is no such instance.
        """
        own = self.turn(instance, "tune.test_fold").test
        if own == PAPER_TURN:
            return (EnergyTurn(own),)
        after = self.turns[instance + 1 :] + self.turns[:instance]
        names = [name for name in after if not overlap(name, own, self.data.composites) and not self._sums(name)]
        step = max(len(names) // count, 1)
        return tuple(EnergyTurn(own, name) for name in names[::step][:count])

    def rows_of(self, turn: EnergyTurn) -> TurnRows:
        """Who teaches, validates and tests in a turn.

        Raises:
            DataError: too few regions or blocks are left to teach and to validate, or to make countries of.
        """
        rows, count = self.index, len(self.index)
        if turn.validates:
            role = self._searched(turn)
            made = self._divided(lambda: synthesised(rows.rows(role == TRAIN), self.synthesis))
            return TurnRows(turn, rows, role, made, np.full(len(made), TRAIN, np.int8))
        found = self._divided(lambda: sample(rows, turn.test, self.split, self.synthesis, self.data.composites))
        made = found.rows.rows(np.arange(count, len(found.rows)))
        return TurnRows(turn, rows, found.role[:count], made, found.role[count:])

    def shards(self, found: TurnRows, role: int) -> tuple[EnergyShard, ...]:
        """Where the rows of a role are: those of each table, then those of each country by the tables they come from.

        Args:
            found: the rows of a turn.
            role: TRAIN, VALIDATE or TEST.
        """
        shards = list(self.shards_at(np.flatnonzero(found.role == role)))
        asked = found.made.rows(found.made_role == role)
        if len(asked):
            for recipe in recipes(found.makes, self.synthesis):
                shards += self._country(asked.start_ns[asked.region == recipe.name], recipe)
        return tuple(shards)

    def shards_at(self, at: Rows) -> tuple[EnergyShard, ...]:
        """Where some rows of the index are."""
        table = self.table[at]
        return tuple(self._shard(at[table == number][None]) for number in np.unique(table))

    def seen(self, found: TurnRows) -> Seen:
        """What a fit of a turn sees, for its bundle."""
        rows, role = found.real, found.role
        by_time = self.split.protocol == "time"
        names = np.array(block_names(rows.start_ns, rows.end_ns, self.split) if by_time else rows.region, np.str_)
        table = {str(name): _one(role[names == name]) for name in np.unique(names)}
        taught = {str(name) for name in rows.region[np.isin(role, (TRAIN, VALIDATE))]}
        return Seen(found.turn.test, self.split, self.synthesis, self.data.composites, tuple(sorted(taught)), table)

    @cached_property
    def _first(self) -> dict[str, Rows]:
        """Region -> positions of its rows, by start."""
        names, first = np.unique(self.index.region.astype(str), return_index=True)
        return dict(zip(names.tolist(), np.split(np.arange(len(self.index)), first[1:]), strict=True))

    def _searched(self, turn: EnergyTurn) -> Roles:
        """Roles of a turn of a search: rows that both turns leave to teach, and of the other's those that judge."""
        own, other = (self._roles(name) for name in (turn.test, turn.validates))
        # a region alone judges by chance; of time one run judges, for the runs that are left must teach
        judges = (TEST, VALIDATE) if self.split.protocol == "region" else (TEST,)
        role = np.where(np.isin(other, judges), VALIDATE, np.where(other == UNUSED, UNUSED, TRAIN))
        return np.where(np.isin(own, (TRAIN, VALIDATE)), role, UNUSED).astype(np.int8)

    def _roles(self, name: str) -> Roles:
        return self._divided(lambda: roles(self.index, name, self.split, self.data.composites))

    def _sums(self, name: str) -> bool:
        return bool(set(self.data.composites.get(name, ())) & set(self.turns))

    def _country(self, start_ns: Rows, recipe: Recipe) -> list[EnergyShard]:
        own = [self._first[region] for region in recipe.regions]
        at = np.stack([rows[np.searchsorted(self.index.start_ns[rows], start_ns)] for rows in own])
        _, group = np.unique(self.table[at], axis=1, return_inverse=True)
        return [self._shard(at[:, group == number], recipe) for number in range(int(group.max(initial=-1)) + 1)]

    def _shard(self, at: Rows, recipe: Recipe | None = None) -> EnergyShard:
        return EnergyShard(tuple(self.data.tables[number] for number in self.table[at[:, 0]]), self.row[at], recipe)

    def _divided(self, work: Callable[[], Value]) -> Value:
        try:
            return work()
        except ValueError as error:
            raise DataError(
                str(error),
                where=f"energy.splits.protocol={self.split.protocol}",
                expected="regions, or blocks of time, to learn from, to validate and to test on",
                remedy="Train on more regions or a longer time, or divide rows otherwise (energy.splits).",
            ) from error


def divided_energy(data: TrainingEnergy, split: EnergySplitRules, synthesis: SynthesisRules) -> DividedEnergy:
    """The rows of a run by region and time.

    Raises:
        DataError: a table is bad, or there is no row.
    """
    parts, table, row = [], [], []
    for number, one in enumerate(data.tables):
        rows = _named(rows_of(decode_table(objectstore.read_bytes(one.url), ENERGY_ROWS)))
        used = np.flatnonzero(~np.isin(rows.region.astype(str), data.left_out))
        parts.append(rows.rows(used))
        table.append(np.full(len(used), number))
        row.append(used)
    if not sum(map(len, parts)):
        raise DataError(
            "no row of energy and emissions",
            where=objectstore.join(data.url, "rows"),
            expected="regions with both in inputs.energy and inputs.emissions, at the same times",
            remedy="Look at refused_rows of the run for reasons.",
        )
    index = stacked(parts)
    order = np.lexsort((index.start_ns, index.region.astype(str)))
    return DividedEnergy(
        index.rows(order), np.concatenate(table)[order], np.concatenate(row)[order], data, split, synthesis
    )


def _named(rows: MixRows) -> MixRows:
    """Regions and times alone, every name once in memory."""
    names, number = np.unique(rows.region.astype(str), return_inverse=True)
    none = np.empty((len(rows), 0))
    return MixRows(names.astype(object)[number], rows.start_ns, rows.end_ns, none, none)


def _one(role: NDArray[np.int8]) -> int:
    """The role of what has one; of rows at random, that they teach."""
    used = role[role != UNUSED]
    return int(used.min()) if len(used) else UNUSED
