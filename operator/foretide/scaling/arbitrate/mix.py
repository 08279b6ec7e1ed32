"""The cheapest replicas of several hardware classes that together carry a need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.readings import Readings

# Needs and rates are kept within what can be meant: see ABSURD and MOST_FORESEEN of demand and decide.
MOST_RPS: Final = 1e15
LEAST_RPS: Final = 1e-9
# 3.0000000000000004 replicas are 3.
ROUNDING: Final = 1e-9
MOST_PRICE: Final = 1e12
# Prices per rps that differ by less than this share of the price are the same.
SAME_PRICE: Final = 1e-12
MOST_REPLICAS: Final = 10**5
# Mixes that are tried for one service. Only needs of hundreds of replicas, of classes that all serve a request for the
# same price within a percent, ever come near it; the mix may then be dearer than need be, by less than one replica.
MOST_TRIED: Final = 10_000
# A mix this near to what fractions of replicas would cost is good: a price has no more digits.
CLOSE: Final = 1e-5
# Services that are looked at together: 640,000 mixes of 80 bytes at worst, a few hundred as a rule.
BLOCK: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """What each hardware class offers each service; all of shape [services, classes]."""

    rate_rps: Floats  # of one replica at the SLO
    price: Floats  # of one replica, per second
    available: Ints  # replicas, what the quota leaves
    feasible: Bools  # whether the class can keep the SLO at all


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mix:
    """Replicas of each class. Where `known` is false the need was not; all is 0 and must not be used."""

    replicas: Ints  # [services, classes]
    price: Floats  # [services]; of all of them, per second
    short_rps: Floats  # [services]; what all that is available cannot carry
    known: Bools  # [services]


def fill(need_rps: Readings, offer: Offer) -> Mix:
    """The cheapest whole numbers of replicas whose rates add up to the need [services]; all there are where they
    cannot. Classes that are not feasible, or whose rate or price is no number, are not used.

    Solved by branch and bound over counts: exact, but for CLOSE and MOST_TRIED; of equal prices the fewest replicas.
    Each service is looked at alone: where many want one class, `available` is what each may take. What it costs to
    switch is not weighed (a start is paid for a lead time in which it does not serve), so a caller keeps a mix until
    another saves more than that.
    """
    known = need_rps.known & np.isfinite(need_rps.value)
    # Less by a rounding error, so that three replicas of a third carry 1.
    need = np.where(known, need_rps.value, 0.0).clip(0.0, MOST_RPS) * (1.0 - ROUNDING)
    usable = offer.feasible & (offer.rate_rps >= LEAST_RPS) & (offer.rate_rps <= MOST_RPS)
    usable &= (offer.price >= 0.0) & (offer.price <= MOST_PRICE)
    rate, price = np.where(usable, offer.rate_rps, 1.0), np.where(usable, offer.price, 0.0)
    enough = np.minimum(_whole(need[:, None], rate), np.clip(offer.available, 0, MOST_REPLICAS))
    available = np.where(usable, enough, 0.0).astype(np.int64)

    replicas = available.copy()
    carried = (rate * available).sum(axis=1)
    coverable = np.flatnonzero((need > 0.0) & (carried >= need))
    for first in range(0, len(coverable), BLOCK):
        rows = coverable[first : first + BLOCK]
        replicas[rows] = _cheapest(need[rows], rate[rows], price[rows], available[rows])
    return Mix(
        replicas=replicas,
        price=(price * replicas).sum(axis=1),
        short_rps=np.where(carried >= need, 0.0, need - carried),
        known=known,
    )


def _cheapest(need: Floats, rate: Floats, price: Floats, available: Ints) -> Ints:
    """Of needs that can be carried.

    With fractions of replicas, the classes are used up in the order of price per rps, down to the critical one whose
    fraction carries the rest. Seen from there a mix costs more by `dearer` = |price - critical price per rps x rate|
    for each replica that another class has fewer or more, and by the critical price of what it carries too much
    (reduced costs of the linear programme). So counts are tried only as far as that stays below the best mix found,
    which leaves a handful; the critical class takes what is missing.
    """
    services, classes = rate.shape
    # Of classes that are equally good the largest first: it makes the fewest replicas.
    order = np.lexsort((-rate, price / rate), axis=1)
    rate, price = np.take_along_axis(rate, order, axis=1), np.take_along_axis(price, order, axis=1)
    available = np.take_along_axis(available, order, axis=1)
    used_up = np.cumsum(rate * available, axis=1) >= need[:, None]
    used_up[:, -1] = True  # it can be carried, but for rounding
    every, critical = np.arange(services), used_up.argmax(axis=1)
    unit, most = rate[every, critical], available[every, critical]
    per_rps = price[every, critical] / unit
    dearer = np.abs(price - per_rps[:, None] * rate)
    slack = 2.0 * ROUNDING * price[every, critical]  # what _whole leaves out, and a little

    def total() -> tuple[Ints, Floats]:
        """Of the critical class what is missing, and how much dearer the mix then is."""
        rest = np.minimum(_whole(need[row] - carried, unit[row]), most[row] + 1)
        over = extra + per_rps[row] * (carried + rest * unit[row] - need[row])
        return rest.astype(np.int64), np.where(rest <= most[row], over, np.inf)

    # Of each mix that is tried: its service, its counts but for the critical class, what they carry and cost more.
    row, counts = every, np.where(np.arange(classes) < critical[:, None], available, 0)
    carried, extra = (rate * counts).sum(axis=1), np.zeros(services)
    rest, over = total()
    best = over
    for column in range(classes):
        fewer = column < critical
        # Never below 0: what was tried so far is at most MOST_TRIED, and at least one.
        limit = MOST_TRIED // np.bincount(row, minlength=services) - 1
        steps = np.minimum(available[:, column], limit)[row].astype(np.float64)
        steps = np.where(fewer[row], steps, np.minimum(steps, _whole(need[row] - carried, rate[row, column])))
        costly = dearer[:, column] > SAME_PRICE * price[:, column]
        room = (best[row] + slack[row] - extra) / np.where(costly, dearer[:, column], 1.0)[row]
        steps = np.where(costly[row], np.minimum(steps, np.floor(room)), steps)
        settled = (column == critical) | (best <= CLOSE * per_rps * need)
        ways = np.where(settled[row], 1.0, steps + 1.0).astype(np.int64)

        source = np.repeat(np.arange(len(row)), ways)
        step = np.arange(len(source)) - np.repeat(np.cumsum(ways) - ways, ways)
        row, counts, extra = row[source], counts[source], extra[source]
        change = np.where(fewer[row], -step, step)
        counts[:, column] += change
        carried = carried[source] + change * rate[row, column]
        extra = extra + step * dearer[row, column]

        rest, over = total()
        best = best.copy()
        np.minimum.at(best, row, over)
        kept = extra <= (best + slack)[row]
        row, counts, carried, extra, rest, over = (each[kept] for each in (row, counts, carried, extra, rest, over))

    counts[np.arange(len(row)), critical[row]] = rest
    equal = over <= (best + slack)[row]
    row, counts = row[equal], counts[equal]
    # Of the same price the fewest replicas, then the most of what serves a request for less.
    ranked = np.lexsort((*-counts.T[::-1], counts.sum(axis=1), row))
    first = np.searchsorted(row[ranked], every)
    chosen = np.empty_like(available)
    np.put_along_axis(chosen, order, counts[ranked[first]], axis=1)
    return chosen


def _whole(need_rps: Floats, rate_rps: Floats) -> Floats:
    """Replicas that carry it, none where nothing is missing."""
    whole: Floats = np.ceil(need_rps / rate_rps - ROUNDING).clip(0.0)
    return whole
