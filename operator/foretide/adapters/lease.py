"""Leader election on a coordination.k8s.io Lease: at most one operator acts.

Own code because the elector in `kubernetes.aio` 37.0.2 fails on the first creation of its Lease, dies on a
connection error and does not release on shutdown. The rules are those of client-go's leaderelection: a
holder renews every `retry_seconds` and gives up when it could not for `renew_deadline_seconds`; a candidate takes
over a Lease whose record did not change for `duration_seconds` of the candidate's own clock.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from foretide.adapters.errors import AdapterError, Conflict
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import LEASE

log: Final = logging.getLogger(__name__)

# Of the operator, in its own namespace.
LEASE_NAME: Final = "foretide-operator"
# Of the 10 s in which a process that was told to end has ended.
RELEASE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Durations of the election; renewal must end before the lease does."""

    duration_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_seconds < self.renew_deadline_seconds < self.duration_seconds:
            raise ValueError(f"lease times must rise: retry < renew deadline < duration, not {self}")


class Lease:
    """One candidate's view of one Lease."""

    def __init__(
        self, api: Kubernetes, *, namespace: str, name: str, identity: str, times: LeaseTimes | None = None
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or LeaseTimes()
        self._record_seen: object = None
        self._seen_at = time.monotonic()
        self._held_until = -math.inf

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have taken it yet. A process that stood still is the first to ask: what it had begun
        goes on before `hold` has had its turn."""
        return time.monotonic() < self._held_until

    async def acquire(self) -> None:
        """Returns once this candidate holds the Lease."""
        while not await self._try_to_hold():  # noqa: ASYNC110 - polls another machine's object
            await asyncio.sleep(self._times.retry_seconds)

    async def hold(self) -> None:
        """Renews for as long as it can; returns when the Lease is lost, and before anybody else may take it.

        The time counts from before the request that renewed: a write that took effect at once and was answered 5 s
        later has used up 5 s of the lease.
        """
        while (left_seconds := self._held_until - time.monotonic()) > 0:
            await asyncio.sleep(min(self._times.retry_seconds, left_seconds))
            left_seconds = self._held_until - time.monotonic()
            try:
                async with asyncio.timeout(min(left_seconds, self._times.renew_deadline_seconds / 2)):
                    await self._try_to_hold()
            except TimeoutError:
                log.warning("Lease %s/%s: renewal timed out", self._namespace, self._name)

    async def release(self) -> None:
        """Gives the Lease back, so that the next operator need not wait for it to run out; an API server that is silent
        does not keep a process that is to end."""
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._free()
        except (AdapterError, TimeoutError) as error:
            log.warning("Lease %s/%s not released: %s", self._namespace, self._name, str(error) or "no answer in time")

    async def _free(self) -> None:
        lease = await self._api.get(LEASE, namespace=self._namespace, name=self._name)
        if lease is not None and lease.get("spec", {}).get("holderIdentity") == self._identity:
            freed = copy.deepcopy(dict(lease))
            freed["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _timestamp()}
            await self._api.replace(freed)

    async def _try_to_hold(self) -> bool:
        """Takes or renews the Lease; False when somebody else holds it or the API server does not answer."""
        began = time.monotonic()
        try:
            lease = await self._api.get(LEASE, namespace=self._namespace, name=self._name)
            if lease is None:
                await self._api.create(self._record(transitions=0, acquired=_timestamp()))
                self._held_until = began + self._times.renew_deadline_seconds
                return True
            spec = lease.get("spec", {})
            mine = spec.get("holderIdentity") == self._identity
            if not mine and not self._expired(spec):
                self._held_until = -math.inf
                return False
            record = self._record(
                transitions=spec.get("leaseTransitions", 0) + (0 if mine else 1),
                acquired=spec.get("acquireTime") if mine else _timestamp(),
            )
            record["metadata"]["resourceVersion"] = lease["metadata"]["resourceVersion"]
            await self._api.replace(record)
        except Conflict:
            return False
        except AdapterError as error:
            log.warning("Lease %s/%s: %s", self._namespace, self._name, error)
            return False
        self._held_until = began + self._times.renew_deadline_seconds
        return True

    def _expired(self, spec: dict[str, Any]) -> bool:
        """Whether the holder has been silent too long, by our own clock: clocks of two nodes may differ."""
        if not spec.get("holderIdentity"):
            return True
        record = (spec.get("holderIdentity"), spec.get("renewTime"))
        if record != self._record_seen:
            self._record_seen, self._seen_at = record, time.monotonic()
        lasts_seconds = float(spec.get("leaseDurationSeconds", self._times.duration_seconds))
        return time.monotonic() - self._seen_at > lasts_seconds

    def _record(self, *, transitions: int, acquired: str | None) -> dict[str, Any]:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"namespace": self._namespace, "name": self._name},
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": int(self._times.duration_seconds),
                "acquireTime": acquired,
                "renewTime": _timestamp(),
                "leaseTransitions": transitions,
            },
        }


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
