"""The PromQL of a query: well formed, grouped by pod, and without anybody's text."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import fields
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.promql import buckets, expression, history, quantiles, record, recorded, samples
from foretide.scaling.policy import Over, Quantity, Query
from foretide.serving.naming import deployment_name

# What the expressions are made of; a typo in a metric name is a query that answers nothing for ever.
METRICS = {
    Quantity.SUCCESS: "nv_inference_request_success",
    Quantity.FAILURE: "nv_inference_request_failure",
    Quantity.INFERENCE: "nv_inference_count",
    Quantity.EXECUTION: "nv_inference_exec_count",
    Quantity.PENDING: "nv_inference_pending_request_count",
    Quantity.REQUEST_SECONDS: "nv_inference_request_duration_us",
    Quantity.CACHE_HITS: "nv_cache_num_hits_per_model",
}
FUNCTIONS = {"rate", "deriv", "avg_over_time", "max_over_time", "timestamp", "time"}
AGGREGATIONS = {"sum", "max"}
LABELS = {"namespace", "pod", "model", "version", "reason", "gpu_uuid"}
WORD = re.compile(r"[a-z_]+")
TOKEN = re.compile(r"[a-z_]+|\[\d+s\]|1000000|[(),/-]|\s+")
RANGED = [Over.RATE, Over.DERIV, Over.AVERAGE, Over.MAXIMUM]

SERIES = "by (namespace, pod, model, version, reason, gpu_uuid)"

every_query = pytest.mark.parametrize(
    "query", [Query(quantity, over, 30.0) for quantity, over in itertools.product(METRICS, Over)], ids=str
)


def over_pods(query: str) -> str:
    return f"sum by (namespace, pod) (max {SERIES} ({query}))"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(Quantity.SUCCESS, Over.RATE, 30.0), over_pods("rate(nv_inference_request_success[30s])")),
        (Query(Quantity.FAILURE, Over.RATE, 45.0), over_pods("rate(nv_inference_request_failure[45s])")),
        (Query(Quantity.INFERENCE, Over.RATE, 30.0), over_pods("rate(nv_inference_count[30s])")),
        (Query(Quantity.EXECUTION, Over.RATE, 30.0), over_pods("rate(nv_inference_exec_count[30s])")),
        (Query(Quantity.CACHE_HITS, Over.RATE, 30.0), over_pods("rate(nv_cache_num_hits_per_model[30s])")),
        (Query(Quantity.PENDING), over_pods("nv_inference_pending_request_count")),
        (Query(Quantity.PENDING, Over.DERIV, 30.0), over_pods("deriv(nv_inference_pending_request_count[30s])")),
        (
            Query(Quantity.PENDING, Over.AVERAGE, 60.0),
            over_pods("avg_over_time(nv_inference_pending_request_count[60s])"),
        ),
        (
            Query(Quantity.PENDING, Over.MAXIMUM, 60.0),
            over_pods("max_over_time(nv_inference_pending_request_count[60s])"),
        ),
        (
            Query(Quantity.REQUEST_SECONDS, Over.RATE, 60.0),
            over_pods("rate(nv_inference_request_duration_us[60s])") + " / 1000000",
        ),
        (Query(Quantity.REQUEST_SECONDS), over_pods("nv_inference_request_duration_us") + " / 1000000"),
        (
            Query(Quantity.SUCCESS, Over.AGE),
            "time() - max by (namespace, pod) (timestamp(nv_inference_request_success))",
        ),
        # an age is in seconds, whatever the unit of the counter
        (
            Query(Quantity.REQUEST_SECONDS, Over.AGE),
            "time() - max by (namespace, pod) (timestamp(nv_inference_request_duration_us))",
        ),
    ],
    ids=str,
)
def test_expressions_are_these(query: Query, expected: str) -> None:
    assert expression(query) == expected


@every_query
def test_every_expression_is_made_of_known_words_and_balanced(query: Query) -> None:
    text = expression(query)
    assert "".join(TOKEN.findall(text)) == text
    depth = 0
    for token in TOKEN.findall(text):
        depth += (token == "(") - (token == ")")
        assert depth >= 0
    assert depth == 0
    words = set(WORD.findall(re.sub(r"\[\d+s\]|1000000", "", text)))
    assert words <= {METRICS[query.quantity]} | FUNCTIONS | AGGREGATIONS | {"by", *LABELS}
    assert METRICS[query.quantity] in words


@every_query
def test_every_answer_is_one_sample_for_each_pod(query: Query) -> None:
    assert re.match(r"(time\(\) - max|sum) by \(namespace, pod\) \(", expression(query))


@every_query
def test_only_functions_over_time_have_a_window(query: Query) -> None:
    assert expression(query).count("[30s]") == expression(query).count("[") == (query.over in RANGED)


def test_no_text_of_a_service_can_enter_a_query() -> None:
    assert list(inspect.signature(expression).parameters) == ["query", "namespaces"]
    types = get_type_hints(Query)
    assert {types[field.name] for field in fields(Query)} == {Quantity, Over, float}


def test_the_window_is_whole_seconds() -> None:
    """PromQL knows no fractions."""
    assert "[31s]" in expression(Query(Quantity.SUCCESS, Over.RATE, 30.6))
    assert "[1s]" in expression(Query(Quantity.SUCCESS, Over.RATE, 1.0))


@pytest.mark.parametrize("over", RANGED)
@pytest.mark.parametrize("seconds", [0.0, 0.99, -30.0, math.nan, math.inf])
def test_a_function_over_time_needs_a_window_of_a_second(over: Over, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"window_seconds of {over} of pending must be finite and at least 1, not "):
        expression(Query(Quantity.PENDING, over, seconds))


@pytest.mark.parametrize("over", [Over.NEWEST, Over.AGE])
def test_what_needs_no_window_has_none(over: Over) -> None:
    assert expression(Query(Quantity.PENDING, over)) == expression(Query(Quantity.PENDING, over, math.nan))


@pytest.mark.parametrize("quantity", sorted(set(Quantity) - METRICS.keys()))
@pytest.mark.parametrize("over", Over)
def test_a_quantity_that_no_server_exports_is_refused_by_name(quantity: Quantity, over: Over) -> None:
    with pytest.raises(ValueError, match=f"not {quantity}: no server exports it"):
        expression(Query(quantity, over, 30.0))


def test_three_quantities_are_refused() -> None:
    refused = {Quantity.ARRIVED, Quantity.BUSY_SECONDS, Quantity.CONCURRENCY_SECONDS}
    assert set(Quantity) - METRICS.keys() == refused


def test_latencies_are_asked_by_pod_and_bound_or_quantile() -> None:
    assert buckets(window_seconds=30.0) == (
        "sum by (namespace, pod, le) (max by (namespace, pod, model, version, reason, gpu_uuid, le) "
        "(rate(nv_inference_first_response_histogram_ms_bucket[30s])))"
    )
    assert quantiles() == "max by (namespace, pod, quantile) (nv_inference_request_summary_us >= 0)"


def test_no_text_of_a_service_can_enter_a_query_of_latencies() -> None:
    assert get_type_hints(buckets) == {"window_seconds": float, "namespaces": Sequence[str], "return": str}
    assert get_type_hints(quantiles) == {"namespaces": Sequence[str], "return": str}
    with pytest.raises(ValueError, match="window_seconds of rate of the histogram must be finite and at least 1, not "):
        buckets(window_seconds=math.nan)


def asked(namespaces: Sequence[str]) -> list[str]:
    """Every expression there is, of these namespaces."""
    return [
        *(expression(Query(quantity, over, 30.0), namespaces=namespaces) for quantity in METRICS for over in Over),
        *(history(quantity, rate_window_seconds=30.0, namespaces=namespaces) for quantity in METRICS),
        *(recorded(quantity, namespaces=namespaces) for quantity in METRICS),
        buckets(window_seconds=30.0, namespaces=namespaces),
        quantiles(namespaces=namespaces),
    ]


def test_every_expression_can_be_of_some_namespaces() -> None:
    matcher = '{namespace=~"shop|team-1"}'
    for everywhere, within in zip(asked(()), asked(("shop", "team-1")), strict=True):
        assert within.count(matcher) == 1
        assert within.replace(matcher, "") == everywhere
    assert "rate(nv_inference_request_success" + matcher + "[30s])" in expression(
        Query(Quantity.SUCCESS, Over.RATE, 30.0), namespaces=("shop", "team-1")
    )


@pytest.mark.parametrize("text", ["", "a.*", 'a"} or up{x="', "A", "-a", "a" * 64, "a|b", "a\n"])
def test_what_is_no_name_of_a_namespace_enters_no_query(text: str) -> None:
    with pytest.raises(ValueError, match="namespaces must be names of namespaces"):
        quantiles(namespaces=("shop", text))


EXPORTED = sorted(METRICS)
BY_WORKLOAD = "by (namespace, workload)"


def test_the_past_is_asked_by_deployment() -> None:
    assert history(Quantity.SUCCESS, rate_window_seconds=30.0) == (
        f"sum {BY_WORKLOAD} (label_replace({over_pods('rate(nv_inference_request_success[60s])')}, "
        '"workload", "$1", "pod", "(.+)-[a-z0-9]+-[a-z0-9]{5}"))'
    )
    assert recorded(Quantity.SUCCESS) == (
        f"max {BY_WORKLOAD} (last_over_time(namespace_workload:nv_inference_request_success:rate[60s]))"
    )


@pytest.mark.parametrize(("window", "expected"), [(5.0, 60), (60.0, 60), (61.0, 61), (3600.0, 3600)])
def test_where_scrapes_are_rare_a_minute_is_too_short(window: float, expected: int) -> None:
    assert f"[{expected}s]" in history(Quantity.SUCCESS, rate_window_seconds=window)


@pytest.mark.parametrize("quantity", EXPORTED)
def test_no_text_of_a_service_can_enter_a_query_of_the_past(quantity: Quantity) -> None:
    """Only a table and a number do; the pattern of names is a constant."""
    past = history(quantity, rate_window_seconds=30.0)
    assert re.fullmatch(r"sum by \(namespace, workload\) \(label_replace\(.*, " + re.escape(WORKLOAD) + r"\)\)", past)
    rest = past.replace(WORKLOAD, "").replace(expression(Query(quantity, Over.RATE, 60.0)), "")
    assert rest == f"sum {BY_WORKLOAD} (label_replace(, ))"
    assert METRICS[quantity] in record(quantity)
    assert record(quantity) in recorded(quantity)


WORKLOAD = '"workload", "$1", "pod", "(.+)-[a-z0-9]+-[a-z0-9]{5}"'
PATTERN = re.compile(WORKLOAD.split('"')[-2])
# As the API server makes them: no vowels, nothing that is mistaken for another letter.
suffixes = st.text("bcdfghjklmnpqrstvwxz2456789", min_size=1, max_size=10)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?", fullmatch=True)


@given(names, names, suffixes, st.text("bcdfghjklmnpqrstvwxz2456789", min_size=5, max_size=5))
def test_the_pattern_finds_the_deployment_of_a_pod(service: str, hardware: str, template: str, suffix: str) -> None:
    deployment = deployment_name(service, hardware)
    found = PATTERN.fullmatch(f"{deployment}-{template}-{suffix}")
    assert found is not None
    assert found.group(1) == deployment


@pytest.mark.parametrize("pod", ["lonely", "web-0", "a-b", "ranker--cpu-16", "x-abc-toolong"])
def test_the_pattern_finds_no_deployment_where_there_is_none(pod: str) -> None:
    assert PATTERN.fullmatch(pod) is None


@pytest.mark.parametrize("quantity", sorted(set(Quantity) - METRICS.keys()))
def test_the_past_of_what_no_server_exports_is_refused(quantity: Quantity) -> None:
    with pytest.raises(ValueError, match="no server exports it"):
        history(quantity, rate_window_seconds=30.0)
    with pytest.raises(KeyError):
        recorded(quantity)


def test_samples_are_counted_of_series_that_the_window_has_whole() -> None:
    assert samples(window_seconds=300.0, namespaces=("shop",)) == (
        'max by (namespace, pod) (count_over_time(nv_inference_request_success{namespace=~"shop"}[300s])'
        ' and nv_inference_request_success{namespace=~"shop"} offset 300s)'
    )
