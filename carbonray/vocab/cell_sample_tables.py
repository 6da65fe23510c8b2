"""The table that networks of 1 km cells, trees and peers are trained and judged by: a labelled cell a row.

Source: SCIENCE 1.2 and 1.5. Keys come first; what is unknown is NaN. Lists have a number a category, in the order of
the category map.
"""

import pyarrow as pa

from carbonray.vocab.cell_tables import IMAGE_PRESENT, POI_PRESENT
from carbonray.vocab.columns import DATA_TIER, column
from carbonray.vocab.grid_tables import CELL_ID, CELL_LABELS, CELL_LIGHTS, CITY

# sorted by cell_id
CELL_SAMPLES = pa.schema(
    [
        CELL_ID,
        CITY,
        CELL_LABELS.field("ln_t_co2"),
        CELL_LABELS.field("emissions_t_co2"),
        CELL_LIGHTS.field("radiance"),
        IMAGE_PRESENT,
        POI_PRESENT,
        column("counts", pa.list_(pa.int32()), "1", "points of interest of the cell, a number a category"),
        DATA_TIER,
    ]
)
