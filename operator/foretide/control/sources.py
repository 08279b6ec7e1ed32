"""Where the load of a tick is read: from Prometheus, and from the pods themselves while it is away.

Prometheus comes back with windows that are half empty: of 30 s that begin with its second scrape, `rate()` makes a
third of the load at first. So what the pods tell goes on to count for each pod until Prometheus has told all of it
for as long as the longest window, and until then nothing shrinks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Final

from foretide.adapters.clock import Clock
from foretide.adapters.prometheus import Pod, Prometheus
from foretide.control import observe
from foretide.control.direct import DirectReader, Scrapes
from foretide.control.latencies import Latencies, LatencyReader
from foretide.control.observe import Metrics, NoMetrics
from foretide.scaling.policy import Quantity, Query

# Prometheus is back for that many of the longest window, and some pods it still does not tell: it will not.
LONGEST_RETURN_WINDOWS: Final = 4


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of the load, from wherever."""

    metrics: Metrics
    no_metrics: NoMetrics | None = None  # why Prometheus tells nothing
    scrapes: Scrapes = field(default_factory=Scrapes)
    latencies: Latencies = field(default_factory=Latencies)
    # False while Prometheus is away, and until its windows are whole: what it takes to know that less is enough is not
    # there, and the load of an outage may be that of a larger one.
    may_shrink: bool = True


class Sources:
    """Remembers whether Prometheus was away, and since when it tells all of which pod."""

    def __init__(
        self,
        prometheus: Prometheus,
        direct: DirectReader,
        queries: Sequence[Query],
        clock: Clock,
        *,
        namespaces: Sequence[str] = (),
    ) -> None:
        self._prometheus: Final = prometheus
        self._direct: Final = direct
        self._queries: Final = queries
        self._clock: Final = clock
        self._namespaces: Final = namespaces
        self._window_seconds: Final = longest_window_seconds(queries)
        self._latencies: Final = LatencyReader(prometheus, window_seconds=self._window_seconds, namespaces=namespaces)
        self._away = False  # or back for a short time only
        self._back_since: float | None = None
        self._whole_since: dict[Pod, float] = {}

    async def read(self) -> Found:
        """One reading. While all is well no pod is asked: every tick it would double what Prometheus costs them."""
        if self._away:
            answer, scrapes = await asyncio.gather(self._ask(), self._direct.scrape())
        else:
            answer = await self._ask()
            scrapes = await self._direct.scrape() if isinstance(answer, NoMetrics) else Scrapes()
        now = self._clock.now()
        if isinstance(answer, NoMetrics):
            self._away, self._back_since, self._whole_since = True, None, {}
            metrics = self._direct.answers(self._queries)
            return Found(metrics, no_metrics=answer, scrapes=scrapes, may_shrink=False)
        # Asked for afterwards, so that it never keeps the load waiting.
        latencies = await self._latencies.read()
        if not self._away:
            return Found(answer, latencies=latencies)
        return replace(self._returning(answer, scrapes, now), latencies=latencies)

    async def _ask(self) -> Metrics | NoMetrics:
        return await observe.metrics(self._prometheus, self._queries, namespaces=self._namespaces)

    def _returning(self, answer: Metrics, scrapes: Scrapes, now: float) -> Found:
        """Prometheus answers again."""
        if self._back_since is None:
            self._back_since = now
        self._whole_since = {pod: self._whole_since.get(pod, now) for pod in _whole(answer)}
        settled = {pod for pod, since in self._whole_since.items() if now - since >= self._window_seconds}
        if self._direct.pods <= settled or now - self._back_since >= LONGEST_RETURN_WINDOWS * self._window_seconds:
            self._away = False
            self._direct.forget()
            return Found(answer, scrapes=scrapes)
        direct = self._direct.answers(self._queries)
        # A pod that was read once tells no rates yet, and is unknown for this one tick.
        metrics = _instead(answer, direct, self._direct.known - settled)
        return Found(metrics, scrapes=scrapes, may_shrink=False)


def longest_window_seconds(queries: Sequence[Query]) -> float:
    """The longest window of these; 0 where none has one."""
    return max((query.window_seconds for query in queries), default=0.0)


def _whole(answer: Metrics) -> Set[Pod]:
    """The pods of which every query tells that has an answer from each of them: few have a response cache."""
    told = [
        {pod for pod, value in by_pod.items() if math.isfinite(value)}
        for query, by_pod in answer.items()
        if query.quantity is not Quantity.CACHE_HITS
    ]
    return set.intersection(*told) if told else frozenset()


def _instead(answer: Metrics, direct: Mapping[Query, Mapping[Pod, float]], pods: Set[Pod]) -> Metrics:
    """The answer, but of these pods nothing that `direct` does not tell."""
    return {
        query: {pod: value for pod, value in by_pod.items() if pod not in pods}
        | {pod: value for pod, value in direct[query].items() if pod in pods}
        for query, by_pod in answer.items()
    }
