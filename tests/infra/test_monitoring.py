"""Prometheus, alerts and dashboard speak of metrics that exist, under the names that Ray gives them."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.source_tree import ROOT, tree

FOLDER = ROOT / "infra" / "monitoring"
RAYS_OWN = {"ray_node_cpu_utilization", "ray_node_mem_used", "ray_node_disk_free", "ray_object_store_used_memory"}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    return json.loads((FOLDER / "dashboard.json").read_text())  # type: ignore[no-any-return]


def expressions() -> list[str]:
    targets = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    queries = [variable["query"] for variable in dashboard()["templating"]["list"]]
    return [*targets, *queries, *(rule["expr"] for rule in alerts())]


def engine_words() -> set[str]:
    nodes = ast.walk(tree(Path("carbonray/engine/progress.py")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_metric_asked_for_is_exported() -> None:
    exported = RAYS_OWN | {f"ray_{word}" for word in engine_words() if word.startswith("carbonray_")}
    asked = {name for text in expressions() for name in re.findall(r"\bray_[a-z0-9_]+", text)}

    assert {"ray_carbonray_units_total", "ray_carbonray_last_progress_seconds"} <= asked
    assert asked <= exported


def test_every_status_asked_for_is_counted() -> None:
    asked = {
        word for text in expressions() for match in re.findall(r'status=~?"([^"]+)"', text) for word in match.split("|")
    }

    assert asked == {"committed", "quarantined", "failed"}
    assert asked <= engine_words()


def test_a_stalled_run_pages_a_person() -> None:
    (stalled,) = [rule for rule in alerts() if rule["alert"] == "CarbonrayStalled"]

    assert stalled["labels"]["severity"] == "page"
    assert re.fullmatch(
        r"time\(\) - max by \(SessionName\) \(ray_carbonray_last_progress_seconds\) > \d+", stalled["expr"]
    )


def test_every_alert_says_what_to_do() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()

    assert "\n## Alerts\n" in operations
    for rule in alerts():
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == "docs/operations.md#alerts"
        assert rule["alert"] in operations


def test_prometheus_reads_the_rules_and_finds_nodes_and_pods() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}

    assert all((FOLDER / name).is_file() for name in config["rule_files"])
    assert jobs["ray-nodes"]["file_sd_configs"][0]["files"] == ["/tmp/ray/prom_metrics_service_discovery.json"]
    assert jobs["ray-pods"]["kubernetes_sd_configs"] == [{"role": "pod"}]


def test_brackets_and_quotes_of_every_expression_balance() -> None:
    for text in expressions():
        assert text.count('"') % 2 == 0
        assert all(text.count(opening) == text.count(closing) for opening, closing in ("()", "{}", "[]")), text


def test_the_dashboard_has_unique_panels_on_one_grid() -> None:
    panels = dashboard()["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
