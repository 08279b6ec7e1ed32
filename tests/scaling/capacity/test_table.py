import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.capacity.lattice import EVEN, MOST_ROOM, STEP, lattice
from foretide.scaling.capacity.simplex import corners, interpolated, places
from foretide.scaling.capacity.table import FILE, steepness, table
from tests.scaling.build import floats
from tests.scaling.strategies import often, seeds

CARD: Final = Path(__file__).parents[3] / "docs" / "capacity-table.md"


def mean_latency(share: float, batch: float, servers: float, cv2: float, load: float) -> float:
    found = table().mean_latency(
        per_item_share=floats(share),
        largest_batch=floats(batch),
        servers=floats(servers),
        arrival_cv2=floats(cv2),
        load=floats(load),
    )
    return float(found[0])


def test_the_file_is_the_one_that_its_card_describes() -> None:
    content = resources.files("foretide.scaling.capacity").joinpath(FILE).read_bytes()
    (told,) = re.findall(r"SHA-256: `([0-9a-f]{64})`", CARD.read_text())
    assert hashlib.sha256(content).hexdigest() == told
    assert len(content) < 400_000


def test_latencies_are_at_least_a_single_item_and_never_fall_with_load_or_level() -> None:
    known = table()
    assert known.latency.shape == (
        *known.mean.shape[:4],
        len(known.load),
        len(known.level),
    )
    assert known.latency.min() >= 0.0
    assert (np.diff(known.latency, axis=4) >= 0.0).all()
    assert (np.diff(known.latency, axis=5) >= 0.0).all()
    assert (np.diff(known.mean, axis=4) >= 0.0).all()


@pytest.mark.parametrize("load", [0.2, 0.5, 0.8, 0.9])
def test_without_batches_it_is_the_queue_m_d_1(load: float) -> None:
    """Pollaczek and Khinchine: the mean wait is load / (2 (1 - load)) of the service time."""
    assert mean_latency(0.3, 1.0, 1.0, 1.0, load) == pytest.approx(1.0 + load / (2.0 * (1.0 - load)), rel=0.02)


def test_steepness_is_0_for_a_flat_law_and_1_for_a_steep_one() -> None:
    batches = floats(1.0, 2.0, 7.5, 128.0)
    assert steepness(np.zeros(4), batches) == pytest.approx(np.zeros(4))
    assert steepness(np.ones(4), batches) == pytest.approx(np.ones(4))


@often
@given(st.floats(0, 1), st.floats(1, 500), st.floats(1, 50), st.floats(1, 50), st.floats(0, 2), st.floats(0, 1))
def test_mean_latency_is_finite_at_least_that_of_an_item_and_never_falls_with_load(
    share: float, batch: float, servers: float, cv2: float, load: float, more: float
) -> None:
    one, other = (mean_latency(share, batch, servers, cv2, each) for each in (load, load + more))
    assert 1.0 <= one <= other * (1.0 + 1e-9) < np.inf


def test_rates_hold_from_node_to_node_what_is_promised_everywhere() -> None:
    rate, even, slack = lattice().rate.astype(np.float64), EVEN, 1e-9
    assert np.isfinite(rate).all()
    assert np.diff(rate, axis=0).min() >= STEP - slack  # a longer SLO
    steeper, flatter = rate[:, : even + 1], rate[:, even:]
    assert (np.diff(flatter, axis=1) >= -slack).all()  # a falls
    assert (np.diff(steeper, axis=1) <= slack).all()  # t0 grows
    assert (rate[1:, 1 : even + 1] >= rate[:-1, :even] - slack).all()  # a falls, which is the higher one
    assert (rate[1:, even:-1] >= rate[:-1, even + 1 :] - slack).all()  # t0 falls, which is the higher one
    assert np.abs(np.diff(rate[MOST_ROOM], axis=0)).max() <= STEP + slack
    assert (np.diff(rate, axis=5) <= slack).all()  # a higher objective


@often
@given(seeds, st.integers(1, 6))
def test_a_linear_function_is_interpolated_exactly_and_weights_are_shares(seed: int, dimensions: int) -> None:
    random = np.random.default_rng(seed)
    shape = random.integers(2, 5, dimensions)
    slopes = random.normal(size=dimensions)
    values = np.tensordot(slopes, np.indices(shape.tolist()), axes=1)
    position = random.random((dimensions, 50)) * (shape[:, None] - 1)
    position[:, :10] = np.round(position[:, :10])
    assert interpolated(values, position) == pytest.approx(slopes @ position, abs=1e-9)
    nodes, weights = corners(position)
    assert nodes.shape == (dimensions + 1, dimensions, 50)
    assert weights.min() >= 0.0
    assert weights.sum(axis=0) == pytest.approx(np.ones(50))


@often
@given(seeds)
def test_what_rises_from_node_to_node_rises_everywhere(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.cumsum(np.cumsum(random.random((5, 4)), axis=0), axis=1)
    low = random.random((2, 100)) * [[4.0], [3.0]]
    high = np.minimum(low + random.random((2, 100)), [[4.0], [3.0]])
    assert (interpolated(values, low) <= interpolated(values, high) + 1e-9).all()


def test_places_end_where_the_axis_does() -> None:
    assert places(floats(-5.0, 1.5, 3.0, 9.0), floats(1.0, 2.0, 4.0)).tolist() == [0.0, 0.5, 1.5, 2.0]
