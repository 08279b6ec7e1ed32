"""What a load result means: totals, and one row for each second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2e.load.result import Check, Outcome, Result
from e2e.load.schedule import FloatArray

LATE_SECONDS = 0.05  # beyond this the generator itself, not the server, shaped the load


@dataclass(frozen=True, slots=True)
class Totals:
    """The whole load in numbers; NaN where there was nothing to measure."""

    requests: int  # planned ones whose time came, sent or not
    answered: int  # with status 200
    failed: int
    outcomes: dict[str, int]
    share_within_slo: float  # of all requests: answered 200, not wrong, in time
    p50_seconds: float  # of those answered 200
    p99_seconds: float
    sent_late_p99_seconds: float
    answers_checked: int
    answers_wrong: int

    @property
    def generator_was_late(self) -> bool:
        """True when this machine could not keep to the schedule: the result says less about the server."""
        return self.sent_late_p99_seconds > LATE_SECONDS


@dataclass(frozen=True, slots=True)
class Windows:
    """One row for each window, by planned time; latencies are NaN in windows without an answer."""

    starts_seconds: FloatArray
    rate_rps: FloatArray
    failed: FloatArray
    p50_seconds: FloatArray
    p99_seconds: FloatArray
    share_within_slo: FloatArray


def totals(result: Result, *, slo_seconds: float) -> Totals:
    """The whole load in numbers."""
    answered = result.outcome == Outcome.OK
    late = result.sent_at - result.planned_at
    return Totals(
        requests=len(result),
        answered=int(answered.sum()),
        failed=int((~answered).sum()),
        outcomes={kind.name: int((result.outcome == kind).sum()) for kind in Outcome},
        share_within_slo=float(within(result, slo_seconds=slo_seconds).mean()) if len(result) else float("nan"),
        p50_seconds=quantile(result.latency_seconds[answered], 0.5),
        p99_seconds=quantile(result.latency_seconds[answered], 0.99),
        sent_late_p99_seconds=quantile(late[~np.isnan(late)], 0.99),
        answers_checked=int((result.answer != Check.NOT_CHECKED).sum()),
        answers_wrong=int((result.answer == Check.WRONG).sum()),
    )


def windows(result: Result, *, slo_seconds: float, width_seconds: float = 1.0) -> Windows:
    """The load window by window, from second 0 to the last planned request."""
    count = int(result.planned_at[-1] // width_seconds) + 1 if len(result) else 0
    window = (result.planned_at // width_seconds).astype(np.int64)
    answered = result.outcome == Outcome.OK
    asked = np.bincount(window, minlength=count).astype(np.float64)
    good = np.bincount(window, weights=within(result, slo_seconds=slo_seconds), minlength=count)
    latencies = [result.latency_seconds[answered & (window == index)] for index in range(count)]
    return Windows(
        starts_seconds=np.arange(count, dtype=np.float64) * width_seconds,
        rate_rps=asked / width_seconds,
        failed=np.bincount(window, weights=~answered, minlength=count).astype(np.float64),
        p50_seconds=np.array([quantile(values, 0.5) for values in latencies]),
        p99_seconds=np.array([quantile(values, 0.99) for values in latencies]),
        share_within_slo=np.divide(good, asked, out=np.full(count, np.nan), where=asked > 0),
    )


def within(result: Result, *, slo_seconds: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which requests were answered, not wrongly, and in time."""
    in_time = np.nan_to_num(result.latency_seconds, nan=np.inf) <= slo_seconds
    return np.asarray((result.outcome == Outcome.OK) & in_time & (result.answer != Check.WRONG))


def quantile(values: FloatArray, q: float) -> float:
    """The q-quantile, or NaN of nothing."""
    return float(np.quantile(values, q)) if len(values) else float("nan")


def sentences(result: Result, *, slo_seconds: float) -> list[str]:
    """The totals for a terminal."""
    sums = totals(result, slo_seconds=slo_seconds)
    lines = [
        f"{sums.requests} requests, {sums.answered} answered, {sums.failed} failed",
        f"latency p50 {sums.p50_seconds * 1e3:.1f} ms, p99 {sums.p99_seconds * 1e3:.1f} ms; "
        f"{sums.share_within_slo:.2%} within {slo_seconds * 1e3:g} ms",
    ]
    if sums.answers_checked:
        lines.append(f"{sums.answers_checked} answers checked, {sums.answers_wrong} wrong")
    lines += [f"{count} x {text}" for text, count in result.messages.most_common()]
    if sums.generator_was_late:
        lines.append(
            f"WARNING: the generator itself was late (p99 {sums.sent_late_p99_seconds * 1e3:.0f} ms): "
            "this machine is too busy, so latencies say less about the server"
        )
    return lines
