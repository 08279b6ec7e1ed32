"""Is the file what its generator makes? Some of its points made anew."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from bench.capacity_table.make import SHAPE, point, times_of
from foretide.scaling.capacity.table import Table, read

# A point is the same to the last step of what is kept, 0.14 %: another machine may round the last bit of a logarithm
# of random numbers the other way.
TOLERANCE: Final = 1.01 / 512


def remade(file: Path, *, points: int, requests: int, seed: int) -> list[str]:
    """A line for each of so many random points that differ."""
    with file.open("rb") as stream:
        known = read(stream)
    random = np.random.default_rng(seed)
    lines = []
    for _ in range(points):
        steep, batch, servers, cv2 = (int(random.integers(0, length)) for length in SHAPE[:4])
        place = (steep, batch, servers, cv2)
        latency, mean = point(place, times_of(cv2, requests=requests, seed=seed))
        off = max(float(np.abs(latency - known.latency[place]).max()), float(np.abs(mean - known.mean[place]).max()))
        if off > TOLERANCE:
            lines.append(f"{_told(known, place)}: off by up to {np.exp2(off) - 1.0:.2%}")
    return lines


def _told(known: Table, place: tuple[int, int, int, int]) -> str:
    return (
        f"steepness {known.steepness[place[0]]:.2f}, batch {known.largest_batch[place[1]]:g}, "
        f"{known.servers[place[2]]:g} servers, arrival cv2 {known.arrival_cv2[place[3]]:g}"
    )
