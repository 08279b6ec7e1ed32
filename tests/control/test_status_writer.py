"""Status: written when it changed and for the right object only; a turn of a condition is told once."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.adapters.errors import Conflict, Unavailable
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.status_writer import StatusWriter
from tests.control import objects
from tests.control.cluster import key
from tests.control.fakes import API_DOWN, FakeEvents, FakeKubernetes

UID = "uid-of-ranker"


def conditions(**told: str) -> dict[str, Any]:
    """`Ready="True Available"` and so on as a status."""
    entries = []
    for kind, statement in told.items():
        status, reason = statement.split()
        entries.append({"type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": 1})
    return {"conditions": entries}


def writer() -> tuple[StatusWriter, FakeKubernetes, FakeEvents]:
    api, events = FakeKubernetes(), FakeEvents()
    api.objects["InferenceService", objects.NAMESPACE, "ranker"] = objects.service()
    return StatusWriter(api, events, manager=group.RECONCILE_MANAGER), api, events


async def test_an_unchanged_status_is_not_written_again() -> None:
    status, api, _ = writer()
    assert await status.write(key(), UID, {"replicas": 1}, before={})
    assert not await status.write(key(), UID, {"replicas": 1}, before={})
    assert await status.write(key(), UID, {"replicas": 2}, before={})
    assert [write.body["status"] for write in api.writes] == [{"replicas": 1}, {"replicas": 2}]


async def test_a_status_worked_out_for_one_object_never_reaches_its_successor() -> None:
    status, api, _ = writer()
    await status.write(key(), UID, {"replicas": 1}, before={})
    assert status.last(key(), UID) == {"replicas": 1}
    assert status.last(key(), "another") is None
    with pytest.raises(Conflict):
        await status.write(key(), "another", {"replicas": 1}, before={})
    assert len(api.writes) == 2
    status.forget(key())
    assert status.last(key(), UID) is None


async def test_a_status_that_was_not_taken_is_written_again() -> None:
    status, api, events = writer()
    api.fail = lambda *_: API_DOWN
    with pytest.raises(Unavailable):
        await status.write(key(), UID, conditions(Ready="False Creating"), before={})
    assert status.last(key(), UID) is None
    assert events.emitted == []
    api.fail = lambda *_: None
    assert await status.write(key(), UID, conditions(Ready="False Creating"), before={})


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        # how a healthy service starts out is no news
        ({}, {"Ready": "True Available", "Stalled": "False NotStalled", "ScalingLimited": "False WithinLimits"}, []),
        ({}, {"MetricsAvailable": "Unknown NoReadyReplicas"}, []),
        ({}, {"Stalled": "True InvalidSpec"}, [(Reason.INVALID_SPEC, True)]),
        ({"Ready": "False Creating"}, {"Ready": "True Available"}, [(Reason.AVAILABLE, False)]),
        ({"Ready": "True Available"}, {"Ready": "False Unschedulable"}, [(Reason.UNSCHEDULABLE, True)]),
        ({"Ready": "True Available"}, {"Ready": "True Available"}, []),
        # another reason is news too
        (
            {"MetricsAvailable": "False NoSeries"},
            {"MetricsAvailable": "False StaleSeries"},
            [(Reason.STALE_SERIES, True)],
        ),
        ({"Stalled": "True InvalidSpec"}, {"Stalled": "False NotStalled"}, [(Reason.NOT_STALLED, False)]),
        (
            {"ScalingLimited": "False WithinLimits"},
            {"ScalingLimited": "True AtMaxReplicas"},
            [(Reason.AT_MAX_REPLICAS, True)],
        ),
        (
            {"ScalingActive": "True ScalingActive"},
            {"ScalingActive": "False ForeignScaler"},
            [(Reason.FOREIGN_SCALER, True)],
        ),
        # not of interest by themselves
        ({"Reconciling": "False UpToDate"}, {"Reconciling": "True Creating"}, []),
    ],
)
async def test_each_turn_of_a_condition_is_told(
    before: dict[str, str], after: dict[str, str], told: list[tuple[Reason, bool]]
) -> None:
    status, _, events = writer()
    await status.write(key(), UID, conditions(**after), before=conditions(**before))
    assert [(reason, warning) for _, reason, warning in events.emitted] == told
