"""The proxy's rules hit what they name, and its transforms change what they say and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.faults.proxy.client import INSTANT
from e2e.faults.proxy.rules import Active, Fault, Rule
from e2e.faults.proxy.transforms import TRANSFORMS, changed

VECTOR = {
    "status": "success",
    "data": {
        "resultType": "vector",
        "result": [{"metric": {"pod": f"p{pod}"}, "value": [1000.0, f"{pod}.5"]} for pod in range(4)],
    },
}


@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/query?query=up&time=1.5"])
def test_the_instant_queries_are_hit_and_the_past_is_not(path: str) -> None:
    assert Active(Rule(fault=Fault.DROP, path=INSTANT)).hits("POST", path, "")
    assert not Active(Rule(fault=Fault.DROP, path=INSTANT)).hits("POST", path.replace("query", "query_range", 1), "")


def test_a_rule_counts() -> None:
    active = Active(Rule(fault=Fault.DROP, method="PATCH", skip=1, times=2))
    assert [active.hits(method, "/", "") for method in ("GET", "PATCH", "PATCH", "PATCH", "PATCH")] == [
        False,
        False,
        True,
        True,
        False,
    ]


@given(st.integers(0, 1_000), st.floats(0.1, 0.9))
def test_chance_is_that_of_the_seed(seed: int, share: float) -> None:
    rule = Rule(fault=Fault.DROP, share=share, seed=seed)
    first, second = Active(rule), Active(rule)
    hits = [first.hits("GET", "/", "") for _ in range(200)]
    assert hits == [second.hits("GET", "/", "") for _ in range(200)]
    assert abs(sum(hits) / 200 - share) < 0.25


@pytest.mark.parametrize("fault", Fault)
def test_a_rule_travels_as_json(fault: Fault) -> None:
    rule = Rule(fault=fault, path="/x", headers={"Retry-After": "5"}, number=1.5)
    assert Rule.of_json(json.loads(json.dumps(rule.to_json()))) == rule


@pytest.mark.parametrize(
    ("name", "number", "values"),
    [
        ("empty", 0.0, []),
        ("nan", 0.0, ["NaN"] * 4),
        ("infinite", 0.0, ["+Inf"] * 4),
        ("negative", 0.0, ["-0.5", "-1.5", "-2.5", "-3.5"]),
        ("scaled", 2.0, ["1.0", "3.0", "5.0", "7.0"]),
        ("set", 7.0, ["7.0"] * 4),
        ("some", 0.5, ["0.5", "1.5"]),
        ("twice", 0.0, ["0.5", "1.5", "2.5", "3.5"] * 2),
    ],
)
def test_values_become_what_the_name_says(name: str, number: float, values: list[str]) -> None:
    result = json.loads(changed(name, number, json.dumps(VECTOR).encode()))["data"]["result"]
    assert [one["value"][1] for one in result] == values
    assert all(one["value"][0] == 1000.0 for one in result)


def test_shifted_answers_are_of_another_time() -> None:
    result = json.loads(changed("shifted", -600.0, json.dumps(VECTOR).encode()))["data"]["result"]
    assert [one["value"] for one in result] == [[400.0, f"{pod}.5"] for pod in range(4)]


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_what_is_no_vector_is_not_in_their_way(transform: Callable[[dict[str, Any], float], Mapping[str, Any]]) -> None:
    transform({"status": "success", "data": ["pod", "namespace"]} | {"data": {}}, 1.0)


def test_what_is_aged_was_made_before() -> None:
    line = b'{"metadata":{"creationTimestamp":"2026-11-29T00:00:00Z","name":"x"},"at":"2026-11-29T00:00:00Z"}'
    aged = json.loads(changed("aged", 86_400.0, line))
    assert aged["metadata"] == {"creationTimestamp": "2026-11-28T00:00:00Z", "name": "x"}
    assert aged["at"] == "2026-11-29T00:00:00Z"


def test_a_watch_that_ends_says_so_in_a_line() -> None:
    line = changed("ended", 410.0, b'{"type":"ADDED","object":{"metadata":{"name":"x"}}}\n')
    assert line.endswith(b"}\n")
    assert (json.loads(line)["type"], json.loads(line)["object"]["code"]) == ("ERROR", 410)
