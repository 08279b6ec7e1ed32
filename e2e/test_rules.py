"""The chart's alerts through the real promtool: they parse, fire when they should, and do not otherwise."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from e2e.cluster import Cluster
from e2e.scenarios import loopback
from manifests import render
from tests.chart import charts, series
from tests.docs import blocks

RULES: Final = charts.CHART / "files" / "alerts.yaml"
TESTS: Final = sorted((charts.ROOT / "tests" / "alerts").glob("*.yaml"))
QUERIES: Final = [block for block in blocks.of_every_page() if block.language == "promql"]


@pytest.fixture(scope="session")
def promtool(cluster: Cluster) -> str:
    return loopback.program(cluster, "promtool")


def test_what_the_operator_exports_keeps_the_conventions(promtool: str) -> None:
    text = series.operator().exposition()
    ended = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_the_rules_parse(promtool: str) -> None:
    _run(promtool, "check", "rules", str(RULES))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_it_fires_when_it_should_and_not_otherwise(promtool: str, path: Path) -> None:
    _run(promtool, "test", "rules", str(path))


@pytest.mark.parametrize("block", QUERIES, ids=str)
def test_what_the_documentation_asks_prometheus_parses(promtool: str, block: blocks.Block) -> None:
    _run(promtool, "--experimental", "promql", "format", block.text)


def test_what_the_chart_renders_parses_with_every_override(promtool: str, cluster: Cluster, tmp_path: Path) -> None:
    names = charts.schema()["properties"]["alerts"]["properties"]["overrides"]["propertyNames"]["enum"]
    changed = [f"alerts.overrides.{name}.for=1s" for name in names]
    changed += ["alerts.overrides.ForetideStalled.enabled=false", "alerts.overrides.ForetideDown.severity=page"]
    changed += ["alerts.enabled=true", "alerts.ruleLabels.team=ml", "alerts.labels.release=monitoring"]
    changed += ["alerts.coldStartSeconds=900", "alerts.runbookUrl=https://wiki.example/foretide/%s.html"]
    text = render.rendered(*(f"--set={each}" for each in changed), binary=str(cluster.bin / "helm"))
    found = charts.only(charts.objects(text), "PrometheusRule", "foretide-alerts")
    assert found["metadata"]["labels"]["release"] == "monitoring"
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(found["spec"]), encoding="utf-8")
    _run(promtool, "check", "rules", str(path))
    alerts = {rule["alert"]: rule for group in found["spec"]["groups"] for rule in group["rules"] if "alert" in rule}
    assert set(names) - set(alerts) == {"ForetideStalled"}
    assert {rule["for"] for rule in alerts.values()} == {"1s"}
    assert alerts["ForetideDown"]["labels"] == {"severity": "page", "team": "ml"}
    assert alerts["ForetideDown"]["annotations"]["runbook_url"] == "https://wiki.example/foretide/ForetideDown.html"
    assert "runbook" not in alerts["ForetideDown"]["annotations"]
    assert alerts["ForetideColdStartSlow"]["expr"].endswith("> 900")


def test_the_chart_changes_nothing_of_the_rules_but_what_it_is_told(cluster: Cluster) -> None:
    text = render.rendered("--set=alerts.enabled=true", binary=str(cluster.bin / "helm"))
    groups = charts.only(charts.objects(text), "PrometheusRule", "foretide-alerts")["spec"]["groups"]
    for group in groups:
        for rule in group["rules"]:
            if "alert" in rule:
                runbook = rule["annotations"].pop("runbook")
                assert runbook == f"docs/runbooks/{rule['alert']}.md"
                assert (charts.ROOT / runbook).exists()
    assert groups == yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]


def _run(*words: str) -> None:
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, f"{' '.join(words)}\n{ended.stdout}{ended.stderr}"
