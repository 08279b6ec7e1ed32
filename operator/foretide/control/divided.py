"""Services that list several hardware classes: what the brain is told of each class, and what is learned of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from foretide.adapters.prometheus import Pod
from foretide.api.model import Model
from foretide.control import policies
from foretide.control.isolation import of_one
from foretide.control.places import Place
from foretide.control.pods import deployment_of
from foretide.control.recall import model_of
from foretide.control.stuck import UNHINDERED, Hindered, hindered, stuck
from foretide.control.table import Row
from foretide.control.world import Key, World
from foretide.scaling import rows as table_rows
from foretide.scaling.arbitrate import NO_QUOTA
from foretide.scaling.arrays import Ints
from foretide.scaling.brain import Brain
from foretide.scaling.capacity import BatchCounts, kappa
from foretide.scaling.capacity.evidence import BatchStatistics, aged
from foretide.scaling.classes import Classes
from foretide.scaling.decision import Fleet
from foretide.scaling.journal import Lost, OfClass, decode_class
from foretide.scaling.learned import Learned
from foretide.scaling.memory import Memory
from foretide.scaling.policy import Observation, PodList
from foretide.serving.parallelism import instances

Executed = Mapping[tuple[Key, str], list[BatchStatistics]]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A class of a service of the tick."""

    row: int  # of its service
    key: Key
    uid: str
    place: Place
    variant: Model  # as replicas of the class run it
    model: str  # its identity
    is_first: bool  # of the usable classes of its service


