"""Which knobs a peer gets: the cheapest that keep the objective on the series that choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, geometric_mean

from bench.scaling.plan import OBJECTIVE, Knobs, KnobsKey, knobs_key
from bench.scaling.summary import cost_of, share_of
from foretide.simulate.command.results import Run


@dataclass(frozen=True, slots=True)
class Choice:
    """The setting, and whether it keeps the objective in the mean; if none does it is the one with the fewest late."""

    knobs: Knobs
    violation_share: float
    times_optimum: float
    keeps: bool


def choose(runs: Iterable[Run]) -> Choice:
    """Of the runs of one policy, with all its settings over the same series and seeds; all series count alike."""
    settings = []
    for key, group in groupby(sorted(runs, key=_setting), key=_setting):
        mine = list(group)
        late, cost = fmean(map(share_of, mine)), geometric_mean(map(cost_of, mine))
        settings.append(Choice(dict(key), late, cost, late <= 1.0 - OBJECTIVE))
    keeping = [one for one in settings if one.keeps]
    if keeping:
        return min(keeping, key=lambda one: (one.times_optimum, one.violation_share))
    return min(settings, key=lambda one: (one.violation_share, one.times_optimum))


def _setting(run: Run) -> KnobsKey:
    return knobs_key(run["knob"])
