"""Reads one file of on/off labels that people gave to places, and finds the plants they are of.

Source: Climate TRACE's labels of coal plants in Sentinel-2 images (appendix A of the plume paper). A label is of the
nearest plant; such labels name no image, so their ids are their times.
"""

from collections import Counter
from dataclasses import dataclass

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io.inventory.store import read_inventory
from carbonray.io.reported.on_off import read_on_off
from carbonray.io.table_store import encode_table
from carbonray.stages.labels import PlaceLabels
from carbonray.vocab.plant_tables import LABELS, REJECTIONS

FOLDER = "labels_given"


@dataclass(frozen=True)
class ReadGivenLabels:
    """Reader of one file: its labels by plant, and what belongs to none, as ready objects.

    Attributes:
        place: how far a plant may be.
        inventory_url: of `inventory.parquet`.
    """

    place: PlaceLabels
    inventory_url: str

    def __call__(self, unit: Unit) -> Reading:
        """`labels_given/KEY.parquet` and `rejections/given-KEY.parquet`.

        Raises:
            DataError: the file is no table of labels.
            TransportError: it could not be moved.
        """
        plants, _, structures = read_inventory(self.inventory_url)
        seen = read_on_off(unit.inputs[0])
        placed = self.place(seen, plants, structures)
        objects = {
            f"{FOLDER}/{unit.key}.parquet": encode_table(placed.labels, tuple(LABELS.names[:5])),
            f"rejections/given-{unit.key}.parquet": encode_table(placed.rejected, tuple(REJECTIONS.names)),
        }
        near = placed.distance_km <= self.place.max_distance_km
        far, bad = int((~near).sum()), len(seen.quarantined)
        lost = {"rejected: no plant near": far, "rejected: labels disagree": placed.disagreeing}
        kept = int(near.sum()) - placed.disagreeing
        account = {"read": len(seen.on) + bad, "kept": kept, "quarantined": bad}
        account |= {rule: count for rule, count in lost.items() if count}
        reasons = dict(Counter(reason for _, reason in seen.quarantined))
        return Reading(object_rows(objects), account, reasons, {"labels": placed.labels.num_rows})
