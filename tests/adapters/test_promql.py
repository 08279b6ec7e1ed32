"""The queries of a tick: a fixed number, well formed, grouped by pod, and without anybody's text."""

from __future__ import annotations

import inspect
import re

import pytest

from foretide.adapters.promql import QUERIES_PER_TICK, TickQueries, tick_queries

# What the expressions are made of; a typo in a metric name is a query that answers nothing for ever.
METRICS = {
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_count",
    "nv_inference_pending_request_count",
}
FUNCTIONS = {"rate", "deriv", "timestamp", "time"}
AGGREGATIONS = {"sum", "max"}
LABELS = {"namespace", "pod", "model", "version", "reason", "gpu_uuid"}
WORD = re.compile(r"[a-z_]+")
TOKEN = re.compile(r"[a-z_]+|\[\d+s\]|[(),-]|\s+")


def queries(window: float = 30) -> dict[str, str]:
    return dict(tick_queries(rate_window_seconds=window).items())


def test_a_tick_asks_at_most_a_dozen_queries() -> None:
    assert len(queries()) == QUERIES_PER_TICK == len(set(queries().values())) <= 12


def test_no_text_of_a_service_can_enter_a_query() -> None:
    assert list(inspect.signature(tick_queries).parameters) == ["rate_window_seconds"]


@pytest.mark.parametrize("name", TickQueries.__dataclass_fields__)
def test_every_expression_is_made_of_known_words_and_balanced(name: str) -> None:
    expression = queries()[name]
    assert "".join(TOKEN.findall(expression)) == expression
    depth = 0
    for token in TOKEN.findall(expression):
        depth += (token == "(") - (token == ")")
        assert depth >= 0
    assert depth == 0
    words = set(WORD.findall(re.sub(r"\[\d+s\]", "", expression)))
    assert words <= METRICS | FUNCTIONS | AGGREGATIONS | {"by", *LABELS}
    assert words & METRICS


@pytest.mark.parametrize("name", TickQueries.__dataclass_fields__)
def test_every_answer_is_one_sample_for_each_pod(name: str) -> None:
    assert re.search(r"(sum|max) by \(namespace, pod\) \(", queries()[name])


def test_counters_are_rated_over_the_window_and_gauges_are_not() -> None:
    assert queries(45)["success_rps"].count("[45s]") == 1
    assert "[" not in queries()["pending"]
    assert "[" not in queries()["sample_age_seconds"]


def test_the_window_is_whole_seconds() -> None:
    """PromQL knows no fractions."""
    assert "[31s]" in queries(30.6)["success_rps"]
