"""Errors carry no more than their limit; Events are posted and never raise."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from foretide.adapters import events as module
from foretide.adapters.clock import SystemClock
from foretide.adapters.errors import LEASE_LOST, MESSAGE_LIMIT, AdapterError, Conflict, Rejected, Unavailable
from foretide.adapters.events import LAST_SECONDS, NOTE_LIMIT, WAITING_LIMIT, KubernetesEvents
from foretide.adapters.resources import Object
from foretide.api.reasons import Reason
from tests.virtual_time import now_seconds, run


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
    events = on(api)
    async with events.posting():
        say(events, note=note, warning=warning)


def on(api: Any) -> KubernetesEvents:
    return KubernetesEvents(api, Clock(), instance="foretide-operator-abc")


def say(events: KubernetesEvents, *, note: str, warning: bool = False) -> None:
    events.emit(namespace="shop", name="ranker", uid="u1", reason=Reason.SCALED_UP, note=note, warning=warning)


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


class Slow(Api):
    """Takes so long for each."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def create(self, obj: Object) -> Object:
        await asyncio.sleep(self.seconds)
        return await super().create(obj)


def notes(api: Api) -> list[str]:
    return [event["note"] for event in api.created]


def test_nothing_waits_for_an_event_and_all_are_posted_in_their_order() -> None:
    async def main() -> tuple[float, list[str]]:
        api = Slow(0.5)
        events = on(api)
        async with events.posting():
            for number in range(4):
                say(events, note=f"{number}")
            emitted_at = now_seconds()
            await asyncio.sleep(60)
            return emitted_at, notes(api)

    assert run(main()) == (0.0, ["0", "1", "2", "3"])


def test_those_that_wait_at_the_end_are_posted_for_a_second(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=module.__name__)

    async def main(slow_seconds: float) -> tuple[float, list[str]]:
        api = Slow(slow_seconds)
        events = on(api)
        async with events.posting():
            for number in range(4):
                say(events, note=f"{number}")
        return now_seconds(), notes(api)

    assert run(main(0.125)) == (0.5, ["0", "1", "2", "3"])
    assert run(main(0.375)) == (LAST_SECONDS, ["0", "1"])
    assert caplog.messages == ["1 events are lost: the operator ends"], "the third was under way"


def test_who_has_lost_the_lease_posts_nothing_more() -> None:
    async def lose(events: KubernetesEvents) -> None:
        async with events.posting():
            say(events, note="of another's service")
            raise RuntimeError("the Lease is lost")

    async def main() -> list[str]:
        api = Slow(0.5)
        with pytest.raises(RuntimeError):
            await lose(on(api))
        await asyncio.sleep(60)
        return notes(api)

    assert run(main()) == []


def test_storage_that_is_slow_or_fails_loses_that_event_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    class Moody(Api):
        async def create(self, obj: Object) -> Object:
            match obj["note"]:
                case "slow":
                    await asyncio.sleep(60)
                case "a fault":
                    raise KeyError(obj["note"])
                case "refused":
                    raise Rejected("namespace is being terminated", reason="Forbidden")
                case "away":
                    raise Unavailable("down", reason="Timeout")
                case "no longer ours":
                    raise Unavailable("the Lease is lost", reason=LEASE_LOST)
            return await super().create(obj)

    async def main() -> list[str]:
        api = Moody()
        events = on(api)
        async with events.posting():
            for note in ("slow", "1", "a fault", "2", "refused", "3", "away", "4", "no longer ours", "5"):
                say(events, note=note)
            await asyncio.sleep(10)
        return notes(api)

    with caplog.at_level(logging.INFO, logger=module.__name__):
        assert run(main()) == ["1", "2", "3", "4", "5"]
    lost = "event ScaledUp of shop/ranker is lost: "
    assert caplog.messages == [
        f"{lost}no answer in 2 s",
        "an event: a fault of the operator; others are posted",
        f"{lost}namespace is being terminated",
        f"{lost}down",
    ]


def test_of_more_than_may_wait_the_oldest_is_lost_and_nobody_waits(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> list[str]:
        api = Api()
        events = on(api)
        for number in range(WAITING_LIMIT + 1):
            say(events, note=f"{number}")
        async with events.posting():
            pass
        return notes(api)

    with caplog.at_level(logging.INFO, logger=module.__name__):
        assert run(main()) == [f"{number}" for number in range(1, WAITING_LIMIT + 1)]
    assert caplog.messages == [f"event ScaledUp of shop/ranker is lost: {WAITING_LIMIT} newer ones wait"]


def test_a_conflict_is_a_refusal_and_no_refusal_is_unavailable() -> None:
    assert issubclass(Conflict, Rejected)
    assert not issubclass(Rejected, Unavailable)
    error = Rejected("x" * 10_000, reason="Invalid")
    assert len(str(error)) == MESSAGE_LIMIT


def test_the_system_clock_is_the_time() -> None:
    assert SystemClock().now() == pytest.approx(time.time(), abs=5)
