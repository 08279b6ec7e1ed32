"""Dashboards and rules over a real Prometheus with real series: no panel is empty, and every rule evaluates."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from e2e.cluster import Cluster
from e2e.scenarios import loopback
from e2e.scenarios.loopback import Loopback, Sample
from e2e.scenarios.waiting import until
from manifests.dashboards.__main__ import EVERY
from manifests.dashboards.grafana import Panel
from tests.chart import charts, series

LASTING_SECONDS: Final = 7_200
STEP_SECONDS: Final = 30
POD: Final = f"{series.SERVICE.name}--cpu-16-5f7d9c8b64-x2x4z"
TRITON: Final = Path(__file__).resolve().parents[1] / "tests" / "adapters" / "triton_2.51_metrics.txt"
RULES: Final = charts.CHART / "files" / "alerts.yaml"
CHOSEN: Final = {"namespace": series.SERVICE.namespace, "service": series.SERVICE.name}
PANELS: Final = [pytest.param(panel, id=f"{board.uid}-{panel.title}") for board in EVERY for panel in board.panels]
GROWING: Final = ("_total", "_count", "_sum", "_bucket", "_success", "_failure", "_duration_us")


def _samples(end: int) -> Iterator[Sample]:
    """The operator, one that stands by, and a Triton pod, over two hours; counters grow."""
    shown = [(sample, {"job": "foretide", "instance": "a"}) for sample in _read(series.operator().exposition())]
    shown += [
        (sample, {"job": "triton", "namespace": series.SERVICE.namespace, "pod": POD})
        for sample in _read(TRITON.read_text(encoding="utf-8"))
    ]
    for sample, target in shown:
        grows = sample.name.endswith(GROWING)
        for step in range(LASTING_SECONDS // STEP_SECONDS):
            at = end - LASTING_SECONDS + step * STEP_SECONDS
            value = at if sample.name == "foretide_last_tick_timestamp_seconds" else sample.value
            value = 1.0 if math.isnan(value) else value + step if grows else value
            yield Sample(sample.name, {**sample.labels, **target}, float(value), at)
    for step in range(LASTING_SECONDS // STEP_SECONDS):
        at = end - LASTING_SECONDS + step * STEP_SECONDS
        yield Sample("foretide_leader", {"job": "foretide", "instance": "b"}, 0.0, at)


def _read(text: str) -> list[Any]:
    """Without the types: the parser would add `_total` to the names of Triton's counters."""
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


@pytest.fixture(scope="module")
def now() -> int:
    return int(time.time()) // STEP_SECONDS * STEP_SECONDS


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, now: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    # Each series of a name must come after the other: promtool takes them in that order.
    ordered = sorted(_samples(now), key=lambda sample: sample.name)
    with loopback.running(cluster, tmp_path_factory.mktemp("prometheus"), ordered, [RULES]) as started:
        yield started


def _chosen(expression: str) -> str:
    """As Grafana fills the variables in."""
    filled = {**CHOSEN, "__rate_interval": "2m"}
    return re.sub(r"\$\{?(\w+)(:regex)?\}?", lambda found: filled[found[1]], expression)


@pytest.mark.parametrize("panel", PANELS)
def test_no_query_of_a_panel_is_empty(prometheus: Loopback, now: int, panel: Panel) -> None:
    for query in panel.queries:
        values = prometheus.values(_chosen(query.expr), start=now - 3_600, end=now - 60, step=60)
        assert any(math.isfinite(value) for value in values), query.expr


def test_the_values_of_variables_are_there(prometheus: Loopback) -> None:
    for name, value in CHOSEN.items():
        assert value in prometheus.ask(f"label/{name}/values", **{"match[]": "foretide_condition"})


def test_every_rule_evaluates(prometheus: Loopback) -> None:
    def evaluated() -> bool:
        rules = _rules(prometheus)
        return all(not rule["lastEvaluation"].startswith("0001-") for rule in rules)

    # A group with an interval of a minute has its first turn within that.
    until("every rule had its turn", evaluated, within_seconds=90, every_seconds=1.0)
    rules = _rules(prometheus)
    assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
    burning = prometheus.ask("query", query="namespace_service:foretide_slo_burn_rate:ratio1h")["result"]
    assert len(burning) == 1
    firing = {rule["name"] for rule in rules if rule["type"] == "alerting" and rule["alerts"]}
    # The operator of the tests is limited in its replicas, has late items and writes that failed.
    assert firing <= {"ForetideScalingLimited", "ForetideErrorBudgetBurnFast", "ForetideErrorBudgetBurn", *_SLOW}


_SLOW: Final = ("ForetideErrorBudgetBurnSlow", "ForetideScaleWritesFailing")


def _rules(prometheus: Loopback) -> list[dict[str, Any]]:
    return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
