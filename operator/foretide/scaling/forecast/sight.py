"""What is foreseen of every service, and what that needs to be remembered.

Two windows are asked for: AHEAD, when a replica started now has become ready; MEANWHILE, from now until then, which
only those that are there can serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from foretide.scaling import rows
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.forecast import season
from foretide.scaling.forecast.calibration import Calibration
from foretide.scaling.forecast.features import WEEK_BLOCKS, Scene, Slow
from foretide.scaling.forecast.foresight import Foresight, Target, Trust
from foretide.scaling.forecast.history import DAY_MINUTES, MINUTE_SECONDS, SLOT_SECONDS, SLOTS, History, highest
from foretide.scaling.forecast.model import GlobalModel
from foretide.scaling.forecast.voices import (
    GLOBAL_LOSS,
    LOSSES,
    OFFSETS,
    Voice,
    points,
    weights,
)
from foretide.scaling.parts import NOTHING, Part
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings

VOICED: Final = len(Voice) * len(Target)
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
# The last rows of a calibration are the forecasts that were used, one for each target.
USED_AHEAD: Final = int(Target.AHEAD) - len(Target)


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
        levels = len(OFFSETS[Voice.GLOBAL])
        voices = [*OFFSETS, (0.0,) * levels]
        losses = [*LOSSES, GLOBAL_LOSS]
        return cls(
            history=history,
            slow=Slow.fresh(len(history)),
            calibration=Calibration.fresh(
                len(history),
                offset=np.repeat(np.array(voices), len(Target), axis=0),
                loss=np.repeat(losses, len(Target)),
                missed=np.zeros(levels),
            ),
        )

    @classmethod
    def started(cls, past: Past) -> Sight:
        """With what a range query found."""
        return cls.of(History.of(past))

    @classmethod
    def concatenate(cls, sights: Sequence[Sight], wanted: Ints | None = None) -> Sight:
        """All rows of all, or those `wanted` of them."""
        history = History.concatenate([sight.history for sight in sights], wanted)
        return cls(
            history=history,
            slow=rows.concatenate([sight.slow for sight in sights], wanted),
            calibration=Calibration.concatenate([sight.calibration for sight in sights], wanted),
        )

    def backfilled(self, past: Past) -> Sight:
        """With a past that came late, row by row; what was observed stays. What whole days tell is computed anew at the
        next look where the past has something to say of it."""
        history = self.history.backfilled(past)
        oldest_day = history.day - WEEK_BLOCKS + 1
        told = past.demand.known.any(axis=1) & (past.end_seconds > oldest_day * DAY_MINUTES * MINUTE_SECONDS)
        return replace(self, history=history, slow=replace(self.slow, slot=np.where(told, -1, self.slow.slot)))

    def __len__(self) -> int:
        return len(self.history)

    @property
    def coverage(self) -> Readings:
        """Share of the recent outcomes at or below the 0.9 quantile, of the forecasts of AHEAD as they were used;
        unknown before enough outcomes."""
        return Readings.checked(1.0 - self.calibration.missed[:, USED_AHEAD, MISSED_LEVEL], self._judged)

    @property
    def pinball_loss(self) -> Readings:
        """Of the logarithm of demand, mean of the levels, of the same forecasts."""
        return Readings.checked(self.calibration.loss[:, USED_AHEAD], self._judged)

    @property
    def _judged(self) -> Bools:
        judged: Bools = self.calibration.outcomes[:, USED_AHEAD] >= FEWEST_OUTCOMES
        return judged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """What is asked of a forecast; one row per service."""

    lead_seconds: Floats  # until a replica started now is ready
    step_seconds: float  # and until the next look
    floor_rps: Floats  # > 0: a demand that does not matter
    season_seconds: Floats  # after which the load repeats itself, as its user says; NaN: as is found


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
    outlook: Outlook,
    *,
    now_seconds: float,
    without: frozenset[Part] = NOTHING,
) -> tuple[Sight, Foresight]:
    """What is remembered from now on, and what is foreseen. A clock that stands still or goes back teaches nothing."""
    floor_rps = outlook.floor_rps
    history = sight.history.append(demand, now_seconds=now_seconds)
    slow = sight.slow.renewed(history, floor_rps)
    scene = Scene.of(history, slow, floor_rps)
    start, width = windows(outlook.lead_seconds, step_seconds=outlook.step_seconds)
    told = outlook.season_seconds / MINUTE_SECONDS
    said = _said(scene, model, start, width, np.where(np.isfinite(told), told, slow.season_minutes))

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


def _said(
    scene: Scene, model: GlobalModel, start_seconds: Floats, width_seconds: Floats, season_minutes: Floats
) -> Floats:
    """[services, voices x targets, levels]: logarithms of demand, as each voice has them before calibration."""
    services, targets, levels = *start_seconds.shape, len(model.levels)
    tables = [
        scene.table(start_seconds=start_seconds[:, target], width_seconds=width_seconds[:, target])
        for target in range(targets)
    ]
    learned = model.quantiles(np.concatenate(tables)).reshape(targets, services, levels)
    growths = [
        season.growth(
            scene.history,
            season_minutes,
            start_seconds=start_seconds[:, target],
            width_seconds=width_seconds[:, target],
            floor=scene.floor,
        )
        for target in range(targets)
    ]
    # [targets, services, experts]
    experts = np.stack([points(table, growth) for table, growth in zip(tables, growths, strict=True)])
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
