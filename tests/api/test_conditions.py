"""Conditions keep the time of their last change, and read back what was written."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from foretide.api import conditions, kstatus
from foretide.api.conditions import MAX_MESSAGE_LENGTH, Condition, ConditionStatus, ConditionType, rfc3339, transitioned
from foretide.api.reasons import Reason

_MORNING = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)
_NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def _ready(status: ConditionStatus, reason: Reason = Reason.PODS_NOT_READY, message: str = "0 of 1") -> Condition:
    return Condition(ConditionType.READY, status, reason, message, 3)


def _written(condition: Condition, now: datetime) -> dict[str, Any]:
    return {"conditions": [entry.as_json() for entry in transitioned([condition], {}, now=now)]}


def test_the_first_condition_gets_the_time() -> None:
    assert _written(_ready(ConditionStatus.TRUE), _MORNING)["conditions"] == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "PodsNotReady",
            "message": "0 of 1",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-11-22T08:00:00Z",
        }
    ]


def test_a_new_reason_or_message_keeps_the_time() -> None:
    previous = conditions.read(_written(_ready(ConditionStatus.FALSE), _MORNING))
    changed = _ready(ConditionStatus.FALSE, Reason.UNSCHEDULABLE, "no node")
    [condition] = transitioned([changed], previous, now=_NOON)
    assert condition.last_transition_time == "2026-11-22T08:00:00Z"
    assert condition.reason is Reason.UNSCHEDULABLE


def test_a_new_status_gets_the_new_time() -> None:
    previous = conditions.read(_written(_ready(ConditionStatus.FALSE), _MORNING))
    [condition] = transitioned([_ready(ConditionStatus.UNKNOWN)], previous, now=_NOON)
    assert condition.last_transition_time == "2026-11-22T12:00:00Z"


def test_the_same_input_gives_the_same_status_so_that_nothing_is_written() -> None:
    first = _written(_ready(ConditionStatus.FALSE), _MORNING)
    again = transitioned([_ready(ConditionStatus.FALSE)], conditions.read(first), now=_NOON)
    assert [condition.as_json() for condition in again] == first["conditions"]


def test_what_was_written_is_read_back() -> None:
    written = transitioned([_ready(ConditionStatus.TRUE)], {}, now=_MORNING)
    assert conditions.read({"conditions": [written[0].as_json()]}) == {ConditionType.READY: written[0]}


@pytest.mark.parametrize(
    "status",
    [
        None,
        [],
        {},
        {"conditions": None},
        {"conditions": "x"},
        {"conditions": [None, 3, {}, {"type": "Ready"}]},
        {"conditions": [{"type": "Ready", "status": "Maybe", "reason": "Available"}]},
        {"conditions": [{"type": "Ready", "status": "True", "reason": "OfALaterVersion"}]},
    ],
)
def test_what_is_not_ours_is_passed_over(status: object) -> None:
    assert conditions.read(status) == {}


def test_a_message_is_cut_to_what_the_schema_takes() -> None:
    message = _ready(ConditionStatus.FALSE, message="x" * 10_000).as_json()["message"]
    assert isinstance(message, str)
    assert len(message) == MAX_MESSAGE_LENGTH
    assert message.endswith("…")


def test_times_are_in_utc() -> None:
    assert rfc3339(datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=5)))) == "2026-11-22T08:00:00Z"


def _kstatus(summary: kstatus.Summary) -> str:
    """The rules of kstatus (cli-utils), for an object whose generation has been observed."""
    found = {condition.type: condition.status for condition in summary}
    if found[ConditionType.RECONCILING] is ConditionStatus.TRUE:
        return "InProgress"
    if found[ConditionType.STALLED] is ConditionStatus.TRUE:
        return "Failed"
    return "Current" if found[ConditionType.READY] is ConditionStatus.TRUE else "InProgress"


def test_each_state_is_read_by_kstatus_as_meant() -> None:
    waiting = kstatus.progressing(Reason.CREATING, "…", generation=1, ready=ConditionStatus.UNKNOWN)
    rolling = kstatus.progressing(Reason.ROLLOUT_IN_PROGRESS, "…", generation=1, ready=ConditionStatus.TRUE)
    assert _kstatus(kstatus.settled("3 of 3", generation=1)) == "Current"
    assert _kstatus(waiting) == "InProgress"
    assert _kstatus(rolling) == "InProgress"
    assert _kstatus(kstatus.stalled(Reason.INVALID_SPEC, "…", generation=1)) == "Failed"


def test_a_stalled_service_whose_pods_answer_is_still_ready() -> None:
    summary = kstatus.stalled(Reason.INVALID_SPEC, "…", generation=2, ready=ConditionStatus.TRUE)
    assert summary[0].status is ConditionStatus.TRUE
    assert {condition.observed_generation for condition in summary} == {2}
