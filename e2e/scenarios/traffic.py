"""What a load must have come to."""

from __future__ import annotations

from e2e.load import Result, Running
from e2e.load.report import Totals, totals

# Judging by connections and answers only: how fast they were is the business of the demo and of bench/.
NO_SLO_SECONDS = 60.0


def sent(running: Running) -> int:
    """Requests completed until now."""
    running.poll()
    return len(running.so_far())


def judged(result: Result) -> Totals:
    """The totals of a load."""
    return totals(result, slo_seconds=NO_SLO_SECONDS)


def none_failed(result: Result, when: str, *, at_least: int) -> None:
    """AssertionError unless there were enough requests, and each was answered and rightly so."""
    found = judged(result)
    failures = f"{found.outcomes}, {found.answers_wrong} wrong; {dict(result.messages)}"
    assert found.requests >= at_least, f"only {found.requests} requests were sent {when}"
    assert found.failed == 0, f"{found.failed} of {found.requests} requests failed {when}: {failures}"
    assert found.answers_wrong == 0, f"wrong answers {when}: {failures}"
    assert found.answers_checked == found.requests, f"unchecked answers {when}: {failures}"
