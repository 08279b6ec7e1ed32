"""The hold: the highest need of the last while, in eight numbers per service.

Time is cut into slots of a seventh of the hold; eight slots then always cover the hold, and at most a seventh more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.settings import ScalingSettings

SLOTS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Highest needs, oldest slot first; one row per service, `peaks` has shape [services, SLOTS]."""

    started: Bools  # false: a service that was never seen, all else is 0
    last_seen_seconds: Floats  # wall clock of the newest evidence
    hold_seconds: Floats  # the hold that the slots were cut for
    slot: Ints  # number of the newest slot since the epoch
    peaks: Ints

    @classmethod
    def fresh(cls, services: int) -> Window:
        return cls(
            started=np.zeros(services, dtype=np.bool_),
            last_seen_seconds=np.zeros(services),
            hold_seconds=np.zeros(services),
            slot=np.zeros(services, dtype=np.int64),
            peaks=np.zeros((services, SLOTS), dtype=np.int64),
        )

    @property
    def highest(self) -> Ints:
        """The most replicas that were needed within the hold."""
        highest: Ints = self.peaks.max(axis=1)
        return highest


def advance(
    window: Window,
    need: Ints,
    *,
    known: Bools,
    anew: Bools,
    replicas: Ints,
    now_seconds: float,
    hold_seconds: Floats,
    settings: ScalingSettings,
) -> Window:
    """The window with the need of now in it; rows whose need is unknown stay as they are.

    It starts anew, with the present replicas as what is needed, where nothing was seen for some ticks (the operator
    or Prometheus was away: what was needed meanwhile nobody knows), where the clock went back, where the hold was
    set to another length, and where the caller says so. So a restart never shrinks earlier than no restart.
    """
    if not math.isfinite(now_seconds):
        raise ValueError(f"now_seconds must be finite, not {now_seconds}")
    hold = hold_seconds
    current = np.floor(now_seconds / (hold / (SLOTS - 1))).astype(np.int64)
    silence = now_seconds - window.last_seen_seconds
    restart = (
        anew
        | ~window.started
        | (silence > settings.restart_after_seconds)
        | (silence < -settings.tick_seconds)
        | (window.hold_seconds != hold)
    )
    # A clock set back by less than a tick stays in the newest slot.
    slot = np.where(restart, current, np.maximum(window.slot, current))
    # Before the difference is taken: a slot from elsewhere may be anything.
    passed = slot - np.where(restart, slot, window.slot)
    source = np.arange(SLOTS) + np.minimum(passed, SLOTS)[:, None]
    kept = np.take_along_axis(window.peaks, np.minimum(source, SLOTS - 1), axis=1)
    peaks = np.where((source < SLOTS) & ~restart[:, None], kept, 0)
    peaks[:, -1] = np.maximum(peaks[:, -1], np.where(restart, np.maximum(need, replicas), need))
    return Window(
        started=window.started | known,
        last_seen_seconds=np.where(
            known,
            np.where(restart, now_seconds, np.maximum(window.last_seen_seconds, now_seconds)),
            window.last_seen_seconds,
        ),
        hold_seconds=np.where(known, hold, window.hold_seconds),
        slot=np.where(known, slot, window.slot),
        peaks=np.where(known[:, None], peaks, window.peaks),
    )
