"""What is run: which loads under which policies, and why so many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Final, TypeAlias

from bench.scaling.cell import Cell, Stage
from bench.scaling.split import Series, Split
from foretide.simulate.capacity import rate_at_slo
from foretide.simulate.command.results import HOUR_SECONDS
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.policies import Listed
from foretide.simulate.scenario import Duration, Law, Queue
from foretide.simulate.workload import QueueName, Service, Workload

# The model of the live measurements (docs/benchmarks/simulator.md).
LAW: Final = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8)
SLO_SECONDS: Final = 0.25
OBJECTIVE: Final = 0.99
COLD_START_CV: Final = 0.2
SMALL, MIDDLE, LARGE = 10, 40, 200
# Lanes that share the cost of each decision.
LANES_TOGETHER: Final = 60
FIRST_SEED: Final = (1,)
FEW_VALUES: Final = 3

Knobs: TypeAlias = Mapping[str, float]
KnobsKey: TypeAlias = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """What a peer is tuned for."""

    queue: QueueName
    cold_start_seconds: float

    @property
    def title(self) -> str:
        """For the head of a column."""
        return f"{self.cold_start_seconds:g} s{', refusing queue' if self.queue is QueueName.SLO else ''}"


USUAL: Final = Setting(QueueName.DEFAULT, 120.0)


@dataclass(frozen=True, slots=True, order=True)
class Variation:
    """Of the usual setting."""

    size: int
    arrival_cv: float

    @property
    def title(self) -> str:
        """For the head of a column."""
        return f"{self.size} replicas{f', cv {self.arrival_cv:g}' if self.arrival_cv > 1.0 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much of it, so that it takes the time that there is."""

    settings: tuple[Setting, ...]
    variations: tuple[Variation, ...] = ()
    seeds: tuple[int, ...] = FIRST_SEED  # with which is judged; knobs are chosen with the first
    judged_seconds: float
    varied_seconds: float = HOUR_SECONDS
    series_of_each_split: int | None = None
    knob_values_every: int = 1
    held_out: bool = True


FULL: Final = Scope(
    settings=(
        Setting(QueueName.DEFAULT, 30.0),
        USUAL,
        Setting(QueueName.DEFAULT, 300.0),
        Setting(QueueName.DEFAULT, 600.0),
        Setting(QueueName.SLO, USUAL.cold_start_seconds),
    ),
    variations=(Variation(SMALL, 2.0), Variation(MIDDLE, 1.0), Variation(LARGE, 1.0)),
    judged_seconds=3 * HOUR_SECONDS,
)
QUICK: Final = Scope(
    settings=(USUAL,), judged_seconds=1.5 * HOUR_SECONDS, series_of_each_split=2, knob_values_every=4, held_out=False
)


class Plan:
    """The cells of each stage, for the series of a scope."""

    def __init__(self, scope: Scope, series: Sequence[Series], policies: Sequence[Listed]) -> None:
        self.scope: Final = scope
        self.policies: Final = tuple(policies)
        self.series: Final = tuple(
            entry
            for split in Split
            for entry in [one for one in series if one.split is split][: scope.series_of_each_split]
        )

    def sweep(self) -> list[Cell]:
        """Every policy with every value of its knobs on the series that choose, as a fluid; and on those that judge in
        the usual setting, for the view that holds out one of all series."""
        seconds = self.scope.judged_seconds
        loads = [load for one in self.scope.settings for load in self.loads(self.of(Split.CHOOSE), one, seconds)]
        held = self.loads(self.of(Split.JUDGE), USUAL, seconds) if self.scope.held_out else []
        return [
            cell
            for entry in self.policies
            for knobs in sweeps(entry, every=self.scope.knob_values_every)
            # What shares a quota is never of both sides, and has no view that holds out one.
            for cell in self.cells(Stage.SWEEP, loads if entry.divides else loads + held, entry, knobs, Fidelity.FLUID)
        ]

    def judge(self, chosen: Mapping[tuple[str, Setting], Knobs]) -> list[Cell]:
        """Every policy with the knobs that were chosen, and in the usual setting as it comes, on the series that judge;
        `chosen` is by policy and setting."""
        cells: list[Cell] = []
        by_setting = {
            setting: self.loads(self.of(Split.JUDGE), setting, self.scope.judged_seconds, seeds=self.scope.seeds)
            for setting in self.scope.settings
        }
        for entry in self.policies:
            loads: dict[KnobsKey, list[Workload]] = {}
            for setting, some in by_setting.items():
                keys = {knobs_key(chosen[entry.name, setting])} | (
                    {knobs_key(entry.settings({}))} if setting == USUAL else set()
                )
                for key in keys:
                    loads.setdefault(key, []).extend(some)
            for key, mine in sorted(loads.items()):
                cells += self.cells(Stage.JUDGE, mine, entry, dict(key))
        return cells

    def varied(self, chosen: Mapping[tuple[str, Setting], Knobs]) -> list[Cell]:
        """The same with bursty arrivals, and with larger fleets; not for policies with a quota, which was chosen for
        fleets of one size."""
        by_variation = {
            one: self.loads(
                self.of(Split.JUDGE), USUAL, self.scope.varied_seconds, seeds=self.scope.seeds, variation=one
            )
            for one in self.scope.variations
        }
        return [
            cell
            for entry in self.without_quota
            for one, loads in by_variation.items()
            for cell in self.cells(
                Stage.VARIED,
                loads,
                entry,
                chosen[entry.name, USUAL],
                Fidelity.FLUID if one.size == LARGE else Fidelity.ARRIVALS,
            )
        ]

    def held_out(self, chosen: Mapping[tuple[str, str], Knobs]) -> list[Cell]:
        """Each series with the knobs that all others chose; `chosen` is by policy and series. Not for policies with a
        quota, which need all their services at once."""
        cells: list[Cell] = []
        series = self.series if self.scope.held_out else ()
        by_series = {
            one.name: self.loads([one], USUAL, self.scope.judged_seconds, seeds=self.scope.seeds) for one in series
        }
        for entry in self.without_quota:
            loads: dict[KnobsKey, list[Workload]] = {}
            for name, some in by_series.items():
                loads.setdefault(knobs_key(chosen[entry.name, name]), []).extend(some)
            for key, mine in sorted(loads.items()):
                cells += self.cells(Stage.HELD_OUT, mine, entry, dict(key))
        return cells

    @property
    def without_quota(self) -> list[Listed]:
        """Policies that look at each service alone."""
        return [entry for entry in self.policies if not entry.divides]

    def of(self, split: Split) -> list[Series]:
        """The series of one side."""
        return [one for one in self.series if one.split is split]

    def loads(
        self,
        series: Sequence[Series],
        setting: Setting,
        seconds: float,
        *,
        seeds: Sequence[int] = FIRST_SEED,
        variation: Variation = Variation(SMALL, 1.0),
    ) -> list[Workload]:
        """So much of every series, with every seed."""
        return [
            load
            for one in series
            for load in one.loads(
                service(setting, variation),
                rate_at_slo_rps=rate_of_a_replica(variation.arrival_cv),
                seeds=seeds,
                judged_seconds=seconds,
            )
        ]

    def cells(
        self,
        stage: Stage,
        loads: Sequence[Workload],
        entry: Listed,
        knobs: Knobs,
        fidelity: Fidelity = Fidelity.ARRIVALS,
    ) -> Iterator[Cell]:
        """The loads under one policy, as many together as can be."""
        splits = {one.name: one.split for one in self.series}
        for group in _divided(loads) if entry.divides else together(loads):
            yield Cell(
                stage=stage,
                workloads=tuple(group),
                policy=entry.name,
                knobs=dict(knobs),
                fidelity=fidelity,
                splits=tuple(str(splits[load.name]) for load in group),
                timelines=tuple(stage is Stage.JUDGE and is_drawn(load) for load in group),
            )


