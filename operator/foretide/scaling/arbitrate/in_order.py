"""One service on several hardware classes: each takes what the ones before it cannot.

How much a mixed fleet carries
------------------------------
One Service stands in front of all pods, and kube-proxy picks one of them at random whatever its class. So of a load of
x items a second each of the N = n1 + n2 + ... pods gets x / N: the traffic is split by count, not by what pods can do.
Let r_c be the rate at which a pod of class c just keeps the objective, L_c(y) the share of late requests at a rate y,
which never falls with y, and e the share that may be late: L_c(r_c) = e. Of all requests the mean over the pods of
L_c(x / N) is late, so the objective is kept where x / N <= r_c for every class c in use:

    x <= N * min(r_c of the classes in use)            (the capacity of a mixed fleet)
    N >= x / min(r_c)                                  (what a load needs)

It is a lower bound: while the slowest class is just at e the faster ones are below it. Nothing is counted on for that,
as at the next percent of load the slow pods have a queue that only grows.

So a class that is much slower takes capacity away: 10 pods for 100 a second each carry 1,000, and with one pod for 10
beside them 110. Of all ways to leave out the slowest classes (for each class: itself and what is at least as fast) the
one is taken that carries the need with the fewest replicas of the last class, then of the last but one, and so on: a
class is used as little as those before it allow, and one that would only make later ones bring more is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Protocol

import numpy as np

from foretide.scaling.arbitrate.quota import MOST_REPLICAS
from foretide.scaling.arrays import Bools, Floats, Ints

# 3.0000000000000004 replicas are 3.
ROUNDING: Final = 1e-9


class Why(IntEnum):
    """Why a class has no more than it has."""

    ENOUGH = 0  # it is all that is left to carry
    UNNEEDED = 1  # the classes before it carry all
    QUOTA = 2
    HINDERED = 3  # not all of its pods start
    INFEASIBLE = 4  # even a single item takes longer than the SLO, and another class is there
    SLOWER = 5  # with it the others would have to bring more, or the service would carry less
    GONE = 6  # the HardwareClass is missing or invalid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Need:
    """What each service is to carry; one row per service."""

    replicas: Ints  # that would do, each at
    rate_rps: Floats  # this rate, above 0
    minimum: Ints
    maximum: Ints
    is_pinned: Bools  # `replicas` is an order: as many, whatever each can do


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Room:
    """What hardware classes can take; all of shape [services, places], a service's classes in its order, then none."""

    there: Bools  # false beyond the classes of a service
    rate_rps: Floats  # of one replica at the SLO, above 0
    feasible: Bools
    gone: Bools  # no replica of it can be made any more
    stuck: Bools  # not all of its pods start
    going: Ints  # pods of it that serve or soon will; of use where stuck
    asking: Ints  # replicas of it that may be asked for; of use where stuck


