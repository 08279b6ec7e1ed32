"""Runs candidates over loads: cut into parts that are replayed side by side, as a fleet of services is.

A tick of sixty services costs little more than a tick of one, so that two weeks are replayed in the time of a quarter
of a day, and a hundred services in that of a few. Each part begins with all that was known then of the load, and with
half an hour that does not count; what the policy learned in the part before is not carried over (`whole` does, and
takes many times as long). Results do not depend on what is replayed beside a part, nor on the number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from foretide.cli.backtest.candidates import Candidate, Fleets
from foretide.cli.backtest.case import Case, OnClass, Subject
from foretide.cli.backtest.foreseen import Foreseen, Recorder
from foretide.control.backfill import FORTNIGHT_SECONDS
from foretide.scaling.arbitrate import NO_QUOTA
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.decision import Bounds
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.fluid_columns import STEPS_SECONDS
from foretide.simulate.outcome import Outcome
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane

WARM_UP_SECONDS: Final = 1_800.0
DAY_SECONDS: Final = 86_400.0
PART_SECONDS: Final = 3 * 3_600.0
PAST_STEP_SECONDS: Final = 60.0
SATURDAY: Final = 5
EPOCH_WEEKDAY: Final = 3  # 1970 began on a Thursday
SEED: Final = 1
# Lanes of one task: more make a lane no cheaper, and take memory; of large fleets fewer, by the places for their pods.
MOST_LANES: Final = 512
MOST_PLACES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what is judged of one of the subjects, in steps of its load."""

    subject: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Parts of one length under one candidate: what one process does at a time."""

    subjects: tuple[Subject, ...]  # those of the parts
    numbers: tuple[int, ...]  # which of all they are
    parts: tuple[Part, ...]  # of `subjects`
    candidate: Candidate
    fidelity: Fidelity
    start_seconds: float  # Unix time at which the parts are said to begin
    foreseen: bool = False  # whether what was foreseen is kept: of use for a chart alone

    @property
    def weight(self) -> float:
        """About how long it takes: ticks, of which more parts make each a little longer."""
        return self._seconds * (70.0 + len(self.parts))

    def perform(self, progress: Callable[[float], None] = lambda share: None) -> list[dict[str, Any]]:
        """What came of each part, in their order."""
        lanes, fleets = self._lanes()
        recorder = Recorder(len(self.parts), seconds=lanes[0].seconds) if self.foreseen else None
        outcomes = simulate(
            self.candidate.for_lanes(lanes, fleets),
            lanes,
            conditions=Conditions(scrape_seconds=self.candidate.scrape_seconds),
            past=self._past(),
            warm_up_seconds=WARM_UP_SECONDS,
            fidelity=self.fidelity,
            epoch_seconds=self.start_seconds,
            progress=progress,
            decided=None if recorder is None else recorder.decided,
        )
        return [
            self._run(
                part,
                [outcomes[lane] for lane in np.flatnonzero(fleets.service == row)],
                None if recorder is None else recorder.of(row, begin_seconds=WARM_UP_SECONDS),
            )
            for row, part in enumerate(self.parts)
        ]

    @property
    def _seconds(self) -> float:
        part = self.parts[0]
        return (part.end - part.begin) * self.subjects[part.subject].load.step_seconds

    def _run(self, part: Part, outcomes: Sequence[Outcome], foreseen: Foreseen | None) -> dict[str, Any]:
        """The lanes of a part are its classes, which serve one load together."""
        lines = [outcome.timeline for outcome in outcomes]
        return {
            "candidate": self.candidate.label,
            "subject": self.numbers[part.subject],
            "begin": part.begin,
            "requests": sum(outcome.requests for outcome in outcomes),
            "violations": sum(outcome.violations for outcome in outcomes),
            "replica_seconds": [outcome.replica_seconds for outcome in outcomes],
            "scale_events": sum(outcome.scale_events for outcome in outcomes),
            "arrivals": _summed([line.arrivals for line in lines]),
            "late": _summed([line.violations for line in lines]),
            "ready": _summed([line.ready for line in lines]),
            "desired": _summed([line.desired for line in lines]),
            "foreseen": foreseen,
        }

    def _lanes(self) -> tuple[list[Lane], Fleets]:
        """One for each part and class."""
        lanes: list[Lane] = []
        service, quota = [], []
        for row, part in enumerate(self.parts):
            for one, lane in self._of_part(part):
                lanes.append(lane)
                service.append(row)
                quota.append(NO_QUOTA if one.quota is None else one.quota)
        first = np.unique(service, return_index=True)[1]
        cases = [self.subjects[part.subject].case for part in self.parts]
        nobody = np.zeros(len(cases), dtype=np.bool_)
        bounds = Bounds(
            # Of one class its quota counts; of several each has its own.
            minimum=np.array([lanes[at].min_replicas or case.minimum for at, case in zip(first, cases, strict=True)]),
            maximum=np.array(
                [
                    case.maximum if lanes[at].shares else lanes[at].max_replicas
                    for at, case in zip(first, cases, strict=True)
                ]
            ),
            paused=nobody,
            is_pinned=nobody,
            pinned=np.zeros(len(cases), dtype=np.int64),
        )
        return lanes, Fleets(np.array(service, dtype=np.int64), bounds, np.array(quota, dtype=np.int64))

    def _of_part(self, part: Part) -> Iterator[tuple[OnClass, Lane]]:
        case, load = self.subjects[part.subject].case, self.subjects[part.subject].load
        classes = used(case, self.candidate)
        rates = load.rates_rps[_first(self.subjects[part.subject], part) : part.end]
        # A fleet that somebody had for that load; the warm-up makes it the policy's own.
        law = case.usual.law
        left = min(max(int(np.ceil(rates[0] / (0.7 * law.saturation_rps))), case.minimum), case.maximum)
        several, able = len(classes) > 1, [one for one in classes if one.is_feasible(case.slo_seconds)]
        for place, one in enumerate(classes):
            most = case.maximum if one.quota is None else min(case.maximum, one.quota)
            mine = min(left, most) if one in (able or classes[:1]) else 0
            left -= mine
            lane = Lane(
                name=f"{case.name}@{part.begin}",
                rates_rps=rates,
                step_seconds=load.step_seconds,
                seed=SEED + place,
                law=one.law,
                slo_latency_seconds=case.slo_seconds,
                objective=case.objective,
                queue=one.queue,
                cold_start=one.cold_start,
                shares=f"{part.subject}@{part.begin}" if several else "",
                min_replicas=0 if several else min(case.minimum, most),
                max_replicas=most,
                initial_replicas=mine,
            )
            yield one, lane

    def _past(self) -> Past:
        """The minutes before each part, as far as they are known."""
        pasts: list[Floats] = []
        for part in self.parts:
            subject = self.subjects[part.subject]
            minute = round(PAST_STEP_SECONDS / subject.load.step_seconds)
            before = subject.load.rates_rps[: _first(subject, part)]
            before = before[len(before) % minute :].reshape(-1, minute).mean(axis=1)
            pasts.append(before[-round(FORTNIGHT_SECONDS / PAST_STEP_SECONDS) :])
        longest = max(map(len, pasts))
        value, known = np.zeros((len(pasts), longest)), np.zeros((len(pasts), longest), dtype=np.bool_)
        for row, before in enumerate(pasts):
            value[row, longest - len(before) :], known[row, longest - len(before) :] = before, True
        demand = Readings(value=value, known=known)
        return Past(demand=demand, step_seconds=PAST_STEP_SECONDS, end_seconds=self.start_seconds)


def _summed(lines: Sequence[Ints]) -> npt.NDArray[np.int32]:
    """Two weeks of a hundred services are 130 MB for each policy, and not twice that."""
    together: npt.NDArray[np.int32] = np.array(lines).sum(axis=0).astype(np.int32)
    return together


def used(case: Case, candidate: Candidate) -> tuple[OnClass, ...]:
    """The classes that a candidate runs a service on: who knows of one only has the first that keeps the SLO."""
    return case.classes if candidate.divides_classes else (case.usual,)


def tasks(
    subjects: Sequence[Subject],
    candidates: Sequence[Candidate],
    *,
    workers: int,
    fidelity: Fidelity,
    whole: bool,
    foreseen: bool = False,
) -> list[Task]:
    """Who knows no clock has quarters of days side by side; who does, days of one kind (weekdays, weekends)."""
    return [
        _task(subjects, parts, candidate, fidelity, foreseen=foreseen)
        for candidate in candidates
        for together in _alike(subjects, candidate, fidelity, whole=whole)
        for parts in _cut(subjects, candidate, together, workers=workers)
    ]


def _task(
    subjects: Sequence[Subject], parts: Sequence[Part], candidate: Candidate, fidelity: Fidelity, *, foreseen: bool
) -> Task:
    numbers = tuple(dict.fromkeys(part.subject for part in parts))
    place = {number: at for at, number in enumerate(numbers)}
    first = parts[0]
    if candidate.is_clockless:  # the same for all, however they are cut into tasks
        first = replace(first, begin=subjects[first.subject].load.judged_from)
    load = subjects[first.subject].load
    return Task(
        subjects=tuple(subjects[number] for number in numbers),
        numbers=numbers,
        parts=tuple(replace(part, subject=place[part.subject]) for part in parts),
        candidate=candidate,
        fidelity=_fidelity(subjects[first.subject], fidelity),
        start_seconds=load.start_seconds + _first(subjects[first.subject], first) * load.step_seconds,
        foreseen=foreseen,
    )


def _alike(
    subjects: Sequence[Subject], candidate: Candidate, fidelity: Fidelity, *, whole: bool
) -> Iterator[list[Part]]:
    """Parts that may be replayed side by side."""
    found: dict[object, list[Part]] = {}
    for number, subject in enumerate(subjects):
        load = subject.load
        steps = len(load.rates_rps)
        length = round((PART_SECONDS if candidate.is_clockless else DAY_SECONDS) / load.step_seconds)
        begins = [load.judged_from] if whole else range(load.judged_from, steps, length)
        for begin in begins:
            part = Part(number, begin, steps if whole else min(begin + length, steps))
            starts = load.start_seconds + begin * load.step_seconds
            kind = starts % DAY_SECONDS, _is_weekend(starts)
            if whole or candidate.is_clockless:
                kind = load.start_seconds + load.judged_from * load.step_seconds, False
            seconds = (part.end - begin) * load.step_seconds
            found.setdefault((seconds, kind, _fidelity(subject, fidelity)), []).append(part)
    yield from found.values()


def _cut(subjects: Sequence[Subject], candidate: Candidate, parts: list[Part], *, workers: int) -> Iterator[list[Part]]:
    """Into tasks for all workers, none of them too large. Services of like size are together, and few are in two tasks:
    what the simulator has to make for a service takes seconds."""
    if len({part.subject for part in parts}) == 1:
        if candidate.is_clockless:
            yield from filter(None, (parts[at::workers] for at in range(workers)))
        else:
            yield parts
        return
    parts = sorted(parts, key=lambda part: (subjects[part.subject].case.maximum, part.subject, part.begin))
    lanes = sum(len(used(subjects[part.subject].case, candidate)) for part in parts)
    largest = subjects[parts[-1].subject].case.maximum
    most = max(min(MOST_LANES, MOST_PLACES // largest), 1)
    count = min(max(workers, -(-lanes // most)), len(parts))
    for at in range(count):
        yield parts[len(parts) * at // count : len(parts) * (at + 1) // count]


def _fidelity(subject: Subject, asked: Fidelity) -> Fidelity:
    """The fluid's steps are shorter than some SLOs."""
    return Fidelity.ARRIVALS if subject.case.slo_seconds > STEPS_SECONDS[-1] else asked


def _first(subject: Subject, part: Part) -> int:
    """The step with which its warm-up begins."""
    return part.begin - round(WARM_UP_SECONDS / subject.load.step_seconds)


def _is_weekend(seconds: float) -> bool:
    return bool((seconds // DAY_SECONDS + EPOCH_WEEKDAY) % 7 >= SATURDAY)
