import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.scaling.arrays import Floats
from foretide.scaling.capacity import Law
from foretide.scaling.capacity.kappa import GAIN, MOST_LOAD, fresh, observe
from foretide.scaling.capacity.rate import BETWEEN_BATCHES_SECONDS, LEAST_KAPPA, MOST_KAPPA
from foretide.scaling.readings import Readings
from tests.scaling.build import bools, floats, ints
from tests.scaling.strategies import any_float, often

# One item at a time: M/D/1, whose mean latency is known.
SINGLE = 0.050
SATURATION = 1.0 / SINGLE


def learnt(
    kappa: float,
    latency: float | None,
    rate: float | None,
    *,
    per_item: float = SINGLE - BETWEEN_BATCHES_SECONDS,
    fixed: float = 0.0,
    measured: bool = True,
    single_known: bool = True,
    told: bool = False,
    largest: float = 1.0,
    cv2: float | None = None,
) -> float:
    law = Law(
        per_item_seconds=floats(per_item),
        fixed_seconds=floats(fixed),
        largest=floats(largest),
        known=bools(measured),
        single_known=bools(single_known),
        told=bools(told),
    )
    found: Floats = observe(
        floats(kappa),
        mean_latency_seconds=Readings.of([latency]),
        rate_per_ready_replica=Readings.of([rate]),
        law=law,
        max_batch=ints(8),
        instances=ints(1),
        arrival_cv2=None if cv2 is None else floats(cv2),
    )
    return float(found[0])


def test_it_starts_with_what_the_table_says() -> None:
    assert fresh(3).tolist() == [1.0, 1.0, 1.0]


def test_latencies_as_foreseen_leave_it_at_one() -> None:
    half = SINGLE * 1.5  # the wait at half of saturation is half a service
    assert learnt(1.0, half, 0.5 * SATURATION) == pytest.approx(1.0, abs=0.002)


def test_it_follows_latencies_that_stay_longer() -> None:
    slower, kappa = 1.4 * SINGLE * 1.5, 1.0
    assert learnt(kappa, slower, 0.5 * SATURATION) == pytest.approx(1.0 + 0.4 * GAIN, abs=0.002)
    for _ in range(60):
        kappa = learnt(kappa, slower, 0.5 * SATURATION)
    assert kappa == pytest.approx(1.4, rel=0.01)


def test_burstier_arrivals_explain_a_part_of_it() -> None:
    slow = SINGLE * 2.0
    assert 1.0 < learnt(1.0, slow, 0.5 * SATURATION, cv2=2.0) < learnt(1.0, slow, 0.5 * SATURATION)


@pytest.mark.parametrize(
    ("latency", "rate", "known"),
    [
        (None, 10.0, {}),
        (0.2, None, {}),
        (0.0, 10.0, {}),
        (-1.0, 10.0, {}),
        (0.2, -10.0, {}),
        (0.2, 0.04 * SATURATION, {}),
        (0.2, (MOST_LOAD + 0.01) * SATURATION, {}),
        (0.2, 1e300, {}),
        (0.2, 10.0, {"measured": False}),
        (0.2, 10.0, {"single_known": False}),
    ],
)
def test_what_tells_nothing_changes_nothing(latency: float | None, rate: float | None, known: dict[str, bool]) -> None:
    assert learnt(1.3, latency, rate, **known) == 1.3


@often
@given(*[any_float] * 6, any_float, st.booleans(), st.booleans())
def test_it_stays_within_its_bounds_whatever_it_is_told(
    kappa: float,
    latency: float,
    rate: float,
    per_item: float,
    fixed: float,
    largest: float,
    cv2: float,
    measured: bool,
    single_known: bool,
) -> None:
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        found = learnt(
            kappa,
            latency,
            rate,
            per_item=per_item,
            fixed=fixed,
            largest=largest,
            cv2=cv2,
            measured=measured,
            single_known=single_known,
        )
    assert LEAST_KAPPA <= found <= MOST_KAPPA


@often
@given(st.floats(0.5, 2.0), st.floats(0.0, 10.0), st.floats(0.0, 10.0), st.floats(0.0, 30.0))
def test_longer_latencies_never_make_it_smaller(kappa: float, latency: float, more: float, rate: float) -> None:
    known = latency if latency > 0.0 else 1e-6
    assert learnt(kappa, known, rate) <= learnt(kappa, known + more, rate)


def test_each_service_learns_for_itself() -> None:
    law = Law(
        per_item_seconds=np.full(3, SINGLE - BETWEEN_BATCHES_SECONDS),
        fixed_seconds=np.zeros(3),
        largest=np.ones(3),
        known=np.ones(3, dtype=np.bool_),
        single_known=np.ones(3, dtype=np.bool_),
        told=np.zeros(3, dtype=np.bool_),
    )
    before = fresh(3)
    after = observe(
        before,
        mean_latency_seconds=Readings.of([0.15, None, 0.04]),
        rate_per_ready_replica=Readings.of([10.0, 10.0, 10.0]),
        law=law,
        max_batch=ints(1, 1, 1),
        instances=ints(1, 1, 1),
    )
    assert after[0] > 1.0 == after[1] > after[2]
    assert before.tolist() == [1.0, 1.0, 1.0]
