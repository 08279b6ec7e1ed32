"""As many lanes at once as two processors bear: the next one begins where its load fits beside what is still to come of
the others. One after the other, the runs would take 27 hours; a load at a time, side by side, 6."""

from __future__ import annotations

import math
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeAlias

import numpy as np

from bench.live.lanes import SET_UP_SECONDS, Lane, Status
from bench.live.loads import STEP_SECONDS, Load
from bench.live.outcome import Run

# Each has two to ten pods, its sender and its watch; twelve with 250 requests/s take half of two processors, and 3 GiB.
AT_ONCE: Final = 16
# A request costs the machine some 2 ms in all: sender, kube-proxy, Triton with its Python process, scrapes.
RPS_PER_LANE: Final = 37.5
LOOK_EVERY_SECONDS: Final = 5.0
TELL_EVERY_SECONDS: Final = 30.0

RunLane: TypeAlias = Callable[[Lane, Status, threading.Event], Run]
UnderWay: TypeAlias = dict[Future[Run], tuple[Lane, Status]]


def perform(
    lanes: Sequence[Lane],
    run: RunLane,
    *,
    keep: Callable[[Run], None],
    say: Callable[[str], None],
    at_once: int = AT_ONCE,
) -> int:
    """Runs all of them, so many at once at the most, keeps each run at its end, and returns how many failed, which is
    told and does not end the others. Whatever ends it before its time ends all lanes."""
    waiting, failed, told = list(lanes), 0, time.monotonic()
    under_way: UnderWay = {}
    stopping = threading.Event()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while waiting or under_way:
                for lane, status in admitted(waiting, [*under_way.values()], now=time.monotonic(), at_once=at_once):
                    under_way[pool.submit(run, lane, status, stopping)] = lane, status
                for future in wait(under_way, timeout=LOOK_EVERY_SECONDS, return_when=FIRST_COMPLETED).done:
                    lane, _ = under_way.pop(future)
                    if (error := future.exception()) is None:
                        keep(future.result())
                        say(f"{lane.name}: done")
                    else:
                        failed += 1
                        say(f"{lane.name}: FAILED: {error!r}")
                        traceback.print_exception(error, file=sys.stderr)
                if time.monotonic() - told >= TELL_EVERY_SECONDS:
                    told = time.monotonic()
                    say(f"{len(waiting)} wait; of those that run, seconds left and replicas ready/wanted:")
                    for line in summary(under_way.values(), now=told):
                        say(line)
        except BaseException:
            say(f"ending {len(under_way)} runs")
            raise
        finally:
            stopping.set()
    return failed


def admitted(
    waiting: list[Lane], under_way: Collection[tuple[Lane, Status]], *, now: float, at_once: int
) -> Iterator[tuple[Lane, Status]]:
    """Those that may start now, in their order; they wait no longer."""
    running = [(lane.load, status.starts if status.sending else max(status.starts, now)) for lane, status in under_way]
    for lane in tuple(waiting):
        if len(running) == at_once:
            return
        # At a whole step, as all others: what they ask for together is then exact.
        starts = STEP_SECONDS * math.ceil((now + lane.load.cold_start_seconds + SET_UP_SECONDS) / STEP_SECONDS)
        if not running or fits(lane.load, starts, running, most_rps=at_once * RPS_PER_LANE):
            running.append((lane.load, starts))
            waiting.remove(lane)
            yield lane, Status(starts)


def fits(load: Load, starts: float, others: Collection[tuple[Load, float]], *, most_rps: float) -> bool:
    """Whether a load that starts then (s) leaves the sum of all, from then on, within `most_rps` (requests/s); `others`
    with their starts."""
    rates = np.array(load.profile.rates_rps)
    at = starts + STEP_SECONDS * np.arange(len(rates))
    for other, began in others:
        theirs = np.array([0.0, *other.profile.rates_rps, 0.0])  # before, and after
        steps = np.clip(np.floor((at - began) / STEP_SECONDS) + 1, 0, len(theirs) - 1)
        rates = rates + theirs[steps.astype(np.int64)]
    return bool(rates.max() <= most_rps)


def summary(under_way: Collection[tuple[Lane, Status]], *, now: float) -> Iterator[str]:
    """A line for each."""
    for lane, status in under_way:
        left = status.starts + lane.load.profile.seconds - now
        replicas = f"{status.ready}/{status.wanted}" if status.sending else "starting"
        yield f"  {lane.name:28}{left:6.0f} s  {replicas}"
