"""The runs that an evaluation of the plant product judges: who was scored, by which models, trained on whom.

Everything is known from the ledgers of the runs, by checksum. Several runs of `jobs.plants` may be judged together
where they scored one store with one product, such as other years.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carbonray.engine.run import FILE
from carbonray.errors import SettingsError
from carbonray.io import ledger, objectstore
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.model_store import MANIFEST
from carbonray.io.plant_product import PlantProduct, open_product
from carbonray.pipelines.planning import records_of, require_complete
from carbonray.pipelines.plant_sources import PlantStore, open_store
from carbonray.settings import Settings
from carbonray.stages.plant_evaluation import Sources

Inputs = dict[str, ObjectRecord]  # URL -> the record that vouches for it
SETTING = "inputs.plants"


@dataclass(frozen=True)
class JudgedPlants:
    """What is judged.

    Attributes:
        sources: the folders.
        store: the plants that were scored.
        train_store: the plants that models were trained on; often the same.
        product: models, and who they were trained on.
        runs: name -> digest of everything that the run committed.
        sampled, heard: commits of the training run.
        scored, generated, tabulated: commits of the runs of plants, each with its run.
    """

    sources: Sources
    store: PlantStore
    train_store: PlantStore
    product: PlantProduct
    runs: tuple[tuple[str, str], ...]
    sampled: tuple[Commit, ...]
    heard: tuple[Commit, ...]
    scored: tuple[tuple[str, Commit], ...]
    generated: tuple[tuple[str, Commit], ...]
    tabulated: tuple[tuple[str, Commit], ...]

    def pairs(self) -> list[tuple[str, str]]:
        """Imagers and structure kinds that models are there for."""
        return sorted({(pin.imager, pin.kind) for pin in self.product.soundings})

    def folds(self, kind: str) -> dict[str, int]:
        """Plant -> fold of every plant that models of a kind saw."""
        return dict(sorted(self.product.training_folds.get(kind, {}).items()))

    def from_training(self, commits: Sequence[Commit], folder: str) -> Inputs:
        """Objects of the training run under a folder."""
        return {
            objectstore.join(self.sources.train_url, record.key): record for record in records_of(commits, f"{folder}/")
        }

    def from_plants(self, commits: Sequence[tuple[str, Commit]], folder: str) -> Inputs:
        """Objects of the runs of plants under a folder, or that one object."""
        return {
            objectstore.join(url, record.key): record
            for url, commit in commits
            for record in commit.objects
            if f"{record.key}/".startswith(f"{folder}/")
        }

    def generators(self) -> list[str]:
        """Digests of the generators that the sounding models' images were made with; none of real images.

        Raises:
            TransportError: a bundle could not be read.
        """
        urls = [objectstore.join(self.sources.train_url, pin.key, MANIFEST) for pin in self.product.soundings]
        documents = (json.loads(data) for data in objectstore.read_many(urls).values())
        return sorted({str(document["lineage"]["generator_sha256"]) for document in documents} - {""})

    def told(self, folder: str, plants: set[str]) -> Inputs:
        """`reported` or `weather` tables of both stores that speak of some plants."""
        found: Inputs = {}
        for store in (self.train_store, self.store):
            commits = store.reported if folder == "reported" else store.weather
            own = [commit for commit in commits if plants & set(commit.facts.get("plants", ()))]
            found |= {objectstore.join(store.url, record.key): record for record in records_of(own, f"{folder}/")}
        return found


def judged_plants(settings: Settings) -> JudgedPlants:
    """The runs that `inputs.plants` names.

    Raises:
        SettingsError: none is named, one is not complete, or they differ in store or product.
        ContractError: the product cannot be read.
    """
    urls = tuple(require_complete(objectstore.absolute(url), SETTING) for url in settings.inputs.plants)
    facts = [_facts(url) for url in urls]
    known = {(str(told["store_url"]), str(told["train_url"])) for told in facts}
    if len(known) != 1:
        raise SettingsError(
            f"{len(urls)} runs of {len(known)} stores and products are given",
            where=SETTING,
            expected="at least one run of jobs.plants; several of one store with one product",
            remedy="Evaluate other stores and products in runs of their own.",
        )
    ((store_url, train_url),) = known
    train_url = require_complete(train_url, f"{SETTING}: train_url")
    trained = _facts(train_url)
    product, sha256 = open_product(train_url)
    train_store_url = str(trained["store_url"])
    runs = [(f"run of jobs.plants {told['run_id']}", str(told["sha256"])) for told in facts]
    runs += [(f"run of jobs.train {trained['run_id']}", str(trained["sha256"])), ("its plants.json", sha256)]
    runs += [(f"run of jobs.ingest {told['run_id']}", str(told["sha256"])) for told in [_facts(store_url)]]
    store = open_store(store_url, SETTING)
    commits = {
        name: tuple((url, commit) for url in urls for commit in ledger.read(url, name).values())
        for name in ("soundings", "generation", "tabulate")
    }
    return JudgedPlants(
        Sources(store_url, train_store_url, train_url, urls),
        store,
        store if train_store_url == store_url else open_store(train_store_url, SETTING),
        product,
        tuple(runs),
        sampled=tuple(ledger.read(train_url, "samples").values()),
        heard=tuple(ledger.read(train_url, "soundings").values()),
        scored=commits["soundings"],
        generated=commits["generation"],
        tabulated=commits["tabulate"],
    )


def _facts(url: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(objectstore.read_bytes(objectstore.join(url, FILE)))
    return facts
