"""What a setting is searched over: some values, or a range of numbers; small values that know their Optuna twin."""

from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution


@dataclass(frozen=True)
class Choice:
    """One of some values, without an order."""

    values: tuple[Any, ...]

    def optuna(self) -> BaseDistribution:
        """As Optuna has it."""
        return CategoricalDistribution(self.values)

    def contains(self, value: Any) -> bool:
        """Whether it can be chosen."""
        return value in self.values

    def nearest(self, value: Any) -> Any:
        """The value, or the numerically closest one, or the first."""
        if self.contains(value) or isinstance(value, str):
            return value if self.contains(value) else self.values[0]
        return min(self.values, key=lambda other: abs(other - value))


@dataclass(frozen=True)
class Uniform:
    """A number between two others; with `log` uniform in its logarithm."""

    low: float
    high: float
    log: bool = False

    def optuna(self) -> BaseDistribution:
        """As Optuna has it."""
        return FloatDistribution(self.low, self.high, log=self.log)

    def contains(self, value: Any) -> bool:
        """Whether it lies between."""
        return self.low <= float(value) <= self.high

    def nearest(self, value: Any) -> float:
        """The value, brought inside."""
        return float(min(max(value, self.low), self.high))


@dataclass(frozen=True)
class IntUniform:
    """A whole number between two others, both possible; with `log` uniform in its logarithm."""

    low: int
    high: int
    log: bool = False

    def optuna(self) -> BaseDistribution:
        """As Optuna has it."""
        return IntDistribution(self.low, self.high, log=self.log)

    def contains(self, value: Any) -> bool:
        """Whether it lies between."""
        return float(value).is_integer() and self.low <= value <= self.high

    def nearest(self, value: Any) -> int:
        """The value, brought inside."""
        return int(min(max(value, self.low), self.high))


Distribution = Choice | Uniform | IntUniform


def log_uniform(low: float, high: float) -> Uniform:
    """A number whose logarithm is uniform."""
    return Uniform(low, high, log=True)