class Divisions:
    """Remembers what was learned of each class between ticks."""

    def __init__(self, brain: Brain, world: World) -> None:
        self._brain: Final = brain
        self._world: Final = world
        self._learned = Learned.fresh(0)
        self._units: dict[tuple[Key, str], tuple[_Unit, int]] = {}
        self._rows: dict[Key, list[tuple[_Unit, int]]] = {}

    def see(
        self, rows: Sequence[Row], seen: Observation, names: Sequence[Pod], executed: Executed, memory: Memory
    ) -> Observation:
        """What the brain is told, with the classes of the services that list several. `names` are the pods of `seen`,
        `memory` is of the rows. Learns of the classes what came since the last tick."""
        units = [unit for index, row in enumerate(rows) if row.places for unit in self._units_of(index, row)]
        if not units:
            self._learned, self._units, self._rows = Learned.fresh(0), {}, {}
            return seen
        of = np.array([unit.row for unit in units], dtype=np.int64)
        learned = self._recalled(units, rows, memory)
        elapsed = np.where(memory.looked_seconds > 0.0, np.maximum(seen.now_seconds - memory.looked_seconds, 0.0), 0.0)
        known = self._brain.know(
            self._of_classes(units, of, seen, names, executed),
            learned,
            elapsed_seconds=elapsed[of],
            items_per_request=memory.items_per_request[of],
        )
        self._keep(units, known.learned)
        running = np.array([unit.place.running for unit in units], dtype=np.int64)
        quotas = policies.quotas(
            [None if row.places else row.served.hardware_class for row in rows]
            + [unit.place.served.hardware_class for unit in units],
            [row.policy for row in rows] + [rows[unit.row].policy for unit in units],
            np.concatenate([seen.fleet.replicas, running]),
        )
        return replace(
            seen,
            quotas=replace(quotas, group=quotas.group[: len(rows)], priority=quotas.priority[: len(rows)])
            if len(quotas.limit)
            else quotas,
            classes=Classes(
                service=of,
                capacity=known.capacity,
                lead_seconds=known.lead_seconds,
                running=running,
                counted=np.array([unit.place.counted for unit in units], dtype=np.int64),
                ready=np.array([unit.place.ready for unit in units], dtype=np.int64),
                stuck=stuck([self._hindered(unit, seen.now_seconds) for unit in units]),
                gone=np.array([unit.place.served.hardware_class is None for unit in units], dtype=np.bool_),
                group=quotas.group[len(rows) :] if len(quotas.limit) else np.full(len(units), NO_QUOTA),
            ),
        )

    def adopted(self, memory: Memory) -> Memory:
        """With what is known of the first usable class of each service in the memory of the service, which is where a
        service that lists one class only has it: so nothing is forgotten when the list grows or shrinks."""
        first = [(unit.row, index) for unit, index in self._units.values() if unit.is_first]
        if not first:
            return memory
        kept = Learned(evidence=memory.evidence, kappa=memory.kappa, lead_times=memory.lead_times)
        wanted = np.arange(len(memory))
        wanted[[row for row, _ in first]] = [len(memory) + index for _, index in first]
        both = table_rows.take(table_rows.concatenate([kept, self._learned]), wanted)
        return replace(memory, evidence=both.evidence, kappa=both.kappa, lead_times=both.lead_times)

    def of(self, key: Key) -> list[tuple[Place, int]]:
        """The classes of a service and the row of each in `Observation.classes` of this tick."""
        return [(unit.place, index) for unit, index in self._rows.get(key, ())]

    def remembered(self, key: Key) -> list[OfClass]:
        """What status is to remember of the classes of a service."""
        return [
            OfClass(unit.place.served.name, unit.model, self._learned, index) for unit, index in self._rows.get(key, ())
        ]

    def _units_of(self, index: int, row: Row) -> list[_Unit]:
        service, usable = row.served.service, row.served.usable.name
        return [
            _Unit(
                row=index,
                key=row.key,
                uid=service.uid,
                place=place,
                variant=service.model_on(place.served.name),
                model=self._model(row, place),
                is_first=place.served.name == usable,
            )
            for place in row.places
        ]

    def _model(self, row: Row, place: Place) -> str:
        """That of a HardwareClass that is gone is what it was."""
        if place.served.hardware_class is not None:
            return model_of(row.served.service, place.served.hardware_class)
        known = self._units.get((row.key, place.served.name))
        return "" if known is None else known[0].model

    def _recalled(self, units: Sequence[_Unit], rows: Sequence[Row], memory: Memory) -> Learned:
        """One row per unit: of the last tick, else of its status, else of the only class of before, else nothing."""
        parts, wanted, length = [self._learned], [], len(self._learned)
        for unit in units:
            before, index = self._units.get((unit.key, unit.place.served.name), (None, -1))
            if before is not None and before.uid == unit.uid and before.model == unit.model:
                wanted.append(index)
                continue
            if before is not None and before.uid == unit.uid:
                parts.append(_of_another_model(unit, table_rows.take(self._learned, np.array([index]))))
            else:
                parts.append(self._decoded(unit, rows[unit.row].raw.get("status", {}), memory))
            wanted.append(length)
            length += 1
        return table_rows.take(table_rows.concatenate(parts), np.array(wanted, dtype=np.int64))

    def _decoded(self, unit: _Unit, status: Mapping[str, Any], memory: Memory) -> Learned:
        text = status.get("memory")
        found = (
            decode_class(text, unit.place.served.name, uid=unit.uid, model=unit.model)
            if isinstance(text, str)
            else Lost("there is none")
        )
        if isinstance(found, Learned):
            return found
        if not unit.is_first:
            return Learned.fresh(1)
        mine = memory.take(np.array([unit.row], dtype=np.int64))
        return Learned(evidence=mine.evidence, kappa=mine.kappa, lead_times=mine.lead_times)

    def _keep(self, units: Sequence[_Unit], learned: Learned) -> None:
        self._learned = learned
        self._units = {(unit.key, unit.place.served.name): (unit, index) for index, unit in enumerate(units)}
        self._rows = {}
        for index, unit in enumerate(units):
            self._rows.setdefault(unit.key, []).append((unit, index))

    def _of_classes(
        self, units: Sequence[_Unit], of: Ints, seen: Observation, names: Sequence[Pod], executed: Executed
    ) -> Observation:
        """The observation with one row per class in place of one per service, and the pods of each."""
        by_deployment = {(unit.key, unit.place.served.deployment): index for index, unit in enumerate(units)}
        owner = {
            Pod(key.namespace, pod["metadata"]["name"]): by_deployment.get((key, deployment_of(pod) or ""))
            for key in {unit.key for unit in units}
            for pod in self._world.pods(key)
        }
        theirs = [(place, unit) for place, name in enumerate(names) if (unit := owner.get(name)) is not None]
        chosen = np.array([place for place, _ in theirs], dtype=np.int64)
        pods: PodList = table_rows.take(seen.pods, chosen)
        main = seen.promise.instances[of]
        several = [
            main[index] if (one := unit.place.served.hardware_class) is None else instances(unit.variant, one)
            for index, unit in enumerate(units)
        ]
        return Observation(
            now_seconds=seen.now_seconds,
            pods=replace(pods, service=np.array([unit for _, unit in theirs], dtype=np.int64)),
            answers={query: table_rows.take(answer, chosen) for query, answer in seen.answers.items()},
            batches=BatchCounts.gather(
                [
                    (index, counts)
                    for index, unit in enumerate(units)
                    for counts in executed.get((unit.key, unit.place.served.name), ())
                ]
            ),
            fleet=Fleet(
                replicas=np.array([unit.place.running for unit in units], dtype=np.int64),
                rolling=np.zeros(len(units), dtype=np.bool_),
            ),
            bounds=table_rows.take(seen.bounds, of),
            promise=replace(table_rows.take(seen.promise, of), instances=np.array(several, dtype=np.int64)),
            tuning=table_rows.take(seen.tuning, of),
            told=policies.told([unit.place.profile for unit in units]),
        )

    def _hindered(self, unit: _Unit, now_seconds: float) -> Hindered:
        deployment = unit.place.deployment
        if deployment is None:
            return UNHINDERED
        return of_one(
            unit.key,
            lambda: hindered(deployment, self._world.pods(unit.key), now_seconds=now_seconds),
            otherwise=UNHINDERED,
        )


def _of_another_model(unit: _Unit, learned: Learned) -> Learned:
    """As for a service of one class (`recall`). What does not run is learned anew: else a class that was too slow for
    an earlier version would never be tried with a later one."""
    evidence = Learned.fresh(1).evidence if unit.place.running == 0 else aged(learned.evidence)
    return replace(learned, evidence=evidence, kappa=kappa.fresh(1))
