"""infra/kuberay/rayjob.yaml field by field: what the RayJob resource requires, tokens, retries, bounds, rights."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from carbonray.settings import load
from tests.source_tree import ROOT

# required by the custom resource of KubeRay 1.6 (ray.io/v1), https://docs.ray.io, "KubeRay CRD API reference"
REQUIRED_OF_A_WORKER_GROUP = {"groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"}
SUBMISSION_MODES = {"K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"}


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "infra" / "kuberay" / "rayjob.yaml").read_text()))


@pytest.fixture(scope="module")
def job(documents: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [document for document in documents if document["kind"] == "RayJob"]
    return found


@pytest.fixture(scope="module")
def pods(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    groups = {"head": cluster["headGroupSpec"], **{group["groupName"]: group for group in cluster["workerGroupSpecs"]}}
    return {name: group["template"]["spec"] for name, group in groups.items()}


def test_what_the_custom_resource_requires_is_there(job: dict[str, Any]) -> None:
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["spec"]["submissionMode"] in SUBMISSION_MODES
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["template"]["spec"]["containers"][0]["name"] == "ray-head"
    for group in cluster["workerGroupSpecs"]:
        assert set(group) >= REQUIRED_OF_A_WORKER_GROUP
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert all(isinstance(value, str) for group in groups for value in group["rayStartParams"].values())


def test_the_entry_point_is_the_job_with_its_own_flags(job: dict[str, Any], documents: list[dict[str, Any]]) -> None:
    words = shlex.split(job["spec"]["entrypoint"])
    flags = dict(zip(words[3::2], words[4::2], strict=False))

    assert words[:3] == ["python", "-m", "jobs.hotspots"]
    assert set(flags) == {"--settings", "--out", "--run-id"}
    assert words[-1] == "--json", "a pod's log is no terminal"
    assert flags["--out"].startswith("s3://")
    assert flags["--settings"].removeprefix("/etc/carbonray/") in documents[0]["data"]


def test_the_settings_mounted_are_those_the_entry_point_reads(
    pods: dict[str, dict[str, Any]], documents: list[dict[str, Any]]
) -> None:
    (volume,) = [volume for volume in pods["head"]["volumes"] if "configMap" in volume]
    (mount,) = [mount for mount in pods["head"]["containers"][0]["volumeMounts"] if mount["name"] == volume["name"]]

    assert volume["configMap"]["name"] == documents[0]["metadata"]["name"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/carbonray", True)
    assert set(yaml.safe_load(documents[0]["data"]["run.yaml"])) == {"inputs"}


def test_the_settings_mounted_pass_the_strict_loader(documents: list[dict[str, Any]], tmp_path: Path) -> None:
    overlay = tmp_path / "run.yaml"
    overlay.write_text(documents[0]["data"]["run.yaml"])

    assert load([overlay]).inputs.tropomi[0].startswith("s3://")


def test_a_failed_run_is_tried_again_and_a_finished_one_goes_away(job: dict[str, Any]) -> None:
    spec = job["spec"]

    assert spec["backoffLimit"] >= 1
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["activeDeadlineSeconds"] > 3600


def test_the_token_comes_from_a_secret_named_and_not_written(job: dict[str, Any]) -> None:
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token", "secretName": "carbonray-ray-token"}


def test_the_cluster_grows_and_shrinks_within_bounds(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]

    assert cluster["enableInTreeAutoscaling"] is True
    assert all(group["minReplicas"] == 0 for group in cluster["workerGroupSpecs"])
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_readers_and_gpu_workers_ask_for_what_they_use(pods: dict[str, dict[str, Any]]) -> None:
    assert set(pods) == {"head", "cpu-reader", "gpu-worker"}
    for name, pod in pods.items():
        resources = pod["containers"][0]["resources"]
        assert resources["requests"] == resources["limits"], f"{name} would be evicted first"
        assert {"cpu", "memory"} <= set(resources["limits"])
        assert ("nvidia.com/gpu" in resources["limits"]) == (name == "gpu-worker")


def test_no_pod_runs_as_root_or_gains_rights(pods: dict[str, dict[str, Any]]) -> None:
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1000, "the user that infra/Dockerfile makes"
        assert pod["serviceAccountName"] == "carbonray"
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_every_pod_runs_one_image_and_exports_its_metrics(pods: dict[str, dict[str, Any]]) -> None:
    containers = [container for pod in pods.values() for container in pod["containers"]]

    assert len({container["image"] for container in containers}) == 1
    assert all({"containerPort": 8080, "name": "metrics"} in container["ports"] for container in containers)
