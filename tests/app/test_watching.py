"""Watching: kopf hands events over and leaves no trace in any object."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from typing import Any

import aiohttp
import kopf
import orjson
import pytest
from kopf._cogs.clients import api as kopf_api
from kopf._cogs.clients import watching as kopf_watching
from kopf._cogs.clients.errors import APIClientError
from kopf._cogs.structs.references import Resource as KopfResource

from foretide.adapters.resources import CHILDREN, POD, Object, Resource
from foretide.app import watching
from tests.virtual_time import now_seconds, run

MANAGED: Any = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "shop", "labels": {"a": "b"}, "managedFields": [{"manager": "kubelet"}]},
    "status": {"phase": "Running"},
}
PODS = KopfResource(group="", version="v1", plural="pods", namespaced=True)


def played(monkeypatch: pytest.MonkeyPatch, life: Callable[..., AsyncIterator[Any]]) -> None:
    """What kopf's watch brings."""
    monkeypatch.setattr(watching, "_listed_and_watched", life)


@pytest.mark.parametrize("resource", watching.WATCHED, ids=lambda resource: resource.kind)
def test_every_event_of_every_kind_is_handed_over(resource: Resource, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Resource, Object, bool]] = []
    changes: tuple[str | None, ...] = (None, "ADDED", "MODIFIED", "BOOKMARK", "DELETED")

    async def life(**_: Any) -> AsyncIterator[Any]:
        yield kopf_watching.Bookmark.LISTED
        for change in changes:
            yield {"type": change, "object": MANAGED}

    async def main() -> list[Any]:
        enduring = watching._enduring(lambda *event: seen.append(event), watching._Unlisted(()))
        api_group, _, version = resource.api_version.rpartition("/")
        kind = KopfResource(group=api_group, version=version, plural=resource.plural, namespaced=True)
        return [event async for event in enduring(resource=kind, namespace=None)]

    played(monkeypatch, life)
    assert run(main()) == [kopf_watching.Bookmark.LISTED]  # kopf has nothing to do with the others
    assert seen == [(resource, MANAGED, change == "DELETED") for change in changes if change != "BOOKMARK"]


@pytest.mark.parametrize("resource", watching.WATCHED, ids=lambda resource: resource.kind)
def test_kopf_watches_every_kind(resource: Resource) -> None:
    registry = kopf.OperatorRegistry()
    watching._register(registry, resource)
    (handler,) = registry._watching.get_all_handlers()
    assert handler.selector is not None
    assert handler.selector.plural == resource.plural
    assert "/".join(filter(None, (handler.selector.group, handler.selector.version))) == resource.api_version


def test_kopf_reads_its_streams_with_what_it_is_given() -> None:
    """An upgrade that reads them in another way would be slower, and nothing else would tell."""
    assert "yield json.loads(" in inspect.getsource(kopf_api.stream)


def test_an_object_that_is_not_to_be_understood_harms_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Object] = []

    def take(_: Resource, obj: Object, deleted: bool) -> None:
        if obj["metadata"]["name"] == "poison":
            raise KeyError("namespace")
        seen.append(obj)

    async def life(**_: Any) -> AsyncIterator[Any]:
        for obj in (["no", "object"], {**MANAGED, "metadata": {"name": "poison"}}, MANAGED):
            yield {"type": "ADDED", "object": obj}

    async def main() -> list[Any]:
        enduring = watching._enduring(take, watching._Unlisted(()))
        return [event async for event in enduring(resource=PODS, namespace=None)]

    played(monkeypatch, life)
    assert run(main()) == []
    assert seen == [MANAGED]
    assert caplog.text.count("an event of pods is left out") == 2


def test_only_our_own_children_and_pods_are_watched() -> None:
    selectors = watching._settings().watching.label_selectors
    for resource in watching.WATCHED:
        api_group, _, version = resource.api_version.rpartition("/")
        ours = "app.kubernetes.io/managed-by=foretide" if resource in (*CHILDREN, POD) else None
        assert selectors.get((api_group, version, resource.plural)) == ours, resource.kind


@pytest.mark.parametrize("namespaces", [(), ("shop", "search")])
async def test_kopf_watches_the_namespaces_or_all(monkeypatch: pytest.MonkeyPatch, namespaces: tuple[str, ...]) -> None:
    asked: dict[str, Any] = {}

    async def operator(**words: Any) -> None:
        asked.update(words)

    monkeypatch.setattr(kopf, "operator", operator)
    monkeypatch.setitem(vars(kopf_api), "json", json)
    monkeypatch.setattr(kopf_watching, "continuous_watch", None)
    await watching.watch(lambda *_: None, lambda _: None, namespaces=namespaces, stop=asyncio.Event())
    assert (asked["clusterwide"], asked["namespaces"]) == (not namespaces, namespaces)
    assert vars(kopf_api)["json"] is orjson


def test_a_silent_stream_is_opened_anew_after_a_bookmark_is_missed() -> None:
    assert 60 < (watching._settings().watching.inactivity_timeout or 0) <= 75


