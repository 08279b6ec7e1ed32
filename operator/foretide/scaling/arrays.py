"""The three kinds of array of this package; one row per service (or per pod) everywhere."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]


def total(rows: Ints, values: Floats, *, length: int) -> Floats:
    """The sum of `values` per row, as `np.bincount` does it (0 where a row has none)."""
    return np.bincount(rows, weights=values, minlength=length).astype(np.float64)


def count(rows: Ints, chosen: Bools, *, length: int) -> Ints:
    """How many chosen values each row has."""
    return np.bincount(rows[chosen], minlength=length).astype(np.int64)
