"""The same laws on a file system, on a quick S3 server and on a real one; waits between attempts that cost none."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import tenacity.nap

ROOTS = [
    "file_root",
    pytest.param("s3_server", marks=pytest.mark.s3),
    pytest.param("radosgw_server", marks=pytest.mark.radosgw),
]


@pytest.fixture
def file_root(tmp_path: Path) -> str:
    return f"file://{tmp_path}/runs"


@pytest.fixture(params=ROOTS)
def root(request: pytest.FixtureRequest) -> str:
    """A folder by URL, on each kind of store in turn."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, none of them waited for."""
    waits: list[float] = []
    monkeypatch.setattr(tenacity.nap, "time", SimpleNamespace(sleep=waits.append))
    return waits
