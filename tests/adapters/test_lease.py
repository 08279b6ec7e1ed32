"""Leader election: at most one candidate holds the Lease at any time, whatever the API server does to them."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foretide.adapters import lease as module
from foretide.adapters.errors import Conflict, Rejected, Unavailable
from foretide.adapters.lease import Lease, LeaseTimes
from foretide.adapters.resources import Object, Resource
from tests.virtual_time import now_seconds, run

Result = TypeVar("Result")

TIMES = LeaseTimes(duration_seconds=15, renew_deadline_seconds=10, retry_seconds=2)
REQUEST_TIMEOUT_SECONDS = 10.0  # as the gateway has it


@contextmanager
def virtual() -> Iterator[None]:
    """time.monotonic() and the timestamps of records follow the event loop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", SimpleNamespace(monotonic=now_seconds))
        patch.setattr(module.log, "warning", lambda *_: None)  # thousands of them
        patch.setattr(module, "_timestamp", lambda: f"{now_seconds():.6f}")
        yield


@dataclass
class Trouble:
    """What happens to the calls of one candidate during some time."""

    start: float
    seconds: float
    before: float = 0.0  # the request is on its way for that long
    after: float = 0.0  # the answer is on its way for that long
    lost: str = ""  # "request" or "answer" never arrives, "refused" fails at once
    calls: str = "get write"


