"""The global model's trees as compiled code: the same numbers to the last bit, in a thirtieth of LightGBM's time.

Simulated ticks are counted in hundreds of thousands, and LightGBM takes half of each. Here all splits of a tree are
compared, for many rows at once, in place of the few on the way to a leaf, row by row (QuickScorer: Lucchese et al.
2015). A tree of at most 32 leaves is a word: a split that sends a row to the right crosses out the leaves on its left,
and the first leaf that is left is the answer. Values are added in the order of the trees, as LightGBM does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from foretide.scaling.arrays import Floats
from foretide.scaling.forecast.model import GlobalModel, shipped
from foretide.simulate.compiled import compiled
from foretide.simulate.state import Array

MOST_LEAVES: Final = 32
# Rows at a time: their features stay in the cache.
BLOCK: Final = 256
# LightGBM takes what is smaller for 0: kZeroThreshold of LightGBM/meta.h, a single float.
NOTHING: Final = np.float32(1e-35)
# Multiplied by a word with one bit, its upper five bits are another number for each (Leiserson, Prokop, Randall 1998).
DE_BRUIJN: Final = np.uint32(0x077CB531)
ALL: Final = np.uint32(0xFFFFFFFF)
# Of `decision_type`, as LightGBM/tree.h has it.
IS_CATEGORY: Final = 1
DEFAULT_LEFT: Final = 2
MISSING_SHIFT: Final = 2
MISSING_ZERO, MISSING_NAN = 1, 2


class Unfit(ValueError):
    """Trees that this cannot compute: the message says which."""


class Trees:
    """One LightGBM model of numerical splits; predicts as `Booster` does."""

    def __init__(self, text: str) -> None:
        """From the text of `lightgbm.Booster.model_to_string`; raises Unfit."""
        self.text: Final = text
        trees = [dict(re.findall(r"^(\w+)=(.*)$", part, re.MULTILINE)) for part in text.split("\nTree=")[1:]]
        if not trees or "\naverage_output" in text or "sqrt" in text.split("\n\n")[0]:
            raise Unfit("must be boosted trees whose sum is the prediction")
        splits, leaves = zip(*map(_tree, trees), strict=True)
        counts = [len(rows) for rows in splits]
        table = [row for rows in splits for row in rows]
        self._features: Final = int(re.findall(r"^max_feature_idx=(\d+)$", text, re.MULTILINE)[0]) + 1
        self._ends: Final = np.cumsum(counts)
        self._feature: Final = np.array([feature for feature, _, _, _ in table], dtype=np.int64)
        self._threshold: Final = np.array([threshold for _, threshold, _, _ in table], dtype=np.float32)
        self._unknown_left: Final = np.array([left for _, _, left, _ in table], dtype=np.bool_)
        self._kept: Final = np.array([kept for _, _, _, kept in table], dtype=np.uint32)
        self._leaves: Final = np.array(leaves)

    def predict(self, rows: npt.NDArray[np.float32]) -> Floats:
        """One value per row of features, NaN allowed; raises Unfit for another number of features."""
        if rows.shape[1] != self._features:
            raise Unfit(f"must have {self._features} features, not {rows.shape[1]}")
        columns = np.ascontiguousarray(rows.T, dtype=np.float32)
        columns[np.abs(columns) <= NOTHING] = 0.0
        found = np.zeros(len(rows))
        _add(columns, self._ends, self._feature, self._threshold, self._unknown_left, self._kept, self._leaves, found)
        return found


@cache
def compiled_model() -> GlobalModel:
    """The shipped model; raises what `shipped` does."""
    model = shipped()
    return replace(model, boosters=tuple(Trees(booster.text) for booster in model.boosters))


@compiled
def _add(
    columns: Array,
    ends: Array,
    feature: Array,
    threshold: Array,
    unknown_left: Array,
    kept: Array,
    leaves: Array,
    found: Array,
) -> None:
    words = np.empty(BLOCK, dtype=np.uint32)
    for begin in range(0, len(found), BLOCK):
        count = min(BLOCK, len(found) - begin)
        split = 0
        for tree in range(len(ends)):
            for row in range(count):
                words[row] = ALL
            while split < ends[tree]:
                # A row of its own: with two indices numba's loops are of one row at a time, and four times as long.
                column = columns[feature[split], begin : begin + count]
                most, left = threshold[split], kept[split]
                if unknown_left[split]:
                    for row in range(count):
                        words[row] &= left if column[row] > most else ALL
                else:
                    for row in range(count):
                        words[row] &= ALL if column[row] <= most else left
                split += 1
            values = leaves[tree]
            for row in range(count):
                first = np.uint32(words[row] & np.uint32(~words[row] + np.uint32(1)))
                found[begin + row] += values[np.uint32(first * DE_BRUIJN) >> np.uint32(27)]


def _tree(fields: Mapping[str, str]) -> tuple[list[tuple[int, np.float32, bool, int]], Floats]:
    """Its splits (feature, threshold, whether the unknown goes left, the leaves that are left on the right), and the
    values of its leaves, in the order of `DE_BRUIJN`."""
    if int(fields["num_cat"]) or int(fields.get("is_linear", 0)) or int(fields["num_leaves"]) > MOST_LEAVES:
        raise Unfit(f"trees must be of constant leaves, at most {MOST_LEAVES}, and of numerical splits")
    values = np.array(fields["leaf_value"].split(), dtype=np.float64)
    if len(values) == 1:
        return [], _in_order(values)
    features, decisions, left, right = (
        [int(one) for one in fields[name].split()]
        for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    thresholds = [float(one) for one in fields["threshold"].split()]

    def leaves_below(node: int) -> Iterator[int]:
        """From left to right; a child below 0 is a leaf."""
        if node < 0:
            yield ~node
        else:
            yield from leaves_below(left[node])
            yield from leaves_below(right[node])

    order = list(leaves_below(0))
    place = {leaf: at for at, leaf in enumerate(order)}
    splits = []
    for node, (feature, threshold, decision) in enumerate(zip(features, thresholds, decisions, strict=True)):
        crossed_out = sum(1 << place[leaf] for leaf in leaves_below(left[node]))
        splits.append((feature, _single(threshold), _unknown_goes_left(decision, threshold), int(ALL) - crossed_out))
    return splits, _in_order(values[order])


def _unknown_goes_left(decision: int, threshold: float) -> bool:
    missing = decision >> MISSING_SHIFT
    if decision & IS_CATEGORY or missing == MISSING_ZERO:
        raise Unfit("splits must be numerical, and 0 must be a number")
    return bool(decision & DEFAULT_LEFT) if missing == MISSING_NAN else threshold >= 0.0  # NaN is taken for 0


def _single(threshold: float) -> np.float32:
    """The largest single float that is not above: singles are on the same side of both."""
    nearest = np.float32(threshold)
    return nearest if float(nearest) <= threshold else np.nextafter(nearest, np.float32(-np.inf))


def _in_order(values: Floats) -> Floats:
    """By what the bit of each leaf, times `DE_BRUIJN`, is."""
    placed = np.zeros(MOST_LEAVES)
    for at, value in enumerate(values):
        placed[((1 << at) * int(DE_BRUIJN) & int(ALL)) >> 27] = value
    return placed
