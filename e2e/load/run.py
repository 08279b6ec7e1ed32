"""Sends a plan: every request at its time, whatever became of those before it."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

from e2e.load.result import Check, Outcome, Result, Row, collect
from e2e.load.schedule import FloatArray
from e2e.load.wire import Answer, BrokenAnswerError, Target, exchange

STOP_NOTICED_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A bounded load. Request n carries payload n modulo their number."""

    target: Target
    arrivals: FloatArray
    payloads: tuple[bytes, ...]  # whole requests, made by wire.request
    check: Callable[[int, Answer], bool] | None = None  # (payload index, answer) -> right?; must pickle for `start`
    timeout_seconds: float = 10.0
    max_requests: int = 100_000
    max_seconds: float = 3600.0
    max_in_flight: int = 512

    def __post_init__(self) -> None:
        if not self.payloads:
            raise ValueError("a load needs at least one payload")
        if len(self.arrivals) > self.max_requests:
            raise ValueError(f"{len(self.arrivals)} requests planned, at most {self.max_requests} are allowed")
        if len(self.arrivals) and self.arrivals[-1] > self.max_seconds:
            raise ValueError(f"the load lasts {self.arrivals[-1]:.0f} s, at most {self.max_seconds:.0f} s are allowed")


class Sender:
    """A plan being sent; `drain` hands over the rows that are complete."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows: list[Row] = []
        self.in_flight: set[asyncio.Task[None]] = set()
        self.stopping = False
        self.started_at = math.nan
        self.began = math.nan

    def drain(self) -> Result:
        """Everything complete since the last call."""
        rows, self.rows = self.rows, []
        return collect(rows, started_at=self.started_at)

    def stop(self) -> None:
        """Sends no more; what is in flight is still waited for."""
        self.stopping = True

    async def send(self) -> None:
        """Sends every request at its time and waits for the last answer."""
        loop = asyncio.get_running_loop()
        self.started_at, self.began = time.time(), time.monotonic()
        for index, planned_at in enumerate(self.plan.arrivals.tolist()):
            await self.wait_until(self.began + planned_at)
            if self.stopping:
                break
            if len(self.in_flight) >= self.plan.max_in_flight:
                self.rows.append(Row(planned_at, math.nan, math.nan, Outcome.NOT_SENT, message="too many in flight"))
                continue
            task = loop.create_task(self.one(index % len(self.plan.payloads), planned_at))
            self.in_flight.add(task)
            task.add_done_callback(self.in_flight.discard)
        if self.in_flight:
            await asyncio.wait(self.in_flight)

    async def wait_until(self, moment: float) -> None:
        # Waiting on an Event with a timeout, as ASYNC110 wants, would cost a task for each request.
        while (delay := moment - time.monotonic()) > 0 and not self.stopping:  # noqa: ASYNC110
            await asyncio.sleep(min(delay, STOP_NOTICED_SECONDS))

    async def one(self, payload: int, planned_at: float) -> None:
        """One request and its row."""
        sent = time.monotonic()  # not loop.time(): uvloop counts whole milliseconds
        status, message, answer = 0, "", None
        try:
            async with asyncio.timeout(self.plan.timeout_seconds):
                answer = await exchange(self.plan.target, self.plan.payloads[payload])
        except TimeoutError:
            outcome, message = Outcome.TIMED_OUT, f"no answer within {self.plan.timeout_seconds:g} s"
        except BrokenAnswerError as error:
            outcome, message = Outcome.BROKEN, str(error)
        except OSError as error:
            outcome, message = Outcome.NOT_CONNECTED, str(error)
        else:
            status = answer.status
            outcome = Outcome.OK if status == 200 else Outcome.HTTP_STATUS
            if outcome is not Outcome.OK:
                message = f"{status} {answer.body[:120].decode(errors='replace')}"
        latency = time.monotonic() - sent  # before the check, which is this process's own work
        checked = Check.NOT_CHECKED
        if self.plan.check is not None and answer is not None and outcome is Outcome.OK:
            checked = Check.RIGHT if self.plan.check(payload, answer) else Check.WRONG
        self.rows.append(Row(planned_at, sent - self.began, latency, outcome, status, checked, message))


def run(plan: Plan) -> Result:
    """Sends the plan from this process and returns when the last answer is there."""

    async def send() -> Result:
        sender = Sender(plan)
        await sender.send()
        return sender.drain()

    gc.freeze()  # a full collection over a large parent's objects is a pause of 100 ms in the schedule
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(send())
    finally:
        gc.unfreeze()
