"""What is foreseen of every service, and what that needs to be remembered.

Two windows are asked for: AHEAD, when a replica started now has become ready; MEANWHILE, from now until then, which
only those that are there can serve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.forecast.calibration import Calibration
from foretide.scaling.forecast.features import Scene, Slow
from foretide.scaling.forecast.history import SLOT_SECONDS, SLOTS, History, highest
from foretide.scaling.forecast.model import GlobalModel
from foretide.scaling.forecast.voices import (
    EXPERT_LOSS,
    EXPERT_OFFSETS,
    GLOBAL_LOSS,
    Voice,
    points,
    weights,
)
from foretide.scaling.normal import normal_score
from foretide.scaling.parts import NOTHING, Part
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings


class Target(IntEnum):
    """The windows, in the order of their columns."""

    AHEAD = 0
    MEANWHILE = 1


class Trust(IntEnum):
    """Whether a forecast may decide, and why not."""

    GOOD = 0
    NO_HISTORY = 1  # nothing is known of the last minutes
    GAPS = 2  # half of the last minutes is not known
    MISSED = 3  # far more outcomes than foreseen were above the quantiles


VOICED: Final = len(Voice) * len(Target)
# Midpoints of the probabilities over which a mean is taken, denser where demand is high.
POINTS: Final = np.array([0.1, 0.3, 0.5, 0.7, 0.85, 0.93, 0.965, 0.98, 0.99, 0.995, 0.998, 0.9995])
WEIGHTS: Final = np.diff([0.0, *((POINTS[1:] + POINTS[:-1]) / 2.0), 1.0])
# Far above any load, and far below what overflows.
MOST_RPS: Final = 1e15
SOON_SECONDS: Final = 5.0
# The history of quarter minutes must cover a window for its outcome to be known.
LONGEST_SECONDS: Final = (SLOTS - 5) * SLOT_SECONDS
SHORTEST_SECONDS: Final = SLOT_SECONDS
# Nothing is foreseen beyond this many times the largest demand of the last week: after a step to five times a young
# service's load, the next one is not expected to be as large (40 replicas would have been started for 11).
MOST_TIMES_PEAK: Final = 2.0
# Of the last five minutes.
ENOUGH_SLOTS: Final = 20
ENOUGH_KNOWN: Final = 0.5
# Among the outcomes of the last hours, a third above the 0.9 quantile: calibration is left behind by what happens.
MOST_MISSED: Final = 0.35
MISSED_LEVEL: Final = 1
FEWEST_OUTCOMES: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sight:
    """One row per service."""

    history: History
    slow: Slow
    calibration: Calibration  # of all voices for all targets, and of what is made of them

    @classmethod
    def fresh(cls, services: int) -> Sight:
        """Of services never seen before."""
        return cls.of(History.empty(services))

    @classmethod
    def of(cls, history: History) -> Sight:
        """Of services with a past; what comes of forecasts is yet to be seen."""
        levels = len(EXPERT_OFFSETS)
        voices = [np.zeros(levels), *[np.array(EXPERT_OFFSETS)] * (len(Voice) - 1), np.zeros(levels)]
        losses = [GLOBAL_LOSS, *[EXPERT_LOSS] * (len(Voice) - 1), GLOBAL_LOSS]
        return cls(
            history=history,
            slow=Slow.fresh(len(history)),
            calibration=Calibration.fresh(
                len(history),
                offset=np.repeat(voices, len(Target), axis=0),
                loss=np.repeat(losses, len(Target)),
                missed=np.zeros(levels),
            ),
        )

    @classmethod
    def started(cls, past: Past) -> Sight:
        """With what a range query found."""
        return cls.of(History.of(past))

    @classmethod
    def concatenate(cls, sights: Sequence[Sight]) -> Sight:
        """All rows of all."""
        history = History.concatenate([sight.history for sight in sights])
        return cls(
            history=history,
            slow=rows.concatenate([sight.slow for sight in sights]),
            calibration=Calibration.concatenate([sight.calibration for sight in sights]),
        )

    def __len__(self) -> int:
        return len(self.history)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Foresight:
    """Quantiles of the coming maximum demand of each window; finite, and of use where `trust` is GOOD."""

    levels: Floats  # [Q]
    demand_rps: Floats  # [services, targets, Q], ascending
    trust: Ints  # a Trust

    @property
    def trusted(self) -> Bools:
        good: Bools = self.trust == Trust.GOOD
        return good

    def points(self, target: Target) -> Floats:
        """[services, points]: demand at POINTS, by straight lines over normal scores; 0 where nothing is trusted."""
        shares, scores = normal_score(POINTS), normal_score(self.levels)
        place = np.clip(np.searchsorted(scores, shares) - 1, 0, len(scores) - 2)
        sound = np.clip(np.nan_to_num(self.demand_rps[:, target]), 0.0, MOST_RPS)
        low, high = sound[:, place], sound[:, place + 1]
        # As far below the median as above it, where there is no level.
        along = np.maximum((shares - scores[place]) / (scores[place + 1] - scores[place]), -1.0)
        return np.where(self.trusted[:, None], np.maximum(low + (high - low) * along, 0.0), 0.0)

    def expected(self, target: Target, cost: Callable[[Floats], Floats]) -> Floats:
        """The mean of a cost of demand ([services, points] -> the same) under the distribution of the quantiles."""
        mean: Floats = (cost(self.points(target)) * WEIGHTS).sum(axis=1)
        return mean

    def at(self, target: Target, score: Floats) -> Readings:
        """The quantile whose normal score is `score`, one per service: between levels, and beyond, by straight lines
        over normal scores, which a lognormal demand has."""
        scores = normal_score(self.levels)
        place = np.clip(np.searchsorted(scores, score) - 1, 0, len(scores) - 2)
        row = np.arange(len(score))
        low, high = self.demand_rps[row, target, place], self.demand_rps[row, target, place + 1]
        share = np.clip((score - scores[place]) / (scores[place + 1] - scores[place]), 0.0, 2.0)
        return Readings.checked(low + (high - low) * share, self.trusted, low=0.0)


def windows(lead_seconds: Floats, *, step_seconds: float) -> tuple[Floats, Floats]:
    """(start, width) of each target, [services, targets] seconds from now."""
    lead = np.clip(lead_seconds, SHORTEST_SECONDS, LONGEST_SECONDS - step_seconds)
    start = np.stack([lead, np.full(len(lead), SOON_SECONDS)], axis=1)
    return start, np.maximum((lead + step_seconds)[:, None] - start, SHORTEST_SECONDS)


def slots(start_seconds: Floats, width_seconds: Floats) -> tuple[Ints, Ints]:
    """(first, last) quarter minute of each window, counted from the newest one: what its outcome is the largest of."""
    first = np.maximum(np.ceil(start_seconds / SLOT_SECONDS - 1e-9), 1.0).astype(np.int64)
    last = np.ceil((start_seconds + width_seconds) / SLOT_SECONDS - 1e-9).astype(np.int64)
    return first, np.maximum(last, first)


def look(
    sight: Sight,
    model: GlobalModel,
    demand: Readings,
    *,
    now_seconds: float,
    lead_seconds: Floats,
    step_seconds: float,
    floor_rps: Floats,
    without: frozenset[Part] = NOTHING,
) -> tuple[Sight, Foresight]:
    """What is remembered from now on, and what is foreseen.

    `floor_rps` > 0 is a demand that does not matter. A clock that stands still or goes back teaches nothing.
    """
    history = sight.history.append(demand, now_seconds=now_seconds)
    slow = sight.slow.renewed(history, floor_rps)
    scene = Scene.of(history, slow, floor_rps)
    start, width = windows(lead_seconds, step_seconds=step_seconds)
    said = _said(scene, model, start, width)

    calibration = sight.calibration
    due = calibration.is_due(history.slot)
    if due:
        calibration = calibration.scored(history, model.levels, correct=Part.CONFORMAL not in without)
    blended = _blended(said, calibration, _heard(without))
    if due:
        first, last = slots(start, width)
        again = len(Voice) + 1
        calibration = calibration.with_issued(
            history.slot,
            np.concatenate([said, blended], axis=1),
            floor=floor_rps,
            first=np.tile(first, (1, again)),
            last=np.tile(last, (1, again)),
        )

    final = calibration.calibrated(blended, slice(VOICED, None))
    known = _finite(final.sum(axis=(1, 2)))
    most = MOST_TIMES_PEAK * np.fmax(np.fmax(slow.max_week, highest(history.recent)), 0.0) + floor_rps
    demand_rps = np.exp(np.clip(final, -700.0, 60.0)) - floor_rps[:, None, None]
    foresight = Foresight(
        levels=model.levels,
        demand_rps=np.where(known[:, None, None], np.clip(demand_rps, 0.0, most[:, None, None]), 0.0),
        trust=_trust(history, calibration, known),
    )
    return Sight(history=history, slow=slow, calibration=calibration), foresight


def _said(scene: Scene, model: GlobalModel, start_seconds: Floats, width_seconds: Floats) -> Floats:
    """[services, voices x targets, levels]: logarithms of demand, as each voice has them before calibration."""
    services, targets, levels = *start_seconds.shape, len(model.levels)
    tables = [
        scene.table(start_seconds=start_seconds[:, target], width_seconds=width_seconds[:, target])
        for target in range(targets)
    ]
    learned = model.quantiles(np.concatenate(tables)).reshape(targets, services, levels)
    experts = np.stack([points(table) for table in tables])  # [targets, services, experts]
    ratios = np.empty((services, len(Voice), targets, levels))
    ratios[:, Voice.GLOBAL] = learned.transpose(1, 0, 2)
    ratios[:, Voice.GLOBAL + 1 :] = experts.transpose(1, 2, 0)[..., None]
    base = np.log(scene.level + scene.floor)
    return ratios.reshape(services, VOICED, levels) + base[:, None, None]


def _blended(said: Floats, calibration: Calibration, heard: Bools) -> Floats:
    """[services, targets, levels]: the mean of the voices, each with its calibration and the weight that it earned."""
    services, _, levels = said.shape
    shape = (services, len(Voice), len(Target))
    each = calibration.calibrated(said, slice(0, VOICED)).reshape(*shape, levels)
    speaks = _finite(each[..., 0]) & heard[:, None]
    loss = calibration.loss[:, :VOICED].reshape(shape)
    share = np.stack([weights(loss[..., one], speaks[..., one]) for one in Target], axis=2)
    blended = (share[..., None] * np.where(speaks[..., None], each, 0.0)).sum(axis=1)
    return np.where(share.sum(axis=1)[..., None] > 0.0, blended, np.nan)


def _heard(without: frozenset[Part]) -> Bools:
    heard = np.ones(len(Voice), dtype=np.bool_)
    heard[Voice.GLOBAL] = Part.GLOBAL_MODEL not in without
    heard[Voice.GLOBAL + 1 :] = Part.EXPERTS not in without
    return heard


def _finite(values: Floats) -> Bools:
    finite: Bools = np.isfinite(values)
    return finite


def _trust(history: History, calibration: Calibration, known: Bools) -> Ints:
    heard = np.isfinite(history.recent[:, -ENOUGH_SLOTS:]).mean(axis=1)
    whole = slice(-len(Target), None)  # as they were used
    judged = calibration.outcomes[:, whole].min(axis=1) >= FEWEST_OUTCOMES
    missed = calibration.missed[:, whole, MISSED_LEVEL].max(axis=1) > MOST_MISSED
    return np.select(
        [~known, heard < ENOUGH_KNOWN, judged & missed],
        [Trust.NO_HISTORY, Trust.GAPS, Trust.MISSED],
        default=Trust.GOOD,
    ).astype(np.int64)
