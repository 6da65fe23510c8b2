"""The sources of reported generation by name, and how each is read."""

from collections.abc import Callable, Mapping

from carbonray.errors import SettingsError
from carbonray.io.reported.annual import LAYOUTS, read_annual
from carbonray.io.reported.campd import read_campd_annual, read_campd_hourly
from carbonray.io.reported.entsoe import read_entsoe
from carbonray.io.reported.epias import read_epias
from carbonray.io.reported.india import read_india
from carbonray.io.reported.nem import read_nem
from carbonray.io.reported.reading import ReportedReading, ReportedRules, SourceFacts

Reader = Callable[[str, ReportedRules, SourceFacts], ReportedReading]

READERS: Mapping[str, Reader] = {
    "campd": read_campd_hourly,
    "campd_annual": read_campd_annual,
    "entsoe": read_entsoe,
    "nem": read_nem,
    "epias": read_epias,
    "india": read_india,
    "wri": lambda url, rules, facts: read_annual(url, LAYOUTS["wri"], rules, facts),
    "egrid": lambda url, rules, facts: read_annual(url, LAYOUTS["egrid"], rules, facts),
    "annual": lambda url, rules, facts: read_annual(url, LAYOUTS["annual"], rules, facts),
}


def read_reported(
    name: str, url: str, rules: ReportedRules | None = None, facts: SourceFacts | None = None
) -> ReportedReading:
    """One file of a source.

    Raises:
        SettingsError: no reader has this name.
        DataError: the file is not as its source publishes it.
        TransportError: it could not be moved.
    """
    if name not in READERS:
        raise SettingsError(
            f"no reader of reported generation is named {name!r}",
            where="inputs.reported",
            expected=f"one of {', '.join(READERS)}",
            remedy="Name one of them, or add a reader to carbonray/io/reported/readers.py.",
        )
    return READERS[name](url, rules or ReportedRules(), facts or SourceFacts())
