import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arbitrate import Curves, shortage
from foretide.scaling.arrays import Floats
from foretide.scaling.readings import Readings
from tests.scaling.build import floats, ints
from tests.scaling.strategies import any_float, often

LEVELS = (0.1, 0.5, 0.9, 0.99)


def curve(*demand: float | None, rate: float = 10.0, levels: tuple[float, ...] = LEVELS) -> Curves:
    readings = Readings.of(demand)
    return Curves(
        levels=floats(*levels),
        demand_rps=Readings(value=readings.value[None], known=readings.known[None]),
        rate_rps=floats(rate),
        weight=floats(1.0),
    )


def share(curves: Curves, replicas: int) -> float:
    return float(shortage(curves, ints(0), ints(replicas))[0])


def integrated(levels: tuple[float, ...], demand: Floats, served: float) -> float:
    """E[(D - served)+] / E[D] by summing over a million quantiles."""
    shares = (np.arange(1_000_000) + 0.5) / 1_000_000
    values = np.interp(shares, levels, demand)
    return float(np.maximum(values - served, 0.0).mean() / values.mean())


def test_the_late_share_of_a_uniform_demand_by_hand() -> None:
    """Uniform from 10 to 30 between the levels 0.1 and 0.9: P(D > 20) is a half, of which 5 on average are late."""
    curves = curve(10.0, 30.0, levels=(0.1, 0.9))
    assert share(curves, 0) == 1.0
    assert share(curves, 1) == pytest.approx(0.5)
    assert share(curves, 2) == pytest.approx((0.1 * 10.0 + 0.4 * 5.0) / 20.0)
    assert share(curves, 3) == 0.0


@pytest.mark.parametrize("replicas", range(7))
def test_it_is_the_integral_over_the_curve(replicas: int) -> None:
    demand = floats(4.0, 22.0, 40.0, 55.0)
    assert share(curve(*demand), replicas) == pytest.approx(integrated(LEVELS, demand, replicas * 10.0), abs=1e-6)


def test_a_constant_demand_is_late_as_far_as_it_is_not_served() -> None:
    assert share(curve(25.0, 25.0, 25.0, 25.0), 1) == pytest.approx(0.6)
    assert share(curve(25.0, levels=(0.5,)), 2) == pytest.approx(0.2)


def test_quantiles_that_cross_are_lifted() -> None:
    assert share(curve(10.0, 20.0, 15.0, 30.0), 1) == share(curve(10.0, 20.0, 20.0, 30.0), 1)


@pytest.mark.parametrize("demand", [(0.0, 0.0, 0.0, 0.0), (1.0, None, 3.0, 4.0), (1.0, 2.0, 3.0, float("inf"))])
def test_without_demand_or_without_knowing_it_nothing_is_late(demand: tuple[float | None, ...]) -> None:
    assert share(curve(*demand), 0) == 0.0


@pytest.mark.parametrize("levels", [(), (0.5, 0.5), (0.9, 0.1), (0.0, 0.5), (0.5, 1.0), (float("nan"), 0.5)])
def test_levels_that_are_none_are_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="levels must rise"):
        curve(*[1.0] * len(levels), levels=levels)


def test_a_demand_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="demand must be"):
        curve(1.0, 2.0)


@often
@given(st.lists(any_float, min_size=4, max_size=4), any_float)
def test_for_any_demand_it_falls_from_one_and_ever_less(demand: list[float], rate: float) -> None:
    replicas = np.arange(12)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        late = shortage(curve(*demand, rate=rate), np.zeros_like(replicas), replicas)
    saved = late[:-1] - late[1:]
    assert ((late >= 0.0) & (late <= 1.0 + 1e-12)).all()
    assert (saved >= -1e-12).all()
    assert (np.diff(saved) <= 1e-12).all()
