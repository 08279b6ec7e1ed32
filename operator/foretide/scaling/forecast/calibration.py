"""Sliding conformal calibration, and the score of each forecast: what quantiles lack, learned from what came.

Quantile tracking (Angelopoulos, Candes, Tibshirani 2023, "Conformal PID control", its P part): after each outcome the
offset of a level grows by step x (missed - (1 - level)). Whatever the demand does, the share of outcomes below the
quantile is then the level, up to range / (step x outcomes): after a week of minutes within half a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling import rows
from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.forecast.history import SLOTS, History, Singles

# One forecast a minute is scored: its neighbours of the next quarter minutes err as it does.
ISSUED_EVERY_SLOTS: Final = 4
KEPT: Final = SLOTS // ISSUED_EVERY_SLOTS
# Of a logarithm: a miss at 0.99 raises it by 5 %, a hundred hits take that back.
STEP: Final = 0.05
LEAST, MOST = -1.0, 2.0
# An outcome is a minute: misses fade in hours, losses, which compare forecasts, in half a day.
MISSED_FADE: Final = 1.0 / 120.0
LOSS_FADE: Final = 1.0 / 720.0
# Of the slots of a window so many must be known for it to be an outcome.
ENOUGH_KNOWN: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """One row per service; T forecasts, each of a window, at Q levels. NaN: not issued."""

    offset: Floats  # [services, T, Q], of the logarithm
    missed: Floats  # [services, T, Q], share of the recent outcomes above the calibrated quantile
    loss: Floats  # [services, T], discounted pinball loss of the logarithm, mean of the levels
    outcomes: Floats  # [services, T], how many were scored
    slot: int  # of the newest that was issued
    issued_slot: Ints  # [services, KEPT], when each was
    issued: Singles  # [services, KEPT, T, Q], logarithms, the newest first
    floor: Singles  # [services, KEPT]
    first: npt.NDArray[np.int16]  # [services, KEPT, T], slots from the issue to the window
    last: npt.NDArray[np.int16]

    @classmethod
    def fresh(cls, services: int, *, offset: Floats, loss: Floats, missed: Floats) -> Calibration:
        """Before any outcome: offsets [T, Q], losses [T] and missed shares [Q] as they are in the mean of services."""
        targets, levels = offset.shape
        return cls(
            offset=np.tile(offset, (services, 1, 1)),
            missed=np.tile(missed, (services, targets, 1)),
            loss=np.tile(loss, (services, 1)),
            outcomes=np.zeros((services, targets)),
            slot=0,
            issued_slot=np.zeros((services, KEPT), dtype=np.int64),
            issued=np.full((services, KEPT, targets, levels), np.nan, dtype=np.float32),
            floor=np.zeros((services, KEPT), dtype=np.float32),
            first=np.zeros((services, KEPT, targets), dtype=np.int16),
            last=np.zeros((services, KEPT, targets), dtype=np.int16),
        )

    def __len__(self) -> int:
        return len(self.offset)

    def is_due(self, slot: int) -> bool:
        """Whether it is time to score and to issue; with a clock that went back, what was issued is forgotten."""
        return not 0 <= slot - self.slot < ISSUED_EVERY_SLOTS

    def scored(self, history: History, levels: Floats, *, correct: bool = True) -> Calibration:
        """With what came of the windows that ended since the last look; `correct`: offsets learn from it, too."""
        age = (history.slot - self.issued_slot)[:, :, None]
        passed = history.slot - self.slot
        ended = (self.last <= age) & (self.last > age - passed) & np.isfinite(self.issued[..., 0])
        service, place, target = np.nonzero(ended)
        if not len(service):
            return self
        ages = age[service, place, 0]
        from_back, to_back = ages - self.last[service, place, target], ages - self.first[service, place, target]
        highest, known = _outcome(history.recent, service, from_back, to_back)
        service, place, target, highest = service[known], place[known], target[known], highest[known]
        came = np.log(highest + self.floor[service, place])
        above = came[:, None] - self.issued[service, place, target] - self.offset[service, target]
        error = (above > 0.0).astype(np.float64)
        pinball = np.maximum(levels * above, (levels - 1.0) * above).mean(axis=1)
        offset, missed, loss, outcomes = (
            column.copy() for column in (self.offset, self.missed, self.loss, self.outcomes)
        )
        np.add.at(offset, (service, target), (STEP if correct else 0.0) * (error - (1.0 - levels)))
        np.add.at(missed, (service, target), MISSED_FADE * (error - self.missed[service, target]))
        np.add.at(loss, (service, target), LOSS_FADE * (pinball - self.loss[service, target]))
        np.add.at(outcomes, (service, target), 1.0)
        return replace(
            self,
            offset=np.clip(offset, LEAST, MOST),
            missed=np.clip(missed, 0.0, 1.0),
            loss=np.maximum(loss, 0.0),
            outcomes=outcomes,
        )

    def with_issued(self, slot: int, quantiles: Floats, *, floor: Floats, first: Ints, last: Ints) -> Calibration:
        """With new quantiles (logarithms, [services, T, Q]) of the windows from `first` to `last` slots ahead."""
        before = self if slot >= self.slot else _begun(self, slot)

        def shifted(old: np.ndarray, new: np.ndarray | int) -> np.ndarray:
            table = np.empty_like(old)
            table[:, 1:] = old[:, :-1]
            table[:, 0] = new
            return table

        return replace(
            before,
            slot=slot,
            issued_slot=shifted(before.issued_slot, slot),
            issued=shifted(before.issued, quantiles),
            floor=shifted(before.floor, floor),
            first=shifted(before.first, first),
            last=shifted(before.last, last),
        )

    def calibrated(self, quantiles: Floats, forecasts: slice) -> Floats:
        """Logarithms [services, some of T, Q] with their offsets, ascending."""
        found: Floats = np.maximum.accumulate(quantiles + self.offset[:, forecasts], axis=2)
        return found

    @classmethod
    def concatenate(cls, calibrations: Sequence[Calibration], wanted: Ints | None = None) -> Calibration:
        """All rows of all, or those `wanted` of them; forecasts of other moments than the newest's are not scored."""
        slot = max(one.slot for one in calibrations)
        return rows.concatenate([one if one.slot == slot else _begun(one, slot) for one in calibrations], wanted)


def _begun(calibration: Calibration, slot: int) -> Calibration:
    """Nothing was issued yet."""
    return replace(calibration, slot=slot, issued=np.full_like(calibration.issued, np.nan))


def _outcome(recent: Singles, service: Ints, from_back: Ints, to_back: Ints) -> tuple[Floats, Bools]:
    """The largest demand from `to_back` to `from_back` slots ago, and whether enough of it is known."""
    back = np.arange(SLOTS - 1, -1, -1)
    inside = (back >= from_back[:, None]) & (back <= to_back[:, None])
    values = recent[service]
    known = inside & np.isfinite(values)
    highest = np.where(known, values, 0.0).max(axis=1)
    share = known.sum(axis=1) / np.maximum(to_back - from_back + 1, 1)
    return highest.astype(np.float64), share >= ENOUGH_KNOWN
