"""The publishers of energy and emissions of regions by name, how each is read, and how a file is told from another."""

from collections.abc import Callable, Mapping

from carbonray.errors import DataError, SettingsError
from carbonray.io.energy import carbon_monitor, power_mix
from carbonray.io.energy.carbon_monitor import read_carbon_monitor
from carbonray.io.energy.opennem import read_opennem
from carbonray.io.energy.owid import read_owid
from carbonray.io.energy.power_mix import read_power_mix
from carbonray.io.energy.reading import EnergyReading, EnergyRules, top_lines
from carbonray.io.text_tables import plain

Reader = Callable[[str, EnergyRules, str], EnergyReading]

READERS: Mapping[str, Reader] = {
    "carbon_monitor": read_carbon_monitor,
    "power_mix": read_power_mix,
    "owid": read_owid,
    "opennem": lambda url, _rules, data_tier: read_opennem(url, data_tier),
}


def read_energy(url: str, rules: EnergyRules | None = None, data_tier: str = "REAL", name: str = "") -> EnergyReading:
    """One file of energy or emissions.

    Args:
        url: of the file.
        rules: how it is read.
        data_tier: of what it holds.
        name: of its reader; found out from the file's first lines where empty.

    Raises:
        SettingsError: no reader has this name.
        DataError: the file is not as its publisher lays it out.
        TransportError: it could not be moved.
    """
    if name and name not in READERS:
        raise SettingsError(
            f"no reader of energy or emissions is named {name!r}",
            where="inputs.energy",
            expected=f"one of {', '.join(READERS)}",
            remedy="Name one of them, or add a reader to carbonray/io/energy/readers.py.",
        )
    return READERS[name or layout_name(url)](url, rules or EnergyRules(), data_tier)


def layout_name(url: str) -> str:
    """Which reader a file is for, by its first lines: JSON, years by source, days by sector or days by source.

    Raises:
        DataError: for none of them.
        TransportError: it could not be moved.
    """
    lines = top_lines(url)
    if lines[0].startswith("{"):
        return "opennem"
    columns = {plain(name) for name in lines[0].replace(";", ",").replace("\t", ",").split(",")}
    if "year" in columns and {"electricityfromcoaltwh", "coalelectricity"} & columns:
        return "owid"
    cells = {plain(cell) for line in lines[1:] for cell in line.replace(";", ",").replace("\t", ",").split(",")}
    daily = (("carbon_monitor", carbon_monitor.LAYOUT), ("power_mix", power_mix.LAYOUT))
    fitting = [name for name, layout in daily if "date" in columns and cells & set(layout.names)]
    if len(fitting) == 1:
        return fitting[0]
    raise DataError(
        f"nothing tells whose file this is ({lines[0][:80]!r})",
        where=url,
        expected="the layout of Carbon Monitor, Carbon Monitor-Power, Our World in Data or OpenNEM",
        remedy="Name its reader before the URL, or convert it to one of these layouts.",
    )
