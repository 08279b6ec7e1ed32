"""The error budget: what share of the requests was late or refused, over windows from five minutes to the SLO's own.

Each window is an exponential one: what was a window ago weighs 1/e. Eight sums a service tell all of them, where rings
of minutes would not fit into a status. Burn rates and their alerts are those of the SRE workbook (Beyer et al. 2018,
chapter 5): at 1 the budget lasts just for the SLO's window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.sli import Source

# Of burn rates; the last column is the window of the SLO.
WINDOWS_SECONDS: Final = (300.0, 3_600.0, 21_600.0)
# 2 % of a budget of 28 days in an hour, 5 % in six.
FAST_BURN, SLOW_BURN = 14.4, 6.0
# Fewer requests say nothing of a share: one late of ten is no budget spent.
ENOUGH_REQUESTS: Final = 100.0
# What happened between two looks that are further apart is not known.
LONGEST_SECONDS: Final = 60.0
MOST_BURN: Final = 1e6
# The window whose requests tell the source: new pods and lost scrapes make a tick or two of another one.
SOURCE_WINDOW: Final = 1


class Budget(IntEnum):
    """How the error budget of a service stands."""

    UNKNOWN = 0  # too few requests were seen
    KEPT = 1
    BURNING = 2  # it ends long before its window
    SPENT = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Account:
    """What is to be told of the budgets, one row per service; worked out for all at once. Worked out for all again for
    the status of each it took 7 s of a tick of 5,000 services."""

    known: Bools  # whether enough was asked to speak of a share
    share_late: Floats  # [services, windows]
    burn_rates: Floats  # [services, windows]
    left: Floats
    state: Ints  # a Budget
    source: Ints  # a Source


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spending:
    """Discounted sums of requests, [services, windows]."""

    asked: Floats
    late: Floats
    measured: Floats  # [services, 2], of those asked in the last hour: what summaries told of, and histograms
    newest: Floats  # [services, 2], not discounted: asked and late since the last look

    @classmethod
    def fresh(cls, services: int) -> Spending:
        """Nothing was asked yet."""
        nothing = np.zeros((services, len(WINDOWS_SECONDS) + 1))
        return cls(asked=nothing, late=nothing, measured=np.zeros((services, 2)), newest=np.zeros((services, 2)))

    def after(
        self,
        asked_rps: Floats,
        late_rps: Floats,
        *,
        known: Bools,
        source: Ints,
        window_seconds: Floats,
        elapsed_seconds: Floats,
    ) -> Spending:
        """With what was asked and what of it was late since the last look, by a `Source` [services]; `window_seconds`
        [services] is the SLO's.

        Where the load is not known nothing is added, and time goes on: what was late yesterday gets older.
        """
        fade = np.exp(-elapsed_seconds[:, None] / self._windows(window_seconds))
        seconds = np.where(known, np.minimum(elapsed_seconds, LONGEST_SECONDS), 0.0)
        asked = np.where(known, np.maximum(asked_rps, 0.0), 0.0)
        late = np.minimum(np.where(known, np.maximum(late_rps, 0.0), 0.0), asked)
        told = source[:, None] == np.array([Source.SUMMARY, Source.HISTOGRAM])
        return replace(
            self,
            asked=fade * self.asked + (asked * seconds)[:, None],
            late=fade * self.late + (late * seconds)[:, None],
            measured=fade[:, SOURCE_WINDOW, None] * self.measured + (asked * seconds)[:, None] * told,
            newest=np.stack([asked, late], axis=1) * seconds[:, None],
        )

    @property
    def source(self) -> Ints:
        """[services], each a `Source`: what told of more than half of the requests of the last hour."""
        half = 0.5 * self.asked[:, SOURCE_WINDOW]
        return np.select(
            [self.measured[:, 1] > half, self.measured.sum(axis=1) > half],
            [Source.HISTOGRAM, Source.SUMMARY],
            default=Source.ESTIMATED,
        ).astype(np.int64)

    @property
    def share_late(self) -> Floats:
        """[services, windows]; of few requests as if they had been more: one late of ten is no budget spent, and what
        was late is forgotten where nothing is asked any more."""
        share: Floats = self.late / np.maximum(self.asked, ENOUGH_REQUESTS)
        return share

    def burn_rates(self, objective: Floats) -> Floats:
        """[services, windows]: times the rate at which the budget lasts just for its window."""
        allowed = np.maximum(1.0 - np.nan_to_num(objective, nan=1.0), 1e-9)
        rates: Floats = np.minimum(self.share_late / allowed[:, None], MOST_BURN)
        return rates

    def left(self, objective: Floats) -> Floats:
        """[services]: share of the budget; below 0 once more was late than it allows."""
        left: Floats = 1.0 - self.burn_rates(objective)[:, -1]
        return left

    @property
    def known(self) -> Bools:
        """Whether enough was asked to speak of a share."""
        enough: Bools = self.asked[:, -1] >= ENOUGH_REQUESTS
        return enough

    def state(self, objective: Floats) -> Ints:
        """[services], each a `Budget`. Burning only where a short window burns, too: else it has ended."""
        five_minutes, hour, six_hours, _ = self.burn_rates(objective).T
        fast = (hour >= FAST_BURN) & (five_minutes >= FAST_BURN)
        slow = (six_hours >= SLOW_BURN) & (hour >= SLOW_BURN)
        return np.select(
            [~self.known, fast | slow, self.left(objective) < 0.0],
            [Budget.UNKNOWN, Budget.BURNING, Budget.SPENT],
            default=Budget.KEPT,
        ).astype(np.int64)

    def account(self, objective: Floats) -> Account:
        """All of that."""
        return Account(
            known=self.known,
            share_late=self.share_late,
            burn_rates=self.burn_rates(objective),
            left=self.left(objective),
            state=self.state(objective),
            source=self.source,
        )

    def _windows(self, window_seconds: Floats) -> Floats:
        """[services, windows]."""
        fixed = np.broadcast_to(WINDOWS_SECONDS, (len(window_seconds), len(WINDOWS_SECONDS)))
        longest = np.maximum(window_seconds, WINDOWS_SECONDS[0])[:, None]
        return np.concatenate((fixed, longest), axis=1)
