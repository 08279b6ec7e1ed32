"""Many jobs at once: results in order, and a loop that goes on."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.control.concurrency import all_of
from tests.virtual_time import run


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 9.0)), max_size=40))
def test_each_is_begun_in_order_and_what_it_gave_or_raised_is_told_in_order(waits: list[float | None]) -> None:
    begun: list[int] = []

    async def job(number: int) -> int:
        begun.append(number)
        if (wait := waits[number]) is not None:
            await asyncio.sleep(wait)
        if number % 3 == 2:
            raise ValueError(number)
        return number

    found = run(all_of(job(number) for number in range(len(waits))))
    assert begun == list(range(len(waits)))
    assert [each.args[0] if isinstance(each, BaseException) else each for each in found] == begun
    assert [isinstance(each, ValueError) for each in found] == [number % 3 == 2 for number in begun]


def test_the_loop_goes_on_while_they_are_begun() -> None:
    turns: list[int] = []

    async def main() -> list[int | BaseException]:
        async def job() -> int:
            return len(turns)

        async def others() -> None:
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        other = asyncio.create_task(others())
        seen = await all_of(job() for _ in range(10))
        other.cancel()
        return seen

    seen = run(main())
    assert len(set(seen)) == 10, "each has a turn of its own"


@pytest.mark.parametrize("jobs", [1, 40])
@pytest.mark.parametrize("at_once", [True, False], ids=["while they are begun", "later"])
def test_a_cancellation_ends_all_that_are_begun(jobs: int, at_once: bool) -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def job() -> None:
        begun.append(1)
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.append(1)

    async def main() -> None:
        doing = all_of(job() for _ in range(jobs))
        task = asyncio.create_task(doing)
        await asyncio.sleep(0 if at_once else 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    run(main())
    assert len(ended) == len(begun)


def test_one_that_somebody_cancels_is_told() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    (found,) = run(all_of([cancelled()]))
    assert isinstance(found, asyncio.CancelledError)
