"""The autoscale loop's part of status: each decision with its reason, in words that the schema takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.reasons import Reason
from foretide.api.scalingpolicy import ScalingPolicySpec
from foretide.api.status import InferenceServiceStatus
from foretide.control.by_hand import FREE, Stand
from foretide.control.observe import NoMetrics
from foretide.control.policies import USUAL, NoPolicy, Policy
from foretide.control.scaling_conditions import Circumstances
from foretide.control.scaling_status import status
from foretide.scaling import lead_time
from foretide.scaling.decision import Bound, Decisions, Hindrance, Stuck
from foretide.scaling.forecast.foresight import Trust
from foretide.scaling.observation import Gap
from foretide.scaling.stuck import restrain
from foretide.scaling.tuning import Tuning
from tests.control import objects
from tests.scaling.build import bools, bounds, floats, foreseen, held_since_long, ints, judge
from tests.scaling.strategies import random_world, seeds

DOWN = NoMetrics(Reason.PROMETHEUS_UNREACHABLE, "ConnectionRefusedError: connection refused")


def known(
    *,
    no_metrics: NoMetrics | None = None,
    foreign_scaler: str | None = None,
    policy: Policy = USUAL,
    minute: int = 0,
    refusal: str = "",
    by_hand: Stand = FREE,
    cost: dict[str, str] | None = None,
    power: dict[str, int] | None = None,
) -> Circumstances:
    hardware_class = parse.hardware_class(objects.hardware_class(cost=cost, power=power))
    assert isinstance(hardware_class, HardwareClass)
    return Circumstances(
        generation=4,
        no_metrics=no_metrics,
        foreign_scaler=foreign_scaler,
        policy=policy,
        hardware_class=hardware_class,
        refusal=refusal,
        by_hand=by_hand,
        now=datetime(2025, 11, 22, 8, minute, tzinfo=UTC),
    )


def told(written: dict[str, Any], *kinds: str) -> tuple[str, ...]:
    """Status and reason of these conditions."""
    by_type = {condition["type"]: condition for condition in written["conditions"]}
    return tuple(f"{by_type[kind]['status']} {by_type[kind]['reason']}" for kind in kinds)


ADVISORY = ScalingPolicySpec(mode="Advisory")
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
        # Prometheus is away, and the pods tell the load
        (
            judge(31.0, replicas=4),
            known(no_metrics=DOWN),
            ("False PrometheusUnreachable", "True ScalingActive", "False WithinLimits"),
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
        (
            judge(31.0, replicas=1, limits=PAUSED),
            known(policy=NoPolicy(Reason.POLICY_NOT_FOUND, "there is none")),
            ("True MetricsComplete", "False PolicyNotFound", "False WithinLimits"),
        ),
        (
            judge(31.0, replicas=1),
            known(policy=ADVISORY),
            ("True MetricsComplete", "False Advisory", "False WithinLimits"),
        ),
        (
            judge(91.0, replicas=4, tuning=replace(Tuning.usual(1), step_up=floats(0.5))),
            known(),
            ("True MetricsComplete", "True ScalingActive", "True StepLimited"),
        ),
    ],
)
def test_every_situation_has_its_conditions(
    made: Decisions, circumstances: Circumstances, expected: tuple[str, ...]
) -> None:
    written = status(made, 0, circumstances, {})
    assert told(written, "MetricsAvailable", "ScalingActive", "ScalingLimited") == expected
    assert {condition["observedGeneration"] for condition in written["conditions"]} == {4}


STUCK = Stuck(cause=ints(Hindrance.REFUSED), count=ints(2), going=ints(4))
QUOTA = "exceeded quota: q, used: pods=4, limited: pods=4"


@pytest.mark.parametrize(
    ("made", "circumstances", "expected"),
    [
        # the load needs six, and two of them are refused
        (judge(55.0, replicas=6), known(refusal=QUOTA), ("True ScalingActive", "True QuotaExceeded")),
        (judge(55.0, replicas=6), known(refusal="denied by a webhook"), ("True ScalingActive", "True PodsRefused")),
        (judge(31.0, replicas=6), known(refusal=QUOTA), ("True ScalingActive", "False WithinLimits")),
        (judge(55.0, replicas=6, limits=PAUSED), known(refusal=QUOTA), ("False ScalingPaused", "False WithinLimits")),
        (judge(55.0, replicas=6, limits=PINNED), known(refusal=QUOTA), ("False ReplicasPinned", "False WithinLimits")),
    ],
)
def test_replicas_that_do_not_start_are_told_where_the_load_needs_them(
    made: Decisions, circumstances: Circumstances, expected: tuple[str, ...]
) -> None:
    assert told(status(restrain(made, STUCK), 0, circumstances, {}), "ScalingActive", "ScalingLimited") == expected


def test_the_words_of_the_api_server_are_told_and_cut() -> None:
    made = restrain(judge(55.0, replicas=6), STUCK)
    (limited,) = [
        one
        for one in status(made, 0, known(refusal=QUOTA + "x" * 9_000), {})["conditions"]
        if one["type"] == "ScalingLimited"
    ]
    assert limited["message"].startswith(
        "of the replicas the pods of 2 of 6 are refused, so no more than 6 are asked for until they start: exceeded"
    )
    assert len(limited["message"]) < 800


@pytest.mark.parametrize("word", [Reason.SCALED_TO_ZERO, Reason.MANUAL_SCALE_CONTESTED])
def test_what_others_do_to_the_number_is_why_nothing_is_done(word: Reason) -> None:
    made = judge(55.0, replicas=6, limits=PAUSED)
    assert told(status(made, 0, known(by_hand=Stand(word, "because")), {}), "ScalingActive") == (f"False {word}",)


def test_a_sample_of_the_future_is_told_with_its_seconds() -> None:
    (metrics, *_) = status(judge(None, replicas=4, gap=Gap.CLOCK_SKEW), 0, known(), {})["conditions"]
    assert (metrics["status"], metrics["reason"]) == ("False", "ClockSkew")
    assert metrics["message"] == "the newest sample is 600s in the future: a clock is wrong"


def test_while_prometheus_is_away_its_own_words_come_first_and_then_where_the_load_is_read() -> None:
    def message(made: Decisions) -> str:
        return str(status(made, 0, known(no_metrics=DOWN), {})["conditions"][0]["message"])

    assert message(judge(None, replicas=4)) == DOWN.message
    directly = f"{DOWN.message}; the load is read from the pods directly"
    assert message(judge(31.0, replicas=4)) == f"{directly} (4 of 4)"
    assert message(judge(31.0, replicas=4, silent=1)) == f"{directly} (3 of 4)"
    assert message(judge(0.0, replicas=4, expected=0)) == DOWN.message


def test_the_same_advice_is_told_once() -> None:
    first = status(judge(31.0, replicas=1), 0, known(policy=ADVISORY), {})
    later = status(judge(31.2, replicas=1), 0, known(policy=ADVISORY, minute=9), first)
    assert later["decisions"] == first["decisions"]
    assert [
        entry["to"] for entry in status(judge(51.0, replicas=1), 0, known(policy=ADVISORY), first)["decisions"]
    ] == [4, 6]


def test_an_advised_pin_is_not_written_and_a_pin_under_a_quota_is_one() -> None:
    made = judge(31.0, replicas=1, limits=PINNED)
    (condition,) = [
        one for one in status(made, 0, known(policy=ADVISORY), {})["conditions"] if one["type"] == "ScalingActive"
    ]
    assert (condition["status"], condition["reason"]) == ("False", "Advisory")
    assert "spec.scaling.replicas = 3 is not written" in condition["message"]
    limited = replace(made, desired=ints(2), bound=ints(Bound.QUOTA))
    assert told(status(limited, 0, known(), {}), "ScalingActive") == ("False ReplicasPinned",)


def test_a_change_is_told_with_its_numbers() -> None:
    written = status(judge(31.0, replicas=1), 0, known(minute=5), {})
    assert written["desiredReplicas"] == 4
    (entry,) = written["decisions"]
    assert {k: v for k, v in entry.items() if k != "text"} == {
        "time": "2025-11-22T08:05:00Z",
        "from": 1,
        "to": 4,
        "demand": "31",
        "perReplica": "10",
        "forDemand": 4,
        "hpa": 4,
        "bound": "Reactive",
        "reason": "ScaledUp",
    }
    assert entry["text"].startswith("1 -> 4: 31.0 items/s asked")


def test_a_forecast_is_told_with_its_quantile_and_how_far_ahead_it_is() -> None:
    made = judge(31.0, replicas=1, plan=foreseen(62.0, lead_seconds=90.0, score=2.326))
    (entry,) = status(made, 0, known(), {})["decisions"]
    assert (entry["forecast"], entry["quantile"], entry["horizon"]) == ("62", "0.99", "1m30s")
    assert entry["bound"] == "Forecast"


def test_what_is_only_advised_is_told_and_is_not_what_a_deleted_deployment_comes_back_with() -> None:
    written = status(judge(31.0, replicas=1), 0, known(policy=ADVISORY), {})
    assert written["desiredReplicas"] == 1
    assert [(entry["from"], entry["to"]) for entry in written["decisions"]] == [(1, 4)]


@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        (Trust.GOOD, "True ForecastTrusted"),
        (Trust.NO_HISTORY, "Unknown NoHistory"),
        (Trust.GAPS, "False HistoryGaps"),
        (Trust.MISSED, "False ForecastMissed"),
        (Trust.OFF, "False ForecastOff"),
    ],
)
def test_whether_a_forecast_is_trusted_is_a_condition(trust: Trust, expected: str) -> None:
    made = judge(31.0, replicas=4, plan=replace(foreseen(), trust=ints(trust)))
    assert told(status(made, 0, known(), {}), "ForecastHealthy") == (expected,)


def test_whether_the_slo_can_be_kept_is_a_condition() -> None:
    made = judge(31.0, replicas=4)
    assert told(status(made, 0, known(), {}), "SLOFeasible") == ("True SLOFeasible",)
    slow = replace(made, capacity=replace(made.capacity, feasible=bools(False), fixed_seconds=floats(0.2)))
    (condition,) = [one for one in status(slow, 0, known(), {})["conditions"] if one["type"] == "SLOFeasible"]
    assert (condition["status"], condition["reason"]) == ("False", "SLOInfeasible")
    assert condition["message"].startswith("a single item, alone, takes 200ms: no number of replicas keeps the 100ms")
    unknown = replace(made, capacity=replace(made.capacity, known=bools(False)))
    assert told(status(unknown, 0, known(), {}), "SLOFeasible") == ("Unknown SLOUnknown",)


def test_cold_starts_are_told_once_there_were_some_and_anew_with_each_start() -> None:
    made = judge(31.0, replicas=4, plan=foreseen(lead_seconds=44.6))
    assert "coldStart" not in status(made, 0, known(), {})
    three = replace(made, memory=replace(made.memory, lead_times=lead_time.remembered([[30.0, 40.0, 50.0], []])))
    first = status(three, 0, known(), {})
    assert first["coldStart"] == {"p50": "40s", "p90": "44.6s", "starts": 3}
    later = replace(three, plan=foreseen(lead_seconds=61.0))
    assert status(later, 0, known(), first)["coldStart"] == first["coldStart"]


def asked(rps: float, *, replicas: int) -> Decisions:
    """After 20 minutes of that load."""
    made = judge(rps, replicas=replicas)
    history = made.memory.sight.history
    recent = np.full_like(history.recent, rps)
    sight = replace(made.memory.sight, history=replace(history, recent=recent))
    return replace(made, memory=replace(made.memory, sight=sight))


PRICE: Final = {"perHour": "0.53", "currency": "USD"}


def test_what_the_replicas_cost_is_told_where_the_class_has_a_price() -> None:
    made = asked(36.0, replicas=4)
    assert "cost" not in status(made, 0, known(), {})
    # 4 x 0.53 an hour, and 36/s are 129.6 thousand an hour
    assert status(made, 0, known(cost=PRICE), {})["cost"] == {
        "perHour": "2.12",
        "currency": "USD",
        "perThousandInferences": "0.0164",
    }
    idle = status(asked(0.0, replicas=4), 0, known(cost=PRICE), {})["cost"]
    assert idle == {"perHour": "2.12", "currency": "USD"}


def test_what_the_replicas_draw_is_told_where_the_class_has_a_power() -> None:
    made = asked(40.0, replicas=4)
    # Four that could serve 10 / 0.7 each are busy for 0.7 of the time: 4 x (20 + 50 x 0.7) W, for 144 thousand an hour
    cost = status(made, 0, known(cost=PRICE, power={"idleWatts": 20, "busyWatts": 70}), {})["cost"]
    assert cost["wattHoursPerThousandInferences"] == "1.53"


def test_a_cost_that_moved_little_is_not_told_anew() -> None:
    first = status(asked(36.0, replicas=4), 0, known(cost=PRICE), {})
    assert status(asked(40.0, replicas=4), 0, known(cost=PRICE), first)["cost"] == first["cost"]
    assert status(asked(20.0, replicas=4), 0, known(cost=PRICE), first)["cost"]["perThousandInferences"] == "0.0294"
    assert status(asked(36.0, replicas=5), 0, known(cost=PRICE), first)["cost"]["perHour"] == "2.65"


def test_no_change_is_no_decision_and_an_unknown_demand_is_left_out() -> None:
    assert status(judge(31.0, replicas=4), 0, known(), {})["decisions"] == []
    below_minimum = judge(None, replicas=1, limits=bounds(3, 9))
    (entry,) = status(below_minimum, 0, known(), {})["decisions"]
    assert (entry["to"], "demand" in entry) == (3, False)


def test_a_decision_tells_the_candidates_that_explain_shows() -> None:
    (entry,) = status(judge(31.0, replicas=2, plan=foreseen(52.0)), 0, known(), {})["decisions"]
    assert (entry["perReplica"], entry["forDemand"], entry["forForecast"]) == ("10", 4, 6)
    (blind,) = status(judge(None, replicas=1, limits=bounds(3, 9)), 0, known(), {})["decisions"]
    assert not {"perReplica", "forDemand", "forForecast"} & blind.keys()


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
