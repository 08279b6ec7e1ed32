"""The rows of the table and the experiments: which policy, under which quota, and what is not as in Faro's runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bench.faro_table.cluster import ShiftedLognormal
from bench.faro_table.inputs import load, past_of, training_days
from bench.faro_table.observe import profile
from bench.faro_table.oracle import Oracle
from bench.faro_table.world import RESNET34, TICK_SECONDS, Outcome, Setting, simulate
from foretide.scaling.brain import Brain
from foretide.scaling.policy import AnyPolicy, Past
from foretide.scaling.settings import ScalingSettings
from foretide.simulate.peers.faro import Faro
from foretide.simulate.peers.faro_baselines import FairShare, FaroMark, FaroStepping, Step
from foretide.simulate.peers.faro_solver import Objective
from foretide.simulate.peers.forecasters.ar_ridge import ArRidge
from foretide.simulate.peers.forecasters.forecaster import AnyForecaster
from foretide.simulate.peers.forecasters.persistence import NEVER
from foretide.simulate.peers.forecasters.smoothing import Ewma

QUOTAS: Final = (32, 36, 40)
ENDLESS: Final = 60  # a quota that no planner uses up
# Arrivals and draws of each run. Under 32 and 36 replicas Faro has five runs, with arrivals of their own; the first
# three are run here. Under 40 it has one.
RUNS: Final = {
    32: ((24, 0), (32, 0), (40, 0)),
    36: ((24, 0), (32, 0), (40, 0)),
    40: ((42, 0), (42, 1), (42, 2)),
    ENDLESS: ((42, 0), (42, 1), (42, 2)),
}
# job_latency_specs/faro-us-south_resnet34_lognorm.yaml of its larger experiments: mean 165 ms, and not 154.
SLOWER: Final = ShiftedLognormal(0.3602186, 0.0728618, 0.0866924)
# Orders of a plan are tried again when their job is at work, those of the others are not.
PLAN_TRIALS: Final = 5


class Forecast(StrEnum):
    LEARNT = "learnt"  # of the ten days before, by the autoregression that the ports use for N-HiTS
    ORACLE = "oracle"
    EWMA = "EWMA"


class Name(StrEnum):
    """As in published.csv."""

    FAIR_SHARE = "fair-share"
    AIAD = "aiad"
    ONE_SHOT = "one-shot"
    MARK = "mark"
    SUM = "faro-sum"
    FAIR = "faro-fair"
    FAIR_SUM = "faro-fair-sum"  # with the quantile raised while quota is left: the best of Faro's ten variants
    FORETIDE = "foretide"  # not published

    @property
    def foresees(self) -> bool:
        """With a forecaster that it is given."""
        return self not in (Name.FAIR_SHARE, Name.AIAD, Name.ONE_SHOT, Name.FORETIDE)

    @property
    def quantile(self) -> float:
        """Of the forecast, as in the configuration of Faro's runs. The networks of MArk foresee one number alone."""
        return 0.5 if self is Name.MARK else 0.6


OBJECTIVES: Final = {
    Name.SUM: Objective.SUM,
    Name.FAIR: Objective.FAIR,
    Name.FAIR_SUM: Objective.FAIR_SUM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A policy under a quota; what is not given is as in Faro's configuration."""

    name: Name
    quota: int
    forecast: Forecast = Forecast.LEARNT
    quantile: float | None = None
    first_replicas: int | None = None
    service: ShiftedLognormal = RESNET34

    @property
    def text(self) -> str:
        """In words, for the terminal."""
        words = [f"{self.name} at {self.quota}"]
        if self.name.foresees:
            words.append(f"{self.forecast} {self.name.quantile if self.quantile is None else self.quantile:g}")
        if self.first_replicas is not None:
            words.append(f"{self.first_replicas} replicas at first")
        if self.service is not RESNET34:
            words.append("slower replicas")
        return ", ".join(words)

    def policy(self, forecaster: AnyForecaster, jobs: int) -> AnyPolicy:
        quantile = self.name.quantile if self.quantile is None else self.quantile
        if self.name is Name.FORETIDE:
            return Brain(ScalingSettings(tick_seconds=TICK_SECONDS))
        if self.name is Name.FAIR_SHARE:
            return FairShare(quota=self.quota)
        if not self.name.foresees:
            step = Step.ADDITIVE if self.name is Name.AIAD else Step.ONE_SHOT
            return FaroStepping(step=step, quota=self.quota)
        if self.name is Name.MARK:
            return FaroMark(profile=profile(jobs), quota=self.quota, forecaster=forecaster, quantile=quantile)
        return Faro(
            profile=profile(jobs),
            quota=self.quota,
            objective=OBJECTIVES[self.name],
            forecaster=forecaster,
            quantile=quantile,
            raise_quantile=self.name is Name.FAIR_SUM,
        )

    def setting(self, seed: int, draw: int) -> Setting:
        fair = self.quota // len(load().series) if self.name is Name.FAIR_SHARE else 1
        return Setting(
            quota=self.quota,
            seed=seed,
            draw=draw,
            trials=PLAN_TRIALS if self.name.foresees else 1,
            first_replicas=fair if self.first_replicas is None else self.first_replicas,
            service=self.service,
            each_pod=self.name is Name.FORETIDE,
        )


def rows() -> Iterator[Case]:
    """The table of the paper."""
    for name in Name:
        if name is not Name.FORETIDE:
            for quota in QUOTAS:
                yield Case(name=name, quota=quota)


def foretide() -> Iterator[Case]:
    """Our own policy, which is not in the paper."""
    for quota in QUOTAS:
        yield Case(name=Name.FORETIDE, quota=quota)


def run(case: Case, *, seed: int, draw: int) -> Outcome:
    """One run of a case."""
    forecaster, past = _foreseen(case.forecast)
    trace = load()
    return simulate(case.policy(forecaster, len(trace.series)), trace, past, case.setting(seed, draw))


def _foreseen(forecast: Forecast) -> tuple[AnyForecaster, Past]:
    """A forecaster, and what it has seen before the first request."""
    trace = load()
    nothing = past_of(None, jobs=len(trace.series))
    if forecast is Forecast.ORACLE:
        return Oracle(counts=trace.counts), nothing
    if forecast is Forecast.EWMA:
        return Ewma(), nothing
    days = training_days()
    # Faro's data set has days of 360 minutes.
    learnt = ArRidge(day_steps=trace.steps, train_steps=days.steps, refit_steps=NEVER)
    return learnt, past_of(days, jobs=len(trace.series))
