"""Fixtures that every test may ask for: real data beside the checkout, a local Ray, S3 servers.

Markers are declared in pyproject.toml. Whoever asks for a Ray or for the real S3 server is marked so, and `make test`
runs those tests one after another, once the others, spread over all cores, are done.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import s3_servers

ROOT = Path(__file__).resolve().parents[1]
RAY_CPUS = 2
OBJECT_STORE_BYTES = 300 * 2**20
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

for name in ONE_THREAD:  # before numpy or torch are imported, here and in every process a test starts
    os.environ.setdefault(name, "1")

# shared cores make deadlines lie; a failure must come back on the next run
settings.register_profile("carbonray", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("carbonray")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        for server in ("ray", "radosgw"):
            if any(name.startswith(f"{server}_") for name in fixtures):
                item.add_marker(getattr(pytest.mark, server))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; the test is skipped where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data absent: ../shared/data is not beside the checkout (docs/evidence/ holds its results)")
    return folder


@pytest.fixture(scope="session")
def ray_local() -> Iterator[None]:
    """A Ray of two CPUs of this process's own: `address="local"` never joins or ends anyone else's."""
    import ray

    ray.init(
        address="local",
        num_cpus=RAY_CPUS,
        num_gpus=0,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    with s3_servers.moto() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def radosgw_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    missing = s3_servers.missing_binaries()
    if missing:
        pytest.skip(f"no real S3 server here: {', '.join(missing)} not installed ({s3_servers.INSTALL})")
    with s3_servers.radosgw(tmp_path_factory.mktemp("ceph")) as endpoint:
        yield endpoint


@pytest.fixture
def s3_server(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """`s3://bucket/runs` on an in-process server, credentials and endpoint in the environment as in production."""
    return _bucket(moto_endpoint, monkeypatch)


@pytest.fixture
def radosgw_server(radosgw_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """`s3://bucket/runs` on a real server of three daemons, credentials and endpoint in the environment."""
    return _bucket(radosgw_endpoint, monkeypatch)


def _bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    import fsspec

    for name, value in s3_servers.environment(endpoint).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # instances remember the endpoint they were made with
    return s3_servers.new_bucket(endpoint)
