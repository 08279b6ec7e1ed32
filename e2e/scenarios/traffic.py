"""Load on a service while a test does other things, and what that load must have come to."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

import numpy as np

from e2e.load import Outcome, Plan, Result, start
from e2e.load.report import Totals, totals
from e2e.scenarios.waiting import until

# These tests judge connections and answers; how fast they were is the business of the demo and of bench/.
ANY_LATENCY_SECONDS: Final = 60.0
TOLD: Final = 20


class Traffic:
    """A load that flows through `with`, whatever the test waits for meanwhile."""

    def __init__(self, plan: Plan) -> None:
        self._running: Final = start(plan)
        # The load stands still when nobody takes in its results.
        self._taker: Final = threading.Thread(target=self._take, name="traffic", daemon=True)
        self._broken: Exception | None = None

    def __enter__(self) -> Traffic:
        self._taker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.stop()
        self._taker.join()
        self._running.__exit__(kind, error, trace)

    def until_sent(self, requests: int, *, within_seconds: float = 90.0) -> None:
        """Waits until so many requests are complete."""
        until(f"{requests} requests", lambda: self.sent >= requests, within_seconds=within_seconds)

    @property
    def sent(self) -> int:
        """Requests completed so far."""
        return sum(len(part) for part in self._running.parts)

    def end(self) -> Result:
        """Sends no more, and gives everything once the last answer is there. Raises RuntimeError where the sender broke
        off."""
        self._running.stop()
        return self.whole()

    def whole(self) -> Result:
        """Everything, once all is sent and the last answer is there. Raises RuntimeError where the sender broke off."""
        self._taker.join()
        if self._broken is not None:
            raise self._broken
        return self._running.so_far()

    def _take(self) -> None:
        try:
            while not self._running.done:
                self._running.poll(timeout_seconds=0.5)
        except (RuntimeError, OSError) as error:
            self._broken = error


def judged(result: Result) -> Totals:
    """The totals of a load."""
    return totals(result, slo_seconds=ANY_LATENCY_SECONDS)


def none_failed(result: Result, when: str, *, at_least: int) -> None:
    """AssertionError unless there were enough requests, and each was answered and rightly so."""
    found = judged(result)
    assert found.requests >= at_least, f"only {found.requests} requests were sent {when}"
    began = datetime.fromtimestamp(result.started_at, UTC).isoformat(timespec="milliseconds")
    failures = (
        f"{found.outcomes}, {found.answers_wrong} wrong; {dict(result.messages)}; from {began}: {_slowest(result)}"
    )
    assert found.failed == 0, f"{found.failed} of {found.requests} requests failed {when}: {failures}"
    assert found.answers_wrong == 0, f"wrong answers {when}: {failures}"
    assert found.answers_checked == found.requests, f"unchecked answers {when}: {failures}"


def _slowest(result: Result) -> str:
    """The failed and the slowest requests: when each was sent, and how long it took."""
    order = np.lexsort((-result.latency_seconds, result.outcome == Outcome.OK))[:TOLD]
    rows = (
        f"{Outcome(result.outcome[i]).name} at {result.sent_at[i]:.2f} s +{result.latency_seconds[i]:.2f} s"
        for i in order
    )
    return ", ".join(rows)
