"""How pipelines plan: globs to URLs, URLs to keys, and units over a run's own objects, known by their checksums."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from carbonray.contract import Reading, Unit, object_rows
from carbonray.engine.run import FILE, Run
from carbonray.engine.status import run_status
from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.io.ledger import Commit, ObjectRecord
from carbonray.io.model_store import DIGEST, MANIFEST


@dataclass(frozen=True)
class WriteObjects:
    """Reader without inputs, whose rows are small objects that the driver made."""

    objects: Mapping[str, bytes]

    def __call__(self, unit: Unit) -> Reading:
        """The objects."""
        return Reading(object_rows(self.objects), {})


def expanded(patterns: Sequence[str]) -> tuple[str, ...]:
    """Every URL that some globs stand for."""
    return tuple(url for pattern in patterns for url in objectstore.expand(pattern))


def file_key(url: str) -> str:
    """A file's name without folder and suffix."""
    name = url.rstrip("/").rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[0] if "." in name else name


def unit_id_of(pass_name: str, parts: Sequence[str], digest: str) -> str:
    """Id of a unit whose inputs are objects of this run, known by their checksums."""
    return objectstore.sha256("\n".join([pass_name, digest, *parts]).encode())[:32]


def unit_over(
    run: Run, pass_name: str, key: str, records: Sequence[ObjectRecord], partition: Mapping[str, int | str]
) -> Unit:
    """A unit that reads objects of the same run."""
    inputs = {objectstore.join(run.url, record.key): record for record in records}
    return unit_of(run.settings_digest, pass_name, key, inputs, partition)


def unit_of(
    digest: str,
    pass_name: str,
    key: str,
    inputs: Mapping[str, ObjectRecord],
    partition: Mapping[str, int | str],
    extra_hashes: Sequence[str] = (),
) -> Unit:
    """A unit that reads objects of any runs, known by the checksums in their ledgers; its partition is in its id.

    Args:
        digest: of the settings.
        pass_name: of the pass.
        key: of the unit.
        inputs: URL to read -> the record that vouches for it.
        partition: what the reader needs to know beside.
        extra_hashes: of what else the unit depends on, such as bundles.
    """
    hashes = tuple(record.sha256 for record in inputs.values())
    told = json.dumps(dict(partition), sort_keys=True)
    unit_id = unit_id_of(pass_name, [key, told, *hashes, *extra_hashes], digest)
    size = sum(record.bytes for record in inputs.values())
    return Unit(pass_name, unit_id, key, dict(partition), tuple(inputs), hashes, bytes=size)


def records_of(commits: Sequence[Commit], folder: str, suffix: str = "") -> list[ObjectRecord]:
    """The committed objects under a folder of the run, in the order of the commits."""
    found = (record for commit in commits for record in commit.objects)
    return [record for record in found if record.key.startswith(folder) and record.key.endswith(suffix)]


def tiers_of(commits: Sequence[Commit]) -> tuple[str, ...]:
    """Every data tier that commits speak of; a unit without rows has none."""
    named = (str(commit.facts.get("data_tier", "none")) for commit in commits if commit.status == "committed")
    return tuple(sorted({tier for text in named for tier in text.split(", ")} - {"none"}))


def bundles_under(url: str) -> list[str]:
    """The folder of a bundle itself, or those of the bundles of a training run."""
    base = objectstore.absolute(url)
    if objectstore.exists(objectstore.join(base, MANIFEST)):
        return [base]
    found = (key for key in objectstore.listing(base) if key.endswith(f"/{DIGEST}"))
    return [objectstore.join(base, key.rpartition("/")[0]) for key in sorted(found)]


def require_complete(url: str, where: str) -> str:
    """The folder of an earlier run that is complete.

    Args:
        url: of the folder.
        where: the setting that names it.

    Raises:
        SettingsError: there is no such run, or it is not complete.
    """
    status = run_status(url)["status"] if url and objectstore.exists(objectstore.join(url, FILE)) else "absent"
    if status != "complete":
        raise SettingsError(
            f"the earlier run is {status}",
            where=f"{where}={url}",
            expected="the folder of a complete run",
            remedy="Finish that run first, or correct the setting.",
        )
    return url
