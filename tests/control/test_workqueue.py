"""The work queue: no key twice at once, no key lost, and one bad key delays no other."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.control.workqueue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, WorkQueue
from tests.virtual_time import now_seconds, run

Handler = Callable[[str], Awaitable[None]]


async def work(queue: WorkQueue[str], handle: Handler, *, workers: int = 3, seconds: float = 1e6) -> None:
    """Some workers for a while of virtual time; a worker that dies fails the test."""
    tasks = [asyncio.create_task(queue.work(handle)) for _ in range(workers)]
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def test_a_key_added_again_while_it_waits_runs_once() -> None:
    async def main() -> Sequence[str]:
        queue, ran = WorkQueue[str](), []
        for key in ("a", "b", "a", "a"):
            queue.add(key)

        async def handle(key: str) -> None:
            ran.append(key)

        assert len(queue) == 2
        await work(queue, handle)
        return ran

    assert run(main()) == ["a", "b"]


def test_a_key_added_while_it_runs_runs_once_more() -> None:
    async def main() -> Sequence[float]:
        queue, starts = WorkQueue[str](), []

        async def handle(key: str) -> None:
            starts.append(now_seconds())
            if len(starts) == 1:
                for _ in range(3):
                    queue.add(key)
            await asyncio.sleep(10)

        queue.add("a")
        await work(queue, handle)
        return starts

    assert run(main()) == [0, 10]


def test_a_failing_key_comes_back_ever_later_and_at_least_once_a_minute() -> None:
    async def main() -> Sequence[float]:
        queue, starts = WorkQueue[str](), []

        async def handle(_: str) -> None:
            starts.append(now_seconds())
            raise RuntimeError("no")

        queue.add("a")
        await work(queue, handle, seconds=1000)
        assert queue.retrying == 1
        return starts

    starts = run(main())
    delays = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert delays[:4] == pytest.approx([FIRST_RETRY_SECONDS * 2**n for n in range(4)])
    assert delays == pytest.approx(sorted(delays))
    assert delays[-1] == pytest.approx(LAST_RETRY_SECONDS)


def test_a_key_that_fails_for_days_is_still_retried() -> None:
    """2 ** 1024 is no float: the 1,025th failure, after 17 hours, must not end the worker."""

    async def main() -> int:
        queue, runs = WorkQueue[str](), Counter[str]()

        async def handle(key: str) -> None:
            runs[key] += 1
            raise RuntimeError("no")

        queue.add("a")
        await work(queue, handle, workers=1, seconds=1200 * LAST_RETRY_SECONDS)
        return runs["a"]

    assert run(main()) > 1100


def test_success_ends_the_backoff() -> None:
    async def main() -> Sequence[float]:
        queue, starts = WorkQueue[str](), []

        async def handle(_: str) -> None:
            starts.append(now_seconds())
            if len(starts) in (1, 2, 4):
                raise RuntimeError("no")

        queue.add("a")
        queue.add_after("a", 100)
        await work(queue, handle, workers=1)
        assert queue.retrying == 0
        return starts

    # 0: fails (its retry replaces the delayed request), 0.2: fails, 0.6: works
    assert run(main()) == pytest.approx([0, 0.2, 0.6])


def test_one_failing_key_delays_no_other() -> None:
    async def main() -> dict[str, float]:
        queue, ended = WorkQueue[str](), {}

        async def handle(key: str) -> None:
            await asyncio.sleep(1)
            if key == "bad":
                raise RuntimeError("no")
            ended[key] = now_seconds()

        queue.add("bad")
        for number in range(5):
            queue.add(f"good-{number}")
        await work(queue, handle, workers=1, seconds=60)
        return ended

    assert max(run(main()).values()) <= 7  # six runs of a second each, and one retry of the bad one at most


Step = tuple[str, float, float, bool]  # key, when it is added, how long its next run takes, whether that fails
steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 8).map(float), st.integers(0, 5).map(float), st.booleans()),
    max_size=12,
)


@given(steps, st.integers(1, 4))
def test_every_request_is_followed_by_a_run_that_started_after_it(requests: list[Step], workers: int) -> None:
    async def main() -> None:
        queue = WorkQueue[str]()
        plans: dict[str, list[tuple[float, bool]]] = {}
        running, started, succeeded = set[str](), dict[str, float](), dict[str, float]()
        asked: dict[str, float] = {}

        async def handle(key: str) -> None:
            assert key not in running
            running.add(key)
            started[key] = now_seconds()
            took, fails = plans[key].pop(0) if plans.get(key) else (0.0, False)
            await asyncio.sleep(took)
            running.discard(key)
            if fails:
                raise RuntimeError("no")
            succeeded[key] = started[key]

        async def ask() -> None:
            for key, when, took, fails in sorted(requests, key=lambda step: step[1]):
                await asyncio.sleep(when - now_seconds())
                plans.setdefault(key, []).append((took, fails))
                asked[key] = now_seconds()
                queue.add(key)

        asking = asyncio.create_task(ask())
        await work(queue, handle, workers=workers)
        await asking
        assert len(queue) == queue.retrying == 0
        for key, when in asked.items():
            assert succeeded[key] >= when

    run(main())
