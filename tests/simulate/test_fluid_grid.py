"""The fluid's functions: what is linear between nodes is found again; beyond the last nodes their value counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.simulate.fluid_columns import KINDS
from foretide.simulate.fluid_grid import STIFFNESS, Grid
from foretide.simulate.fluid_lookup import look_up
from foretide.simulate.fluid_table import table_of
from foretide.simulate.scenario import Queue
from tests.simulate.worlds import LAW

GRID = Grid(there=np.array([0.0, 1.0, 3.0, 4.0]), total=np.array([0.0, 2.0, 4.0, 8.0]))
SHAPE = (len(GRID.there), len(GRID.total))
seeds = st.integers(0, 2**32 - 1)


def steps(seed: int, count: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    there = random.uniform(0.0, 4.0, count)
    return there, random.uniform(0.0, 8.0 - there)


@given(seeds)
def test_a_plane_is_found_again_at_every_node(seed: int) -> None:
    """Also at those which no step comes near: there is no less than nothing that comes."""
    there, came = steps(seed)
    random = np.random.default_rng(seed)
    base, by_there, by_total = random.normal(size=3)
    nodes = GRID.fit(there, came).nodes((base + by_there * there + by_total * (there + came))[:, None])
    plane = base + by_there * GRID.there[:, None] + by_total * GRID.total[None, :]
    assert nodes[..., 0] == pytest.approx(plane, abs=1e-6)


@given(seeds)
def test_what_is_linear_between_nodes_is_missed_by_no_more_than_it_bends(seed: int) -> None:
    """The truth has no squared error, and its bends are the price: the fit has no more of both together. So of any
    number of steps the error is that of a few."""
    there, came = steps(seed)
    true = np.random.default_rng(seed).normal(size=(*SHAPE, 1))
    values = GRID.values_at(true, there, came)
    found = GRID.values_at(GRID.fit(there, came).nodes(values), there, came)
    price = STIFFNESS * (bends(true, GRID.there, axis=0) + bends(true, GRID.total, axis=1))
    assert ((found - values) ** 2).sum() <= price * (1.0 + 1e-9)


def bends(nodes: np.ndarray, places: np.ndarray, *, axis: int) -> float:
    """Sum of the squared changes of slope along an axis, over steps of its mean distance."""
    widths = np.diff(places) / np.diff(places).mean()
    slopes = np.diff(np.moveaxis(nodes, axis, -1), axis=-1) / widths
    return float((np.diff(slopes, axis=-1) ** 2).sum())


@given(seeds)
def test_noise_averages_out(seed: int) -> None:
    there, came = steps(seed, 20_000)
    noise = np.random.default_rng(seed).normal(size=(len(there), 1))
    found = GRID.values_at(GRID.fit(there, came).nodes(1.0 + noise), there, came)
    assert np.abs(found - 1.0).mean() < 0.1


@given(st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_beyond_the_last_nodes_their_value_counts(there: float, came: float) -> None:
    nodes = np.arange(16.0).reshape(*SHAPE, 1)
    (found,) = GRID.values_at(nodes, np.array([there]), np.array([came]))
    held = min(there, 4.0)
    (at_edge,) = GRID.values_at(nodes, np.array([held]), np.array([min(held + came, 8.0) - held]))
    assert found == pytest.approx(at_edge)
    assert nodes.min() <= found[0] <= nodes.max()


def test_fields_are_counted_by_rows() -> None:
    there, came = np.array([0.5, 0.5, 3.5, 9.0]), np.array([0.1, 7.0, 0.0, 9.0])
    assert GRID.field(there, came).tolist() == [0, 2, 7, 8]
    assert GRID.inside(there, came).tolist() == [True, True, True, False]


@given(st.floats(0.0, 400.0), st.integers(0, 1_000))
def test_compiled_code_looks_up_the_same(there: float, came: int) -> None:
    table = table_of(LAW, 0.25, Queue())
    found = np.zeros(KINDS)
    row, column = look_up(table.grid.there, table.grid.total, table.values, found, there, float(came))
    point = np.array([there]), np.array([float(came)])
    assert found == pytest.approx(table.grid.values_at(table.values, *point)[0], rel=1e-9, abs=1e-9)
    assert row * (len(table.grid.total) - 1) + column == table.grid.field(*point)[0]
