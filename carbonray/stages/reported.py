"""Reads one file of reported generation and finds the plants of the inventory that its rows belong to.

Source: plume paper, appendix A.4 (each series is matched to the inventory). Ids come first: a facility of CAMPD is
a plant of EIA, a unit of ENTSO-E one of JRC's, NEM's are the NEM's own. Where a source only names plants, the one plant
of that name in its country is taken, and none where two share it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from carbonray.contract import Reading, Unit, object_rows
from carbonray.io import objectstore
from carbonray.io.inventory.matching import plain_name
from carbonray.io.inventory.store import read_inventory
from carbonray.io.reported.linking import LINKS as LINKED_IDS
from carbonray.io.reported.linking import link
from carbonray.io.reported.readers import read_reported
from carbonray.io.reported.reading import ReportedRules, SourceFacts
from carbonray.io.table_store import decode_table, encode_table

FOLDER = "reported"


@dataclass(frozen=True)
class LinkRule:
    """How a source's ids lead to plants.

    Attributes:
        namespaces: of the inventory's ids that are the same, the most trusted first.
        facility: whether the id is `FACILITY:UNIT`, and the facility is what the inventory knows.
        country: where the source's names are names of plants; empty where it has ids.
    """

    namespaces: tuple[str, ...] = ()
    facility: bool = False
    country: str = ""


# sources without a line here (eGRID numbers its own rows) are listed as unlinked
LINKS: Mapping[str, LinkRule] = MappingProxyType(
    {
        "CAMPD": LinkRule(("camd", "eia860"), facility=True),
        "ENTSO-E": LinkRule(("jrc",)),
        "NEM": LinkRule(("nem",)),
        "EPIAS": LinkRule(country="TUR"),
        "CEA": LinkRule(country="IND"),
        "WRI": LinkRule(("eia860", "gppd")),
        "ANNUAL": LinkRule(("carbonray", "gppd")),
    }
)


@dataclass(frozen=True)
class ReadReported:
    """Reader of one file: its rows by plant, and what belongs to no plant, as ready objects.

    Attributes:
        rules: what is believed.
        inventory_url: of `inventory.parquet`.
        ids_url: of the ids that every inventory gives.
    """

    rules: ReportedRules
    inventory_url: str
    ids_url: str

    def __call__(self, unit: Unit) -> Reading:
        """`reported/KEY.parquet` and `reported_unlinked/KEY.parquet`; the fact `plants` lists who is in it.

        Raises:
            DataError: the file is not as its source publishes it.
            SettingsError: no reader has the name given.
            TransportError: it could not be moved.
        """
        plants, _, _ = read_inventory(self.inventory_url)
        known = PlantIds(plants, decode_table(objectstore.read_bytes(self.ids_url), LINKED_IDS))
        told = known.facts(str(unit.partition["plant"]))
        found = read_reported(str(unit.partition["source"]), unit.inputs[0], self.rules, told)
        linked = link(found.reported, known.links(found.reported))
        objects = {
            f"{FOLDER}/{unit.key}.parquet": encode_table(linked.reported, ("plant_id", "source_id", "start_utc_ns")),
            f"{FOLDER}_unlinked/{unit.key}.parquet": encode_table(linked.unlinked, ("source", "source_id")),
        }
        rows = found.rows()
        unlinked = found.reported.num_rows - linked.reported.num_rows
        account = {"read": rows["read"], "kept": rows["kept"] - unlinked, "quarantined": rows["quarantined"]}
        account |= {"rejected: no plant": unlinked} if unlinked else {}
        reasons = found.quarantined.filter(pc.is_valid(found.quarantined.column("line"))).column("reason").to_pylist()
        facts = {"plants": sorted(set(linked.reported.column("plant_id").to_pylist())), "gaps": rows["gaps"]}
        return Reading(object_rows(objects), account, dict(Counter(map(str, reasons))), facts)


@dataclass(frozen=True)
class PlantIds:
    """What the inventory knows of its plants' names elsewhere.

    Attributes:
        plants: schema `PLANTS`.
        ids: ids of plants and units in every inventory, schema `linking.LINKS`.
        rules: how each source's ids lead to plants.
    """

    plants: pa.Table
    ids: pa.Table
    rules: Mapping[str, LinkRule] = field(default_factory=lambda: LINKS)

    def links(self, reported: pa.Table) -> pa.Table:
        """Every id of a table of reports whose plant is known, schema `linking.LINKS`."""
        pairs = reported.select(["source", "source_id"]).group_by(["source", "source_id"]).aggregate([]).to_pylist()
        own = {plant_id: plant_id for plant_id in self.plants.column("plant_id").to_pylist()}
        tables = {source: self._known(source) for source in {pair["source"] for pair in pairs}}
        rows = []
        for pair in pairs:
            rule = self.rules.get(pair["source"], LinkRule())
            wanted = pair["source_id"].partition(":")[0] if rule.facility else pair["source_id"]
            wanted = plain_name(wanted) if rule.country else wanted
            plant = tables[pair["source"]].get(wanted) or own.get(wanted)
            if plant:
                rows.append({**pair, "plant_id": plant})
        return pa.Table.from_pylist(rows, schema=LINKED_IDS)

    def facts(self, plant: str = "") -> SourceFacts:
        """What files do not say: where a CAMPD facility is, for its clock, and which one plant a file tells of."""
        ids = self._ids(("camd", "eia860"))
        place = {
            row["plant_id"]: (row["lat"], row["lon"])
            for row in self.plants.select(["plant_id", "lat", "lon"]).to_pylist()
        }
        return SourceFacts(
            source_id=plant, position={own: place[plant] for own, plant in ids.items() if plant in place}
        )

    def _known(self, source: str) -> dict[str, str]:
        """The source's word for a plant, or for one of its units -> plant id."""
        rule = self.rules.get(source, LinkRule())
        return self._names(rule.country) if rule.country else self._ids(rule.namespaces)

    def _ids(self, namespaces: tuple[str, ...]) -> dict[str, str]:
        found: dict[str, str] = {}
        for namespace in reversed(namespaces):
            own = self.ids.filter(pc.equal(self.ids.column("source"), namespace))
            found |= dict(zip(*(own.column(name).to_pylist() for name in ("source_id", "plant_id")), strict=True))
        return found

    def _names(self, country: str) -> dict[str, str]:
        here = self.plants.filter(pc.equal(self.plants.column("country"), country))
        names = [plain_name(name) for name in here.column("name").to_pylist()]
        times = Counter(names)
        pairs = zip(names, here.column("plant_id").to_pylist(), strict=True)
        return {name: plant for name, plant in pairs if times[name] == 1}
