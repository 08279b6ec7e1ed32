"""From readings of pods to the demand of services.

At saturation Triton's success counter shows what is served, not what is asked; with a queue that refuses by timeout,
success + REJECTED is exactly what was offered (2.25 x overload: 1,969 answered + 2,544 refused = 4,513 sent), and
while the queue still fills, its growth is the rest.
"""

from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints, count, total
from foretide.scaling.observation import Gap, Pods, Seen
from foretide.scaling.readings import Readings
from foretide.scaling.settings import ScalingSettings

# No pod serves a milliard requests a second: a reading above it is a fault of the pipeline (1e308 was seen, k8s#126892
# wrapped an int32), and a fault may neither shrink a fleet nor send it to its maximum.
ABSURD: Final = 1e9
# Prometheus and the operator may run on nodes whose clocks differ a little; samples further ahead are dropped.
CLOCK_TOLERANCE_SECONDS: Final = 5.0


def observe(
    pods: Pods,
    *,
    services: int,
    max_batch: Ints,
    items_per_request: Floats,
    settings: ScalingSettings,
) -> Seen:
    """Demand in items a second = (success - cache hits + failures + growth of the queue) x items per request.

    A pod that does not tell its hits has none: that is the larger demand.

    `items_per_request` is the last known ratio (`Memory.items_per_request`), used while nothing is answered.
    """
    success = Readings.checked(pods.success_rps.value, pods.success_rps.known, low=0.0, high=ABSURD)
    failure = Readings.checked(pods.failure_rps.value, pods.failure_rps.known, low=0.0, high=ABSURD)
    waiting = Readings.checked(pods.pending.value, pods.pending.known, low=0.0, high=ABSURD)
    hits = _hits(pods, success)
    reached = Readings(value=success.value - hits, known=success.known)
    growth = Readings.checked(pods.pending_growth_rps.value, pods.pending_growth_rps.known, low=-ABSURD, high=ABSURD)
    refused = Readings.checked(pods.short_failure_rps.value, pods.short_failure_rps.known, low=0.0, high=ABSURD)
    queued = Readings.checked(
        pods.short_pending_growth_rps.value, pods.short_pending_growth_rps.known, low=-ABSURD, high=ABSURD
    )
    fresh = Readings.checked(
        pods.sample_age_seconds.value,
        pods.sample_age_seconds.known,
        low=-CLOCK_TOLERANCE_SECONDS,
        high=settings.stale_after_seconds,
    ).known
    whole = fresh & success.known & failure.known & waiting.known & growth.known

    # An age that is not a number is no excuse for silence: only "younger than the grace" is.
    young = pods.ready & (pods.ready_age_seconds < settings.report_grace_seconds)
    expected = pods.ready & ~young
    awaited = count(pods.service, expected, length=services)
    reporting = count(pods.service, expected & whole, length=services)
    heard = count(pods.service, whole, length=services)
    known = np.where(awaited > 0, reporting > 0, heard > 0)

    def per_service(readings: Readings) -> Floats:
        # A pod that tells only part of it adds that part; being silent on the rest it still counts as silent.
        return total(pods.service, np.where(fresh, readings.value, 0.0), length=services)

    ahead = _ahead_seconds(pods, expected, services=services)
    ratio = _items_per_request(pods, fresh, reached, max_batch=max_batch, before=items_per_request)
    # Growth of one pod's queue and shrinking of another's cancel: the sum, then its positive part.
    requests = per_service(reached) + per_service(failure) + np.maximum(per_service(growth), 0.0)
    # In a burst what is answered is what the pods can serve, in any window; what is refused or queues up is the rest.
    lately = per_service(reached) + per_service(refused) + np.maximum(per_service(queued), 0.0)
    return Seen(
        demand=Readings(value=np.where(known, requests * ratio, 0.0), known=known),
        cached=np.where(known, (per_service(success) - per_service(reached)) * ratio, 0.0),
        short_window_rps=np.where(known, lately * ratio, 0.0),
        burst_items=np.where(known, np.maximum(lately - requests, 0.0) * ratio * settings.short_window_seconds, 0.0),
        pending=np.where(known, per_service(waiting) * ratio, 0.0),
        items_per_request=ratio,
        ready=count(pods.service, pods.ready, length=services),
        expected=awaited,
        reporting=reporting,
        young=count(pods.service, young, length=services),
        gap=_gaps(pods, expected, fresh, awaited, known, ahead),
        ahead_seconds=ahead,
    )


