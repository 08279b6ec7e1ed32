"""Conditions as series: what status says, and nothing that is not one of its words."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.resources import Object
from foretide.api.conditions import ConditionType
from foretide.api.reasons import Reason
from foretide.app.metrics import SelfMetrics
from foretide.control.world import Key
from tests.app.test_metrics import read

SHOP = Key("shop", "ranker")


def told(*conditions: dict[str, Any]) -> dict[tuple[str, str, str, str], float]:
    """The series of one service with these conditions."""
    metrics = SelfMetrics()
    metrics.conditions.follow({SHOP: {"status": {"conditions": list(conditions)}}})
    return series(metrics)


def series(metrics: SelfMetrics) -> dict[tuple[str, str, str, str], float]:
    return {
        (sample.labels["namespace"], sample.labels["service"], sample.labels["condition"], sample.labels["reason"]): (
            sample.value
        )
        for family in read(metrics)
        for sample in family.samples
        if sample.name == "foretide_condition"
    }


def condition(kind: str, status: str, reason: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": "in words"}


def test_true_is_1_and_false_is_0_and_unknown_is_nothing() -> None:
    assert told(
        condition("Ready", "True", "Available"),
        condition("Stalled", "False", "NotStalled"),
        condition("SLOMet", "Unknown", "SLOUnknown"),
    ) == {(*SHOP, "Ready", "Available"): 1.0, (*SHOP, "Stalled", "NotStalled"): 0.0}


def test_a_service_without_a_status_and_one_that_went_have_none() -> None:
    metrics = SelfMetrics()
    services: dict[Key, Object] = {SHOP: {"metadata": {}}}
    metrics.conditions.follow(services)
    assert series(metrics) == {}
    services[SHOP] = {"status": {"conditions": [condition("Ready", "True", "Available")]}}
    assert series(metrics) == {(*SHOP, "Ready", "Available"): 1.0}
    del services[SHOP]
    assert series(metrics) == {}


words = st.text(max_size=8)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "type": words | st.sampled_from([kind.value for kind in ConditionType]),
                "status": words | st.sampled_from(["True", "False", "Unknown"]),
                "reason": words | st.sampled_from([reason.value for reason in Reason]),
            },
        ),
        max_size=16,
    )
)
def test_what_somebody_wrote_by_hand_makes_no_series_of_its_own(conditions: list[dict[str, str]]) -> None:
    kinds, reasons = {kind.value for kind in ConditionType}, {reason.value for reason in Reason}
    for (_, _, kind, reason), value in told(*conditions).items():
        assert kind in kinds
        assert reason in reasons
        assert value in (0.0, 1.0)
