"""What is given up when the operator is to end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def unless(stop: asyncio.Event, doing: Awaitable[None]) -> bool:
    """Waits for `doing`; False when `stop` came first, or a cancellation: `doing` is given up then."""
    task, stopped = asyncio.ensure_future(doing), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        task.cancel()  # nothing where it is done
    if not task.done():
        return False
    task.result()
    return True
