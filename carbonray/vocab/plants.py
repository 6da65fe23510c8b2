"""Power stations: the words for what they burn, how they turn it, and what of them can be seen from above.

Sources: default CO2 factors of stationary combustion, IPCC 2006 Guidelines vol. 2, table 2.2 (kg CO2 per GJ, net
calorific value); prime movers after EIA-860. A plant is a power station, a unit one of its generating units, a
structure one cooling tower or stack.
"""

from dataclasses import dataclass

NDT = "NDT"  # natural-draft wet cooling tower
FGD = "FGD"  # stack behind a wet flue-gas desulphurisation
STRUCTURE_KINDS = (NDT, FGD)


@dataclass(frozen=True)
class Fuel:
    """What a unit burns.

    Attributes:
        name: key of the fuel.
        family: `coal`, `gas`, `oil`, `biogenic` or `none`; selection rules speak of families.
        kg_co2_per_gj: default factor on net calorific value; 0 where nothing fossil is burnt, NaN where undefined.
    """

    name: str
    family: str
    kg_co2_per_gj: float


@dataclass(frozen=True)
class PrimeMover:
    """How a unit turns energy into electricity.

    Attributes:
        name: key of the mover.
        meaning: in words.
    """

    name: str
    meaning: str


_NAN = float("nan")

FUELS: dict[str, Fuel] = {
    "anthracite": Fuel("anthracite", "coal", 98.3),
    "bituminous": Fuel("bituminous", "coal", 94.6),
    "subbituminous": Fuel("subbituminous", "coal", 96.1),
    "lignite": Fuel("lignite", "coal", 101.0),
    "coal": Fuel("coal", "coal", _NAN),  # rank not stated
    "gas": Fuel("gas", "gas", 56.1),
    "diesel": Fuel("diesel", "oil", 74.1),
    "residual_oil": Fuel("residual_oil", "oil", 77.4),
    "petcoke": Fuel("petcoke", "oil", 97.5),
    "oil": Fuel("oil", "oil", _NAN),  # grade not stated
    "biomass": Fuel("biomass", "biogenic", 0.0),
    "waste": Fuel("waste", "biogenic", _NAN),  # partly fossil
    "nuclear": Fuel("nuclear", "none", 0.0),
    "hydro": Fuel("hydro", "none", 0.0),
    "wind": Fuel("wind", "none", 0.0),
    "solar": Fuel("solar", "none", 0.0),
    "geothermal": Fuel("geothermal", "none", 0.0),
    "marine": Fuel("marine", "none", 0.0),
    "storage": Fuel("storage", "none", 0.0),
    "other": Fuel("other", "none", _NAN),
}

PRIME_MOVERS: dict[str, PrimeMover] = {
    "ST": PrimeMover("ST", "steam turbine"),
    "CC": PrimeMover("CC", "combined cycle"),
    "GT": PrimeMover("GT", "gas turbine, open cycle"),
    "IC": PrimeMover("IC", "internal combustion engine"),
    "HY": PrimeMover("HY", "hydraulic turbine"),
    "PS": PrimeMover("PS", "reversible hydraulic turbine, pumped storage"),
    "WT": PrimeMover("WT", "wind turbine"),
    "PV": PrimeMover("PV", "photovoltaic"),
    "BA": PrimeMover("BA", "battery"),
    "OT": PrimeMover("OT", "other"),
    "": PrimeMover("", "not stated"),
}

# natural-draft towers are one of several ways to cool; "" is not stated
COOLING_TYPES = ("natural_draft", "mechanical_draft", "once_through", "dry", "pond", "other", "")
