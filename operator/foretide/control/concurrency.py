"""Many things to do at once, for which there is one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

T = TypeVar("T")

# Some 30 ms of ticks.
AT_A_TURN: Final = 64


async def all_of(doing: Iterable[Coroutine[Any, Any, T]]) -> list[T | BaseException]:
    """What each of them gave or raised, in their order, as asyncio.gather has it.

    Not all are begun in one turn of the loop: those of 5,000 services compute for two seconds, in which nobody would
    answer a probe of the kubelet or see an event.
    """
    tasks: list[asyncio.Task[T]] = []
    try:
        for each in doing:
            tasks.append(asyncio.create_task(each))
            if len(tasks) % AT_A_TURN == 0:
                await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
