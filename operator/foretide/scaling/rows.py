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


def concatenate(tables: Sequence[T]) -> T:
    """All rows of all tables, in order; what is no array is taken from the first and must be the same in all."""
    found: T = tables[0] if len(tables) == 1 else _each(tables, np.concatenate)
    return found


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
