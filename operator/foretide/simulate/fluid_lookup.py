"""The fluid's table in compiled code: looked up for each step of each replica."""

from __future__ import annotations

import math

import numpy as np

from foretide.simulate.compiled import compiled, inlined
from foretide.simulate.fluid_columns import COMPLETED, FAILED, KINDS, LATE, VARIANCE
from foretide.simulate.state import Array


@inlined
def _below(nodes: Array, value: float) -> int:
    """The node below, at most the last but one."""
    low, high = 0, len(nodes) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if nodes[middle] <= value:
            low = middle
        else:
            high = middle
    return low


@inlined
def look_up(rows: Array, columns: Array, values: Array, found: Array, present: float, came: float) -> tuple[int, int]:
    """Fills `found`, [kinds], from `values`, [rows, columns, kinds], between the four nodes around what is there and
    what comes; tells the row and the column of the field."""
    # Beyond the last nodes a step can do no more: the rest stays.
    there = min(present, rows[-1])
    total = min(there + came, columns[-1])
    row, column = _below(rows, there), _below(columns, total)
    down = (there - rows[row]) / (rows[row + 1] - rows[row])
    right = (total - columns[column]) / (columns[column + 1] - columns[column])
    for kind in range(KINDS):
        upper = values[row, column, kind] * (1.0 - right) + values[row, column + 1, kind] * right
        lower = values[row + 1, column, kind] * (1.0 - right) + values[row + 1, column + 1, kind] * right
        found[kind] = upper * (1.0 - down) + lower * down
    return row, column


@compiled
def violations_of(rows: Array, columns: Array, values: Array, lasting: float, came: Array, noise: Array) -> float:
    """Of replicas that are empty at first, under what came in each step, with standard normal noise; [steps, replicas]
    both. `lasting` is the share of the variance of what a step completes."""
    found, violations = np.zeros(KINDS), 0.0
    for replica in range(came.shape[1]):
        present = 0.0
        for step in range(came.shape[0]):
            there = present + came[step, replica]
            if there == 0.0:
                continue
            look_up(rows, columns, values, found, present, came[step, replica])
            failed = min(found[FAILED], there)
            drawn = found[COMPLETED] + math.sqrt(lasting * found[VARIANCE]) * noise[step, replica]
            completed = min(max(drawn, 0.0), there - failed)
            violations += completed * min(found[LATE] / max(found[COMPLETED], 1e-9), 1.0) + failed
            present = max(there - completed - failed, 0.0)
    return violations
