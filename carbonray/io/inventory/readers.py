"""Which reader reads which inventory, and how a file is recognised by its columns.

Source: HOUSE 6: adding an inventory is one module and one line here. The first reader whose columns are all there is
taken, so narrower sets of columns stand before wider ones.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from carbonray.errors import DataError, SettingsError
from carbonray.io.inventory import (
    crosswalk,
    eia860,
    gppd,
    jrc_ppdb,
    nem,
    powerplantmatching,
    store,
    structures,
    unit_table,
)
from carbonray.io.inventory.files import is_json, is_parquet, read_frame, read_json
from carbonray.io.inventory.listing import Listing

Reader = Callable[[str], Listing]

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        "gppd": gppd.read_gppd,
        "gppd_2018": gppd.read_gppd_2018,
        "jrc": jrc_ppdb.read_jrc_units,
        "jrc_linkages": jrc_ppdb.read_jrc_linkages,
        "jrc_performance": jrc_ppdb.read_jrc_performance,
        "eia860": eia860.read_eia_plants,
        "eia860_generators": eia860.read_eia_generators,
        "epa_eia": crosswalk.read_epa_eia,
        "powerplantmatching": powerplantmatching.read_powerplantmatching,
        "gem": powerplantmatching.read_gem,
        "nem": nem.read_nem,
        "structures": structures.read_structures,
        "units": unit_table.read_units,
        "carbonray": store.read_own,
    }
)
COLUMNS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "gppd": gppd.COLUMNS,
        "gppd_2018": gppd.COLUMNS_2018,
        "jrc": jrc_ppdb.COLUMNS,
        "jrc_linkages": jrc_ppdb.LINKAGE_COLUMNS,
        "jrc_performance": jrc_ppdb.PERFORMANCE_COLUMNS,
        "eia860": eia860.PLANT_COLUMNS,
        "eia860_generators": eia860.GENERATOR_COLUMNS,
        "epa_eia": crosswalk.COLUMNS,
        "powerplantmatching": powerplantmatching.COLUMNS,
        "gem": powerplantmatching.GEM_COLUMNS,
        "units": unit_table.COLUMNS,
    }
)


def recognised(url: str) -> str:
    """The key of `READERS` that a file's columns call for.

    Raises:
        DataError: no reader knows such a file.
        TransportError: it could not be moved.
    """
    if is_parquet(url):
        return "carbonray"
    if is_json(url):
        return _recognised_json(url)
    found = set(read_frame(url).columns)
    for name, needed in COLUMNS.items():
        if needed <= found:
            return name
    raise _unknown(url, f"columns {sorted(found)[:20]} belong to no known inventory")


def read_listing(url: str, reader: str = "") -> Listing:
    """One inventory's listing, by the reader named, or the one its columns call for.

    Raises:
        DataError: the file is of no known kind, or broken.
        SettingsError: there is no such reader.
        TransportError: it could not be moved.
    """
    name = reader or recognised(url)
    if name not in READERS:
        raise SettingsError(
            f"no reader {name!r}",
            where="inventory reader",
            expected=f"one of {', '.join(READERS)}",
            remedy="Name a reader of carbonray/io/inventory/readers.py, or none to have it recognised.",
        )
    return READERS[name](url)


def _recognised_json(url: str) -> str:
    document = read_json(url)
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        return "structures"
    if isinstance(document, list) and document and isinstance(document[0], dict) and document[0].keys() >= nem.KEYS:
        return "nem"
    raise _unknown(url, "the JSON document is neither a feature collection nor a list of stations")


def _unknown(url: str, what: str) -> DataError:
    told = "; ".join(f"{name}: {', '.join(sorted(needed))}" for name, needed in COLUMNS.items())
    return DataError(
        what,
        where=url,
        expected=f"{told}; or nem (JSON), structures (GeoJSON), carbonray (Parquet)",
        remedy="Rename the columns, or add a reader to READERS in carbonray/io/inventory/readers.py.",
    )
