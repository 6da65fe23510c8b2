"""The few exceptions that cross a layer: each says what happened, where, what was expected and what to do.

`DataError` means the data is bad (its unit or row is quarantined); `TransportError` means the bytes could not be
moved (retried with back-off, never called bad data). The rest end a run with the exit code they carry.
"""

from collections.abc import Mapping
from typing import ClassVar


class CarbonrayError(Exception):
    """A failure a person must be able to act on.

    Args:
        what: what happened, in one clause.
        where: the key, path or dotted setting it happened at.
        expected: what would have been right.
        remedy: what to do now.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str, expected: str, remedy: str) -> None:
        super().__init__(what, where, expected, remedy)
        self.what, self.where, self.expected, self.remedy = what, where, expected, remedy

    def __str__(self) -> str:
        return f"{self.what} [{self.where}]; expected {self.expected}. {self.remedy}"

    def as_fields(self) -> dict[str, str]:
        """The error as plain strings, to cross processes whose exceptions do not arrive whole."""
        named = {"what": self.what, "where": self.where, "expected": self.expected, "remedy": self.remedy}
        return {"kind": type(self).__name__, **named}

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments do not survive the default pickling, and errors cross processes on a cluster
        return _rebuild, (type(self), self.what, self.where, self.expected, self.remedy)


def _rebuild(kind: type[CarbonrayError], what: str, where: str, expected: str, remedy: str) -> CarbonrayError:
    return kind(what, where=where, expected=expected, remedy=remedy)


class SettingsError(CarbonrayError):
    """The configuration is wrong: an unknown key, a bad value, inputs that do not fit the run id."""

    exit_code = 2


class ContractError(CarbonrayError):
    """Two parts of the program disagree: a stage's columns, a bundle's format, a table's schema."""

    exit_code = 2


class QuarantineLimitError(CarbonrayError):
    """More of the input is bad than the run allows."""

    exit_code = 3


class IncompleteError(CarbonrayError):
    """Committed and quarantined do not add up to planned, or a checksum or an object is wrong."""

    exit_code = 4


class ConflictError(CarbonrayError):
    """An immutable object exists already, with other bytes."""

    exit_code = 4


class DataError(CarbonrayError):
    """The data itself is bad: truncated, out of range, of the wrong shape. Quarantined with key and reason."""


class TransportError(CarbonrayError):
    """Bytes could not be moved: a connection, a credential, a full disk. Retried, then the run fails."""


def revived(fields: Mapping[str, str]) -> CarbonrayError:
    """The error that `as_fields` described."""
    kinds = {kind.__name__: kind for kind in CarbonrayError.__subclasses__()}
    return _rebuild(kinds[fields["kind"]], *(fields[name] for name in ("what", "where", "expected", "remedy")))
