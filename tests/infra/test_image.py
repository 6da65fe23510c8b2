"""The image, the versions that every deployment file must agree on, and secrets that none may hold."""

import re
import tomllib
from typing import Any

import yaml

import carbonray
from tests.source_tree import ROOT, own_files, pins

DOCKERFILE = (ROOT / "infra" / "Dockerfile").read_text()
SECRETS = {
    "an AWS access key": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "an AWS secret": r"(?i)aws_secret_access_key\s*[:=]\s*['\"]?[A-Za-z0-9/+]{40}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a Ray token": r"RAY_AUTH_TOKEN\s*[:=]\s*['\"]?[0-9a-f]{16,}",
    "a password in a URL": r"\b[a-z0-9+]+://[^/\s:@$<{]+:[^/\s:@$<{]+@",
}


def instructions(word: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(f"{word} ").strip() for line in joined.splitlines() if line.startswith(f"{word} ")]


def test_the_image_has_the_python_that_the_constraints_are_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert all(stage.startswith("python:3.11-") for stage in instructions("FROM"))
    assert project["requires-python"] == ">=3.11"


def test_the_image_installs_the_pinned_set_and_nothing_else() -> None:
    (install,) = [line for line in instructions("RUN") if "pip install" in line]

    assert "--constraint constraints.txt '.[gpu,aws]'" in install
    assert not re.search(r"==|--pre|--upgrade", install)


def test_the_image_does_not_run_as_root() -> None:
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]

    assert "\nUSER 1000:1000\n" in last_stage
    assert "--uid 1000" in last_stage
    assert last_stage.index("\nUSER ") < last_stage.index("\nCMD ")


def test_the_image_asks_for_tokens_and_one_thread_and_holds_no_token() -> None:
    (environment,) = instructions("ENV")

    assert "RAY_AUTH_MODE=token" in environment
    assert "OMP_NUM_THREADS=1" in environment
    assert "RAY_AUTH_TOKEN" not in environment


def test_what_the_image_copies_exists_and_what_it_ignores_is_not_copied() -> None:
    copied = [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]
    ignored = (ROOT / "infra" / "Dockerfile.dockerignore").read_text().split()

    assert all((ROOT / name).exists() for name in copied)
    assert {".git", ".venv", "out"} <= set(ignored)
    assert not set(copied) & set(ignored)


def test_deployment_files_name_the_versions_of_the_constraints() -> None:
    documents: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "infra/kuberay/rayjob.yaml").read_text()))
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    spec = documents[-1]["spec"]["rayClusterSpec"]
    image = spec["headGroupSpec"]["template"]["spec"]["containers"][0]["image"]

    assert spec["rayVersion"] == pins()["ray"]
    assert image == cluster["docker"]["image"] == f"REGISTRY/carbonray:{carbonray.__version__}"
    assert f"carbonray:{carbonray.__version__}" in DOCKERFILE


def test_ray_is_new_enough_for_token_authentication() -> None:
    major, minor = (int(part) for part in pins()["ray"].split(".")[:2])
    assert (major, minor) >= (2, 52)  # CVE-2023-48022, CVE-2025-62593


def test_no_file_of_the_project_holds_a_secret() -> None:
    for path in own_files():
        if path.stat().st_size < 2**20 and path.suffix not in (".png", ".safetensors", ".parquet", ".nc"):
            text = path.read_text(encoding="utf-8", errors="replace")
            found = [name for name, pattern in SECRETS.items() if re.search(pattern, text)]
            assert not found, f"{path.relative_to(ROOT)} holds {found}"


def test_the_patterns_would_find_one() -> None:
    leaked = "AKIA" + "ABCDEFGHIJKLMNOP"
    assert re.search(SECRETS["an AWS access key"], f"aws_access_key_id = {leaked}")
    assert re.search(SECRETS["a password in a URL"], "s3://" + "name:word" + "@host/bucket")
