"""The latencies of one replica at every load, by simulation, in units of the time of a single item.

Made by `python -m bench.capacity_table`; docs/capacity-table.md tells what is in it and how good it is. A replica is
known by four numbers that have no unit: the steepness of its law, its largest batch, the servers that share its queue
and the squared coefficient of variation of the times between its arrivals (`arrival_cv2`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import IO, Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.simplex import interpolated, places

FILE: Final = "table.npz"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """The axes, and log2 of latencies in units of a single item's time.

    A single item alone takes a + t0 and has a latency of 1. Latencies never fall with the load, nor with the level.
    """

    steepness: Floats
    largest_batch: Floats
    servers: Floats
    arrival_cv2: Floats
    load: Floats  # as a share of saturation, which is servers x batches that are full
    level: Floats  # 0.99: that share of the requests has at most this latency
    latency: Floats  # [steepness, largest batch, servers, arrival cv2, load, level]
    mean: Floats  # [steepness, largest batch, servers, arrival cv2, load]

    def mean_latency(
        self, *, per_item_share: Floats, largest_batch: Floats, servers: Floats, arrival_cv2: Floats, load: Floats
    ) -> Floats:
        """Mean latency in units of a single item's time, at shares of saturation; all arrays [services].

        What lies outside of an axis is taken for its nearest end. The arguments must not be NaN.
        """
        batch = np.clip(largest_batch, 1.0, self.largest_batch[-1])
        position = np.stack(
            [
                places(steepness(per_item_share, batch), self.steepness),
                places(np.log2(batch), np.log2(self.largest_batch)),
                places(np.log2(np.maximum(servers, 1.0)), np.log2(self.servers)),
                places(np.log2(np.maximum(arrival_cv2, 1.0)), np.log2(self.arrival_cv2)),
                places(load, self.load),
            ]
        )
        return np.exp2(interpolated(self.mean, position))


@functools.cache
def table() -> Table:
    """The table that is shipped, read once."""
    with resources.files(__package__).joinpath(FILE).open("rb") as file:
        return read(file)


def read(file: IO[bytes]) -> Table:
    """A table as the generator writes it."""
    with np.load(file) as known:
        parts = float(known["parts_per_octave"])
        # What is kept are the rises from load to load, for they are small numbers.
        latency, mean = (np.cumsum(known[name], axis=4, dtype=np.float64) / parts for name in ("latency", "mean"))
        axes = {name: known[name] for name in ("steepness", "largest_batch", "servers", "arrival_cv2", "load", "level")}
    # A batch of one takes its time whatever the law; it is kept once.
    latency[:, 0], mean[:, 0] = latency[0, 0], mean[0, 0]
    return Table(**axes, latency=latency, mean=mean)


def steepness(per_item_share: Floats, largest_batch: Floats) -> Floats:
    """Where a law is between flat (0: a batch takes as long as an item) and steep (1: as long as its items together).

    Half of it is the share a / (a + t0), which decides while batches are small, and half is the logarithm of the full
    batch's time to the base of its items, which decides near saturation: latencies are smooth along it at any load.
    """
    several = np.maximum(largest_batch, 1.0 + 1e-6)  # with one item both halves are the same
    full = np.log1p(per_item_share * (several - 1.0)) / np.log(several)
    halves: Floats = 0.5 * (per_item_share + full)
    return halves
