"""Sources of electricity and sectors that emit, in the order in which mixes hold them.

Source: SCIENCE 2.2; sectors are Carbon Monitor's, the eight sources those of its power data (the paper names five).
"""

SOURCES = ("coal", "gas", "oil", "nuclear", "hydro", "solar", "wind", "other")
SECTORS = (
    "power",
    "industry",
    "ground_transport",
    "residential",
    "domestic_aviation",
    "international_aviation",
)

# regions of Carbon Monitor that are sums of others: none of their rows may stand on the other side of a split
COMPOSITES = {"EU27 & UK": ("France", "Germany", "Italy", "Spain", "United Kingdom")}