def past_demand(
    success_rps: Floats, failure_rps: Floats, inference_rps: Floats, hits_rps: Floats, *, max_batch: Ints
) -> Readings:
    """Demand in items a second of each [service, step], from rates that are NaN where they are not known.

    As in `observe`, but for queues: nobody recorded how they grew. Where nothing was answered, or the items are not
    known, the ratio is that of all the other steps. Success without failures would read as less load, so both count.
    """
    success, failure, items, hits = (
        Readings.checked(rates, np.ones(rates.shape, dtype=np.bool_), low=0.0, high=ABSURD)
        for rates in (success_rps, failure_rps, inference_rps, hits_rps)
    )
    known, reached = success.known & failure.known, np.maximum(success.value - hits.value, 0.0)
    measured = known & items.known & (reached > 0.0)
    answered, made = np.where(measured, reached, 0.0), np.where(measured, items.value, 0.0)
    one, most = np.ones(1), max_batch[:, None]
    usual = _ratio(made.sum(axis=1, keepdims=True), answered.sum(axis=1, keepdims=True), max_batch=most, otherwise=one)
    each = np.where(measured, _ratio(made, answered, max_batch=most, otherwise=one), usual)
    return Readings(value=np.where(known, (reached + failure.value) * each, 0.0), known=known)


def _hits(pods: Pods, success: Readings) -> Floats:
    """Requests a second of each pod that its cache answered; 0 where it tells none. Rates of two counters over one
    window may differ by a request, so that they are bounded."""
    hits = Readings.checked(pods.cache_hits_rps.value, pods.cache_hits_rps.known, low=0.0, high=ABSURD)
    return np.minimum(hits.value, success.value)


def _items_per_request(pods: Pods, fresh: Bools, reached: Readings, *, max_batch: Ints, before: Floats) -> Floats:
    """Of each service, over the pods that tell both; the cache answers no items that Triton counts."""
    items = Readings.checked(pods.inference_rps.value, pods.inference_rps.known, low=0.0, high=ABSURD)
    both = fresh & items.known & reached.known
    answered = total(pods.service, np.where(both, reached.value, 0.0), length=len(before))
    made = total(pods.service, np.where(both, items.value, 0.0), length=len(before))
    return _ratio(made, answered, max_batch=max_batch, otherwise=before)


def _ratio(made: Floats, answered: Floats, *, max_batch: Ints, otherwise: Floats) -> Floats:
    """Items answered per request answered, or `otherwise` where nothing is answered.

    Never below 1 nor above the largest batch: at 0.02 requests a second two windows that differ by one sample would
    give a ratio of anything.
    """
    largest = np.maximum(max_batch, 1).astype(np.float64)
    measured = (answered > 0.0) & (made > 0.0)
    # min() before the division, for 1e9 items over the smallest float would be infinite.
    made = np.minimum(made, answered * largest)
    ratio = np.where(measured, made / np.where(measured, answered, 1.0), otherwise)
    return np.clip(np.where(np.isfinite(ratio), ratio, 1.0), 1.0, largest)


def _ahead_seconds(pods: Pods, expected: Bools, *, services: int) -> Floats:
    """How far in the future the newest sample of an awaited pod is, beyond what clocks may differ by; 0 for not."""
    age = Readings.checked(pods.sample_age_seconds.value, pods.sample_age_seconds.known)
    skewed = expected & age.known & (age.value < -CLOCK_TOLERANCE_SECONDS)
    ahead = np.zeros(services)
    np.maximum.at(ahead, pods.service[skewed], -age.value[skewed])
    return ahead


def _gaps(pods: Pods, expected: Bools, fresh: Bools, awaited: Ints, known: Bools, ahead_seconds: Floats) -> Ints:
    """Why demand is unknown: the best that any awaited pod of the service offers names the reason.

    Nobody is awaited in a service's first seconds: one scrape gives gauges and no rates yet, which is no fault.
    """
    services = len(awaited)
    any_fresh = count(pods.service, expected & fresh, length=services) > 0
    any_series = count(pods.service, expected & pods.sample_age_seconds.known, length=services) > 0
    return np.select(
        [known, any_fresh, ahead_seconds > 0.0, any_series, awaited > 0],
        [Gap.NONE, Gap.UNUSABLE_VALUES, Gap.CLOCK_SKEW, Gap.STALE_SERIES, Gap.NO_SERIES],
        default=Gap.NO_READY_REPLICAS,
    ).astype(np.int64)
