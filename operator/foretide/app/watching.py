"""kopf as the watch engine: every event goes to the caches, and the keys it concerns to the work queue.

Events are taken where its watches bring them, before its handlers: those are for operators that keep state in objects
(annotations, finalizers, retries), gather the events of an object for a tenth of a second, and took a fifth of the
processor's time in a burst of services. Events are hints; the reconcile loop compares the whole.

kopf ends with all of its watches at one line that is no event, and at an error of the API server that it tried eight
times. Here the one watch ends, and its kind is listed anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, Final, cast

import aiohttp
import kopf
import orjson
from kopf._cogs.clients import api as kopf_api
from kopf._cogs.clients import watching as kopf_watching
from kopf._cogs.clients.errors import APIError

from foretide.adapters.kubernetes import PAGE_SIZE
from foretide.adapters.resources import (
    CHILDREN,
    HARDWARE_CLASS,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_SERVICE,
    MODEL_PROFILE,
    POD,
    SCALING_POLICY,
    Object,
    Resource,
)
from foretide.api import group

log: Final = logging.getLogger(__name__)

WATCHED: Final = (
    HARDWARE_CLASS,
    SCALING_POLICY,
    MODEL_PROFILE,
    INFERENCE_SERVICE,
    *CHILDREN,
    POD,
    HORIZONTAL_POD_AUTOSCALER,
)
OURS: Final = f"{group.MANAGED_BY_LABEL}={group.MANAGED_BY}"
# Bookmarks come every 60 s; a stream that is silent for longer is dead and is opened anew.
SILENCE_SECONDS: Final = 70.0
# Before what the API server refused, or could not answer, is asked for again.
REFUSED_PAUSES_SECONDS: Final = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
# Between looks at what kopf has not listed. Where a third of the API server's answers is lost kopf can need minutes to
# its first list (it asks for the groups of the API before), and pods that left since the first view are in no event.
LOOK_SECONDS: Final = 5.0
# Between what is no event, or a refusal, and the next list.
PAUSE_SECONDS: Final = 1.0
# Garbage, half a line, an error in the stream or instead of it; kopf itself sees to lost connections.
BROKEN: Final = (kopf_watching.WatchingError, APIError, aiohttp.ClientError, LookupError, TypeError, ValueError)

_listed_and_watched: Final[Callable[..., AsyncIterator[Any]]] = kopf_watching.continuous_watch

Seen = Callable[[Resource, Object, bool], None]
# A kind, and the namespace that it is watched in or, where it is in none or watched in all, None.
Place = tuple[Resource, str | None]
Unsure = Callable[[Place], None]


def places(namespaces: Sequence[str]) -> tuple[Place, ...]:
    """All that is listed and watched, in these namespaces or, where there are none, in all."""
    everywhere: tuple[str | None, ...] = tuple(namespaces) or (None,)
    return tuple((kind, namespace) for kind in WATCHED for namespace in (everywhere if kind.namespaced else (None,)))


class _Unlisted:
    """What kopf has not listed, or not since its watch broke: what vanishes meanwhile is in no event."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        self._now: Final = dict.fromkeys(places(namespaces))
        # All at first: what vanished between the first view and kopf's list is in neither.
        self._since_the_last_look: Final = dict(self._now)

    def add(self, place: Place) -> None:
        """It has to be listed, for the first time or anew."""
        self._now[place] = self._since_the_last_look[place] = None

    def discard(self, place: Place) -> None:
        """It is listed. kopf goes on from there, whatever it takes to open the watch."""
        self._now.pop(place, None)

    async def tell(self, unsure: Unsure) -> None:
        """For ever: what is not listed, and once more what was not at the last look."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for place in self._since_the_last_look:
                unsure(place)
            self._since_the_last_look.clear()
            self._since_the_last_look.update(self._now)


class _Patience:
    """Pauses between attempts, without end. Where they end kopf gives the watch up and goes on without it: the kind
    would be seen by sweeps alone, also once the right to watch it, or the API server, is back."""

    def __iter__(self) -> Iterator[float]:
        return chain(REFUSED_PAUSES_SECONDS, repeat(REFUSED_PAUSES_SECONDS[-1]))


async def watch(seen: Seen, unsure: Unsure, *, namespaces: Sequence[str], stop: asyncio.Event) -> None:
    """Watches all kinds until `stop` is set, in these namespaces or, where there are none, in all; raises when kopf
    cannot go on.

    `unsure` is told every few seconds of what is not listed, and once more when it is again: what vanished before is in
    no event.
    """
    unlisted = _Unlisted(namespaces)
    # kopf has no setting for these. Each event is read as JSON, a tenth of the processor's time in a burst of services.
    kopf_watching.continuous_watch = _enduring(seen, unlisted)
    vars(kopf_api)["json"] = orjson
    registry = kopf.OperatorRegistry()
    for resource in WATCHED:
        _register(registry, resource)
    kopf.on.login(registry=registry)(_login)
    telling = asyncio.create_task(unlisted.tell(unsure))
    try:
        await kopf.operator(
            registry=registry,
            settings=_settings(),
            clusterwide=not namespaces,
            namespaces=namespaces,
            standalone=True,
            stop_flag=stop,
            # Left alone, kopf asks for the name of user 65532, who is in no /etc/passwd, and dies.
            identity=cast(Any, group.MANAGED_BY),
        )
    finally:
        telling.cancel()


def _register(registry: kopf.OperatorRegistry, resource: Resource) -> None:
    """kopf watches the kinds that somebody handles; no event gets as far as that."""
    api_group, _, version = resource.api_version.rpartition("/")

    async def never(**_: Any) -> None:
        raise AssertionError(f"an event of {resource.plural} went past the caches")

    kopf.on.event(group=api_group, version=version, plural=resource.plural, registry=registry)(never)


def _enduring(seen: Seen, unlisted: _Unlisted) -> Callable[..., AsyncIterator[Any]]:
    """kopf's list and watch of a kind, of which only the bookmarks go on to kopf; where kopf itself would end it warns,
    and is called again."""

    async def list_and_watch(*, resource: Any, namespace: str | None, **rest: Any) -> AsyncIterator[Any]:
        kind = next(one for one in WATCHED if one.plural == resource.plural)
        place = (kind, namespace)
        unlisted.add(place)
        try:
            async for event in _listed_and_watched(resource=resource, namespace=namespace, **rest):
                if not isinstance(event, kopf_watching.Bookmark):
                    _hand_over(seen, kind, event["type"], event["object"])
                    continue
                if event is kopf_watching.Bookmark.LISTED:
                    unlisted.discard(place)
                yield event
        except BROKEN as error:
            log.warning("watch of %s: %s: %s; it is listed anew", resource.plural, type(error).__name__, error)
            await asyncio.sleep(PAUSE_SECONDS)

    return list_and_watch


def _hand_over(seen: Seen, kind: Resource, change: str | None, obj: Object) -> None:
    """One object that is not to be understood harms no other."""
    if change == "BOOKMARK":  # the API server's: a version, and no object
        return
    try:
        seen(kind, obj, change == "DELETED")
    except Exception:
        log.exception("an event of %s is left out", kind.plural)


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True  # the kinds are fixed; no right to list CRDs and namespaces is needed
    settings.peering.standalone = True
    settings.watching.inactivity_timeout = SILENCE_SECONDS
    settings.watching.chunk_size = PAGE_SIZE
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Patience()
    settings.process.ultimate_exiting_timeout = None
    for resource in (*CHILDREN, POD):
        api_group, _, version = resource.api_version.rpartition("/")
        settings.watching.label_selectors[api_group, version, resource.plural] = OURS
    return settings
