"""Runs candidates over a load: cut into parts that are replayed side by side, as a fleet of services is.

A tick of sixty services costs little more than a tick of one, so that two weeks are replayed in the time of a quarter
of a day. Each part begins with all that was known then of the load, and with half an hour that does not count; what the
policy learned in the part before is not carried over (`whole` does, and takes many times as long).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from foretide.cli.backtest.candidates import Candidate
from foretide.cli.backtest.case import Case, Load
from foretide.control.backfill import FORTNIGHT_SECONDS
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane

WARM_UP_SECONDS: Final = 1_800.0
DAY_SECONDS: Final = 86_400.0
PART_SECONDS: Final = 3 * 3_600.0
PAST_STEP_SECONDS: Final = 60.0
SATURDAY: Final = 5
EPOCH_WEEKDAY: Final = 3  # 1970 began on a Thursday
SEED: Final = 1


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what is judged, in steps of the load."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Parts of one length under one candidate: what one process does at a time."""

    case: Case
    load: Load
    parts: tuple[Part, ...]
    candidate: Candidate
    fidelity: Fidelity

    @property
    def weight(self) -> float:
        """About how long it takes: ticks, of which more parts make each a little longer."""
        part = self.parts[0]
        return (part.end - part.begin) * self.load.step_seconds * (20.0 + len(self.parts))

    def perform(self, progress: Callable[[float], None] = lambda share: None) -> list[dict[str, Any]]:
        """What came of each part, in their order."""
        lanes = [self._lane(part) for part in self.parts]
        outcomes = simulate(
            self.candidate.for_lanes(lanes),
            lanes,
            conditions=Conditions(scrape_seconds=self.candidate.scrape_seconds),
            past=self._past(),
            warm_up_seconds=WARM_UP_SECONDS,
            fidelity=self.fidelity,
            epoch_seconds=self._starts(self.parts[0]),
            progress=progress,
        )
        return [
            {
                "candidate": self.candidate.label,
                "begin": part.begin,
                "requests": outcome.requests,
                "violations": outcome.violations,
                "replica_seconds": outcome.replica_seconds,
                "scale_events": outcome.scale_events,
                "arrivals": outcome.timeline.arrivals,
                "late": outcome.timeline.violations,
                "ready": outcome.timeline.ready,
                "desired": outcome.timeline.desired,
            }
            for part, outcome in zip(self.parts, outcomes, strict=True)
        ]

    def _first(self, part: Part) -> int:
        """The step with which its warm-up begins."""
        return part.begin - round(WARM_UP_SECONDS / self.load.step_seconds)

    def _starts(self, part: Part) -> float:
        return self.load.start_seconds + self._first(part) * self.load.step_seconds

    def _lane(self, part: Part) -> Lane:
        case, rates = self.case, self.load.rates_rps[self._first(part) : part.end]
        # A fleet that somebody had for that load; the warm-up makes it the policy's own.
        usual = int(np.ceil(rates[0] / (0.7 * case.law.saturation_rps)))
        return Lane(
            name=f"{case.name}@{part.begin}",
            rates_rps=rates,
            step_seconds=self.load.step_seconds,
            seed=SEED,
            law=case.law,
            slo_latency_seconds=case.slo_seconds,
            objective=case.objective,
            cold_start=case.cold_start,
            min_replicas=case.minimum,
            max_replicas=case.maximum,
            initial_replicas=min(max(usual, case.minimum), case.maximum),
        )

    def _past(self) -> Past:
        """The minutes before each part, as far as they are known."""
        minute = round(PAST_STEP_SECONDS / self.load.step_seconds)
        rates = self.load.rates_rps
        pasts: list[Floats] = []
        for part in self.parts:
            before = rates[: self._first(part)]
            before = before[len(before) % minute :].reshape(-1, minute).mean(axis=1)
            pasts.append(before[-round(FORTNIGHT_SECONDS / PAST_STEP_SECONDS) :])
        longest = max(map(len, pasts))
        value, known = np.zeros((len(pasts), longest)), np.zeros((len(pasts), longest), dtype=np.bool_)
        for row, before in enumerate(pasts):
            value[row, longest - len(before) :], known[row, longest - len(before) :] = before, True
        end_seconds = self._starts(self.parts[0])
        return Past(demand=Readings(value=value, known=known), step_seconds=PAST_STEP_SECONDS, end_seconds=end_seconds)


def tasks(
    case: Case, load: Load, candidates: Sequence[Candidate], *, workers: int, fidelity: Fidelity, whole: bool
) -> list[Task]:
    """Who knows no clock has quarters of days side by side; who does, days of one kind (weekdays, weekends)."""
    return [
        Task(case=case, load=load, parts=parts, candidate=candidate, fidelity=fidelity)
        for candidate in candidates
        for parts in _groups(load, candidate, workers=workers, whole=whole)
    ]


def _groups(load: Load, candidate: Candidate, *, workers: int, whole: bool) -> Iterator[tuple[Part, ...]]:
    if whole:
        yield (Part(load.judged_from, len(load.rates_rps)),)
        return
    length = round((PART_SECONDS if candidate.is_clockless else DAY_SECONDS) / load.step_seconds)
    full: dict[object, list[Part]] = {}
    for number, begin in enumerate(range(load.judged_from, len(load.rates_rps) - length + 1, length)):
        kind = number % workers if candidate.is_clockless else _is_weekend(load, begin)
        full.setdefault(kind, []).append(Part(begin, begin + length))
    yield from (tuple(parts) for parts in full.values())
    rest = (len(load.rates_rps) - load.judged_from) % length
    if rest:
        yield (Part(len(load.rates_rps) - rest, len(load.rates_rps)),)


def _is_weekend(load: Load, begin: int) -> bool:
    days = (load.start_seconds + begin * load.step_seconds) // DAY_SECONDS
    return bool((days + EPOCH_WEEKDAY) % 7 >= SATURDAY)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What came of one candidate over the whole load; arrays have one entry for each 15 s."""

    candidate: Candidate
    case: Case
    requests: int
    violations: int
    replica_hours: float
    scale_events: int
    arrivals: Ints
    late: Ints
    ready: Ints
    desired: Ints

    @property
    def late_share(self) -> float:
        return self.violations / self.requests if self.requests else 0.0

    @property
    def budget_used(self) -> float:
        """Share of the error budget of this time; above 1 more than there was."""
        return self.late_share / (1.0 - self.case.objective)

    @property
    def cost(self) -> float | None:
        """Of all replicas over the whole time."""
        return None if self.case.cost_per_hour is None else self.replica_hours * self.case.cost_per_hour


def joined(case: Case, candidates: Sequence[Candidate], runs: Sequence[dict[str, Any]]) -> list[Result]:
    """One result for each candidate, its parts in their order."""
    results = []
    for candidate in candidates:
        mine = sorted((run for run in runs if run["candidate"] == candidate.label), key=lambda run: int(run["begin"]))
        line = {name: np.concatenate([run[name] for run in mine]) for name in ("arrivals", "late", "ready", "desired")}
        results.append(
            Result(
                candidate=candidate,
                case=case,
                requests=sum(run["requests"] for run in mine),
                violations=sum(run["violations"] for run in mine),
                replica_hours=sum(run["replica_seconds"] for run in mine) / 3_600.0,
                scale_events=sum(run["scale_events"] for run in mine),
                **line,
            )
        )
    return results
