"""The autoscale loop's part of status: each decision with its reason, in words that the schema takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.reasons import Reason
from foretide.api.status import InferenceServiceStatus
from foretide.control.observe import NoMetrics
from foretide.control.scaling_status import Circumstances, status
from foretide.scaling.decision import Bound, Decisions
from tests.scaling.build import bounds, held_since_long, ints, judge
from tests.scaling.strategies import random_world, seeds

DOWN = NoMetrics(Reason.PROMETHEUS_UNREACHABLE, "ConnectionRefusedError: connection refused")


def known(*, no_metrics: NoMetrics | None = None, foreign_scaler: str | None = None, minute: int = 0) -> Circumstances:
    now = datetime(2025, 11, 22, 8, minute, tzinfo=UTC)
    return Circumstances(generation=4, no_metrics=no_metrics, foreign_scaler=foreign_scaler, now=now)


def told(written: dict[str, Any]) -> tuple[str, ...]:
    """Status and reason of MetricsAvailable, ScalingActive and ScalingLimited."""
    return tuple(f"{condition['status']} {condition['reason']}" for condition in written["conditions"])


PAUSED, PINNED = bounds(paused=True), bounds(pinned=3)


@pytest.mark.parametrize(
    ("made", "circumstances", "expected"),
    [
        (
            judge(31.0, replicas=1),
            known(),
            ("True MetricsComplete", "True ScalingActive", "False WithinLimits"),
        ),
        (
            judge(500.0, replicas=1),
            known(),
            ("True MetricsComplete", "True ScalingActive", "True AtMaxReplicas"),
        ),
        # already at the maximum, and still more is needed
        (
            judge(500.0, replicas=10),
            known(),
            ("True MetricsComplete", "True ScalingActive", "True AtMaxReplicas"),
        ),
        (
            replace(judge(55.0, replicas=1), desired=ints(4), quota=ints(4), bound=ints(Bound.QUOTA)),
            known(),
            ("True MetricsComplete", "True ScalingActive", "True AtQuota"),
        ),
        (
            judge(0.0, replicas=1),
            known(),
            ("True MetricsComplete", "True ScalingActive", "False AtMinReplicas"),
        ),
        (
            judge(None, replicas=4),
            known(),
            ("False NoSeries", "False MetricsUnavailable", "False WithinLimits"),
        ),
        (
            judge(None, replicas=4),
            known(no_metrics=DOWN),
            ("False PrometheusUnreachable", "False MetricsUnavailable", "False WithinLimits"),
        ),
        (
            judge(31.0, replicas=4, silent=1),
            known(),
            ("False PartialSeries", "True ScalingActive", "False WithinLimits"),
        ),
        (
            judge(31.0, replicas=1, limits=PAUSED),
            known(),
            ("True MetricsComplete", "False ScalingPaused", "False WithinLimits"),
        ),
        (
            judge(31.0, replicas=1, limits=PINNED),
            known(),
            ("True MetricsComplete", "False ReplicasPinned", "False WithinLimits"),
        ),
        (
            judge(31.0, replicas=1, limits=PAUSED),
            known(foreign_scaler="rival"),
            ("True MetricsComplete", "False ForeignScaler", "False WithinLimits"),
        ),
    ],
)
def test_every_situation_has_its_conditions(
    made: Decisions, circumstances: Circumstances, expected: tuple[str, ...]
) -> None:
    written = status(made, 0, circumstances, {})
    assert told(written) == expected
    assert {condition["observedGeneration"] for condition in written["conditions"]} == {4}


def test_a_change_is_told_with_its_numbers() -> None:
    written = status(judge(31.0, replicas=1), 0, known(minute=5), {})
    assert written["desiredReplicas"] == 4
    (entry,) = written["decisions"]
    assert {k: v for k, v in entry.items() if k != "text"} == {
        "time": "2025-11-22T08:05:00Z",
        "from": 1,
        "to": 4,
        "demand": "31",
        "bound": "Reactive",
        "reason": "ScaledUp",
    }
    assert entry["text"].startswith("1 -> 4: 31.0 items/s asked")


def test_no_change_is_no_decision_and_an_unknown_demand_is_left_out() -> None:
    assert status(judge(31.0, replicas=4), 0, known(), {})["decisions"] == []
    below_minimum = judge(None, replicas=1, limits=bounds(3, 9))
    (entry,) = status(below_minimum, 0, known(), {})["decisions"]
    assert (entry["to"], "demand" in entry) == (3, False)


def test_ten_decisions_are_kept_and_a_repeated_one_is_told_once() -> None:
    written: dict[str, Any] = {}
    for replicas in range(1, 15):
        written = status(judge(10.0 * replicas + 10, replicas=replicas, limits=bounds(1, 99)), 0, known(), written)
    assert [entry["to"] for entry in written["decisions"]] == list(range(6, 16))
    again = status(judge(150.0, replicas=14, limits=bounds(1, 99)), 0, known(minute=1), written)
    assert [entry["to"] for entry in again["decisions"]] == list(range(6, 16))
    assert again["decisions"][-1]["time"] == "2025-11-22T08:01:00Z"


def test_a_capacity_that_moved_little_is_not_told_anew() -> None:
    first = status(judge(20.0, replicas=4, rate_rps=10.0), 0, known(), {})
    assert first["capacity"]["perReplica"] == "10"
    near = status(judge(20.0, replicas=4, rate_rps=10.4), 0, known(), first)
    assert near["capacity"] == first["capacity"]
    # drift in small steps is told when it adds up
    far = status(judge(20.0, replicas=4, rate_rps=10.6), 0, known(), near)
    assert far["capacity"]["perReplica"] == "10.6"


def test_a_decision_at_rest_is_the_same_status_at_any_later_time() -> None:
    memory = held_since_long(3)
    first = status(judge(31.0, replicas=4, memory=memory), 0, known(), {})
    assert status(judge(31.0, replicas=4, memory=memory), 0, known(minute=59), first) == first


# The schema holds for what anybody writes to status, but no more than the schema.
words = st.text(max_size=32)
times = st.just("2025-11-22T08:00:00Z")
edited = st.fixed_dictionaries(
    {},
    optional={
        "conditions": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["MetricsAvailable", "ScalingActive", "Mine"]),
                    "status": st.sampled_from(["True", "False", "Unknown"]),
                    "reason": st.text(min_size=1, max_size=8),
                    "message": words,
                    "lastTransitionTime": times,
                }
            ),
            max_size=3,
        ),
        "capacity": st.fixed_dictionaries(
            {
                "perReplica": words | st.sampled_from(["nan", "inf", "-1", "0", "1e999", "10"]),
                "batchTime": st.fixed_dictionaries({"perItem": words, "fixed": words}),
                "source": st.sampled_from(["Prior", "Measured"]),
            }
        ),
        "decisions": st.lists(
            st.fixed_dictionaries(
                {
                    "time": times,
                    "from": st.integers(0, 5),
                    "to": st.integers(0, 5),
                    "bound": words,
                    "reason": words,
                    "text": words,
                }
            ),
            max_size=10,
        ),
    },
)


@given(edited, st.floats(0, 200) | st.none(), st.integers(1, 5))
def test_whatever_somebody_wrote_to_status_it_does_no_harm(
    before: dict[str, Any], demand: float | None, replicas: int
) -> None:
    made = judge(demand, replicas=replicas)
    written = status(made, 0, known(), before)
    InferenceServiceStatus.model_validate(written, strict=False)
    shown = float(written["capacity"]["perReplica"])
    assert shown == pytest.approx(float(made.capacity.rate_rps[0]), rel=0.051)


@given(seeds)
def test_whatever_was_decided_the_schema_takes_it(seed: int) -> None:
    made = random_world(seed, services=30).decide()
    for row in range(len(made)):
        written = status(made, row, known(), {})
        InferenceServiceStatus.model_validate(written, strict=False)
        assert status(made, row, known(minute=1), written)["conditions"] == written["conditions"]
