"""Linear interpolation on Kuhn's triangulation of a grid: d + 1 corners in d dimensions, where a cube has 2^d.

H. W. Kuhn, Some combinatorial lemmas in topology (1960). The corners of a point are found by going from the lower
corner of its cell along one axis after the other, the largest fraction first. Along each axis the interpolated values
rise or fall as those of neighbouring nodes do, so that what is monotone on the nodes is monotone everywhere; in two
dimensions that holds along the diagonal, too.
"""

from __future__ import annotations

import numpy as np

from foretide.scaling.arrays import Floats, Ints


def places(values: Floats, nodes: Floats) -> Floats:
    """Where values lie on an axis, in steps from its first node; its ends where they lie beyond."""
    return np.interp(values, nodes, np.arange(len(nodes), dtype=np.float64))


def corners(position: Floats) -> tuple[Ints, Floats]:
    """The corners [dimensions + 1, dimensions, points] of the simplex around each position [dimensions, points], and
    their weights [dimensions + 1, points], which are >= 0 and add up to 1."""
    base = np.floor(position)
    fraction = position - base
    order = np.argsort(-fraction, axis=0, kind="stable")
    largest_first = np.take_along_axis(fraction, order, axis=0)
    weights = -np.diff(largest_first, axis=0, prepend=1.0, append=0.0)
    rank = np.argsort(order, axis=0)
    steps = np.arange(len(position) + 1)[:, None, None]
    return base.astype(np.int64) + (rank < steps), weights


def interpolated(values: Floats, position: Floats) -> Floats:
    """The values of nodes [one axis a dimension] at positions [dimensions, points] on the grid."""
    nodes, weights = corners(position)
    # A corner beyond the last node has no weight; "clip" takes that node.
    found = values.reshape(-1)[np.ravel_multi_index(tuple(np.moveaxis(nodes, 1, 0)), values.shape, mode="clip")]
    total: Floats = (weights * found).sum(axis=0)
    return total