BROKEN = [
    json.JSONDecodeError("Expecting property name", "{this is no event}", 1),
    KeyError("type"),
    TypeError("string indices must be integers"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    kopf_watching.WatchingError("Error in the watch-stream"),
    APIClientError(None, status=410, headers={}),
    aiohttp.ClientPayloadError("not all of it came"),
]


class Told:
    """What was told of a kind, and when."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.places: list[str | None] = []

    def unsure(self, place: watching.Place) -> None:
        if place[0] == POD:
            self.at.append(now_seconds())
            self.places.append(place[1])


LOOK = watching.LOOK_SECONDS


@pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)
def test_a_kind_whose_watch_breaks_is_listed_anew_and_swept(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told, seen = Told(), list[Object]()
    lives = iter([error, None])

    async def life(**_: Any) -> AsyncIterator[Any]:
        yield kopf_watching.Bookmark.LISTED
        yield {"type": "ADDED", "object": MANAGED}
        await asyncio.sleep(10 * LOOK + 1)
        if found := next(lives):
            raise found

    async def main() -> list[Any]:
        unlisted = watching._Unlisted(())
        enduring = watching._enduring(lambda _, obj, __: seen.append(obj), unlisted)
        monkeypatch.setattr(kopf_watching, "continuous_watch", enduring)
        telling = asyncio.create_task(unlisted.tell(told.unsure))
        endless = kopf_watching.infinite_watch(
            settings=watching._settings(), resource=PODS, namespace=None, _iterations=2
        )
        events = [event async for event in endless]
        telling.cancel()
        return events

    played(monkeypatch, life)
    assert run(main()) == [kopf_watching.Bookmark.LISTED] * 2
    assert seen == [MANAGED] * 2
    assert told.at == [LOOK, 11 * LOOK]
    assert [record.levelname for record in caplog.records if record.name == watching.__name__] == ["WARNING"]
    assert f"watch of pods: {type(error).__name__}" in caplog.text


@pytest.mark.parametrize(
    ("late_looks", "sweeps"),
    [(0.2, 1), (3.5, 4), (1_000.5, 1_001)],
    ids=["at once: what left since the first view", "late: and again after it", "an hour late"],
)
def test_a_kind_is_swept_until_it_is_listed_and_once_more(
    monkeypatch: pytest.MonkeyPatch, late_looks: float, sweeps: int
) -> None:
    told = Told()

    async def life(**_: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(late_looks * LOOK)
        yield kopf_watching.Bookmark.LISTED

    async def main() -> None:
        unlisted = watching._Unlisted(())
        telling = asyncio.create_task(unlisted.tell(told.unsure))
        async for _ in watching._enduring(lambda *_: None, unlisted)(resource=PODS, namespace=None):
            pass
        await asyncio.sleep(10 * LOOK)
        telling.cancel()

    played(monkeypatch, life)
    run(main())
    assert len(told.at) == sweeps


def test_each_namespace_is_listed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """And kopf may never come to watch one of them."""
    told = Told()

    async def life(**_: Any) -> AsyncIterator[Any]:
        yield kopf_watching.Bookmark.LISTED

    async def main() -> None:
        unlisted = watching._Unlisted(("shop", "search"))
        telling = asyncio.create_task(unlisted.tell(told.unsure))
        async for _ in watching._enduring(lambda *_: None, unlisted)(resource=PODS, namespace="shop"):
            pass
        await asyncio.sleep(3.5 * LOOK)
        telling.cancel()

    played(monkeypatch, life)
    run(main())
    assert told.places == ["shop", "search", "search", "search"]


@pytest.mark.parametrize(("namespaces", "expected"), [((), [None]), (("shop", "search"), ["shop", "search"])])
def test_kinds_of_the_cluster_are_in_no_namespace(namespaces: tuple[str, ...], expected: list[str | None]) -> None:
    for kind in watching.WATCHED:
        found = [namespace for one, namespace in watching.places(namespaces) if one == kind]
        assert found == (expected if kind.namespaced else [None])


def test_what_is_no_fault_of_a_watch_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    async def life(**_: Any) -> AsyncIterator[Any]:
        yield kopf_watching.Bookmark.LISTED
        raise ZeroDivisionError

    async def main() -> None:
        async for _ in watching._enduring(lambda *_: None, watching._Unlisted(()))(resource=PODS, namespace=None):
            pass

    played(monkeypatch, life)
    with pytest.raises(ZeroDivisionError):
        run(main())


def test_a_watch_is_asked_for_without_end_and_not_in_a_hurry() -> None:
    """A right may be missing, or the API server ill, for an hour: kopf would go on without the watch for ever."""
    backoffs = watching._settings().networking.error_backoffs
    assert isinstance(backoffs, Iterable)
    for _ in range(2):  # each request begins anew
        pauses = list(islice(backoffs, 1_000))
        assert len(pauses) == 1_000
        assert pauses == sorted(pauses)
        assert (pauses[0], pauses[-1]) == (1.0, 13.0)
