"""An object as a local file, for readers that seek all over it and know no URL: OpenStreetMap's PBF, SQLite, grids."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from carbonray.errors import DataError, TransportError
from carbonray.io import objectstore


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """The file itself where it is local, else a copy under its own name that lasts as long as the context.

    Raises:
        DataError: there is no such file.
        TransportError: it could not be moved, or the disk could not take it.
    """
    path = objectstore.local_path(url)
    if path is not None:
        if not path.is_file():
            raise DataError("there is no such file", where=url, expected="a file", remedy="Check the path.")
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="carbonray-") as folder:
        copy = Path(folder) / url.rsplit("/", 1)[-1]
        with objectstore.opened(url) as source:
            _copied(url, source, copy)
        yield copy


def _copied(url: str, source: BinaryIO, copy: Path) -> None:
    try:
        with copy.open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)
    except OSError as error:
        raise TransportError(
            f"no copy could be made ({error})",
            where=url,
            expected=f"room for it in {copy.parent.parent}",
            remedy="Free some disk, or set TMPDIR to a larger one.",
        ) from error
