"""Errors carry no more than their limit; Events are posted and never raise."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from foretide.adapters import events as module
from foretide.adapters.clock import SystemClock
from foretide.adapters.errors import MESSAGE_LIMIT, AdapterError, Conflict, Rejected, Unavailable
from foretide.adapters.events import NOTE_LIMIT, KubernetesEvents
from foretide.adapters.resources import Object
from foretide.api.reasons import Reason


class Api:
    """Takes Events, or fails."""

    def __init__(self, error: AdapterError | None = None) -> None:
        self.error = error
        self.created: list[Object] = []

    async def create(self, obj: Object) -> Object:
        if self.error is not None:
            raise self.error
        self.created.append(obj)
        return obj


class Clock:
    def now(self) -> float:
        return 1_763_800_000.25


async def emit(api: Any, *, note: str = "3 -> 5: because", warning: bool = False) -> None:
    events = KubernetesEvents(api, Clock(), instance="foretide-operator-abc")
    await events.emit(namespace="shop", name="ranker", uid="u1", reason=Reason.SCALED_UP, note=note, warning=warning)


async def test_an_event_is_about_the_service_and_says_why() -> None:
    api = Api()
    await emit(api)
    (event,) = api.created
    assert event["metadata"]["namespace"] == "shop"
    assert event["metadata"]["name"].startswith("ranker.")
    assert event["eventTime"] == "2025-11-22T08:26:40.250000Z"
    assert (event["type"], event["reason"], event["note"]) == ("Normal", "ScaledUp", "3 -> 5: because")
    assert event["regarding"] == {
        "apiVersion": "foretide.dev/v1alpha1",
        "kind": "InferenceService",
        "namespace": "shop",
        "name": "ranker",
        "uid": "u1",
    }
    # the API server requires all of these of an events.k8s.io/v1 Event
    assert event["reportingController"]
    assert event["reportingInstance"] == "foretide-operator-abc"
    assert event["action"]


async def test_each_event_has_a_name_of_its_own() -> None:
    api = Api()
    for _ in range(100):
        await emit(api)
    assert len({event["metadata"]["name"] for event in api.created}) == 100


async def test_a_warning_is_one_and_a_long_note_is_cut() -> None:
    api = Api()
    await emit(api, note="x" * 9000, warning=True)
    assert api.created[0]["type"] == "Warning"
    assert len(api.created[0]["note"]) == NOTE_LIMIT


@pytest.mark.parametrize(
    "error", [Unavailable("down", reason="Timeout"), Rejected("namespace is being terminated", reason="Forbidden")]
)
async def test_a_lost_event_harms_nobody(error: AdapterError) -> None:
    await emit(Api(error))


async def test_slow_storage_of_events_delays_nothing_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Api):
        async def create(self, obj: Object) -> Object:
            await asyncio.sleep(60)
            raise AssertionError

    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.01)
    await emit(Slow())


def test_a_conflict_is_a_refusal_and_no_refusal_is_unavailable() -> None:
    assert issubclass(Conflict, Rejected)
    assert not issubclass(Rejected, Unavailable)
    error = Rejected("x" * 10_000, reason="Invalid")
    assert len(str(error)) == MESSAGE_LIMIT


def test_the_system_clock_is_the_time() -> None:
    assert SystemClock().now() == pytest.approx(time.time(), abs=5)
