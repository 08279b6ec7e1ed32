"""What the runs of both operators share: where they run, how they wait, and how their requests are counted."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from e2e import local_control_plane
from e2e.installed import OPERATOR_USER
from e2e.local_control_plane import PODS_PER_NODE, ControlPlane

BURST: Final = "burst"  # the namespace of the services
SETTLED_SECONDS: Final = 5.0
LIMIT_SECONDS: Final = 900.0
CREATED: Final = 201

Say = Callable[[str], None]


@contextmanager
def plane_for(pods: int, *, audited_user: str = OPERATOR_USER) -> Iterator[ControlPlane]:
    """A control plane in a folder that goes with it, with nodes for so many pods."""
    with (
        tempfile.TemporaryDirectory(prefix="foretide-plane-", ignore_cleanup_errors=True) as folder,
        local_control_plane.running(Path(folder), nodes=1 + pods // PODS_PER_NODE, audited_user=audited_user) as plane,
    ):
        yield plane


async def until(
    began: float, every_seconds: float, holds: Callable[[], Awaitable[bool]], *, limit_seconds: float = LIMIT_SECONDS
) -> float:
    """The seconds since `began` when it first holds."""
    while not await holds():
        if time.monotonic() > began + limit_seconds:
            raise TimeoutError(f"not done in {limit_seconds:.0f} s")
        await asyncio.sleep(every_seconds)
    return time.monotonic() - began


def verbs(requests: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """How often what was asked."""
    asked: Counter[str] = Counter()
    for request in requests:
        of = request.get("objectRef", {})
        parts = (request["verb"], of.get("resource", request["requestURI"]), of.get("subresource", ""))
        asked[" ".join(part for part in parts if part)] += 1
    return asked


def children_made(requests: Sequence[Mapping[str, Any]], services: int) -> dict[str, float]:
    """How many objects of each resource were created for a service, by a create or by an apply; Events are none."""
    made = Counter(
        request["objectRef"]["resource"]
        for request in requests
        if request.get("responseStatus", {}).get("code") == CREATED and "objectRef" in request
    )
    return {resource: n / services for resource, n in sorted(made.items()) if resource != "events"}


def quantile(series: Mapping[str, float], bucket: str, share: float) -> float:
    """Of the histogram whose buckets begin like this, up to the value of `le`: as histogram_quantile() of PromQL."""
    buckets = sorted(
        (float(name.removeprefix(bucket).removesuffix('"}').replace("+Inf", "inf")), n)
        for name, n in series.items()
        if name.startswith(bucket)
    )
    rank, low, below = share * buckets[-1][1], 0.0, 0.0
    for high, cumulated in buckets:
        if cumulated >= rank:
            return low if high == float("inf") else low + (high - low) * (rank - below) / (cumulated - below)
        low, below = high, cumulated
    return low