class Grant(Protocol):
    """Who gets what of quotas."""

    def __call__(self, place: int, wanted: Ints) -> Ints:
        """Of the replicas that services want of their class at this place. Place 0 begins anew: all of it is there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """The answer, of the shape of `Room`."""

    counted: Ints  # replicas that carry the load
    asked: Ints  # replicas to ask for: those, and pods that wait for room
    why: Ints  # a Why
    carried: Bools  # [services]; whether those counted on carry the need

    @property
    def total(self) -> Ints:
        """Replicas counted on of each service."""
        total: Ints = self.counted.sum(axis=1)
        return total


def everything(place: int, wanted: Ints) -> Ints:
    """No quotas."""
    return wanted


def in_order(need: Need, room: Room, grant: Grant = everything) -> Split:
    """Divides what each service needs among its classes, as the module says; within `need.maximum` in all.

    Of a class of which some pods do not start, only those that do are counted on. The others are asked for all the
    same: they are what a cluster autoscaler adds nodes for, and how it shows that there is room again. Those that do
    start serve, so they are used, and set the pace, unless the need is carried only without them. A class that cannot
    keep the SLO takes nothing while another can take something. Where nothing carries the need: what carries most.
    """
    if need.is_pinned.any():  # a number of replicas, not a load: none is slower than another
        pinned = need.is_pinned[:, None]
        room = replace(room, rate_rps=np.where(pinned, need.rate_rps[:, None], room.rate_rps))
    usable = room.there & ~room.gone
    quota = np.full(room.rate_rps.shape, MOST_REPLICAS)
    short = np.zeros(room.rate_rps.shape, dtype=np.bool_)
    split = _split(need, room, usable, quota)
    # Until nothing is refused: what a class has no quota for may come to one that was not wanted before. Quotas only
    # fall, so this ends.
    refused = True
    while refused:
        refused = False
        for place in range(room.rate_rps.shape[1]):
            wanted = split.asked[:, place]
            granted = np.minimum(grant(place, wanted), wanted)
            less = granted < wanted
            if less.any():
                refused = True
                short[:, place] |= less
                quota[:, place] = np.where(less, granted, quota[:, place])
                split = _split(need, room, usable, quota)
    return replace(split, why=np.where(short & usable, int(Why.QUOTA), split.why))


def _split(need: Need, room: Room, usable: Bools, quota: Ints) -> Split:
    """For known quotas [services, places]."""
    most = np.where(usable, quota, 0)
    within = np.where(room.stuck, np.minimum(room.going, most), most)
    able = _able(room, within)
    forced = room.stuck & (within > 0) & able
    counted, pace, carried = _best(need, room.rate_rps, np.where(able, within, 0), forced)
    # Without what keeps pods from starting.
    ideal, _, _ = _best(need, room.rate_rps, np.where(_able(room, most), most, 0), np.zeros_like(forced))
    waiting = np.where(room.stuck, np.minimum(ideal, np.minimum(room.asking, most)), 0)
    # One that is left out for its pace is left out whole.
    left_out = forced & (counted == 0)
    asked = np.where(left_out, 0, np.maximum(counted, waiting))
    later = np.cumsum(counted[:, ::-1], axis=1)[:, ::-1] - counted
    slower = room.rate_rps < pace[:, None] * (1.0 - ROUNDING)
    why = np.select(
        [
            room.gone,
            usable & ~able & ~room.feasible & (within > 0),
            usable & room.stuck & (counted < ideal) & ~left_out,
            (counted == 0) & usable & slower & ((later > 0) | ~carried[:, None]),
            counted > 0,
        ],
        [int(one) for one in (Why.GONE, Why.INFEASIBLE, Why.HINDERED, Why.SLOWER, Why.ENOUGH)],
        default=int(Why.UNNEEDED),
    )
    return Split(counted=counted, asked=asked, why=why, carried=carried)


def _able(room: Room, most: Ints) -> Bools:
    """Classes that keep the SLO, or all of a service where of none of those there is any."""
    able: Bools = room.feasible & (most > 0)
    found: Bools = np.where(able.any(axis=1, keepdims=True), able, most > 0)
    return found


def _best(need: Need, rate_rps: Floats, most: Ints, forced: Bools) -> tuple[Ints, Floats, Bools]:
    """The counts of the best way, the pace that it allows for, and whether it carries the need."""
    services, places = rate_rps.shape
    best = np.zeros((services, places), dtype=np.int64)
    best_pace, best_rank = np.full(services, np.inf), np.full((services, 3), -1.0)
    for place in range(places):
        pace = rate_rps[:, place]
        fast = rate_rps >= pace[:, None]
        total = replicas_at(need, pace)
        open_ = np.where(fast, most, 0)
        counts = np.clip(total[:, None] - (np.cumsum(open_, axis=1) - open_), 0, open_)
        number = counts.sum(axis=1)
        carries = number >= _enough(need, pace)
        rank = np.stack(
            [
                carries.astype(np.float64),
                np.where(carries, (fast | ~forced).all(axis=1), number * pace),
                np.where(carries, 0.0, -number),
            ],
            axis=1,
        )
        better = _larger(rank, best_rank) & (most[:, place] > 0)
        same = (rank == best_rank).all(axis=1) & (most[:, place] > 0)
        better |= same & _larger(-counts[:, ::-1], -best[:, ::-1])
        best[better], best_pace[better], best_rank[better] = counts[better], pace[better], rank[better]
    return best, best_pace, best_rank[:, 0] > 0.0


def _larger(one: Floats | Ints, other: Floats | Ints) -> Bools:
    """Whether a row is larger, by its first number that differs."""
    differs = one != other
    first = differs.argmax(axis=1)
    every = np.arange(len(one))
    larger: Bools = differs.any(axis=1) & (one[every, first] > other[every, first])
    return larger


def replicas_at(need: Need, pace_rps: Floats) -> Ints:
    """Replicas that carry the need where each does no more than this; as many as before at the same rate."""
    wanted = np.clip(_whole(need, pace_rps), need.minimum, np.maximum(need.maximum, need.minimum))
    replicas: Ints = np.where(need.is_pinned, need.replicas, wanted)
    return replicas


def _enough(need: Need, pace_rps: Floats) -> Ints:
    return np.where(need.is_pinned, need.replicas, np.maximum(_whole(need, pace_rps), need.minimum))


def _whole(need: Need, pace_rps: Floats) -> Ints:
    times = need.rate_rps / pace_rps
    whole: Ints = np.ceil((need.replicas * times).clip(0.0, MOST_REPLICAS) - ROUNDING).astype(np.int64)
    return whole


def hand_over(split: Split, need: Need, room: Room, *, running: Ints, ready: Ints) -> Ints:
    """Replicas of each class to ask for now: none is given up that others do not carry yet (make before break).

    A class gives up replicas once those that are ready without them carry the need, or are all that is counted on.
    Until then it keeps those that serve; what is not ready goes at once. Where a quota takes them they go at once, too:
    it is an order. Those of a class that is gone serve until others carry the need: a HardwareClass that somebody
    deleted or misspelt is no order, and what the others have no room for it still does.
    """
    stays = np.minimum(ready, split.asked)
    left = stays.sum(axis=1)
    pace = np.where(need.is_pinned[:, None], need.rate_rps[:, None], room.rate_rps)
    slowest = np.where(stays > 0, pace, np.inf).min(axis=1, initial=np.inf)
    carries = (left > 0) & (left >= _enough(need, slowest))
    complete = left >= split.total
    done = np.where(
        split.why == Why.GONE, (carries | (complete & split.carried))[:, None], (carries | complete)[:, None]
    )
    kept = np.maximum(split.asked, np.minimum(running, ready))
    return np.where(done | (split.why == Why.QUOTA), split.asked, kept)
