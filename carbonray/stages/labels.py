"""Labels images with what their plants generated, or with what others saw, and says which images got none and why.

Source: SCIENCE 4.3, plume paper section 3.3 and appendix A.4. An image's label is the capacity factor of the record it
falls into, or of the last one that ended within the hour before it; on is a capacity factor above 5 %.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from carbonray.contract import to_table
from carbonray.io.reported.on_off import OnOffLabels
from carbonray.science.power.label_rules import LabelRules, clipped, is_on, label_verdict, match_records
from carbonray.science.spatial.geodesy import distance_km
from carbonray.stages.plant_generation import PlantRecords
from carbonray.stages.rejections import rejections
from carbonray.vocab.plant_tables import LABELS, REJECTIONS

ON_OFF_SOURCE = "Climate TRACE labels"


@dataclass(frozen=True)
class Labelled:
    """`labels` has schema `LABELS`, `rejected` schema `REJECTIONS`: together they are all images asked about."""

    labels: pa.Table
    rejected: pa.Table


@dataclass(frozen=True)
class LabelImages:
    """Labels from reported generation.

    Attributes:
        rules: what a label may be.
    """

    rules: LabelRules = field(default_factory=LabelRules)

    def __call__(self, images: pa.Table, generation: PlantRecords) -> Labelled:
        """The labels of images.

        Args:
            images: `plant_id`, `structure_kind`, `imager`, `image_id`, `time_utc_ns`, and `vapor_seen` (1 or 0 where a
                person looked, else null) if anyone did.
            generation: of the plants.
        """
        records = generation.records
        plant = images.column("plant_id").to_numpy(zero_copy_only=False)
        number = generation.number_of(plant)
        matched = match_records(records, number, images.column("time_utc_ns").to_numpy())
        verdict = label_verdict(records, matched, _seen(images), self.rules)
        kept = np.flatnonzero(verdict.kept)
        factor = np.append(records.capacity_factor(), np.nan)[matched.record[kept]]
        columns = {name: images.column(name).take(pa.array(kept)) for name in LABELS.names[:5]}
        columns |= {
            "capacity_factor": pa.array(clipped(factor).astype(np.float32)),
            "on": pa.array(is_on(factor, self.rules)),
            "record_age_s": pa.array(matched.age_s[kept].astype(np.float32)),
            "source": pa.array(generation.source[number[kept]], pa.string()),
        }
        labels = pa.table({name: columns[name] for name in LABELS.names}, schema=LABELS)
        return Labelled(labels, rejections("label", images, verdict))


@dataclass(frozen=True)
class PlacedLabels:
    """On/off labels of places as labels of plants.

    Attributes:
        labels: schema `LABELS`; a row for each structure kind the plant is known to have, of the empty kind where it
            has no known structure. Ids of images are their times: the labels name none.
        rejected: schema `REJECTIONS`: places too far from every plant, and times at which places of a plant disagree.
        distance_km: (n,) from each given label to the nearest plant.
        disagreeing: given labels at times at which the plant's places disagree.
    """

    labels: pa.Table
    rejected: pa.Table
    distance_km: np.ndarray
    disagreeing: int


@dataclass(frozen=True)
class PlaceLabels:
    """Joins on/off labels to plants by distance.

    Attributes:
        max_distance_km: a stack or tower may lie so far from its plant's coordinates (inferred).
        imager: that took the images.
    """

    max_distance_km: float = 5.0
    imager: str = "sentinel2"

    def __call__(self, seen: OnOffLabels, plants: pa.Table, structures: pa.Table) -> PlacedLabels:
        """Labels of the nearest plants; repeated rows of a plant and time count once.

        Args:
            seen: the labels.
            plants: schema `PLANTS`, or its columns `plant_id`, `lat`, `lon`.
            structures: schema `STRUCTURES`.
        """
        plant, away = _nearest_plant(seen, plants)
        far = ~(away <= self.max_distance_km)
        given = pd.DataFrame({"plant_id": plant, "time_utc_ns": seen.time_utc_ns, "on": seen.on, "km": away})
        near = given[~far]
        votes = near.groupby(["plant_id", "time_utc_ns"], sort=True)["on"].agg(["min", "max"]).reset_index()
        split = (votes["min"] != votes["max"]).to_numpy()
        kinds = structures.select(["plant_id", "structure_kind"]).to_pandas().drop_duplicates()
        told = votes[~split].merge(kinds, on="plant_id", how="left").fillna({"structure_kind": ""})
        told = told.assign(on=told["max"], image_id=_names(told["time_utc_ns"]), imager=self.imager)
        told = told.assign(capacity_factor=np.nan, record_age_s=np.nan, source=ON_OFF_SOURCE)
        torn = len(near.merge(votes.loc[split, ["plant_id", "time_utc_ns"]]))
        return PlacedLabels(_table(told, LABELS), self._rejected(given[far], votes[split]), away, torn)

    def _rejected(self, far: pd.DataFrame, split: pd.DataFrame) -> pa.Table:
        limit = self.max_distance_km
        lost = far.assign(
            rule="no plant near", reason=[f"the nearest is {km:.1f} km away (limit {limit:g} km)" for km in far["km"]]
        )
        torn = split.assign(rule="labels disagree", reason="places of one plant are labelled on and off at one time")
        both = pd.concat([lost.assign(plant_id=""), torn], ignore_index=True)
        both = both.assign(entity="label", structure_kind="", imager=self.imager, image_id=_names(both["time_utc_ns"]))
        return _table(both, REJECTIONS)


def _table(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    words = {field.name: object for field in schema if field.type == pa.string()}  # of no rows pandas knows no type
    columns = frame[schema.names].astype(words)
    return to_table({name: columns[name].to_numpy() for name in schema.names}, schema, stage="PlaceLabels")


def _seen(images: pa.Table) -> np.ndarray:
    if "vapor_seen" not in images.column_names:
        return np.full(images.num_rows, np.nan)
    return np.asarray(images.column("vapor_seen").to_pandas(), np.float64)


def _names(time_utc_ns: "pd.Series[int]") -> list[str]:
    return [f"{np.datetime64(int(time), 'ns').astype('datetime64[ms]')}Z" for time in time_utc_ns]


def _nearest_plant(seen: OnOffLabels, plants: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """(n,) id of the nearest plant and distance to it, km; infinitely far where there is no plant."""
    ids = np.array([*plants.column("plant_id").to_pylist(), ""], dtype=object)
    lat, lon = (plants.column(name).to_numpy().astype(np.float64) for name in ("lat", "lon"))
    spots, back = np.unique(np.column_stack([seen.lat, seen.lon]), axis=0, return_inverse=True)
    nearest, away = np.full(len(spots), -1), np.full(len(spots), np.inf)
    if len(lat):
        for row, (spot_lat, spot_lon) in enumerate(spots):  # spots are few: a plant's stacks and towers
            km = np.nan_to_num(distance_km(spot_lat, spot_lon, lat, lon), nan=np.inf)
            nearest[row], away[row] = km.argmin(), km.min()
    return ids[nearest][back.ravel()], away[back.ravel()]
