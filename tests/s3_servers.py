"""S3 servers for tests: moto inside this process (quick) and radosgw as real daemons (what production speaks to).

Both listen on a free loopback port. radosgw needs Debian's `radosgw ceph-mon ceph-osd`: one monitor, one object store
daemon in memory and the S3 front end, with cephx on, for without it the daemons of 16.2 never connect.
"""

import contextlib
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

BINARIES = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool")
INSTALL = "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd"
ACCESS_KEY, SECRET_KEY = "carbonray-tests", "no-secret-of-anyone"
START_TIMEOUT_S = 90.0


def environment(endpoint: str) -> dict[str, str]:
    """What a client's process needs, and all that carbonray.io.objectstore reads."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def new_bucket(endpoint: str) -> str:
    """Makes a bucket of its own and answers `s3://bucket/prefix`."""
    name = f"carbonray-{uuid.uuid4().hex[:12]}"
    _client(endpoint).create_bucket(Bucket=name)
    return f"s3://{name}/runs"


def missing_binaries() -> list[str]:
    """Which of radosgw's programs are not installed."""
    return [name for name in BINARIES if shutil.which(name) is None]


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """An in-process S3 server: yields its endpoint."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextlib.contextmanager
def radosgw(folder: Path) -> Iterator[str]:
    """A real S3 server of three daemons over memory: yields its endpoint; ends only what it started."""
    ports = _free_ports(2)
    config = _write_config(folder, *ports)
    endpoint = f"http://127.0.0.1:{ports[1]}"
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        _make_keys(folder, config, ports[0])
        daemons.append(_daemon(folder, config, "ceph-mon", "-i", "a"))
        _make_osd(folder, config)
        daemons.append(_daemon(folder, config, "ceph-osd", "-i", "0"))
        _make_user(folder, config)
        daemons.append(_daemon(folder, config, "radosgw", "-n", "client.admin"))
        _wait_for(lambda: _client(endpoint).list_buckets(), daemons, folder)
        yield endpoint
    finally:
        for daemon in reversed(daemons):
            _end(daemon)


def _client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _write_config(folder: Path, mon_port: int, rgw_port: int) -> Path:
    config = folder / "ceph.conf"
    config.write_text(f"""
[global]
fsid = {uuid.uuid4()}
mon host = v2:127.0.0.1:{mon_port}
mon initial members = a
public addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {folder}/keyring
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:{rgw_port}
rgw thread pool size = 32
""")
    return config


def _make_keys(folder: Path, config: Path, mon_port: int) -> None:
    keyring, fsid = folder / "keyring", _fsid(config)
    grants = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
    _run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    _run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *grants)
    _run("ceph-authtool", keyring, "--gen-key", "-n", "osd.0", "--cap", "mon", "allow profile osd", *grants[3:])
    address = f"[v2:127.0.0.1:{mon_port}]"
    mon = ["--addv", "a", address, "--set-min-mon-release", "16"]
    _run("monmaptool", "--create", "--fsid", fsid, *mon, folder / "map")
    _run("ceph-mon", "-c", config, "--mkfs", "-i", "a", "--monmap", folder / "map", "--keyring", keyring)


def _fsid(config: Path) -> str:
    return next(line.split("=")[1].strip() for line in config.read_text().splitlines() if line.startswith("fsid"))


def _make_osd(folder: Path, config: Path) -> None:
    (folder / "osd").mkdir(exist_ok=True)
    _run("ceph-osd", "-c", config, "-i", "0", "--mkfs", "--osd-uuid", str(uuid.uuid4()), timeout_s=START_TIMEOUT_S)


def _make_user(folder: Path, config: Path) -> None:
    keys = ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
    user = ["user", "create", "--uid", "tests", "--display-name", "tests", *keys]
    _run("radosgw-admin", "-c", config, "-n", "client.admin", *user, timeout_s=START_TIMEOUT_S)


def _run(*command: object, timeout_s: float = 30.0) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}"


def _daemon(folder: Path, config: Path, *command: str) -> "subprocess.Popen[bytes]":
    output = (folder / f"{command[0]}.out").open("wb")
    with output:
        words = [*command, "-c", str(config), "-f"]
        return subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


def _wait_for(answer: Callable[[], object], daemons: "list[subprocess.Popen[bytes]]", folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            answer()
        except (BotoCoreError, ClientError) as error:
            ended = [daemon.args for daemon in daemons if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                tails = "\n".join(path.read_text()[-1500:] for path in sorted(folder.glob("*.out")))
                raise AssertionError(f"radosgw did not come up ({error}); ended: {ended}\n{tails}") from error
            time.sleep(0.25)
        else:
            return


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=5)
    except subprocess.TimeoutExpired:  # ceph-osd can outlive SIGTERM
        daemon.kill()
        daemon.wait(timeout=10)
