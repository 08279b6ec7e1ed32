"""Our policy: the steps of this package in their order, behind the seam that every policy has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import numpy as np

from foretide.scaling import decide, demand, lag, lead_time
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.budget import Spending
from foretide.scaling.capacity import Capacity, Evidence, Law, fit, kappa, learn, rate_per_replica
from foretide.scaling.decision import Bound, Decisions, Plan
from foretide.scaling.forecast.foresight import Foresight, Target
from foretide.scaling.forecast.model import GlobalModel, shipped
from foretide.scaling.forecast.sight import Outlook, Sight, look
from foretide.scaling.lead_time import LeadTimes
from foretide.scaling.learned import Known, Learned
from foretide.scaling.memory import Memory
from foretide.scaling.normal import normal_score
from foretide.scaling.observation import Pods, Seen
from foretide.scaling.parts import NOTHING, Part
from foretide.scaling.policy import Observation, Over, Past, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.scaling.risk import LEAST_USUAL_REPLICAS, Risk, late_rps
from foretide.scaling.settings import ScalingSettings
from foretide.scaling.sli import Sli, Source
from foretide.scaling.spread import spread
from foretide.scaling.stuck import BOUNDS, restrain

# A replica that is too late for one start in ten is planned for.
LEAD_LEVEL: Final = 0.9
# Where the lead time is not measured.
ASSUMED_LEAD_SECONDS: Final = 60.0
# Demands below this share of a replica are no demand to a forecast.
FLOOR_REPLICAS: Final = 0.1
# Break-even: to keep a replica for a lead time costs what starting it again does. With a forecast beside it, ski
# rental holds for a share of that (Purohit, Svitkina, Kumar 2018). On the series that choose a share of 0.25 had 0.44 %
# late at 1.86 times the optimum (2 min), 0.6 had 0.41 % at 1.89, and 2 had 0.51 % at 2.01.
HOLD_SHARE: Final = 0.6
# Holds are the shortest one times powers of this, so that learning a lead time does not begin the hold anew each time.
HOLD_RATIO: Final = 1.5
# Who decides in place of the quantile.
OTHERS: Final = (Bound.PAUSED, Bound.PINNED, Bound.MAXIMUM, Bound.QUOTA, Bound.STEP_UP_LIMIT, *BOUNDS.values())


class Foresee(Protocol):
    """`forecast.sight.look`, or what a benchmark puts in its place."""

    def __call__(
        self,
        sight: Sight,
        model: GlobalModel,
        demand: Readings,
        outlook: Outlook,
        *,
        now_seconds: float,
        without: frozenset[Part],
    ) -> tuple[Sight, Foresight]: ...


@dataclass(frozen=True, slots=True)
class Brain:
    """Decides for the operator and for the simulator alike; a `Policy[Memory]`."""

    settings: ScalingSettings
    model: GlobalModel = field(default_factory=shipped)
    without: frozenset[Part] = NOTHING
    # A quantile for all services, in place of the error budgets'.
    level: float | None = None
    foresee: Foresee = look

    @property
    def tick_seconds(self) -> float:
        return self.settings.tick_seconds

    @property
    def questions(self) -> Mapping[str, Query]:
        """The query behind each column of `Pods`."""
        window, short = self.settings.rate_window_seconds, self.settings.short_window_seconds
        return {
            "success_rps": Query(Quantity.SUCCESS, Over.RATE, window),
            # Every reason counts: a request that timed out in the queue (REJECTED) was asked for all the same. Triton
            # exports it with the model, at 0: absent is unknown.
            "failure_rps": Query(Quantity.FAILURE, Over.RATE, window),
            "cache_hits_rps": Query(Quantity.CACHE_HITS, Over.RATE, window),
            "inference_rps": Query(Quantity.INFERENCE, Over.RATE, window),
            "pending": Query(Quantity.PENDING),
            "pending_growth_rps": Query(Quantity.PENDING, Over.DERIV, window),
            "short_failure_rps": Query(Quantity.FAILURE, Over.RATE, short),
            "short_pending_growth_rps": Query(Quantity.PENDING, Over.DERIV, short),
            "sample_age_seconds": lag.SAMPLE_AGE,
            "request_seconds": Query(Quantity.REQUEST_SECONDS, Over.RATE, window),
        }

    @property
    def queries(self) -> tuple[Query, ...]:
        return tuple(self.questions.values())

    def start(self, past: Past) -> Memory:
        """What was asked for before is known; all else is to be learned."""
        return replace(Memory.fresh(past.services), sight=Sight.started(past))

    def decide(self, seen: Observation, memory: Memory, *, ready: Ints | None = None) -> Decisions:
        """Learns what came since the last tick, foresees what comes, and decides with both.

        `ready` [services] is of a fleet that is only imagined (`shadow`): so many are ready in place of those seen.
        """
        seen = lag.corrected(seen, self.settings)
        now, bounds, promise, tuning = seen.now_seconds, seen.bounds, seen.promise, seen.tuning
        elapsed = np.where(memory.looked_seconds > 0.0, np.maximum(now - memory.looked_seconds, 0.0), 0.0)
        evidence, lead_times = self._learned(seen, memory, elapsed)
        memory = replace(memory, evidence=evidence, lead_times=lead_times)
        law = seen.told.until_measured(fit(memory.evidence))
        capacity, lead = self._capacity(seen, memory.kappa, law), self._lead(seen, memory.lead_times)
        if seen.classes is not None:
            capacity, lead = seen.classes.slowest(capacity), seen.classes.longest(lead)
        load = self._load(seen, memory.items_per_request)
        if ready is not None:
            load = load.imagined(ready, queue_items=capacity.queue_items)
        sight, foresight = self.foresee(
            memory.sight,
            self.model,
            # Where pods are silent the demand is a lower bound: nothing that a forecast should learn from.
            Readings.checked(load.demand.value, load.demand.known & (load.silent == 0)),
            Outlook(
                lead_seconds=lead,
                step_seconds=self.settings.tick_seconds,
                floor_rps=FLOOR_REPLICAS * capacity.rate_rps,
                season_seconds=tuning.season_seconds,
            ),
            now_seconds=now,
            without=self.without,
        )
        foresight = foresight.only(tuning.forecasts)
        score = self._score(memory.risk, promise.objective, tuning.quantile)
        plan = Plan(
            ahead=foresight.at(Target.AHEAD, score),
            likely=foresight.at(Target.AHEAD, np.zeros(len(seen))),
            meanwhile=foresight.at(Target.MEANWHILE, score).where(Part.CONSOLIDATION not in self.without),
            hold_seconds=self._hold(lead, foresight.trusted, tuning.hold_seconds),
            lead_seconds=lead,
            score=score,
            trust=foresight.trust,
            highest=Readings.checked(sight.slow.max_day, np.isfinite(sight.slow.max_day), low=0.0),
        )
        made = decide.decide(
            bounds,
            tuning,
            seen.fleet,
            load,
            capacity,
            plan,
            memory,
            now_seconds=now,
            settings=self.settings,
            may_shrink=seen.may_shrink,
        )
        made = restrain(made, seen.stuck)
        made = spread(made, seen.classes, seen.quotas, foresight, may_shrink=seen.may_shrink)
        remembered = replace(
            made.memory,
            sight=sight,
            spending=self._spending(seen, memory, made, elapsed),
            risk=_risk(memory.risk, made, foresight, sight, elapsed, advised=tuning.advisory),
            kappa=self._kappa(seen, memory.kappa, law, load, capacity),
            looked_seconds=np.full(len(seen), now),
        )
        return replace(made, memory=remembered)

    def know(self, seen: Observation, learned: Learned, *, elapsed_seconds: Floats, items_per_request: Floats) -> Known:
        """What is known of each hardware class of services that list several; all rows, those of `seen`, too, are of
        one class of one service, and its pods alone."""
        seen = lag.corrected(seen, self.settings)
        evidence, lead_times = self._learned(seen, learned, elapsed_seconds)
        law = seen.told.until_measured(fit(evidence))
        capacity = self._capacity(seen, learned.kappa, law)
        after = self._kappa(seen, learned.kappa, law, self._load(seen, items_per_request), capacity)
        return Known(
            learned=Learned(evidence=evidence, kappa=after, lead_times=lead_times),
            capacity=capacity,
            lead_seconds=self._lead(seen, lead_times),
        )

    def _lead(self, seen: Observation, lead_times: LeadTimes) -> Floats:
        if Part.LEAD_TIME in self.without:
            return np.full(len(seen), ASSUMED_LEAD_SECONDS)
        told = seen.told.cold_start_seconds
        return lead_time.quantile(lead_times, seen.pods, level=LEAD_LEVEL, told_seconds=told)

    def _hold(self, lead_seconds: Floats, trusted: Bools, ordered_seconds: Floats) -> Floats:
        """How long a replica stays that neither the load nor a trusted forecast needs."""
        # Longer than a lost tick and the next one: with a hold of one tick one low sample took two of eight replicas.
        least = self.settings.restart_after_seconds + self.settings.tick_seconds
        powers = np.ceil(np.log(np.maximum(HOLD_SHARE * lead_seconds / least, 1.0)) / math.log(HOLD_RATIO) - 0.5)
        found = np.where(trusted, least * HOLD_RATIO**powers, self.settings.scale_down_hold_seconds)
        hold: Floats = np.where(np.isfinite(ordered_seconds), np.maximum(ordered_seconds, least), found)
        return hold

    def _score(self, risk: Risk, objective: Floats, ordered: Floats) -> Floats:
        """Normal score of the quantile that is provided for."""
        ordered = ordered if self.level is None else np.full(len(objective), self.level)
        budgeted = (Risk.fresh(len(objective)) if Part.ADAPTIVE_RISK in self.without else risk).score(objective)
        return np.where(np.isfinite(ordered), normal_score(np.nan_to_num(ordered, nan=0.5)), budgeted)

    def _learned(self, seen: Observation, before: Memory | Learned, elapsed: Floats) -> tuple[Evidence, LeadTimes]:
        """Batch times, and cold starts."""
        told = seen.told.cold_start_seconds
        return (
            learn(before.evidence, seen.batches),
            lead_time.learn(before.lead_times, seen.pods, elapsed_seconds=elapsed, told_seconds=told),
        )

    def _load(self, seen: Observation, items_per_request: Floats) -> Seen:
        return demand.observe(
            self._table(seen),
            services=len(seen),
            max_batch=seen.promise.max_batch,
            items_per_request=items_per_request,
            settings=self.settings,
        )

    def _kappa(self, seen: Observation, before: Floats, law: Law, load: Seen, capacity: Capacity) -> Floats:
        """Latencies tell nothing where some pod has a queue from before: three pods that drained one after a step of
        load made a fleet of forty look half as fast as it was. What the response cache answers is in no batch, and
        takes no time: 299 hits took 2.2 ms together."""
        answered, hits = (
            Readings.checked(rps.value, rps.known, low=0.0, high=demand.ABSURD)
            for rps in (
                seen.total(self.questions[column], ready_only=True) for column in ("success_rps", "cache_hits_rps")
            )
        )
        computed = Readings.checked(answered.value - hits.value, answered.known, low=0.0)
        latency = _ratio(seen.total(self.questions["request_seconds"], ready_only=True), computed)
        served = seen.total(self.questions["inference_rps"], ready_only=True)
        ready = Readings(value=load.ready.astype(np.float64), known=(load.ready > 0) & (load.silent == 0))
        quiet = load.demand.known & (load.pending <= capacity.queue_items)
        return kappa.observe(
            before,
            mean_latency_seconds=Readings.checked(latency.value, latency.known & quiet),
            rate_per_ready_replica=_ratio(served, ready),
            law=law,
            max_batch=seen.promise.max_batch,
            instances=seen.promise.instances,
        )

    def _capacity(self, seen: Observation, slower: Floats, law: Law) -> Capacity:
        promise = seen.promise
        return rate_per_replica(
            law,
            slo_latency_seconds=promise.slo_latency_seconds,
            objective=promise.objective,
            max_batch=promise.max_batch,
            instances=promise.instances,
            kappa=None if Part.KAPPA in self.without else slower,
        )

    def _spending(self, seen: Observation, memory: Memory, made: Decisions, elapsed: Floats) -> Spending:
        """What was refused is late, and of what was answered the share that the SLI says.

        Without an SLI what more replicas would have had in time by the table; all, while a queue from before is served.
        """
        asked = made.seen.demand.value
        late = late_rps(asked, made.seen.ready.astype(np.float64), made.capacity)
        answered, refused = (
            Readings.checked(rps.value, rps.known, low=0.0, high=demand.ABSURD)
            for rps in (seen.total(self.questions[column]) for column in ("success_rps", "failure_rps"))
        )
        answered_items, refused_items = (rps.value * made.seen.items_per_request for rps in (answered, refused))
        late = np.where(made.backlog > 0.0, asked, np.maximum(late, refused_items))
        sli = Sli.unknown(len(seen)) if seen.sli is None else seen.sli
        # What waits counts once it is answered. A pod that should tell its load and does not may be the slow one.
        measured = sli.share_late.known & answered.known & refused.known & (made.seen.silent == 0)
        expected = made.seen.demand.known & (made.seen.expected > 0)
        return memory.spending.after(
            np.where(measured, answered_items + refused_items, asked + made.seen.cached),
            np.where(measured, sli.share_late.value * answered_items + refused_items, late),
            # Of a replica that nothing is known of, nobody can estimate what is late.
            known=expected & (measured | made.capacity.known),
            source=np.where(measured, sli.source, Source.ESTIMATED),
            window_seconds=seen.promise.window_seconds,
            elapsed_seconds=elapsed,
        )

    def _table(self, seen: Observation) -> Pods:
        return Pods(
            service=seen.pods.service,
            ready=seen.pods.ready,
            ready_age_seconds=seen.pods.ready_age_seconds,
            **{column: seen.answers[query] for column, query in self.questions.items() if column != "request_seconds"},
        )


def _ratio(over: Readings, under: Readings) -> Readings:
    """Known where both are, and the lower one is above 0."""
    known = over.known & under.known & (under.value > 0.0)
    return Readings.checked(over.value / np.where(known, under.value, 1.0), known, low=0.0)


def _risk(risk: Risk, made: Decisions, foresight: Foresight, sight: Sight, elapsed: Floats, *, advised: Bools) -> Risk:
    """What was late as measured, and what will be as foreseen with the replicas that were decided."""
    seen, capacity = made.seen, made.capacity
    asked = seen.demand.value
    # Of its own making: a minimum above it and replicas that are only held are no merit of the quantile, and where
    # something else decides it has no fault.
    own = np.maximum(np.maximum(made.asked, made.foreseen), made.staying)
    replicas = np.minimum(made.wanted, own).astype(np.float64)
    late = late_rps(asked, np.minimum(seen.ready, own).astype(np.float64), capacity)
    late = np.where(made.backlog > 0.0, np.maximum(late, asked), late)
    known = seen.demand.known & (seen.expected > 0) & ~np.isin(made.bound, OTHERS) & ~advised
    risk = risk.measured(asked, np.minimum(late, asked), known=known, elapsed_seconds=elapsed)
    usual = np.where(np.isfinite(sight.slow.mean_day), sight.slow.mean_day, asked)
    return risk.foreseen(
        asked,
        foresight.expected(Target.AHEAD, lambda demand_rps: late_rps(demand_rps, replicas, capacity)),
        measured_rps=late,
        usual_rps=np.maximum(usual, LEAST_USUAL_REPLICAS * capacity.rate_rps),
        objective=capacity.objective,
        known=known & foresight.trusted,
        elapsed_seconds=elapsed,
    )
