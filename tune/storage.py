"""Where Optuna's studies are kept: a journal in the sweep's folder, or a database that a team shares.

The storage is the truth of a search. A journal is a file that only grows, a line an event; it needs a file system and
no server, so that a sweep into an object store needs a database. Passwords in a URL appear in no message and no fact.
"""

import re
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from carbonray.errors import SettingsError
from carbonray.io import objectstore
from carbonray.training.learner import Target

JOURNAL = "study.journal"
OBJECT_STORES = ("s3://", "gs://")


def place_of(folder_url: str, storage_url: str) -> str:
    """Where the studies of a sweep are kept: the URL of a database, or the path of a journal.

    Args:
        folder_url: of the sweep.
        storage_url: setting `tune.storage_url`; empty for a journal in the folder.

    Raises:
        SettingsError: neither is a place where a study can be.
    """
    if _is_database(storage_url):
        return storage_url
    path = objectstore.local_path(storage_url or objectstore.join(folder_url, JOURNAL))
    if path is None:
        raise SettingsError(
            "a journal of trials cannot grow in an object store",
            where=f"--out, tune.storage_url: {storage_url or folder_url}",
            expected="a folder on a file system, or the URL of a database",
            remedy="Add --set tune.storage_url=postgresql://USER@HOST/DATABASE, or give a local --out.",
        )
    return str(path)


def storage_at(place: str) -> BaseStorage:
    """The storage at a place, made where there is none; no other process may be writing there.

    Raises:
        SettingsError: the database does not answer.
    """
    if _is_database(place):
        return _database(place, "tune.storage_url")
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    _cut_torn_line(place)
    return JournalStorage(JournalFileBackend(place))


def opened(storage: BaseStorage, name: str, target: Target) -> Study:
    """The study of a target, new or from an earlier attempt."""
    direction = StudyDirection.MINIMIZE if target.mode == "min" else StudyDirection.MAXIMIZE
    return optuna.create_study(storage=storage, study_name=name, direction=direction, load_if_exists=True)


def earlier(entry: str, target: Target) -> Study:
    """The study of a target that an entry of `tune.warm_start` names.

    Args:
        entry: STORAGE#STUDY, a journal's path or a database's URL, and the name of a sweep.
        target: of this sweep.

    Raises:
        SettingsError: there is none, or it optimises the other way.
    """
    place, _, sweep = entry.rpartition("#")
    storage = _standing(place)
    names = {found.study_name for found in storage.get_all_studies()} if storage else set()
    if storage is None or name_of(sweep, target) not in names:
        raise SettingsError(
            f"there is no study {name_of(sweep, target)!r} to start from",
            where=f"tune.warm_start: {masked(place)}#{sweep}",
            expected=f"STORAGE#STUDY: the path of a {JOURNAL} or a database's URL, then the name of a sweep"
            + (f", with {target.name} one of {', '.join(sorted(names))}" if names else ""),
            remedy="Correct the entry, or leave it out.",
        )
    study = optuna.load_study(study_name=name_of(sweep, target), storage=storage)
    if study.direction.name.lower()[:3] != target.mode:
        raise SettingsError(
            f"the study {study.study_name!r} is to {study.direction.name.lower()} its score",
            where=f"tune.warm_start: {masked(place)}#{sweep}",
            expected=f"a study of {target.metric}, mode {target.mode}",
            remedy="Start from a study of the same score.",
        )
    return study


def name_of(sweep: str, target: Target) -> str:
    """Name of the study of a sweep's target."""
    return f"{sweep}-{target.name}"


def kind_of(place: str) -> str:
    """'database' or 'journal'."""
    return "database" if _is_database(place) else "journal"


def masked(text: str) -> str:
    """A text with the password of every URL in it hidden."""
    return re.sub(r"(://[^/:@\s]+):[^/\s]+@", r"\1:***@", text)


def _is_database(url: str) -> bool:
    return "://" in url and objectstore.local_path(url) is None and not url.startswith(OBJECT_STORES)


def _database(url: str, where: str) -> BaseStorage:
    try:
        return optuna.storages.get_storage(url)
    except (ImportError, ValueError, RuntimeError, SQLAlchemyError) as error:
        told = masked(str(error).splitlines()[0])
        raise SettingsError(
            f"the storage of studies cannot be opened ({type(error).__name__}: {told})",
            where=f"{where}={masked(url)}",
            expected="a URL of SQLAlchemy, its driver installed, its server answering",
            remedy="Correct the URL, or leave it empty for a journal in the sweep's folder.",
        ) from error


def _standing(place: str) -> BaseStorage | None:
    """A storage that is there already; a journal may be another sweep's, at work, and is not touched."""
    if _is_database(place):
        return _database(place, "tune.warm_start")
    path = objectstore.local_path(place)
    return JournalStorage(JournalFileBackend(str(path))) if path and path.is_file() else None


def _cut_torn_line(path: str) -> None:
    """Cuts a last line that was never written whole: the next one would make the journal unreadable."""
    data = objectstore.read_bytes(path) if objectstore.exists(path) else b""
    if data and not data.endswith(b"\n"):
        objectstore.put_bytes(path, data[: data.rfind(b"\n") + 1])
