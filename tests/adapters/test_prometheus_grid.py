"""Range answers on a regular grid: what is known is where it belongs, and all else is a gap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters import prometheus_grid as module
from foretide.adapters.errors import Rejected
from foretide.adapters.prometheus_grid import Grid, Workload
from foretide.api.reasons import Reason

START = 1_763_800_020
RANKER = Workload("shop", "ranker--cpu-16")
LABELS = {"namespace": RANKER.namespace, "workload": RANKER.name}


def empty(steps: int = 5, step: int = 60) -> Grid:
    return Grid.empty(start_seconds=START, end_seconds=START + (steps - 1) * step, step_seconds=step)


def answer(*samples: Any, **labels: str) -> list[dict[str, Any]]:
    return [{"metric": labels or LABELS, "values": list(samples)}]


values = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.integers(1, 300), st.sampled_from([1, 15, 60, 3600]), st.data())
def test_every_sample_is_at_its_step_and_the_rest_is_not_known(steps: int, step: int, data: st.DataObject) -> None:
    places = data.draw(st.dictionaries(st.integers(0, steps - 1), values))
    found = empty(steps, step).filled(answer(*([START + place * step, repr(value)] for place, value in places.items())))
    expected = np.full(steps, np.nan)
    for place, value in places.items():
        if math.isfinite(value):
            expected[place] = value
    np.testing.assert_array_equal(found.of([RANKER]), [expected])


def test_samples_between_steps_and_beyond_the_range_are_dropped() -> None:
    times = [START - 60, START - 1, START + 29, START + 30, START + 59.6, START + 119, START + 300, math.nan, 1e300]
    found = empty().filled(answer(*([time, "1"] for time in times)))
    np.testing.assert_array_equal(found.of([RANKER]), [[np.nan, 1.0, np.nan, np.nan, np.nan]])


def test_out_of_order_and_twice() -> None:
    found = empty(2).filled(answer([START + 60, "2"], [START, "1"], [START + 60, "3"]))
    np.testing.assert_array_equal(found.of([RANKER]), [[1.0, 3.0]])


def test_rows_come_in_the_order_in_which_they_are_asked_for() -> None:
    other = Workload("bank", "ranker--cpu-16")
    found = empty(1).filled([*answer([START, "1"]), *answer([START, "2"], namespace="bank", workload="ranker--cpu-16")])
    missing = Workload("shop", "other")
    np.testing.assert_array_equal(found.of([other, missing, RANKER]), [[2.0], [np.nan], [1.0]])
    assert found.of([]).shape == (0, 1)


def test_pods_without_a_deployment_are_passed_over() -> None:
    found = empty().filled([*answer([START, "1"], namespace="shop"), *answer([START, "1"], workload="x")])
    assert (dict(found.rows), found.values.shape) == ({}, (0, 5))


def test_what_was_found_cannot_be_changed() -> None:
    found = empty().filled(answer([START, "1"]))
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0] = 2.0
    taken = found.of([RANKER])
    taken[0, 0] = 2.0
    assert found.of([RANKER])[0, 0] == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        5,
        "namespace workload",
        [None],
        [{"metric": LABELS}],
        [{"metric": LABELS, "value": [START, "1"]}],
        [{"metric": LABELS, "values": None}],
        [{"metric": LABELS, "values": [1]}],
        answer([START]),
        answer([START, "many"]),
        answer([START, None]),
        answer([[], "1"]),
        answer([START, 10**400]),
        [{"metric": {"namespace": [], "workload": "x"}, "values": []}],
    ],
    ids=lambda each: str(each)[:60],
)
def test_what_is_no_matrix_is_malformed(wrong: Any) -> None:
    with pytest.raises(Rejected) as raised:
        empty().filled(wrong)
    assert raised.value.reason == Reason.PROMETHEUS_MALFORMED
    assert "many" not in str(raised.value)


def test_a_small_answer_cannot_ask_for_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_POINTS", 1_000)
    series = [each for number in range(11) for each in answer([START, "1"], namespace="shop", workload=f"w{number}")]
    assert len(empty(100).filled(series[:10]).rows) == 10
    with pytest.raises(Rejected, match="1,100 points") as raised:
        empty(100).filled(series)
    assert raised.value.reason == Reason.PROMETHEUS_TOO_LARGE


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(0, 90, 60), (60, 0, 60), (0, 60, 0), (0, 60, -60), (0.5, 60.5, 60), (0, 60, 0.5), (0, 11_000 * 60, 60)],
)
def test_times_that_make_no_grid_are_refused(start: float, end: float, step: float) -> None:
    with pytest.raises(ValueError, match="must"):
        Grid.empty(start_seconds=start, end_seconds=end, step_seconds=step)


def test_the_longest_range_is_what_prometheus_allows() -> None:
    assert Grid.empty(start_seconds=0, end_seconds=10_999 * 60, step_seconds=60).steps == 11_000