@dataclass
class Store:
    """The Lease in the API server, which refuses writes with an old resourceVersion."""

    lease: dict[str, Any] | None = None
    versions: Any = field(default_factory=lambda: itertools.count(1))

    def get(self) -> Object | None:
        return copy.deepcopy(self.lease)

    def create(self, obj: Object) -> Object:
        if self.lease is not None:
            raise Conflict("exists", reason="AlreadyExists")
        return self._stored(obj)

    def replace(self, obj: Object) -> Object:
        if self.lease is None or obj["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("modified", reason="Conflict")
        return self._stored(obj)

    def _stored(self, obj: Object) -> Object:
        self.lease = {
            **copy.deepcopy(dict(obj)),
            "metadata": {**obj["metadata"], "resourceVersion": next(self.versions)},
        }
        return copy.deepcopy(self.lease)


class Api:
    """One candidate's connection to the store; only the three calls that an election makes."""

    def __init__(self, store: Store, troubles: list[Trouble] | None = None) -> None:
        self._store, self._troubles = store, troubles or []

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
        return await self._call("get", self._store.get)

    async def create(self, obj: Object) -> Object:
        return await self._call("write", lambda: self._store.create(obj))

    async def replace(self, obj: Object) -> Object:
        return await self._call("write", lambda: self._store.replace(obj))

    async def _call(self, verb: str, effect: Callable[[], Result]) -> Result:
        now = now_seconds()
        current = (t for t in self._troubles if t.start <= now < t.start + t.seconds and verb in t.calls)
        trouble = next(current, Trouble(0, 0))
        if trouble.lost == "refused":
            raise Unavailable("connection refused", reason="ClientConnectorError")
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await asyncio.sleep(trouble.before)
                if trouble.lost == "request":
                    await asyncio.sleep(3600)
                answer = effect()
                await asyncio.sleep(trouble.after)
                if trouble.lost == "answer":
                    await asyncio.sleep(3600)
        except TimeoutError as error:
            raise Unavailable("no answer", reason="Timeout") from error
        return answer


def candidate(store: Store, identity: str, *troubles: Trouble) -> Lease:
    api: Any = Api(store, list(troubles))
    return Lease(api, namespace="foretide-system", name="foretide-operator", identity=identity, times=TIMES)


async def lead(lease: Lease, log: list[tuple[float, str, bool]], name: str) -> None:
    """An operator that restarts each time it loses the Lease."""
    while True:
        await lease.acquire()
        log.append((now_seconds(), name, True))
        try:
            await lease.hold()
        finally:
            log.append((now_seconds(), name, False))


async def election(store: Store, *leases: Lease, seconds: float) -> list[tuple[float, str, bool]]:
    log: list[tuple[float, str, bool]] = []
    tasks = [asyncio.create_task(lead(lease, log, str(number))) for number, lease in enumerate(leases)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return log


def holders_at_once(log: list[tuple[float, str, bool]]) -> int:
    holding, most = set[str](), 0
    for _, name, holds in log:
        holding = holding | {name} if holds else holding - {name}
        most = max(most, len(holding))
    return most


delays = st.sampled_from([0.0, 0.5, 3.0, 4.9, 5.1, 9.0])
troubles = st.lists(
    st.builds(
        Trouble,
        start=st.integers(0, 60).map(float),
        seconds=st.integers(1, 40).map(float),
        before=delays,
        after=delays,
        lost=st.sampled_from(["", "", "refused", "request", "answer"]),
        calls=st.sampled_from(["get", "write", "get write"]),
    ),
    max_size=4,
)


@given(troubles, troubles)
# the last renewal takes effect at once and its answer comes late; then calls fail at once, and the last one hangs
@example([Trouble(20, 2, after=4.9, calls="write"), Trouble(25, 9, lost="refused"), Trouble(34, 60, before=9.0)], [])
# the same with the write that takes the Lease
@example([Trouble(0, 1, after=9.0, calls="write"), Trouble(1, 60, lost="request")], [])
@example([Trouble(20, 60, lost="request")], [])
@example([Trouble(20, 60, lost="answer")], [])
def test_at_most_one_holds_whatever_gets_lost(first: list[Trouble], second: list[Trouble]) -> None:
    async def main() -> list[tuple[float, str, bool]]:
        store = Store()
        return await election(store, candidate(store, "a", *first), candidate(store, "b", *second), seconds=150)

    with virtual():
        log = run(main())
    assert holders_at_once(log) <= 1
    assert log[-1][0] == 150  # the trouble is over by then, and somebody leads


def test_a_holder_that_cannot_renew_stops_before_its_lease_runs_out() -> None:
    async def main(trouble: Trouble) -> float:
        store = Store()
        lease = candidate(store, "a", trouble)
        await lease.acquire()
        await lease.hold()
        return now_seconds()

    for trouble in (Trouble(1, 999, lost="request"), Trouble(1, 999, lost="answer"), Trouble(1, 999, before=9.0)):
        with virtual():
            assert run(main(trouble)) <= TIMES.renew_deadline_seconds + 1e-6, trouble


@pytest.mark.parametrize("released", [False, True])
def test_the_time_of_an_election_is_counted_from_before_the_request(released: bool) -> None:
    """The write took effect at once, the answer took 9 s: 9 s of the lease are gone by then."""

    async def main() -> float:
        store = Store()
        if released:
            before = candidate(store, "before")
            await before.acquire()
            await before.release()
        late = Trouble(0, 1, after=9.0, calls="write")
        lease = candidate(store, "a", late, Trouble(1, 999, lost="request"))
        await lease.acquire()
        assert now_seconds() == 9
        await lease.hold()
        return now_seconds()

    with virtual():
        assert run(main()) <= TIMES.renew_deadline_seconds + 1e-6


def test_who_stood_still_knows_at_once_that_it_holds_no_more() -> None:
    """Before `hold` has noticed, and whether or not somebody else has taken it."""

    async def main() -> list[bool]:
        lease = candidate(Store(), "a")
        known = [lease.is_held]
        await lease.acquire()
        for seconds in (0.0, TIMES.renew_deadline_seconds - 1, 1.0):
            await asyncio.sleep(seconds)
            known.append(lease.is_held)
        return known

    with virtual():
        assert run(main()) == [False, True, True, False]


def test_a_healthy_holder_holds_on() -> None:
    async def main() -> list[tuple[float, str, bool]]:
        store = Store()
        return await election(store, candidate(store, "a"), candidate(store, "b"), seconds=3600)

    with virtual():
        log = run(main())
    assert [(name, holds) for _, name, holds in log[:-1]] == [("0", True)]


def test_a_dead_holder_is_succeeded_after_its_lease_and_not_before() -> None:
    async def main() -> float:
        store = Store()
        dead, heir = candidate(store, "a"), candidate(store, "b")
        await dead.acquire()
        await heir.acquire()
        return now_seconds()

    with virtual():
        taken = run(main())
    assert TIMES.duration_seconds < taken <= TIMES.duration_seconds + 2 * TIMES.retry_seconds


def test_a_clock_that_is_wrong_by_an_hour_changes_nothing() -> None:
    async def main() -> float:
        store = Store()
        dead, heir = candidate(store, "a"), candidate(store, "b")
        await dead.acquire()
        assert store.lease is not None
        store.lease["spec"]["renewTime"] = "1999-01-01T00:00:00.000000Z"
        await heir.acquire()
        return now_seconds()

    with virtual():
        assert run(main()) > TIMES.duration_seconds


def test_a_released_lease_is_taken_at_the_next_look() -> None:
    async def main() -> float:
        store = Store()
        leaving, heir = candidate(store, "a"), candidate(store, "b")
        await leaving.acquire()
        await leaving.release()
        await heir.acquire()
        assert store.lease is not None
        assert store.lease["spec"]["holderIdentity"] == "b"
        assert store.lease["spec"]["leaseTransitions"] == 1
        await leaving.release()  # of somebody else's lease: nothing
        assert store.lease["spec"]["holderIdentity"] == "b"
        return now_seconds()

    with virtual():
        assert run(main()) == 0


def test_a_release_that_fails_is_no_error_and_keeps_nobody() -> None:
    async def main() -> float:
        store = Store()
        leaving = candidate(store, "a", Trouble(1, 99, lost="request"))
        await leaving.acquire()
        await asyncio.sleep(1)
        await leaving.release()
        return now_seconds() - 1

    with virtual():
        assert run(main()) <= module.RELEASE_SECONDS


def test_a_process_that_comes_back_under_its_name_goes_on_holding() -> None:
    async def main() -> float:
        store = Store()
        await candidate(store, "a").acquire()
        await candidate(store, "a").acquire()
        assert store.lease is not None
        assert store.lease["spec"]["leaseTransitions"] == 0
        return now_seconds()

    with virtual():
        assert run(main()) == 0


def test_a_lease_that_somebody_made_empty_is_taken() -> None:
    async def main() -> None:
        store = Store()
        store.create({"metadata": {"name": "foretide-operator", "namespace": "foretide-system"}})
        await candidate(store, "a").acquire()

    with virtual():
        run(main())


def test_a_refusal_is_waited_out() -> None:
    class Refusing(Api):
        async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
            if now_seconds() < 30:
                raise Rejected("leases is forbidden", reason="Forbidden")
            return await super().get(resource, namespace=namespace, name=name)

    async def main() -> float:
        api: Any = Refusing(Store())
        await Lease(api, namespace="n", name="l", identity="a", times=TIMES).acquire()
        return now_seconds()

    with virtual():
        assert run(main()) == 30


@pytest.mark.parametrize("times", [(15, 10, 10), (10, 10, 2), (15, 16, 2), (15, 10, 0)])
def test_times_that_cannot_work_are_refused(times: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        LeaseTimes(*times)
