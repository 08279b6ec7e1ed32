"""How long a new pod takes until it serves, learned from the starts that were seen and from those under way.

A pod that is still starting has taken at least its age: leaving it out would call a fleet fast whose slow pods are
not up yet. It is a censored observation, for which Kaplan and Meier (1958) give the distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.policy import PodList

SinglePrecision: TypeAlias = npt.NDArray[np.float32]
Whole: TypeAlias = npt.NDArray[np.int32]

# Starts that are remembered of each service and kind.
REMEMBERED: Final = 32
# A start on a node that was there, and one on a node that had to come first, with no image on it.
KINDS: Final = 2
# What starts take where none was seen: a log-normal of median 90 s and 90th percentile 180 s at its five middle
# quantiles. Production loads a base model in 22.7 s (median) to 79 s (longest); the pull of the image comes on top.
# All five together weigh as much as one start. That is the point which split conformal prediction adds (Vovk et al.
# 2005): the p90 of n starts is their own from the ninth on, for eight or fewer say too little about a tenth.
PRIOR_SECONDS: Final = (45.0, 67.5, 90.0, 120.0, 180.0)
# A node comes in one to four minutes, and then pulls the image: all of the prior is this much later.
NODE_SECONDS: Final = 180.0
# Below, the API server's whole seconds say nothing. Above, an old pod had its container restarted or its probe
# failed; the slowest start that users report, a Llama 3 70B over the network, takes 15-20 min.
SHORTEST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 3_600.0
# One start counts for at most this many times the longest that is remembered: a stuck volume is an outlier once; a
# change that stays is followed in a few starts (from 23 s to 600 s in three), for the longest grows with it.
OUTLIER_FACTOR: Final = 3.0
# Fewer starts do not tell what is usual: the prior does.
ENOUGH_STARTS: Final = 3
# 0.30000000000000004 is 0.3.
ROUNDING: Final = 1e-9
MILLI: Final = 1e3
# A place without a start, above all times so that a sort puts it last; even, for it is no part of the prior.
EMPTY: Final = 2**23
# Above all keys, so that row x STRIDE + key sorts by row first.
STRIDE: Final = 2**24


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeadTimes:
    """The last starts of each service; `seconds` has shape [services, KINDS, REMEMBERED], the others [services,
    KINDS]. Places from 0 to `seen` hold starts, the rest 0."""

    seconds: SinglePrecision
    seen: Ints  # how many places hold a start
    place: Ints  # where the next one goes

    def __len__(self) -> int:
        return len(self.seconds)

    @classmethod
    def fresh(cls, services: int) -> LeadTimes:
        """Of services of which no start was seen."""
        return cls(
            seconds=np.zeros((services, KINDS, REMEMBERED), dtype=np.float32),
            seen=np.zeros((services, KINDS), dtype=np.int64),
            place=np.zeros((services, KINDS), dtype=np.int64),
        )


def learn(
    times: LeadTimes,
    pods: PodList,
    *,
    elapsed_seconds: Floats | float,
    new_node: Bools | None = None,
    told_seconds: Floats | None = None,
) -> LeadTimes:
    """The starts remembered, with those of the pods in them that became ready since the last look.

    `elapsed_seconds` (a number, or [services]) is how long ago that was; `new_node` [pods] marks pods whose node came
    for them, and `told_seconds` is as in `quantile`. Starts that cannot be true are left out; of pods that got ready
    together the first created comes last.
    """
    kind = np.zeros(len(pods), dtype=np.int64) if new_node is None else new_node.astype(np.int64)
    elapsed = np.broadcast_to(np.asarray(elapsed_seconds, dtype=np.float64), (len(times),))[pods.service]
    # A ready age below 0 (clocks differ a little) waits for the next look, so that each start counts once. An age
    # that is no number fails the comparisons.
    fresh = pods.ready & (pods.ready_age_seconds >= 0.0) & (pods.ready_age_seconds < elapsed)
    age, ready_age = pods.age_seconds.clip(-1e12, 1e12), np.where(fresh, pods.ready_age_seconds, 0.0)
    took = np.where(fresh, age - ready_age, -1.0)
    sound = (took >= 0.0) & (took <= LONGEST_SECONDS)
    ring, took, ready_age = (pods.service * KINDS + kind)[sound], took[sound], ready_age[sound]
    if not len(ring):
        return times

    order = np.lexsort((took, -ready_age, ring))
    ring, took = ring[order], took[order]
    touched, first, added = np.unique(ring, return_index=True, return_counts=True)
    of = np.repeat(np.arange(len(touched)), added)
    nth = np.arange(len(ring)) - first[of]
    # More than a ring holds at once: the last ones, so that no place is written twice.
    kept = nth >= added[of] - REMEMBERED
    seconds, seen, place = times.seconds.reshape(-1, REMEMBERED), times.seen.reshape(-1), times.place.reshape(-1)
    longest = PRIOR_SECONDS[-1] + np.where(touched % KINDS > 0, NODE_SECONDS, 0.0)
    if told_seconds is not None:
        longest = np.fmax(longest, told_seconds[touched // KINDS])
    most = OUTLIER_FACTOR * _usual(seconds[touched], seen[touched], longest)
    took = np.clip(took, SHORTEST_SECONDS, np.minimum(most, LONGEST_SECONDS)[of])

    seconds, seen, place = seconds.copy(), seen.copy(), place.copy()
    seconds[ring[kept], ((place[ring] + nth) % REMEMBERED)[kept]] = took[kept]
    seen[touched] = np.minimum(seen[touched] + added, REMEMBERED)
    place[touched] = (place[touched] + added) % REMEMBERED
    shape = times.seen.shape
    return LeadTimes(seconds=seconds.reshape(times.seconds.shape), seen=seen.reshape(shape), place=place.reshape(shape))


def quantile(
    times: LeadTimes,
    pods: PodList,
    *,
    level: float,
    told_seconds: Floats | None = None,
    new_node: Bools | None = None,
    expect_new_node: Bools | bool = False,
) -> Floats:
    """Seconds [services] within which the share `level` of starts is ready; in [SHORTEST, LONGEST]_SECONDS.

    By Kaplan and Meier over the starts remembered, the prior, and the pods that start now, which are known to take
    longer than their age. Where too many of those are older than all that is known, the answer is the oldest age.
    One stuck pod of 33 is 3 % of them and moves no p90; four are 11 % and do. A pod that got unready looks the same
    as one that starts; it is left out from an age of LONGEST_SECONDS.

    `told_seconds` [services] is what nine of ten starts were measured to take, NaN where they were not: the prior is
    then that much shorter or longer. `expect_new_node` (one for all, or [services]) asks for the starts that need a new
    node first. They take at least what starts on a node that is there take. Raises ValueError for a level outside
    (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    fresh = np.zeros(len(pods), dtype=np.bool_) if new_node is None else new_node
    # An age that is no number fails the comparison; one below 0 tells nothing.
    starting = ~pods.ready & ~pods.leaving & (pods.age_seconds < LONGEST_SECONDS)
    prior = _prior(np.full(len(times), np.nan) if told_seconds is None else told_seconds)
    warm = _kaplan_meier(times, 0, pods, starting & ~fresh, level, prior)
    expected = np.broadcast_to(np.asarray(expect_new_node), warm.shape)
    if not expected.any():
        return warm
    cold = _kaplan_meier(times, 1, pods, starting & fresh, level, prior + NODE_SECONDS)
    return np.where(expected, np.maximum(warm, cold), warm)


def _kaplan_meier(
    times: LeadTimes, kind: int, pods: PodList, starting: Bools, level: float, prior_seconds: Floats
) -> Floats:
    services, parts = len(times), len(PRIOR_SECONDS)
    rows = np.arange(services)
    # Whole milliseconds, and a last bit that tells the prior from starts: to sort integers takes a fifth of argsort.
    seen = np.arange(REMEMBERED) < times.seen[:, kind, None]
    starts = np.where(seen, _milliseconds(times.seconds[:, kind]) * 2, EMPTY)
    prior = _milliseconds(prior_seconds) * 2 + 1
    key = np.sort(np.concatenate((starts, prior), axis=1), axis=1)
    # In parts of the prior, so that sums are exact.
    weight = np.where(key & 1, np.int32(1), (key < EMPTY) * np.int32(parts))

    # A pod that starts was at risk at each of these times up to its age. Sorted queries are found four times as fast.
    reach = np.sort(pods.service[starting] * STRIDE + _milliseconds(pods.age_seconds[starting]) * 2 + 1)
    owner, columns = reach // STRIDE, key.shape[1]
    outlived = np.searchsorted((rows[:, None] * STRIDE + key).reshape(-1), reach, side="right") - owner * columns
    cell = owner * (columns + 1) + outlived
    ended = np.bincount(cell, minlength=services * (columns + 1)).reshape(services, columns + 1)[:, 1:]
    censored = ended.astype(np.int32) * np.int32(parts)
    at_risk = np.cumsum((weight + censored)[:, ::-1], axis=1, dtype=np.int32)[:, ::-1]
    survival = np.cumprod(1.0 - weight / np.maximum(at_risk, 1), axis=1)

    reached = survival <= 1.0 - level + ROUNDING
    column = reached.argmax(axis=1)
    oldest = np.zeros(services, dtype=np.int64)
    oldest[owner] = reach % STRIDE  # ascending within a service: the last one stays
    answer: Floats = np.where(reached[rows, column], key[rows, column], oldest) // 2 / MILLI
    return answer


def _prior(told_seconds: Floats) -> Floats:
    """What starts on a node that is there take before one was seen: [services, parts], ascending; the usual where
    nothing is told."""
    longest = PRIOR_SECONDS[-1]
    scale = np.where(np.isfinite(told_seconds), np.clip(told_seconds, SHORTEST_SECONDS, LONGEST_SECONDS), longest)
    parts: Floats = scale[:, None] / longest * np.array(PRIOR_SECONDS, dtype=np.float64)
    return parts


def _usual(seconds: SinglePrecision, seen: Ints, prior: Floats) -> Floats:
    """The longest start in each ring; that of the prior while there are few."""
    longest = np.where(np.arange(REMEMBERED) < seen[:, None], seconds, 0.0).max(axis=1)
    return np.where(seen >= ENOUGH_STARTS, longest, prior)


def _milliseconds(seconds: Floats | SinglePrecision) -> Whole:
    """Rounded up, so that no answer is below an age."""
    whole: Whole = np.ceil(seconds.clip(SHORTEST_SECONDS, LONGEST_SECONDS) * MILLI).astype(np.int32)
    return whole


def starts(times: LeadTimes, row: int) -> list[list[np.float64]]:
    """The starts of one service, oldest first, by kind: what its status remembers."""
    found = []
    for kind in range(KINDS):
        seen, place = int(times.seen[row, kind]), int(times.place[row, kind])
        order = (np.arange(seen) + (place if seen == REMEMBERED else 0)) % REMEMBERED
        found.append(list(times.seconds[row, kind, order].astype(np.float64)))
    return found


def remembered(starts_seconds: Sequence[Sequence[float]]) -> LeadTimes:
    """One service with these starts, as `starts` gives them; at most REMEMBERED of each kind."""
    fresh = LeadTimes.fresh(1)
    seconds, seen = fresh.seconds.copy(), fresh.seen.copy()
    for kind, some in enumerate(starts_seconds):
        seconds[0, kind, : len(some)] = some
        seen[0, kind] = len(some)
    return LeadTimes(seconds=seconds, seen=seen, place=seen % REMEMBERED)
