"""The same load from a child process, so that rendering a table here does not delay its schedule."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
from multiprocessing.connection import Connection
from types import TracebackType

import uvloop

from e2e.load.result import Result, join
from e2e.load.run import Plan, Sender

REPORT_EVERY_SECONDS = 0.25
GRACE_SECONDS = 5.0  # beyond the request timeout, for a child that was told to stop


class Running:
    """A load under way. `poll` what is new, `stop` it early, or wait for the whole `result`."""

    def __init__(self, plan: Plan) -> None:
        # "spawn": a fork would copy the locks of other threads in whatever state they are.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.plan = plan
        self.parts: list[Result] = []
        self.done = False
        self.process = context.Process(target=send_and_report, args=(plan, theirs), name="load", daemon=True)
        self.process.start()
        theirs.close()

    def poll(self, *, timeout_seconds: float = 0.0) -> Result:
        """The requests completed since the last call; waits up to the timeout for the first of them."""
        fresh: list[Result] = []
        while not self.done and self.pipe.poll(0.0 if fresh else timeout_seconds):
            try:
                part = self.pipe.recv()
            except EOFError:
                self.done = True
                self.process.join()
                raise RuntimeError(f"the load process ended early (exit code {self.process.exitcode})") from None
            if part is None:
                self.done = True
                self.process.join()
            else:
                fresh.append(part)
        self.parts += fresh
        return join(fresh)

    def stop(self) -> None:
        """Sends no more; what is in flight is still waited for."""
        if not self.done:
            with contextlib.suppress(BrokenPipeError):  # it has just ended by itself; poll says how
                self.pipe.send("stop")

    def result(self) -> Result:
        """Everything, when the last answer is there."""
        while not self.done:
            self.poll(timeout_seconds=1.0)
        return self.so_far()

    def so_far(self) -> Result:
        """Everything completed until the last poll."""
        return join(self.parts)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves no process behind."""
        self.stop()
        self.process.join(0.0 if self.done else self.plan.timeout_seconds + GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def start(plan: Plan) -> Running:
    """Starts sending the plan from a child process."""
    return Running(plan)


def send_and_report(plan: Plan, pipe: Connection) -> None:
    """The child: sends the plan, hands over what is complete, stops when told or when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(reporting(Sender(plan), pipe))


async def reporting(sender: Sender, pipe: Connection) -> None:
    """Sends, and reports what is complete four times a second."""
    sending = asyncio.create_task(sender.send())
    finished = False
    while not finished:
        finished = bool((await asyncio.wait([sending], timeout=REPORT_EVERY_SECONDS))[0])
        try:
            if pipe.poll():
                pipe.recv()
                sender.stop()
            pipe.send(sender.drain())  # also when empty: it tells when the load began
        except (EOFError, BrokenPipeError):
            sender.stop()  # nobody is left to report to
            sender.rows.clear()
    await sending  # raises what went wrong, and the parent sees the exit code
    with contextlib.suppress(BrokenPipeError):  # nobody is left to tell
        pipe.send(None)
