"""As many lanes at once as two processors bear: the next one begins where its load fits beside what is still to come of
the others. One after the other, the runs would take 25 hours; a load at a time, side by side, 6."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final

import numpy as np

from bench.live.lanes import Lane, Status, expected_start_seconds
from bench.live.loads import STEP_SECONDS, Load
from bench.live.outcome import Run

# A request costs the machine some 2 ms in all: sender, kube-proxy, Triton with its Python process, scrapes.
MOST_RPS: Final = 600.0
# Each has up to ten pods: of those that fit on a node (110), and in memory.
MOST_LANES: Final = 12
LOOK_EVERY_SECONDS: Final = 5.0
TELL_EVERY_SECONDS: Final = 30.0

Perform = Callable[[Lane, Status, threading.Event], Run]
UnderWay = dict[Future[Run], tuple[Lane, Status]]


def perform(lanes: Sequence[Lane], run: Perform, *, keep: Callable[[Run], None], say: Callable[[str], None]) -> int:
    """Runs all of them, keeps each run at its end, and returns how many failed, which `say` tells and does not end the
    others. Whatever ends it before its time ends all lanes."""
    waiting, under_way, failed = list(lanes), UnderWay(), 0
    stopping, told = threading.Event(), time.monotonic()
    with ThreadPoolExecutor(MOST_LANES) as pool:
        try:
            while waiting or under_way:
                for lane, status in _admitted(waiting, under_way):
                    under_way[pool.submit(run, lane, status, stopping)] = lane, status
                for future in wait(under_way, timeout=LOOK_EVERY_SECONDS, return_when=FIRST_COMPLETED).done:
                    lane, _ = under_way.pop(future)
                    if (error := future.exception()) is None:
                        keep(future.result())
                    else:
                        failed += 1
                    say(f"{lane.name}: {'is there' if error is None else f'FAILED: {error}'}")
                if time.monotonic() - told >= TELL_EVERY_SECONDS:
                    told = time.monotonic()
                    say(f"{_summary(under_way)}; {len(waiting)} wait")
        finally:
            stopping.set()
    return failed


def fits(load: Load, starts: float, others: Collection[tuple[Load, float]]) -> bool:
    """Whether a load that starts then (s) leaves the sum of all, from then on, within MOST_RPS; `others` with their
    starts."""
    rates = np.array(load.profile.rates_rps)
    at = starts + STEP_SECONDS * np.arange(len(rates))
    for other, began in others:
        theirs = np.append(other.profile.rates_rps, 0.0)
        steps = np.clip(np.floor((at - began) / STEP_SECONDS), -1, len(theirs) - 1)
        rates = rates + theirs[steps.astype(np.int64)]
    return bool(rates.max() <= MOST_RPS)


def _admitted(waiting: list[Lane], under_way: UnderWay) -> Iterator[tuple[Lane, Status]]:
    """Those that may start now, in their order; they wait no longer."""
    running = [(lane.load, status.starts) for lane, status in under_way.values()]
    for lane in tuple(waiting):
        if len(running) == MOST_LANES:
            return
        starts = time.monotonic() + expected_start_seconds(lane.load)
        if not running or fits(lane.load, starts, running):
            running.append((lane.load, starts))
            waiting.remove(lane)
            yield lane, Status(starts)


def _summary(under_way: UnderWay) -> str:
    now = time.monotonic()
    told = (
        f"{lane.name} {now - status.starts:.0f} of {lane.load.profile.seconds:.0f} s {status.ready}/{status.wanted}"
        if status.sending
        else f"{lane.name} starts"
        for lane, status in under_way.values()
    )
    return f"ready/wanted of {len(under_way)} that run: {', '.join(told)}"
