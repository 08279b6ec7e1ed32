"""Rows of services, cut out and put together: for every value that has one row per service in each of its arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from foretide.scaling.arrays import Ints

T = TypeVar("T")


def take(table: T, rows: Ints) -> T:
    """The rows in this order."""
    found: T = _each([table], lambda columns: columns[0][rows])
    return found


def concatenate(tables: Sequence[T], wanted: Ints | None = None) -> T:
    """All rows of all tables, in order, or those `wanted` of them; what is no array is taken from the first and must be
    the same in all."""
    if wanted is not None:
        found: T = _each(tables, lambda columns: _picked(columns, wanted))
        return found
    return tables[0] if len(tables) == 1 else _each(tables, np.concatenate)


def _picked(columns: Sequence[np.ndarray], wanted: Ints) -> np.ndarray:
    """As `np.concatenate(columns)[wanted]`, without the array in between: a fortnight of minutes of 5,000 services is
    216 MB."""
    picked = np.empty((len(wanted), *columns[0].shape[1:]), dtype=np.result_type(*columns))
    before = 0
    for column in columns:
        here = (wanted >= before) & (wanted < before + len(column))
        picked[here] = column[wanted[here] - before]
        before += len(column)
    return picked


def _each(tables: Sequence[Any], change: Callable[[Sequence[np.ndarray]], np.ndarray]) -> Any:
    first = tables[0]
    if isinstance(first, np.ndarray):
        return change(tables)
    if isinstance(first, tuple):
        return tuple(_each(parts, change) for parts in zip(*tables, strict=True))
    if is_dataclass(first) and not isinstance(first, type):
        names = [field.name for field in fields(first)]
        return replace(first, **{name: _each([getattr(table, name) for table in tables], change) for name in names})
    if any(table != first for table in tables):
        raise ValueError(f"tables to put together must agree, {first!r} is not {tables[-1]!r}")
    return first
