"""Knative Pod Autoscaler.

Source: knative/serving pkg/autoscaler/scaling/autoscaler.go, pkg/reconciler/autoscaling/kpa/scaler.go and the
defaults of config-autoscaler. Excess burst capacity is left out: it only moves Knative's activator, which is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints, total
from foretide.scaling.policy import Observation, Over, Past, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.simulate.peers.answer import PeerAnswer
from foretide.simulate.peers.bounds import answer, between, check_range, labels, whole_replicas
from foretide.simulate.peers.history import History
from foretide.simulate.peers.profile import Profile

TARGET_MINIMUM: Final = 0.01


class KpaMetric(StrEnum):
    CONCURRENCY = "concurrency"
    RPS = "rps"


class KpaRule(IntEnum):
    """What decided."""

    STABLE = 0
    PANIC = 1
    SCALE_DOWN_DELAY = 2
    MIN_SCALE = 3
    MAX_SCALE = 4
    SCALE_TO_ZERO_GRACE_PERIOD = 5
    NO_DATA = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KpaMemory:
    started: Bools
    panic_since_seconds: Floats  # when the threshold was last crossed; -inf: no panic
    most_panic_pods: Ints
    recommended: History  # for the scale-down delay
    active_since_seconds: Floats  # when the revision last began to want pods
    idle_since_seconds: Floats  # when it stopped and was marked inactive; inf: it did not


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panic:
    """The panic after this tick."""

    on: Bools
    since_seconds: Floats
    most_pods: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpa:
    """A revision that is scaled on its concurrency or on its requests a second.

    `container_concurrency` is in full batches of all instances of a replica: 1 is what it executes at once.

    (Knative's own default target of 100 requests says nothing about a model.) Requests a second count from the
    saturation of one replica. The metrics need samples every second or two, as the queue-proxy gives them.
    """

    profile: Profile
    metric: KpaMetric = KpaMetric.CONCURRENCY
    container_concurrency: float = 1.0
    target_utilisation: float = 0.7
    stable_window_seconds: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    scale_down_delay_seconds: float = 0.0
    activation_scale: int = 1
    scale_to_zero_grace_period_seconds: float = 30.0
    tick_seconds: float = 2.0

    def __post_init__(self) -> None:
        check_range("container_concurrency", self.container_concurrency, 0.01, 1000.0)
        check_range("target_utilisation", self.target_utilisation, 0.01, 1.0)
        check_range("stable_window_seconds", self.stable_window_seconds, 6.0, 3600.0)
        check_range("panic_window_percentage", self.panic_window_percentage, 1.0, 100.0)
        check_range("panic_threshold_percentage", self.panic_threshold_percentage, 110.0, 1000.0)
        check_range("max_scale_up_rate", self.max_scale_up_rate, 1.0, np.inf)
        check_range("max_scale_down_rate", self.max_scale_down_rate, 1.0, np.inf)
        check_range("scale_down_delay_seconds", self.scale_down_delay_seconds, 0.0, 3600.0)
        check_range("activation_scale", self.activation_scale, 1, 2**31 - 1)
        check_range("scale_to_zero_grace_period_seconds", self.scale_to_zero_grace_period_seconds, 6.0, 3600.0)
        check_range("tick_seconds", self.tick_seconds, 1.0, 60.0)

    @property
    def panic_window_seconds(self) -> float:
        return self.stable_window_seconds * self.panic_window_percentage / 100.0

    @property
    def queries(self) -> tuple[Query, ...]:
        return (*self._summands(self.stable_window_seconds), *self._summands(self.panic_window_seconds))

    def _summands(self, window_seconds: float) -> tuple[Query, ...]:
        if self.metric is KpaMetric.CONCURRENCY:
            return (Query(Quantity.CONCURRENCY_SECONDS, Over.RATE, window_seconds),)
        # The queue-proxy counts each request as it comes (knative/networking pkg/http/stats/request.go, ReqIn).
        return (Query(Quantity.ARRIVED, Over.RATE, window_seconds),)

    @property
    def targets(self) -> Floats:
        """The value of the metric that one pod shall have."""
        if self.metric is KpaMetric.RPS:
            whole: Floats = self.profile.saturation_rps
        else:
            whole = self.container_concurrency * (self.profile.max_batch * self.profile.instances).astype(np.float64)
        return np.maximum(TARGET_MINIMUM, whole * self.target_utilisation)

    def start(self, past: Past) -> KpaMemory:
        """It knows nothing of the past; the first tick looks at the pods."""
        services = past.services
        return KpaMemory(
            started=np.zeros(services, dtype=np.bool_),
            panic_since_seconds=np.full(services, -np.inf),
            most_panic_pods=np.zeros(services, dtype=np.int64),
            recommended=History.empty(services),
            active_since_seconds=np.zeros(services),
            idle_since_seconds=np.full(services, np.inf),
        )

    def decide(self, seen: Observation, memory: KpaMemory) -> PeerAnswer[KpaMemory]:
        """One tick of the autoscaler, then the bounds and the way to zero."""
        current, now = seen.fleet.replicas, seen.now_seconds
        pods_ready = seen.pods.count(seen.pods.ready, services=len(seen))
        memory = self._begin(memory, pods_ready, now)
        stable = self._average(seen, pods_ready, self.stable_window_seconds)
        panicking = self._average(seen, pods_ready, self.panic_window_seconds)
        # A panic window without a sample counts 0 as long as the stable window has one.
        known = stable.known
        ready = np.maximum(pods_ready, 1)
        fewest = np.floor(ready / self.max_scale_down_rate).astype(np.int64)
        most = np.ceil(self.max_scale_up_rate * ready).astype(np.int64)
        asked = whole_replicas(stable.value / self.targets)
        asked_in_panic = whole_replicas(panicking.value / self.targets)
        stable_pods = self._activated(np.minimum(np.maximum(asked, fewest), most), asked)
        panic_pods = self._activated(np.minimum(np.maximum(asked_in_panic, fewest), most), asked_in_panic)
        panic = self._panic(memory, asked_in_panic / ready, np.maximum(stable_pods, panic_pods), known, now)
        wanted = np.where(panic.on, panic.most_pods, stable_pods)
        recommended = memory.recommended
        delayed = wanted
        if self.scale_down_delay_seconds > 0.0:
            recommended = recommended.record(
                wanted, where=known, now_seconds=now, keep_seconds=self.scale_down_delay_seconds
            )
            delayed = recommended.highest(recommended.after(now - self.scale_down_delay_seconds), at_least=wanted)
        bounded = between(delayed, seen.bounds)
        zero = known & (bounded == 0)
        long_active = now - memory.active_since_seconds >= self.stable_window_seconds
        idle_since = np.where(
            zero & long_active,
            np.minimum(memory.idle_since_seconds, now),
            np.where(known, np.inf, memory.idle_since_seconds),
        )
        in_grace = zero & long_active & (now - idle_since < self.scale_to_zero_grace_period_seconds)
        # Until the revision was active for a stable window one pod stays; in the grace period nothing moves.
        desired = np.where(zero & ~long_active, 1, np.where(in_grace, current, bounded))
        rules = {
            KpaRule.NO_DATA: ~known,
            KpaRule.SCALE_TO_ZERO_GRACE_PERIOD: in_grace | (zero & ~long_active),
            KpaRule.MAX_SCALE: delayed > bounded,
            KpaRule.MIN_SCALE: delayed < bounded,
            KpaRule.SCALE_DOWN_DELAY: delayed > wanted,
            KpaRule.PANIC: panic.on,
        }
        woken = np.isfinite(memory.idle_since_seconds) & known & ~zero
        return answer(
            desired=np.where(known, desired, current),
            rule=np.select(list(rules.values()), [int(rule) for rule in rules], default=KpaRule.STABLE),
            rules=labels(KpaRule),
            memory=KpaMemory(
                started=np.ones_like(known),
                panic_since_seconds=panic.since_seconds,
                most_panic_pods=panic.most_pods,
                recommended=recommended,
                active_since_seconds=np.where(woken, now, memory.active_since_seconds),
                idle_since_seconds=idle_since,
            ),
            seen=seen,
        )

    def _begin(self, memory: KpaMemory, ready: Ints, now: float) -> KpaMemory:
        """A new autoscaler of more than one pod starts in panic, so that lost history shrinks nothing."""
        fresh = ~memory.started
        return KpaMemory(
            started=memory.started,
            panic_since_seconds=np.where(fresh & (ready > 1), now, memory.panic_since_seconds),
            most_panic_pods=np.where(fresh, ready, memory.most_panic_pods),
            recommended=memory.recommended,
            active_since_seconds=np.where(fresh, now, memory.active_since_seconds),
            idle_since_seconds=memory.idle_since_seconds,
        )

    def _average(self, seen: Observation, ready: Ints, window_seconds: float) -> Readings:
        """Of the whole revision: the average of the ready pods that answer stands for all that are ready."""
        answers = [seen.answers[query] for query in self._summands(window_seconds)]
        known = np.logical_and.reduce([answer.known for answer in answers]) & seen.pods.ready
        value = np.zeros(len(seen.pods))
        for answered in answers:
            value = value + np.where(known, answered.value, 0.0)
        answering = seen.pods.count(known, services=len(seen))
        added = total(seen.pods.service, value, length=len(seen))
        return Readings.checked(
            np.where(answering == ready, added, added / np.maximum(answering, 1) * ready), answering > 0
        )

    def _activated(self, pods: Ints, asked: Ints) -> Ints:
        """At least the activation scale where any pod is wanted at all."""
        return np.where(asked > 0, np.maximum(pods, self.activation_scale), pods)

    def _panic(self, memory: KpaMemory, load: Floats, wanted: Ints, known: Bools, now: float) -> Panic:
        """On while the panic window asks for a multiple of the ready pods, and a stable window longer."""
        over = known & (load >= self.panic_threshold_percentage / 100.0)
        since = np.where(over, now, memory.panic_since_seconds)
        ends = known & ~over & (since + self.stable_window_seconds < now)
        since = np.where(ends, -np.inf, since)
        on = np.isfinite(since)
        most = np.where(ends, 0, memory.most_panic_pods)
        return Panic(on=on, since_seconds=since, most_pods=np.where(known & on, np.maximum(most, wanted), most))
