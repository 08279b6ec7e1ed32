"""Rows cut out and put together, of values however deep."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling import rows
from foretide.scaling.arrays import Floats, Ints
from tests.scaling.build import floats, ints, same
from tests.scaling.strategies import seldom


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inner:
    values: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    inner: Inner
    days: tuple[Floats, ...]
    slot: int


def table(services: int, *, days: int = 2, slot: int = 7) -> Table:
    values = np.arange(services * 3).reshape(services, 3)
    days_of = [np.asarray(values * 0.5 + day, dtype=np.float64) for day in range(days)]
    return Table(inner=Inner(values=values), days=tuple(days_of), slot=slot)


@seldom
@given(st.lists(st.integers(0, 5), max_size=8))
def test_any_rows_in_any_order(wanted: list[int]) -> None:
    taken = rows.take(table(6), ints(*wanted))
    assert (taken.inner.values == table(6).inner.values[wanted]).all()
    assert [day.shape for day in taken.days] == [(len(wanted), 3)] * 2
    assert taken.slot == 7


@seldom
@given(st.lists(st.integers(0, 6), max_size=3), st.integers(0, 2))
def test_what_was_cut_is_put_together_again(cuts: list[int], days: int) -> None:
    whole = table(6, days=days)
    edges = [0, *sorted(cuts), 6]
    parts = [rows.take(whole, np.arange(low, high)) for low, high in itertools.pairwise(edges)]
    assert same(rows.concatenate(parts), whole)


def test_arrays_alone_will_do() -> None:
    assert rows.concatenate([floats(1.0), floats(2.0, 3.0)]).tolist() == [1.0, 2.0, 3.0]


def test_one_table_is_itself() -> None:
    whole = table(3)
    assert rows.concatenate([whole]) is whole


@pytest.mark.parametrize("other", [table(2, slot=8), table(2, days=3)])
def test_tables_that_do_not_fit_are_refused(other: Table) -> None:
    with pytest.raises(ValueError, match=r"must agree|shorter|longer"):
        rows.concatenate([table(2), other])
