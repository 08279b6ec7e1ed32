"""Each alert has a runbook, a unit test and nothing in it that nobody exports. `promtool` runs the unit tests in
e2e/test_rules.py, where there is one.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from foretide.api.conditions import ConditionType
from foretide.api.reasons import Reason
from foretide.scaling.budget import ENOUGH_REQUESTS, FAST_BURN, SLOW_BURN
from tests.chart import charts, expressions

RULES: Final = charts.CHART / "files" / "alerts.yaml"
TESTS: Final = charts.ROOT / "tests" / "alerts"
RUNBOOKS: Final = charts.ROOT / "docs" / "runbooks"
GROUPS: Final[list[dict[str, Any]]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
RULE_LIST: Final = [rule for group in GROUPS for rule in group["rules"]]
ALERTS: Final = {rule["alert"]: rule for rule in RULE_LIST if "alert" in rule}
RECORDED: Final = {rule["record"] for rule in RULE_LIST if "record" in rule}
# Whose business is that something is absent.
OF_ABSENCE: Final = {"ForetideDown"}


def test_names_are_read_out_of_expressions() -> None:
    asked = 'max by (le, pod) (rate(a_total{b="c",d=~"e|f"}[5m])) and on (job) a:b:rate5m * 1e3 > bool 3 or vector(1)'
    assert expressions.metrics(asked) == {"a_total", "a:b:rate5m"}
    assert expressions.metrics("histogram_quantile(0.9, sum(rate(x_bucket[1h:5m])) by (le)) unless up offset 1d") == {
        "x_bucket",
        "up",
    }


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_for_what_is_exported_or_recorded(rule: dict[str, Any]) -> None:
    asked = expressions.metrics(rule["expr"])
    assert asked
    assert asked - expressions.of_operator() - RECORDED == set()


@pytest.mark.parametrize("rule", RULE_LIST, ids=lambda rule: rule.get("alert") or rule["record"])
def test_conditions_and_reasons_in_rules_are_words_of_the_api(rule: dict[str, Any]) -> None:
    kinds = re.findall(r'condition="(\w+)"', rule["expr"])
    reasons = [word for words in re.findall(r'reason[!=]?[=~]"([\w|]+)"', rule["expr"]) for word in words.split("|")]
    assert set(kinds) <= {kind.value for kind in ConditionType}
    assert set(reasons) <= {reason.value for reason in Reason}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_it_is_about(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+[mhd]", alert["for"])
    for annotation in ("summary", "description"):
        assert alert["annotations"][annotation].endswith(".")
    if "by (namespace, service)" in alert["expr"] or "namespace_service:" in alert["expr"]:
        assert "{{ $labels.namespace }}/{{ $labels.service }}" in alert["annotations"]["summary"]


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_says_what_it_means_whom_it_hurts_how_to_look_and_what_to_do(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    assert re.findall(r"^#+ (.*)$", text, re.MULTILINE) == [name, "Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert re.search(r"```sh\n[^`]*kubectl", text)
    known = expressions.of_operator() | expressions.of_triton() | {"up", "process_cpu_seconds_total"}
    for asked in re.findall(r"```promql\n(.*?)```", text, re.DOTALL):
        assert expressions.metrics(asked) - known == set()


def test_whatever_keeps_a_service_from_serving_is_in_a_runbook() -> None:
    of_serving = list(itertools.takewhile(lambda reason: reason is not Reason.METRICS_COMPLETE, Reason))
    well = {
        Reason.AVAILABLE,
        Reason.MINIMUM_REPLICAS_AVAILABLE,
        Reason.UP_TO_DATE,
        Reason.NOT_STALLED,
        Reason.CREATING,
        Reason.ROLLOUT_IN_PROGRESS,
        Reason.MODEL_LOADED,
        Reason.MODEL_LOADING,
    }
    pages = "".join(
        (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8") for name in ("ForetideNotReady", "ForetideStalled")
    )
    assert [reason.value for reason in of_serving if reason not in well and f"`{reason}`" not in pages] == []


def _tests(path: Path) -> list[dict[str, Any]]:
    parsed = yaml.safe_load(path.read_text(encoding="utf-8"))
    (rules,) = parsed["rule_files"]
    assert (path.parent / rules).resolve() == RULES.resolve()
    found: list[dict[str, Any]] = parsed["tests"]
    return found


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_tested_to_fire_and_not_to(name: str) -> None:
    asked = [case for test in _tests(TESTS / f"{name}.yaml") for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in asked} == {name}
    assert any(case["exp_alerts"] for case in asked)
    assert any(not case["exp_alerts"] for case in asked)


def test_no_alert_fires_for_want_of_a_series_but_those_that_are_for_that() -> None:
    nothing, standby = _tests(TESTS / "absent.yaml")
    for test, exempt in ((nothing, OF_ABSENCE), (standby, OF_ABSENCE | {"ForetideNoLeader"})):
        assert {case["alertname"] for case in test["alert_rule_test"]} == set(ALERTS) - exempt
        assert not any(case["exp_alerts"] for case in test["alert_rule_test"])


def test_an_override_is_for_an_alert_that_exists() -> None:
    overrides = charts.schema()["properties"]["alerts"]["properties"]["overrides"]
    assert overrides["propertyNames"]["enum"] == list(ALERTS)
    assert overrides["additionalProperties"]["additionalProperties"] is False


def test_the_threshold_that_the_chart_replaces_is_there_once() -> None:
    assert ALERTS["ForetideColdStartSlow"]["expr"].count("> 600") == 1
    assert charts.values()["alerts"]["coldStartSeconds"] == 600


def test_long_windows_count_what_the_recorded_five_minutes_count_five_times() -> None:
    """An item is in the increase of five minutes at five evaluations: 100 items are 500."""
    (group,) = (group for group in GROUPS if group["name"] == "foretide-slo")
    assert group["interval"] == "1m"
    burns = {
        rule["record"].rpartition("ratio")[2]: rule["expr"]
        for rule in RULE_LIST
        if "burn_rate" in str(rule.get("record"))
    }
    assert set(burns) == {"5m", "30m", "1h", "6h", "3d"}
    for window, asked in burns.items():
        assert set(re.findall(r"\[(\w+)\]", asked)) == (set() if window == "5m" else {window})
        (least,) = re.findall(r"clamp_min\(.*, (\d+)\)", asked)
        assert int(least) == ENOUGH_REQUESTS * (1 if window == "5m" else 5)


@pytest.mark.parametrize(
    ("name", "factor", "long", "short"),
    [
        ("ForetideErrorBudgetBurnFast", FAST_BURN, "1h", "5m"),
        ("ForetideErrorBudgetBurn", SLOW_BURN, "6h", "30m"),
        ("ForetideErrorBudgetBurnSlow", 1.0, "3d", "6h"),
    ],
)
def test_burn_rates_are_those_of_the_workbook(name: str, factor: float, long: str, short: str) -> None:
    record = "namespace_service:foretide_slo_burn_rate:ratio"
    assert ALERTS[name]["expr"].split() == f"{record}{long} > {factor:g} and {record}{short} > {factor:g}".split()


def test_docs_list_every_alert_with_its_severity_and_time() -> None:
    page = (charts.ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(runbooks/\1\.md\) \| (\w+) \| (\w+) \|", page, re.MULTILINE)
    assert rows == [(name, alert["labels"]["severity"], alert["for"]) for name, alert in ALERTS.items()]


def test_each_alert_is_fired_for_real_in_an_end_to_end_test() -> None:
    text = (charts.ROOT / "e2e" / "test_alerts.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"(Foretide\w+)"', text)) == set(ALERTS)
