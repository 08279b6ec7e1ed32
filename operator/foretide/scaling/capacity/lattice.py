"""The rates within the SLO that follow from the table of latencies, laid out so that a tick only looks them up.

In units of the SLO a law has two axes, log(a / SLO) and log(t0 / SLO), and a longer SLO is a step along their diagonal.
Linear interpolation on Kuhn's simplices, whose edges are steps of a, of t0 and of both, keeps exactly what holds
between neighbouring nodes: a higher a or t0 never gives a higher rate, a longer SLO never a lower one. Interpolated
latencies would promise neither.

With a = SLO x 2^(-i / STEPS) and t0 = SLO x 2^(-j / STEPS) a node is stored at room = min(i, j) and slope = i - j:
nodes of one slope have one law, and the SLO grows with the room. Beyond the first and the last room the rate does not
depend on the SLO: there no load keeps it, or all but all of saturation does.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.simplex import corners, places
from foretide.scaling.capacity.table import Table, steepness, table

# Per octave. With six the rates are no better, and take four times the memory.
STEPS: Final = 3
STEP: Final = float(np.log(2.0)) / STEPS
# A float32 near 10 has steps of 1e-6.
ROUNDING: Final = np.float32(2e-6)
# An SLO of 64 to 128 single items.
MOST_ROOM: Final = 7 * STEPS
# a / t0 is at least 2^-12, where a batch of 128 takes 3 % longer than an item, and at most 2^8.
FLATTEST: Final = 2.0**-12
STEEPEST: Final = 2.0**8
SLOPES: Final = np.arange(-8 * STEPS, 12 * STEPS + 1)
EVEN: Final = 8 * STEPS  # the place of slope 0, where a = t0
# An SLO below so many single items is held at the load of this one, or the fleet would run away to its maximum.
LEAST_SINGLES: Final = 2.0

Rates = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """log(rate x SLO) of one server; 8 MB."""

    axes: Table
    rate: Rates  # [room, slope, largest batch, servers, arrival cv2, level]

    def rate_per_server(
        self,
        *,
        per_item_seconds: Floats,
        fixed_seconds: Floats,
        slo_latency_seconds: Floats,
        objective: Floats,
        largest_batch: Floats,
        servers: Floats,
        arrival_cv2: Floats,
    ) -> Floats:
        """Items a second, all arrays [services] and none NaN; `fixed_seconds` and the SLO must be above 0.

        What lies outside of an axis of the table is taken for its nearest end.
        """
        axes = self.axes
        per_item = np.maximum(per_item_seconds, FLATTEST * fixed_seconds)
        fixed = np.maximum(fixed_seconds, per_item / STEEPEST)
        i, j = (STEPS * np.log2(slo_latency_seconds / seconds) for seconds in (per_item, fixed))
        room = np.minimum(i, j)
        beyond = room - np.clip(room, 0.0, MOST_ROOM)
        law_nodes, law_weights = corners(np.stack([i - beyond, j - beyond]))
        # On its own, for steps along the diagonal are edges in two dimensions only.
        nodes, weights = corners(
            np.stack(
                [
                    places(np.log2(np.maximum(largest_batch, 1.0)), np.log2(axes.largest_batch)),
                    places(np.log2(np.maximum(servers, 1.0)), np.log2(axes.servers)),
                    places(np.log2(np.maximum(arrival_cv2, 1.0)), np.log2(axes.arrival_cv2)),
                    places(_nines(objective), _nines(axes.level)),
                ]
            )
        )
        # A corner beyond the last node has no weight; "clip" takes that node.
        shape = self.rate.shape
        stored = (law_nodes.min(axis=1), law_nodes[:, 0] - law_nodes[:, 1] + EVEN)
        of_law = np.ravel_multi_index(stored, shape[:2], mode="clip")
        of_rest = np.ravel_multi_index(tuple(np.moveaxis(nodes, 1, 0)), shape[2:], mode="clip")
        found = self.rate.reshape(-1)[of_law[:, None] * int(np.prod(shape[2:])) + of_rest]
        logarithm = np.einsum("an,bn,abn->n", law_weights, weights, found) + beyond * STEP
        rate: Floats = np.exp(logarithm) / slo_latency_seconds
        return rate


@functools.cache
def lattice() -> Lattice:
    """Of the table that is shipped; a third of a second, once."""
    return lattice_of(table())


def lattice_of(known: Table) -> Lattice:
    """The largest load whose latency is within the SLO at every node, and at least the load that keeps twice the time
    of an item under the steepest law."""
    a, t0 = np.exp2(-np.maximum(SLOPES, 0) / STEPS), np.exp2(np.minimum(SLOPES, 0) / STEPS)
    share = a / (a + t0)
    singles = np.exp2(np.arange(MOST_ROOM + 1) / STEPS)[:, None] / (a + t0)  # the SLO, [room, slope]
    rate = np.empty((*singles.shape, *known.latency.shape[1:4], len(known.level)), dtype=np.float32)
    for column, batch in enumerate(known.largest_batch):
        # [steepness, servers, arrival cv2, level, load]
        curves = np.moveaxis(known.latency[:, column], 3, 4)
        at = places(steepness(share, np.full(len(share), batch)), known.steepness)
        below = np.minimum(at.astype(np.int64), len(curves) - 2)
        part = (at - below).reshape(-1, 1, 1, 1, 1)
        of_law = curves[below] * (1.0 - part) + curves[below + 1] * part
        load = _largest_load(of_law, np.log2(singles).T[:, None, None, None, :], known.load)
        least = _largest_load(curves[-1], np.full((1, 1, 1, 1), np.log2(LEAST_SINGLES)), known.load)
        saturation = batch / (1.0 + share * (batch - 1.0))
        items = np.maximum(load * saturation.reshape(-1, 1, 1, 1, 1), least)  # in the time of a single one
        rate[:, :, column] = np.log(np.moveaxis(items, 4, 0) * singles[:, :, None, None, None])
    _make_monotone(rate)
    return Lattice(axes=known, rate=rate)


def _largest_load(curves: Floats, latency: Floats, load: Floats) -> Floats:
    """Where curves [..., load] that never fall reach latencies [..., points]; from load 0, where nothing waits."""
    beyond = (curves[..., None, :] <= latency[..., None]).sum(axis=-1)
    loads, padded = np.concatenate([[0.0], load]), np.concatenate([np.zeros((*curves.shape[:-1], 1)), curves], axis=-1)
    after = np.minimum(beyond + 1, len(load))
    low, high = (np.take_along_axis(padded, place, axis=-1) for place in (beyond, after))
    rising = high > low
    part = np.where(rising, (latency - low) / np.where(rising, high - low, 1.0), 0.0)
    found: Floats = loads[beyond] + (loads[after] - loads[beyond]) * np.clip(part, 0.0, 1.0)
    return found


def _nines(share: Floats) -> Floats:
    """0.99 has two: the axis along which rates are smooth."""
    nines: Floats = -np.log10(np.maximum(1.0 - share, 1e-15))
    return nines


def _make_monotone(rate: Rates) -> None:
    """Lowers what chance has made too high, in place: a lower a, a lower t0 or a longer SLO gives as much or more.

    Beyond the last room a step of the higher one of a and t0 is looked up as a step back of the lower one, at the next
    longer SLO: within the last room that step back may gain no more than the SLO grows.
    """
    for room in range(MOST_ROOM, -1, -1):
        row = rate[room]
        if room < MOST_ROOM:
            longer = rate[room + 1]
            np.minimum(row, longer - (np.float32(STEP) + ROUNDING), out=row)
            np.minimum(row[:EVEN], longer[1 : EVEN + 1], out=row[:EVEN])  # a lower a, where that is the higher one
            np.minimum(row[EVEN + 1 :], longer[EVEN:-1], out=row[EVEN + 1 :])  # a lower t0
        flatter, steeper = row[EVEN:], row[: EVEN + 1]
        np.minimum.accumulate(flatter[::-1], axis=0, out=flatter[::-1])  # a lower a, where that is the lower one
        np.minimum.accumulate(steeper, axis=0, out=steeper)  # a lower t0
        if room == MOST_ROOM:
            for place in range(EVEN + 1, len(row)):
                np.minimum(row[place], row[place - 1] + (np.float32(STEP) - ROUNDING), out=row[place])
            for place in range(EVEN - 1, -1, -1):
                np.minimum(row[place], row[place + 1] + (np.float32(STEP) - ROUNDING), out=row[place])
