"""Functions of what is in a replica and what comes, linear between nodes, fitted to watched steps by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints

# Weight of a second difference, in steps.
STIFFNESS: Final = 1.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Grid:
    """Rows and columns of nodes; a field lies between four of them.

    Rows are requests that are there when a step begins, columns these and those that come in it: what a replica can
    serve bends all functions along a column. Beyond the last nodes their value counts.
    """

    there: Floats  # [rows], ascending
    total: Floats  # [columns], ascending

    def inside(self, there: Floats, came: Floats) -> Bools:
        """Which steps are not beyond the last nodes."""
        found: Bools = (there <= self.there[-1]) & (there + came <= self.total[-1])
        return found

    def field(self, there: Floats, came: Floats) -> Ints:
        """Its number, by rows, for each step."""
        row, column, _, _ = self._place(there, came)
        return row * (len(self.total) - 1) + column

    def fit(self, there: Floats, came: Floats) -> Fit:
        """For values of these steps."""
        return Fit(self, *self._corners(there, came))

    def values_at(self, nodes: Floats, there: Floats, came: Floats) -> Floats:
        """[steps, kinds] of functions that are given by their [rows, columns, kinds] at the nodes."""
        corners, weights = self._corners(there, came)
        found: Floats = (weights[:, :, None] * nodes.reshape(-1, nodes.shape[-1])[corners]).sum(axis=1)
        return found

    def _place(self, there: Floats, came: Floats) -> tuple[Ints, Ints, Floats, Floats]:
        """The nodes below, and the shares of the way to those above."""
        there = np.minimum(there, self.there[-1])
        total = np.minimum(there + came, self.total[-1])
        row, column = _below(self.there, there), _below(self.total, total)
        down = (there - self.there[row]) / (self.there[row + 1] - self.there[row])
        right = (total - self.total[column]) / (self.total[column + 1] - self.total[column])
        return row, column, down, right

    def _corners(self, there: Floats, came: Floats) -> tuple[Ints, Floats]:
        """The four nodes around each step and their weights, [steps, 4]."""
        row, column, down, right = self._place(there, came)
        width = len(self.total)
        first = row * width + column
        corners = np.stack([first, first + 1, first + width, first + width + 1], axis=1)
        weights = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], axis=1)
        return corners, weights


class Fit:
    """To any values of the same steps."""

    def __init__(self, grid: Grid, corners: Ints, weights: Floats) -> None:
        self._shape: Final = (len(grid.there), len(grid.total))
        self._corners: Final = corners
        self._weights: Final = weights
        nodes = len(grid.there) * len(grid.total)
        matrix = np.zeros(nodes * nodes)
        for one in range(4):
            for other in range(4):
                place = corners[:, one] * nodes + corners[:, other]
                matrix += np.bincount(place, weights[:, one] * weights[:, other], minlength=len(matrix))
        bend = np.kron(_bending(grid.there), np.eye(len(grid.total)))
        bend += np.kron(np.eye(len(grid.there)), _bending(grid.total))
        self._normal: Final = matrix.reshape(nodes, nodes) + STIFFNESS * bend

    def nodes(self, values: Floats) -> Floats:
        """[rows, columns, kinds] of the functions with the least squared error; values are [steps, kinds]."""
        wanted = np.zeros((len(self._normal), values.shape[1]))
        for corner in range(4):
            for kind in range(values.shape[1]):
                part = self._weights[:, corner] * values[:, kind]
                wanted[:, kind] += np.bincount(self._corners[:, corner], part, minlength=len(wanted))
        solved: Floats = np.asarray(np.linalg.solve(self._normal, wanted), dtype=np.float64)
        return solved.reshape(*self._shape, -1)


def _below(nodes: Floats, values: Floats) -> Ints:
    found: Ints = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    return found


def _bending(nodes: Floats) -> Floats:
    """Quadratic form of the second differences along one axis, over steps of the nodes' mean distance."""
    step = np.diff(nodes) / np.diff(nodes).mean()
    form = np.zeros((len(nodes), len(nodes)))
    for middle in range(1, len(nodes) - 1):
        line = np.zeros(len(nodes))
        line[middle - 1], line[middle + 1] = 1.0 / step[middle - 1], 1.0 / step[middle]
        line[middle] = -line[middle - 1] - line[middle + 1]
        form += np.outer(line, line)
    return form
