"""Names of regions as publishers write them, and the one name that each has here; and what is no region at all.

Sources: Carbon Monitor's own names (SCIENCE 2.2), ISO 3166-1 names as `inventory.countries` lists them, and the names
found in Our World in Data's tables. A name that nobody knows, such as a synthetic region's, stands for itself.
"""

from collections.abc import Mapping
from types import MappingProxyType

from carbonray.io.inventory.countries import ISO3
from carbonray.io.text_tables import plain

# sums over regions that are not regions of a mix: what is in them is in others, or belongs to nobody
AGGREGATES = ("world", "worldtotal", "global", "row", "restofworld", "restoftheworld")

_ALIASES = {
    "us": "United States",
    "uk": "United Kingdom",
    "greatbritain": "United Kingdom",
    "russianfederation": "Russia",
    "prchina": "China",
    "chinamainland": "China",
    "mainlandchina": "China",
    "eu27uk": "EU27 & UK",
    "eu27anduk": "EU27 & UK",
    "eu28": "EU27 & UK",
    "euuk": "EU27 & UK",
    "democraticrepublicofcongo": "Democratic Republic of the Congo",
    "faeroeislands": "Faroe Islands",
    "unitedstatesvirginislands": "United States Virgin Islands",
}

_FIRST_NAME = {code: name for name, code in reversed(list(ISO3.items()))}

# country, its aliases and its ISO3 code, all made plain -> the name first listed
_COUNTRIES: Mapping[str, str] = MappingProxyType({plain(name): _FIRST_NAME[code] for name, code in ISO3.items()})


def region_name(text: str) -> str:
    """The name a region has here, whatever its publisher calls it; an unknown name is left as it is."""
    key = plain(text)
    return _ALIASES.get(key) or _COUNTRIES.get(key) or text.strip()


def is_aggregate(text: str) -> bool:
    """Whether the name is that of the world or of its rest."""
    return plain(text) in AGGREGATES


def is_country(text: str) -> bool:
    """Whether the name is that of a country or territory that has, or had as a list of aliases says, a code."""
    return plain(text) in _COUNTRIES or plain(_ALIASES.get(plain(text), "")) in _COUNTRIES
