"""The autoscale loop: one tick observes all services, decides for all, and writes only those that change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from foretide.adapters.clock import Clock
from foretide.adapters.events import Events
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.prometheus import Pod, Prometheus
from foretide.adapters.resources import Object
from foretide.adapters.scrape import Scraper
from foretide.adapters.triton import Triton
from foretide.api.modelprofile import ModelProfile
from foretide.api.reasons import Reason
from foretide.control import (
    hardware_status,
    latencies,
    observe,
    policies,
    table,
)
from foretide.control.act import Actuator, Scale, Written
from foretide.control.backfill import Backfill
from foretide.control.by_hand import FREE, ByHand
from foretide.control.challenge import Challenges, Contest
from foretide.control.children import controlled_by
from foretide.control.concurrency import all_of
from foretide.control.direct import DirectReader
from foretide.control.divided import Divisions, Executed
from foretide.control.isolation import of_one
from foretide.control.learning import BatchReader
from foretide.control.outcome import Outcome, Stage
from foretide.control.past import ServiceId
from foretide.control.places import Place, combined
from foretide.control.policies import Policies
from foretide.control.recall import Identity, Recall, identity
from foretide.control.sources import Found, Sources
from foretide.control.statuses import Statuses
from foretide.control.stuck import UNHINDERED, Hindered, hindered, stuck, without_age
from foretide.control.table import Row
from foretide.control.world import Key, Served, World
from foretide.scaling.arbitrate import Why
from foretide.scaling.brain import Brain
from foretide.scaling.capacity import BatchCounts
from foretide.scaling.decision import Bound, Decisions
from foretide.scaling.journal import encode
from foretide.scaling.memory import Memory
from foretide.scaling.policy import Observation

log: Final = logging.getLogger(__name__)

# Share of the time between ticks after which a tick writes only what is urgent. Of 15 s these are 3: a hundred services
# that shrink, on two processors, beside the 6 s in which 5,000 are read and decided on.
PATIENCE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Ports:
    """What the loop talks to."""

    kubernetes: Kubernetes
    prometheus: Prometheus
    triton: Triton
    scraper: Scraper
    events: Events
    clock: Clock
    namespaces: Sequence[str] = ()  # of which Prometheus is asked; empty: all


class Autoscaler:
    """Keeps the memory of all services between ticks."""

    def __init__(self, ports: Ports, world: World, brain: Brain, backfill: Backfill, orders: Policies) -> None:
        self._ports: Final = ports
        self._world: Final = world
        self._brain: Final = brain
        self._backfill: Final = backfill
        self._policies: Final = orders
        self._batches: Final = BatchReader(ports.triton, world)
        self._divisions: Final = Divisions(brain, world)
        direct = DirectReader(ports.scraper, world, ports.clock, brain.settings)
        self._sources: Final = Sources(
            ports.prometheus, direct, brain.queries, ports.clock, namespaces=ports.namespaces
        )
        self._actuator: Final = Actuator(
            ports.kubernetes, ports.events, world, patience_seconds=PATIENCE * brain.settings.tick_seconds
        )
        self._recall: Final = Recall()
        self._challenges: Final = Challenges(brain)
        self._by_hand: Final = ByHand()
        self._once_ready: frozenset[Pod] = frozenset()

    async def tick(self) -> Outcome:
        """Observes, decides and acts once for every service that has a Deployment."""
        seconds = asyncio.get_running_loop().time
        began = seconds()
        found, executed = await asyncio.gather(self._sources.read(), self._batches.read())
        observed = seconds()
        # All that is decided on is read without a pause, so that every row is of one moment.
        now_seconds = self._ports.clock.now()
        rows = [self._judged(row, now_seconds) for row in self._rows()]
        identities = [identity(row.key, row.served) for row in rows]
        memory = self._recall.recall(identities, [row.raw.get("status", {}) for row in rows])
        memory = self._backfilled(memory, identities)
        self._recall.keep(identities, memory)  # what was read of the past is handed out once, also to a tick that fails
        seen, names = self._seen(rows, found, executed, now_seconds=now_seconds)
        seen = self._divisions.see(rows, seen, names, executed, memory)
        made = self._brain.decide(seen, memory)
        made = replace(made, memory=self._divisions.adopted(made.memory))
        self._recall.keep(identities, made.memory)
        verdicts = self._challenges.judge(self._contests(rows), seen, memory, made)
        for forgetful in (self._actuator, self._by_hand):
            forgetful.keep({row.key for row in rows})
        statuses = Statuses(
            made=made,
            account=made.memory.spending.account(made.capacity.objective),
            seen=seen,
            no_metrics=found.no_metrics,
            verdicts=verdicts,
            now_seconds=now_seconds,
        )
        decided = seconds()
        scales = [self._scales(made, index, row) for index, row in enumerate(rows)]
        urgent = [self._is_urgent(made, index, row) for index, row in enumerate(rows)]
        changing = [any(scale.change for scale in each) for each in scales]
        turns = self._actuator.in_turn([row.key for row in rows], urgent=urgent, changing=changing)
        written = await all_of(
            self._act(statuses, index, rows[index], identities[index], scales[index], urgent=urgent[index])
            for index in turns
        )
        for index, outcome in zip(turns, written, strict=True):
            if isinstance(outcome, asyncio.CancelledError):
                raise outcome  # the operator ends, and kopf cancels what it finds on its way out
            if isinstance(outcome, BaseException):  # it must not keep the others from being written
                log.error("%s/%s: a fault of the operator; other services go on", *rows[index].key, exc_info=outcome)
        return Outcome(
            keys=tuple(row.key for row in rows),
            hardware=tuple(row.hardware for row in rows),
            decisions=made,
            no_metrics=found.no_metrics,
            queries=len(self._brain.queries) + found.latencies.asked,
            scrapes=found.scrapes,
            failed_writes=sum(outcome not in (Written.DONE, Written.POSTPONED) for outcome in written),
            postponed=sum(outcome is Written.POSTPONED for outcome in written),
            stage_seconds={
                Stage.OBSERVE: observed - began,
                Stage.DECIDE: decided - observed,
                Stage.WRITE: seconds() - decided,
            },
            verdicts=verdicts,
        )

    def _rows(self) -> list[Row]:
        rows, profiles = [], self._policies.profiles()
        for key, served in sorted(self._world.served.items(), key=lambda item: item[0]):
            raw, uid = self._world.services.get(key), served.service.uid
            # One of that name that is not ours (restored from a backup, say) is not ours to scale.
            deployments = [one for one in self._world.deployments(key) if controlled_by(one, uid)]
            if raw is None or not deployments or "deletionTimestamp" in raw["metadata"]:
                continue
            scalers = (self._world.foreign_scaler(key, one.deployment) for one in served.classes)
            rows.append(
                Row(
                    key,
                    served,
                    raw,
                    combined(deployments),
                    next((scaler for scaler in scalers if scaler is not None), None),
                    self._policies.of(served.service),
                    profiles.get((key, served.hardware_class.name)),
                    places=self._places(key, served, raw, deployments, profiles),
                )
            )
        return rows

    def _places(
        self,
        key: Key,
        served: Served,
        raw: Object,
        deployments: Sequence[Object],
        profiles: Mapping[tuple[Key, str], ModelProfile],
    ) -> tuple[Place, ...]:
        """None for a service that lists one hardware class."""
        if not served.is_divided:
            return ()
        by_name = {one["metadata"]["name"]: one for one in deployments}
        told = hardware_status.told(self._actuator.told(key, served.service.uid) or raw.get("status", {}))
        return tuple(
            Place(one, by_name.get(one.deployment), told.get(one.name), profiles.get((key, one.name)))
            for one in served.classes
        )

    def _contests(self, rows: Sequence[Row]) -> list[Contest]:
        return [
            Contest(
                row=index,
                key=row.key,
                uid=row.served.service.uid,
                challenge=challenge,
                foreign_scaler=row.foreign_scaler,
                by_hand=row.by_hand,
                told=row.raw.get("status", {}).get("challenger"),
            )
            for index, row in enumerate(rows)
            if (challenge := self._policies.challenge(row.served.service)) is not None
        ]

    def _judged(self, row: Row, now_seconds: float) -> Row:
        """With what others did to its replicas."""
        status = self._actuator.told(row.key, row.served.service.uid) or row.raw.get("status", {})
        if row.places:  # of all of them together
            asked = sum(place.told.replicas for place in row.places if place.told is not None)
            status = {**status, "desiredReplicas": asked} if "desiredReplicas" in status else status
        acts = not row.is_off_limits and not policies.is_advisory(row.policy)
        stand = of_one(
            row.key,
            lambda: self._by_hand.look(row.key, row.deployment, status, now_seconds=now_seconds, acts=acts),
            otherwise=FREE,
        )
        return replace(row, by_hand=stand)

    def _without_age(self, rows: Sequence[Row], now_seconds: float) -> frozenset[Pod]:
        nobody: frozenset[str] = frozenset()
        return frozenset(
            Pod(row.key.namespace, name)
            for row in rows
            for name in of_one(
                row.key,
                partial(without_age, row.deployment, self._world.pods(row.key), now_seconds=now_seconds),
                otherwise=nobody,
            )
        )

    def _hindered(self, row: Row, now_seconds: float) -> Hindered:
        if row.places:
            return UNHINDERED  # each of its classes is looked at by itself
        return of_one(
            row.key,
            lambda: hindered(row.deployment, self._world.pods(row.key), now_seconds=now_seconds),
            otherwise=UNHINDERED,
        )

    def _backfilled(self, memory: Memory, identities: Sequence[Identity]) -> Memory:
        """With what was read of the past since the last tick."""
        sight, services = memory.sight, [ServiceId(one.key, one.uid) for one in identities]
        for chunk in self._backfill.take():
            sight = sight.backfilled(chunk.of(services))
        return replace(memory, sight=sight)

    def _seen(
        self,
        rows: Sequence[Row],
        found: Found,
        executed: Executed,
        *,
        now_seconds: float,
    ) -> tuple[Observation, Sequence[Pod]]:
        """What was read, as arrays, and whose pods they are of."""
        keys = [row.key for row in rows]
        pods, answers, names = observe.pods(
            self._world,
            keys,
            found.metrics,
            queries=self._brain.queries,
            now_seconds=now_seconds,
            ageless=self._once_ready | self._without_age(rows, now_seconds),
        )
        self._once_ready = observe.once_ready(names, pods.ready, self._once_ready)
        fleet, promise, orders = table.fleet(rows), table.promise(rows), [row.policy for row in rows]
        seen = Observation(
            now_seconds=now_seconds,
            pods=pods,
            answers=answers,
            batches=BatchCounts.gather(
                [
                    (index, counts)
                    for index, row in enumerate(rows)
                    if not row.places
                    for counts in executed.get((row.key, row.served.usable.name), ())
                ]
            ),
            fleet=fleet,
            bounds=table.bounds(rows),
            promise=promise,
            tuning=policies.tuning(orders),
            told=policies.told([row.profile for row in rows]),
            quotas=policies.quotas([row.served.hardware_class for row in rows], orders, fleet.replicas),
            stuck=stuck([self._hindered(row, now_seconds) for row in rows]),
            sli=latencies.measured(
                found.latencies,
                names,
                pods.service,
                answers[self._brain.questions["success_rps"]],
                slo_latency_seconds=promise.slo_latency_seconds,
            ),
            may_shrink=found.may_shrink,
        )
        return seen, names

    def _scales(self, made: Decisions, index: int, row: Row) -> list[Scale]:
        """The numbers to write; a Deployment that is still to be made gets its number from reconcile, by status."""
        if policies.is_advisory(row.policy):
            return []
        if made.divided is None or not row.places:
            return [Scale(row.deployment, int(made.desired[index]))]
        return [
            Scale(place.deployment, int(made.divided.replicas[unit]))
            for place, unit in self._divisions.of(row.key)
            if place.deployment is not None
        ]

    def _is_urgent(self, made: Decisions, index: int, row: Row) -> bool:
        """Whether it grows, on any class, one without a Deployment included, or makes room for others: more replicas
        than a quota allows are asked for until it has."""
        if policies.is_advisory(row.policy):
            return False
        if made.desired[index] > made.fleet.replicas[index] or made.bound[index] == Bound.QUOTA:
            return True
        if made.divided is None or not row.places:
            return False
        return any(
            made.divided.replicas[unit] > place.running or made.divided.why[unit] == Why.QUOTA
            for place, unit in self._divisions.of(row.key)
        )

    async def _act(
        self, statuses: Statuses, index: int, row: Row, whose: Identity, scales: Sequence[Scale], *, urgent: bool
    ) -> Written:
        made = statuses.made
        before = self._actuator.told(row.key, whose.uid) or row.raw.get("status", {})
        changes = any(scale.change for scale in scales)

        def status() -> dict[str, Any]:
            return statuses.of(
                index,
                row,
                before=before,
                pods=self._world.pods(row.key),
                places=self._divisions.of(row.key) if row.places else (),
                untaken=self._actuator.untaken(row.key, whose.uid) if changes else None,
            )

        written = await self._actuator.act(
            row.key,
            whose.uid,
            status=status,
            before=before,
            memory=lambda: encode(
                made.memory,
                index,
                uid=whose.uid,
                model=whose.model,
                classes=self._divisions.remembered(row.key) if row.places else (),
            ),
            scales=scales,
            urgent=urgent,
            decided=int(made.desired[index]) != int(made.fleet.replicas[index]),
        )
        if changes and written is not Written.POSTPONED:
            total = sum(scale.replicas for scale in scales)
            self._by_hand.wrote(row.key, total, done=written is Written.DONE)
        if row.by_hand.change:
            log.info("%s/%s %s", *row.key, row.by_hand.change)
            note = f"{row.by_hand.change}; {'it is left there' if row.is_left_alone else 'the load decides on'}"
            self._ports.events.emit(
                namespace=row.key.namespace,
                name=row.key.name,
                uid=whose.uid,
                reason=Reason.MANUAL_SCALE,
                note=note,
                warning=True,
            )
        return written
