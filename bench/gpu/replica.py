"""A server under measurement, read by the operator's own readers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.gpu.known import Known
from e2e.local_triton import Server
from foretide.adapters.pod_http import PodHttp
from foretide.adapters.scrape import ScrapeHttp
from foretide.adapters.triton import TritonHttp
from foretide.scaling.capacity.evidence import BatchStatistics, increase
from foretide.scaling.policy import Quantity

# One load stands for so many ticks of it, five minutes: kappa takes a tenth of what is new from each.
TICKS: Final = 20
COUNTERS: Final = (Quantity.SUCCESS, Quantity.REQUEST_SECONDS)


@dataclass(slots=True)
class Replica:
    """One Triton."""

    server: Server
    model: str
    known: Known
    told: Mapping[Quantity, float] = field(default_factory=dict)
    _batches: BatchStatistics = field(default_factory=dict)

    def look(self, *, seconds: float) -> None:
        """Learns from the load of the last `seconds`, after which nothing waits."""
        batches, told = asyncio.run(self._read())
        news = increase(self._batches, batches)
        answered, latency_seconds = (told[which] - self.told.get(which, 0.0) for which in COUNTERS)
        for tick in range(TICKS):
            self.known = self.known.after(
                news if tick == 0 else {}, answered=answered, latency_seconds=latency_seconds, seconds=seconds
            )
        self._batches, self.told = batches, told

    async def _read(self) -> tuple[BatchStatistics, Mapping[Quantity, float]]:
        pods = PodHttp()
        try:
            counts = await TritonHttp(pods).batch_counts(address=f"127.0.0.1:{self.server.http_port}", model=self.model)
            told = await ScrapeHttp(pods).scrape(address=f"127.0.0.1:{self.server.metrics_port}", model=self.model)
        finally:
            await pods.close()
        return {one.batch_size: (float(one.executions), one.compute_seconds) for one in counts}, told
