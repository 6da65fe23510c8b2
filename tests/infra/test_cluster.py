"""cluster.yaml field by field: what Ray's launcher accepts, bounds on cost, spot, tokens, and no credential inside."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.source_tree import ROOT

WORKERS = ("cpu_reader", "gpu_worker")


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())  # type: ignore[no-any-return]


def test_rays_own_launcher_accepts_the_file(cluster: dict[str, Any]) -> None:
    import ray.autoscaler
    from ray.autoscaler._private.util import prepare_config, validate_config

    jsonschema.validate(cluster, json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text()))
    validate_config(prepare_config(copy.deepcopy(cluster)))


def test_the_schema_would_refuse_a_misspelt_key(cluster: dict[str, Any]) -> None:
    import ray.autoscaler

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        jsonschema.validate({**cluster, "max_worker": 3}, schema)


def test_there_is_a_head_that_computes_nothing_and_two_kinds_of_worker(cluster: dict[str, Any]) -> None:
    kinds = cluster["available_node_types"]

    assert set(kinds) == {"head", *WORKERS}
    assert cluster["head_node_type"] == "head"
    assert kinds["head"]["resources"] == {"CPU": 0, "GPU": 0}
    assert "GPU" not in kinds["cpu_reader"]["resources"]
    assert kinds["gpu_worker"]["resources"]["GPU"] >= 1


def test_the_number_of_nodes_is_bounded_and_falls_to_none(cluster: dict[str, Any]) -> None:
    kinds = cluster["available_node_types"]

    assert all(kinds[name]["min_workers"] == 0 < kinds[name]["max_workers"] for name in WORKERS)
    assert cluster["max_workers"] == sum(kinds[name]["max_workers"] for name in WORKERS)
    assert 0 < cluster["idle_timeout_minutes"] <= 15
    assert cluster["provider"]["cache_stopped_nodes"] is False


def test_workers_are_spot_and_the_head_is_not(cluster: dict[str, Any]) -> None:
    nodes = {name: kind["node_config"] for name, kind in cluster["available_node_types"].items()}

    assert all(nodes[name]["InstanceMarketOptions"]["MarketType"] == "spot" for name in WORKERS)
    assert "InstanceMarketOptions" not in nodes["head"]


def test_disks_are_encrypted_and_roles_come_from_the_instance(cluster: dict[str, Any]) -> None:
    for kind in cluster["available_node_types"].values():
        node = kind["node_config"]
        assert node["IamInstanceProfile"]["Name"].startswith("carbonray-")
        assert node["MetadataOptions"]["HttpTokens"] == "required"
        assert all(disk["Ebs"]["Encrypted"] for disk in node["BlockDeviceMappings"])


def test_tokens_are_asked_for_on_every_node_and_kept_in_no_file(cluster: dict[str, Any]) -> None:
    options = cluster["docker"]["run_options"]
    (path,) = [option.split("=")[1] for option in options if "RAY_AUTH_TOKEN_PATH" in option]

    assert "--env RAY_AUTH_MODE=token" in options
    assert cluster["file_mounts"][path] == "~/.ray/auth_token"
    assert not any("RAY_AUTH_TOKEN=" in option for option in options)


def test_the_dashboard_listens_on_the_heads_loopback_alone(cluster: dict[str, Any]) -> None:
    start = " ".join(cluster["head_start_ray_commands"])

    assert "--dashboard-host=127.0.0.1" in start
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start
    assert "IpPermissions" not in cluster["provider"]["security_group"]


def test_every_node_exports_its_metrics_on_one_port(cluster: dict[str, Any]) -> None:
    for commands in ("head_start_ray_commands", "worker_start_ray_commands"):
        assert "--metrics-export-port=8080" in " ".join(cluster[commands])
