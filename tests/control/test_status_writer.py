"""Status: written when it changed and for the right object only; a turn of a condition is told once."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.adapters.errors import Conflict, Unavailable
from foretide.adapters.resources import Object
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.control.status_writer import StatusWriter
from tests.control import objects
from tests.control.cluster import Cluster, key
from tests.control.fakes import API_DOWN

UID = "uid-of-ranker"


def conditions(**told: str) -> dict[str, Any]:
    """`Ready="True Available"` and so on as a status."""
    entries = []
    for kind, statement in told.items():
        status, reason = statement.split()
        entries.append({"type": kind, "status": status, "reason": reason, "message": "", "observedGeneration": 1})
    return {"conditions": entries}


class Case:
    """A writer and what it writes to."""

    def __init__(self) -> None:
        self.cluster = Cluster(objects.service())
        self.api = self.cluster.kubernetes
        self.status = StatusWriter(self.api, self.cluster.events, self.cluster.world, manager=group.RECONCILE_MANAGER)

    def is_told(self, status: dict[str, Any]) -> bool:
        return self.status.is_told(key(), UID, status)

    async def write(self, status: dict[str, Any], *, uid: str = UID) -> None:
        await self.status.write(key(), uid, status)


async def test_what_is_written_is_told_until_it_changes() -> None:
    case = Case()
    assert not case.is_told({"replicas": 1})
    await case.write({"replicas": 1})
    assert case.is_told({"replicas": 1})
    assert not case.is_told({"replicas": 2})
    await case.write({"replicas": 2})
    assert [write.body["status"] for write in case.api.writes] == [{"replicas": 1}, {"replicas": 2}]


async def test_what_is_kept_of_it_is_what_was_answered_where_that_is_the_same() -> None:
    """Which the world keeps, too; what the API server made of it is not taken for what was written."""
    case = Case()
    answers: list[Object] = []
    apply = case.api.apply

    async def rounded(obj: Object, **how: Any) -> Object:
        answer = await apply(obj, **how)
        answers.append({**answer, "status": {**answer["status"], "replicas": 2}})
        return answers[-1]

    case.api.apply = rounded  # type: ignore[method-assign]
    written = {"replicas": 2.5, "slo": {"target": "0.99"}, **conditions(Ready="True Available", Stalled="False Up")}
    await case.write(written)
    last, answered = case.status.last(key(), UID), answers[-1]["status"]
    assert last == written
    assert last is not None
    assert last["slo"] is answered["slo"]
    assert [id(one) for one in last["conditions"]] == [id(one) for one in answered["conditions"]]


async def test_a_status_that_somebody_erased_or_edited_is_not_told() -> None:
    case, told = Case(), {"replicas": 1, **conditions(Ready="True Available")}
    await case.write(told)
    theirs = conditions(MetricsAvailable="True MetricsComplete")["conditions"]
    live = case.cluster.status()
    # the other manager's part is not ours to judge
    case.cluster.add(objects.service(status={**live, "desiredReplicas": 3, "conditions": theirs + live["conditions"]}))
    assert case.is_told(told)
    for edited in ({}, {**live, "replicas": 9}, {**live, "conditions": theirs}):
        case.cluster.add(objects.service(status=edited))
        assert not case.is_told(told)
    case.cluster.remove("InferenceService", "ranker")
    assert not case.is_told(told)


async def test_what_others_wrote_into_its_part_is_erased() -> None:
    """Server-side apply alone would leave it there, and tell it for ever."""
    case = Case()
    forged = {"observedGeneration": 99, "hardware": [], **conditions(MetricsAvailable="True MetricsComplete")}
    case.cluster.add(objects.service(status=forged))
    await case.write({"replicas": 1})
    assert case.cluster.status() == {"replicas": 1, "hardware": [], "conditions": forged["conditions"]}
    assert case.is_told({"replicas": 1})
    case.api.calls = 0
    await case.write({})
    assert case.api.calls == 1, "what it tells no more goes by itself"


async def test_a_status_worked_out_for_one_object_never_reaches_its_successor() -> None:
    case = Case()
    await case.write({"replicas": 1})
    assert case.status.last(key(), UID) == {"replicas": 1}
    assert case.status.last(key(), "another") is None
    with pytest.raises(Conflict):
        await case.write({"replicas": 1}, uid="another")
    case.status.forget(key())
    assert case.status.last(key(), UID) is None


async def test_only_the_services_that_are_kept_are_remembered() -> None:
    case = Case()
    await case.write({"replicas": 1})
    case.status.keep({key(), key("other")})
    assert case.status.last(key(), UID) is not None
    case.status.keep({key("other")})
    assert case.status.last(key(), UID) is None


async def test_a_status_that_was_not_taken_is_not_told() -> None:
    case = Case()
    case.api.fail = lambda *_: API_DOWN
    with pytest.raises(Unavailable):
        await case.write(conditions(Ready="False Creating"))
    assert case.status.last(key(), UID) is None
    assert case.cluster.events.emitted == []


async def test_an_answer_that_comes_late_brings_no_deleted_service_back() -> None:
    """The DELETED event may be processed before the answer to the write."""
    case = Case()
    case.api.written = lambda _: case.cluster.remove("InferenceService", "ranker")
    await case.write({"replicas": 1})
    assert key() not in case.cluster.world.services


async def test_an_answer_that_comes_late_does_not_hide_a_newer_spec() -> None:
    """The write was answered with generation 1; the watch has shown generation 2 in the meantime."""
    case = Case()
    case.api.written = lambda _: case.cluster.add(objects.service(generation=2))
    await case.write({"replicas": 1})
    assert case.cluster.world.services[key()]["metadata"]["generation"] == 2


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
def test_each_turn_of_a_condition_is_told(
    before: dict[str, str], after: dict[str, str], told: list[tuple[Reason, bool]]
) -> None:
    case = Case()
    case.status.tell(key(), UID, conditions(**after), before=conditions(**before))
    assert [(reason, warning) for _, reason, warning in case.cluster.events.emitted] == told
