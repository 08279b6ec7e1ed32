"""The two ways of loading a server: closed, by clients that wait for their answers, and open, at times of their own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.adapters.errors import AdapterError
from foretide.cli.profile.steps import Open
from foretide.scaling.arrays import Floats

Send = Callable[[], Awaitable[None]]

# Each client sends at least so many requests in a step, so that batches of its size are seen often enough.
LEAST_ROUNDS: Final = 16
# Of one step, however slow the model is.
LONGEST_SECONDS: Final = 60.0
# Beyond this many that wait the server is lost; the generator's own memory is not.
MOST_IN_FLIGHT: Final = 1_024
SEED: Final = 20261129


@dataclass(frozen=True, slots=True)
class Tally:
    """What a closed loop did."""

    requests: int
    seconds: float


async def closed(send: Send, *, clients: int, seconds: float) -> Tally:
    """So many clients for that long, and for LEAST_ROUNDS requests each. Raises AdapterError with the first failure."""
    clock = asyncio.get_running_loop().time
    began, done = clock(), 0

    async def client() -> None:
        nonlocal done
        rounds = 0
        while (elapsed := clock() - began) < LONGEST_SECONDS:
            if elapsed >= seconds and rounds >= LEAST_ROUNDS:
                return
            await send()
            rounds, done = rounds + 1, done + 1

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return Tally(done, clock() - began)


def arrivals(rate: float, seconds: float) -> Floats:
    """Poisson arrivals in seconds from the beginning; the same each time."""
    random = np.random.default_rng(SEED)
    gaps = random.exponential(1.0 / rate, size=max(math.ceil(1.5 * rate * seconds), 16))
    times = np.cumsum(gaps)
    return np.asarray(times[times < seconds])


async def opened(send: Send, *, rate: float, seconds: float, slo_seconds: float, objective: float) -> Open:
    """Sends at the arrivals of that rate, and waits for the last answer. Late are the failed ones, too."""
    planned = arrivals(rate, seconds).tolist()
    latencies: list[float] = []
    lags: list[float] = []
    failed = 0
    in_flight: set[asyncio.Task[None]] = set()
    clock = asyncio.get_running_loop().time
    began = clock()

    async def one() -> None:
        nonlocal failed
        sent = clock()
        try:
            await send()
        except AdapterError:
            failed += 1
        else:
            latencies.append(clock() - sent)

    for at in planned:
        await asyncio.sleep(max(began + at - clock(), 0.0))
        lags.append(clock() - began - at)
        if len(in_flight) >= MOST_IN_FLIGHT:
            failed += 1
            continue
        task = asyncio.create_task(one())
        in_flight.add(task)
        task.add_done_callback(in_flight.discard)
    if in_flight:
        await asyncio.wait(in_flight)
    found = np.array(latencies or [math.inf])
    return Open(
        rate=rate,
        seconds=seconds,
        sent=len(planned),
        in_time=int((found <= slo_seconds).sum()),
        failed=failed,
        median_seconds=float(np.quantile(found, 0.5)),
        quantile_seconds=float(np.quantile(found, objective)),
        lag_seconds=float(np.quantile(lags, 0.99)) if lags else 0.0,
    )