@cache
def rate_of_a_replica(arrival_cv: float) -> float:
    """With which the objective is just kept, in requests a second."""
    return rate_at_slo(LAW, slo_latency_seconds=SLO_SECONDS, objective=OBJECTIVE, queue=Queue(), arrival_cv=arrival_cv)


def service(setting: Setting, variation: Variation) -> Service:
    """What the runs serve."""
    return Service(
        law=LAW,
        slo_latency_seconds=SLO_SECONDS,
        objective=OBJECTIVE,
        cold_start=cold_start(setting),
        size=variation.size,
        queue=setting.queue,
        arrival_cv=variation.arrival_cv,
    )


def cold_start(setting: Setting) -> Duration:
    """Of each new replica."""
    return Duration.lognormal(setting.cold_start_seconds, COLD_START_CV)


def is_drawn(load: Workload) -> bool:
    """Whether the pages of the series show such a run along time."""
    usual = service(USUAL, Variation(SMALL, 1.0))
    return load.service == usual and load.seed == FIRST_SEED[0]


def sweeps(entry: Listed, *, every: int) -> list[dict[str, float]]:
    """The defaults, and one knob after the other along its values, the others being as they come; of a second knob with
    many values every other one."""
    defaults = entry.settings({})
    found = [defaults]
    for number, knob in enumerate(entry.knobs, start=1):
        few = len(knob.sweep) <= FEW_VALUES
        for value in knob.sweep[:: 1 if few else every * number]:
            setting = {**defaults, knob.name: value}
            if setting not in found:
                found.append(setting)
    return found


def knobs_key(knobs: Knobs) -> KnobsKey:
    """The same for the same knobs, in whatever order they were given."""
    return tuple(sorted(knobs.items()))


def _shared(load: Workload) -> tuple[float, float, float]:
    """What lanes of one run share: their length, the warm-up and the time of the week."""
    return (load.lane().seconds, load.warm_up_seconds, load.epoch_seconds)


def together(loads: Sequence[Workload]) -> Iterator[list[Workload]]:
    """Loads that can be run as one, as many as should be."""
    for _, group in groupby(sorted(loads, key=_shared), key=_shared):
        same = list(group)
        for first in range(0, len(same), LANES_TOGETHER):
            yield same[first : first + LANES_TOGETHER]


def _divided(loads: Sequence[Workload]) -> Iterator[list[Workload]]:
    """The services of one setting, which share a quota."""

    def setting(load: Workload) -> tuple[float | str, ...]:
        service = load.service
        mine = (service.cold_start.mean_seconds, str(service.queue), service.size, service.arrival_cv, load.seed)
        return (*_shared(load), *mine)

    for _, group in groupby(sorted(loads, key=setting), key=setting):
        yield list(group)
