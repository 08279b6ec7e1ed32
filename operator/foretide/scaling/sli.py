"""The SLI: what share of the requests that were answered came later than the SLO's latency, as Triton itself tells it.

Triton measures from the arrival at the server to the answer: what the network takes is in no number of it. It tells
distributions, a pod at a time: counts in buckets of latency, or quantiles over the last minute. Arrays of distributions
are flat, one row a point, in any order; `pod` is the row of the pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints, count, total
from foretide.scaling.readings import Readings

# A bound that is the SLO itself comes back as text: 33.3 ms are not 0.0333 s to the last bit.
SAME: Final = 1.0 + 1e-6


class Source(IntEnum):
    """What the share of late requests was read from; the better one is larger."""

    ESTIMATED = 0  # from refusals and what the replicas could serve by the capacity table
    SUMMARY = 1
    HISTOGRAM = 2

    @property
    def label(self) -> str:
        """As status spells it."""
        return self.name.capitalize()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Buckets:
    """Cumulative buckets: how many requests a second took no longer than the bound; the last bound is infinite."""

    pod: Ints
    bound_seconds: Floats
    rate_rps: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantiles:
    """The latency that a share of the requests kept, in Triton's own window of a minute."""

    pod: Ints
    quantile: Floats
    latency_seconds: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sli:
    """One row per service."""

    share_late: Readings  # of the requests that were answered
    source: Ints  # a Source

    @classmethod
    def unknown(cls, services: int) -> Sli:
        return cls(share_late=Readings.unknown(services), source=np.full(services, Source.ESTIMATED, dtype=np.int64))


def late_in_buckets(buckets: Buckets, *, slo_latency_seconds: Floats) -> Readings:
    """Share late per pod, where anything was counted; `slo_latency_seconds` [pods].

    Exact where the SLO is one of the bounds, as it is in pods that Foretide configures. Else (a pod of before the SLO
    was changed) all of the bucket around it counts as late: where in a bucket requests lie nobody knows, and a budget
    that is said to be left when it is not costs more than the reverse.
    """
    pods = len(slo_latency_seconds)
    sound = np.isfinite(buckets.rate_rps) & (buckets.rate_rps >= 0.0)
    rate = np.where(sound, buckets.rate_rps, 0.0)
    whole, in_time = np.zeros(pods), np.zeros(pods)
    np.maximum.at(whole, buckets.pod, np.where(np.isposinf(buckets.bound_seconds), rate, 0.0))
    kept = buckets.bound_seconds <= slo_latency_seconds[buckets.pod] * SAME
    np.maximum.at(in_time, buckets.pod, np.where(kept, rate, 0.0))
    # One bucket that is no number makes nonsense of the others.
    known = (whole > 0.0) & (count(buckets.pod, ~sound, length=pods) == 0)
    share = 1.0 - np.minimum(in_time, whole) / np.where(known, whole, 1.0)
    return Readings.checked(share, known, low=0.0, high=1.0)


def late_by_quantiles(quantiles: Quantiles, *, slo_latency_seconds: Floats) -> Readings:
    """Share late per pod, where any quantile is known; `slo_latency_seconds` [pods].

    Between two quantiles the tail falls exponentially, as that of a queue does: its logarithm is interpolated. Below
    the first one it starts with all requests at 0 s, and beyond the last it goes on falling as it did between the last
    two. So it never leaves what the two neighbours allow, and above the last one what that allows.
    """
    pods = len(slo_latency_seconds)
    sound = (
        np.isfinite(quantiles.latency_seconds)
        & (quantiles.latency_seconds >= 0.0)
        & (quantiles.quantile > 0.0)
        & (quantiles.quantile < 1.0)
    )
    # All requests are later than no time at all: the first point of each pod.
    pod = np.concatenate((np.arange(pods), quantiles.pod[sound]))
    tail = np.concatenate((np.ones(pods), 1.0 - quantiles.quantile[sound]))
    latency = np.concatenate((np.zeros(pods), quantiles.latency_seconds[sound]))
    order = np.lexsort((-tail, pod))
    pod, tail, latency = pod[order], tail[order], latency[order]
    start = np.searchsorted(pod, np.arange(pods))
    end = np.searchsorted(pod, np.arange(pods), side="right")
    points = np.arange(len(pod))
    # The first quantile that the SLO does not keep; where it keeps all, the last two points tell the slope.
    broken = np.where(latency > slo_latency_seconds[pod], points, end[pod])
    above = end.copy()
    np.minimum.at(above, pod, broken)
    above = np.clip(above, start + 1, np.maximum(end - 1, start + 1))
    below = above - 1
    known = end - start > 1
    above, below = np.where(known, above, start), np.where(known, below, start)
    share = _falling(
        slo_latency_seconds, from_seconds=latency[below], to_seconds=latency[above], first=tail[below], then=tail[above]
    )
    return Readings.checked(share, known, low=0.0, high=1.0)


def _falling(at_seconds: Floats, *, from_seconds: Floats, to_seconds: Floats, first: Floats, then: Floats) -> Floats:
    """A tail that is `first` at `from_seconds` and `then` at `to_seconds`, at a time in between or later."""
    span = to_seconds - from_seconds
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        way = (at_seconds - from_seconds) / span
        found = first * (then / first) ** way
    # Two quantiles of one latency: nothing is later, or all of the last.
    step = np.where(at_seconds > to_seconds, 0.0, then)
    share: Floats = np.where(span > 0.0, found, step)
    return share


def of_services(
    service: Ints, success_rps: Readings, by_buckets: Readings, by_quantiles: Readings, *, services: int
) -> Sli:
    """The shares of pods, weighted by what each answers; `service` is the row of each pod's service.

    Histograms before summaries. Unknown where a pod answers and does not tell how late, whatever the others tell: the
    one that does not tell may be the slow one. Unknown, too, where nothing is answered.
    """
    weight = np.where(success_rps.known, np.maximum(success_rps.value, 0.0), 0.0)
    counted = by_buckets.known | by_quantiles.known
    share = np.where(by_buckets.known, by_buckets.value, by_quantiles.value)
    answers = weight > 0.0

    def some(chosen: Bools) -> Bools:
        found: Bools = count(service, answers & chosen, length=services) > 0
        return found

    answered = total(service, weight, length=services)
    late = total(service, np.where(counted, share, 0.0) * weight, length=services)
    # Two pods that claim 1e308 a second each answer infinitely many together.
    known = (answered > 0.0) & np.isfinite(answered) & ~some(~counted)
    whole = np.where(known, late, 0.0) / np.where(known, answered, 1.0)
    share_late = Readings.checked(np.minimum(whole, 1.0), known, low=0.0)
    source = np.select(
        [~share_late.known, some(~by_buckets.known)],
        [Source.ESTIMATED, Source.SUMMARY],
        default=Source.HISTOGRAM,
    )
    return Sli(share_late=share_late, source=source.astype(np.int64))
