"""The table: its axes, the simulation of every point, and the file that the operator reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from bench.capacity_table.replica import arrivals, steady
from bench.places import REPOSITORY
from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.table import FILE, steepness

TABLE: Final = REPOSITORY / "operator" / "foretide" / "scaling" / "capacity" / FILE
SEED: Final = 1
# Rates at p99 differ by 0.5 % from seed to seed (standard deviation) with so many; all points see the same arrivals,
# so that the table is smooth.
REQUESTS: Final = 800_000
STEEPNESS: Final = np.linspace(0.0, 1.0, 10)
LARGEST_BATCH: Final = np.array([1, 2, 4, 8, 16, 32, 64, 128])
SERVERS: Final = np.array([1, 2, 4, 8])
ARRIVAL_CV2: Final = np.array([1.0, 2.0, 4.0, 8.0])
# Of saturation. At the low end an objective of 0.9999 lets a replica do next to nothing; near 1 latencies explode.
LOAD: Final = np.array(
    [
        *(0.004, 0.008, 0.015, 0.025, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
        *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.84, 0.88, 0.91, 0.94, 0.96, 0.98),
    ]
)
LEVEL: Final = np.array([0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999])
# Logarithms of latencies are kept as whole numbers of these: steps of 0.14 %.
PARTS_PER_OCTAVE: Final = 512

Place: TypeAlias = tuple[int, int, int, int]  # on the axes of steepness, largest batch, servers and arrival cv2
SHAPE: Final = (len(STEEPNESS), len(LARGEST_BATCH), len(SERVERS), len(ARRIVAL_CV2), len(LOAD))


def per_item_share(place: Place) -> float:
    """The share a / (a + t0) that has this steepness with this largest batch, by bisection."""
    wanted, batch = STEEPNESS[place[0]], LARGEST_BATCH[place[1] : place[1] + 1]
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if steepness(np.array([middle]), batch)[0] < wanted else (low, middle)
    return high


def times_of(row: int, *, requests: int = REQUESTS, seed: int = SEED) -> Floats:
    """The arrivals at every point of this place on the axis of arrival cv2."""
    return arrivals(requests, cv2=float(ARRIVAL_CV2[row]), seed=seed)


def point(place: Place, times: Floats) -> tuple[Floats, Floats]:
    """log2 of latencies [loads, levels] and of mean ones [loads] in the time of a single item; they never fall."""
    batch, servers, share = int(LARGEST_BATCH[place[1]]), int(SERVERS[place[2]]), per_item_share(place)
    rows = [
        steady(times, load=float(load), per_item=share, max_batch=batch, servers=servers, levels=LEVEL) for load in LOAD
    ]
    latency, mean = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    return np.log2(np.maximum.accumulate(latency)), np.log2(np.maximum.accumulate(mean))


def make(
    *, requests: int = REQUESTS, seed: int = SEED, told: Callable[[float], None] = lambda share: None
) -> tuple[Floats, Floats]:
    """Logarithms of latencies [*SHAPE, levels] and of mean latencies SHAPE; 4 minutes on one core.

    A batch of one takes its time whatever the law: it is at the first steepness alone.
    """
    latency, mean = np.zeros((*SHAPE, len(LEVEL))), np.zeros(SHAPE)
    for row in range(len(ARRIVAL_CV2)):
        times = times_of(row, requests=requests, seed=seed)
        for done, (steep, batch, servers) in enumerate(np.ndindex(SHAPE[:3])):
            if LARGEST_BATCH[batch] > 1 or steep == 0:
                place = (steep, batch, servers, row)
                latency[place], mean[place] = point(place, times)
            told((row + (done + 1) / np.prod(SHAPE[:3])) / len(ARRIVAL_CV2))
    return latency, mean


def write(latency: Floats, mean: Floats, file: Path) -> None:
    """Axes, and rises from load to load: small whole numbers, which take half the room of the values themselves."""
    partial = file.with_name(f"{file.stem}.partial.npz")
    np.savez_compressed(
        partial,
        steepness=STEEPNESS,
        largest_batch=LARGEST_BATCH.astype(np.float64),
        servers=SERVERS.astype(np.float64),
        arrival_cv2=ARRIVAL_CV2,
        load=LOAD,
        level=LEVEL,
        parts_per_octave=np.float64(PARTS_PER_OCTAVE),
        latency=_rises(latency),
        mean=_rises(mean),
    )
    partial.replace(file)


def _rises(logarithms: Floats) -> Floats:
    whole = np.round(logarithms * PARTS_PER_OCTAVE).astype(np.int64)
    rises = np.diff(whole, axis=4, prepend=0)
    assert 0 <= rises.min() <= rises.max() < 2**16
    return rises.astype(np.uint16)
