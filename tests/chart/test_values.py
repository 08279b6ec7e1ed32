"""The chart's values are described once, and completely: values.yaml, its schema and the README agree."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from foretide.adapters import promql
from foretide.api.names import NAMESPACE
from foretide.app.settings import Settings
from foretide.scaling.policy import Quantity
from tests.chart import charts


def _objects(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "properties" in node:
        yield path, node
    for name, member in node.get("properties", {}).items():
        yield from _objects(member, f"{path}.{name}")
    if "items" in node:
        yield from _objects(node["items"], f"{path}[]")


@pytest.mark.parametrize(("path", "node"), list(_objects(charts.schema(), "values")))
def test_every_object_is_closed_so_that_a_misspelt_value_is_refused(path: str, node: dict[str, Any]) -> None:
    assert node["additionalProperties"] is False


def test_the_schema_knows_exactly_the_values_there_are() -> None:
    def names(node: dict[str, Any], default: Any) -> Any:
        if "properties" not in node:
            return True
        return {name: names(member, default[name]) for name, member in node["properties"].items() if name in default}

    def given(default: Any, node: dict[str, Any]) -> Any:
        if "properties" not in node:
            return True
        return {name: given(member, node["properties"][name]) for name, member in default.items()}

    assert names(charts.schema(), charts.values()) == given(charts.values(), charts.schema())
    assert set(charts.schema()["properties"]) - set(charts.values()) == {"global"}


def test_the_readme_has_every_value() -> None:
    readme = (charts.CHART / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in readme if line.startswith("| `")] == list(charts.table())


def test_what_is_recorded_is_what_the_operator_asks_about_the_past() -> None:
    """The text of the template, without Helm: its loop is over metrics, its window is the ticks' or a minute."""
    text = (charts.CHART / "templates" / "prometheusrule.yaml").read_text(encoding="utf-8")
    (listed,) = re.findall(r"range list (.*?) }}", text)
    (record,) = re.findall(r"record: (.*)", text)
    (rule,) = re.findall(r"expr: (.*)", text)
    quantities = (Quantity.SUCCESS, Quantity.FAILURE, Quantity.INFERENCE, Quantity.CACHE_HITS)
    for metric, quantity in zip(re.findall(r'"(.*?)"', listed), quantities, strict=True):
        assert record.replace("{{ . }}", metric) == promql.record(quantity)
        made = rule.replace("{{ . }}", metric).replace("{{ $where }}", "").replace("{{ $window }}", "60")
        assert made == promql.history(quantity, rate_window_seconds=30.0)
    assert "max 60 (mul 6 .Values.prometheus.scrapeIntervalSeconds) (ceil .Values.autoscaler.tickSeconds)" in text
    assert promql.HISTORY_WINDOW_SECONDS == 60


@pytest.mark.parametrize(
    ("value", "setting", "good", "bad"),
    [
        ("url", "prometheus_url", "https://mimir.example/prometheus", "https://me:pw@mimir.example"),
        ("username", "prometheus_username", "me", "me:too"),
        ("tenantHeader", "prometheus_tenant_header", "THANOS-TENANT", "X Scope"),
        ("tenant", "prometheus_tenant", "team a", " team"),
    ],
)
def test_the_chart_refuses_what_the_operator_would(value: str, setting: str, good: str, bad: str) -> None:
    pattern = charts.schema()["properties"]["prometheus"]["properties"][value]["pattern"]
    assert re.search(pattern, good)
    assert not re.search(pattern, bad)
    (known,) = [each.pattern for each in Settings.model_fields[setting].metadata if hasattr(each, "pattern")]
    assert pattern == known


@pytest.mark.parametrize(
    ("value", "setting", "good", "bad"),
    [
        ("image", "download_image", "rclone/rclone:1.76.0", "rclone rclone"),
        ("sizeLimit", "download_size_limit", "40Gi", "1.5Gi"),
    ],
)
def test_the_chart_refuses_of_downloads_what_the_operator_would(value: str, setting: str, good: str, bad: str) -> None:
    pattern = charts.schema()["properties"]["download"]["properties"][value]["pattern"]
    assert re.search(pattern, good)
    assert not re.search(pattern, bad)
    (known,) = [each.pattern for each in Settings.model_fields[setting].metadata if hasattr(each, "pattern")]
    assert pattern == known


def test_what_the_chart_takes_for_a_namespace_the_operator_takes() -> None:
    assert charts.schema()["properties"]["watchNamespaces"]["items"]["pattern"] == f"^{NAMESPACE}$"
    assert Settings(watch_namespaces="shop team-1").namespaces == ("shop", "team-1")


def test_what_the_chart_takes_for_a_flag_the_operator_takes() -> None:
    flag = charts.schema()["properties"]["download"]["properties"]["flags"]["items"]["pattern"]
    (flags,) = [each.pattern for each in Settings.model_fields["download_flags"].metadata if hasattr(each, "pattern")]
    for good in ("--bwlimit=100M", "--http-proxy=http://proxy:3128", "--s3-list-version=2", "--ask-password"):
        assert re.search(flag, good)
        assert re.search(flags, f"{good} {good}")
    for bad in ("copy", "-v", "--a b", "--a=b c", "--=1"):
        assert not re.search(flag, bad)
        assert not re.search(flags, bad)
