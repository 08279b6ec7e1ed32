"""From runs to what a table or a picture shows: the mean over seeds, then over series, which all count alike.

Costs are ratios, of which the geometric mean is taken: with the arithmetic one a single series that is idle most of the
time, where ten standing replicas are ten times the optimum, would decide about knobs for all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, geometric_mean
from typing import Final, TypeAlias

import numpy as np

from bench.scaling.plan import Knobs, Setting, Variation
from foretide.simulate.command.results import Run
from foretide.simulate.workload import QueueName

INTERVAL: Final = (0.05, 0.95)
RESAMPLED: Final = 2_000
Key: TypeAlias = tuple[str, str, Setting, Variation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One policy with one setting, over all series."""

    policy: str
    knobs: str
    setting: Setting
    variation: Variation
    series: int
    violation_share: float
    share_interval: tuple[float, float]  # of the mean over series like these
    worst_share: float
    worst_series: str
    times_optimum: float  # geometric mean
    worst_times_optimum: float
    scale_events: float


def summaries(runs: Iterable[Run]) -> list[Summary]:
    """One for each policy with its knobs in each setting and variation, in that order."""
    groups: dict[Key, dict[str, dict[int, Run]]] = {}
    for run in runs:
        # A run may be there twice: the held-out view repeats some.
        groups.setdefault(_key(run), {}).setdefault(run["series"], {})[run["seed"]] = run
    return [_summary(key, groups[key]) for key in sorted(groups)]


def knobs_text(knobs: Knobs) -> str:
    """In short."""
    return ", ".join(f"{name}={value:g}" for name, value in sorted(knobs.items()))


def share_of(run: Run) -> float:
    """Of the requests outside the SLO."""
    return float(run["violations"] / max(run["requests"], 1))


def cost_of(run: Run) -> float:
    """Times the least that keeps the objective at every step; below 1 where late requests were spent for it."""
    return float(run["replica_hours"] / run["optimum_replica_hours"])


def setting_of(run: Run) -> Setting:
    """What its policy was tuned for."""
    return Setting(QueueName(run["queue"]), run["cold_start_seconds"])


def _key(run: Run) -> Key:
    return (run["policy"], knobs_text(run["knob"]), setting_of(run), Variation(run["size"], run["arrival_cv"]))


def _summary(key: Key, by_series: dict[str, dict[int, Run]]) -> Summary:
    shares = {name: fmean(share_of(run) for run in seeds.values()) for name, seeds in by_series.items()}
    costs = [fmean(cost_of(run) for run in seeds.values()) for seeds in by_series.values()]
    worst: Final = max(shares, key=lambda name: shares[name])
    policy, knobs, setting, variation = key
    return Summary(
        policy=policy,
        knobs=knobs,
        setting=setting,
        variation=variation,
        series=len(by_series),
        violation_share=fmean(shares.values()),
        share_interval=_interval(list(shares.values())),
        worst_share=shares[worst],
        worst_series=worst,
        times_optimum=geometric_mean(costs),
        worst_times_optimum=max(costs),
        scale_events=fmean(fmean(run["scale_events"] for run in seeds.values()) for seeds in by_series.values()),
    )


def _interval(values: list[float]) -> tuple[float, float]:
    """Of the mean, by drawing the series anew (Efron 1979)."""
    random = np.random.default_rng(len(values))
    means = np.array(values)[random.integers(0, len(values), (RESAMPLED, len(values)))].mean(axis=1)
    low, high = np.quantile(means, INTERVAL)
    return float(low), float(high)
