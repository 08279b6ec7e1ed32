"""What a ModelProfile says of batch times, and what takes its place as batches are measured."""

from __future__ import annotations

import numpy as np
import pytest

from foretide.scaling.capacity import Evidence, Law, fit, rate_per_replica
from foretide.scaling.tuning import Told
from tests.scaling.build import evidence_of, floats, ints

PER_ITEM, FIXED, LARGEST = 0.0012, 0.0045, 32.0
TOLD = Told(
    per_item_seconds=floats(PER_ITEM),
    fixed_seconds=floats(FIXED),
    largest=floats(LARGEST),
    cold_start_seconds=floats(np.nan),
)


def rate(law: Law) -> float:
    capacity = rate_per_replica(
        law, slo_latency_seconds=floats(0.1), objective=floats(0.99), max_batch=ints(32), instances=ints(1)
    )
    return float(capacity.rate_rps[0])


def measured(*sizes: int, pace: float = 1.0) -> Law:
    return TOLD.until_measured(fit(evidence_of(pace * PER_ITEM, pace * FIXED, sizes=sizes, executions=20)))


def test_before_anything_is_measured_it_is_as_told() -> None:
    law = TOLD.until_measured(fit(Evidence.none(1)))
    assert (law.known[0], law.told[0], law.largest[0]) == (True, True, LARGEST)
    assert rate(law) > 500.0


@pytest.mark.parametrize("sizes", [(1,), (4,), (1, 2), (1, 8, 32)])
def test_what_was_told_rightly_changes_nothing_as_it_is_measured(sizes: tuple[int, ...]) -> None:
    law = measured(*sizes)
    assert not law.told[0]
    assert rate(law) == pytest.approx(rate(TOLD.until_measured(fit(Evidence.none(1)))), rel=0.05)


@pytest.mark.parametrize("sizes", [(1,), (1, 2), (1, 8, 32)])
def test_what_was_told_wrongly_is_not_believed_from_the_first_batches_on(sizes: tuple[int, ...]) -> None:
    law = measured(*sizes, pace=2.0)
    assert law.per_item_seconds[0] == pytest.approx(2.0 * PER_ITEM, rel=0.05)
    assert law.fixed_seconds[0] == pytest.approx(2.0 * FIXED, rel=0.05)


def test_where_nothing_is_told_the_law_is_what_was_measured() -> None:
    law = fit(evidence_of(PER_ITEM, FIXED, sizes=(1, 2)))
    kept = Told.nothing(1).until_measured(law)
    assert (kept.per_item_seconds[0], kept.fixed_seconds[0]) == (law.per_item_seconds[0], law.fixed_seconds[0])
    assert (kept.largest[0], kept.known[0], kept.told[0]) == (law.largest[0], True, False)
    assert not Told.nothing(1).until_measured(fit(Evidence.none(1))).known[0]
