"""The proving ground answers queries as a real Prometheus does: the same samples, the same answers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pytest

from e2e.scenarios import prometheus
from e2e.scenarios.api import Api
from e2e.scenarios.waiting import until
from foretide.scaling.arrays import Floats
from foretide.scaling.policy import Over
from foretide.simulate.observe import FUNCTION_ORDER
from foretide.simulate.scenario import Conditions, Lane, Law
from foretide.simulate.scrapes import evaluate
from foretide.simulate.state import GONE, KEPT_SAMPLES, READY, SUCCESS, build

SERIES: Final = 300
# Of a series: the simulator has forgotten the oldest of so many.
MOST_SAMPLES: Final = 3 * KEPT_SAMPLES
INTERVALS_MILLISECONDS: Final = (1_000, 5_000, 15_000)
WINDOWS_SECONDS: Final = (15.0, 20.0, 60.0, 300.0)
PROMQL: Final = {
    Over.NEWEST: "{metric}",
    Over.RATE: "rate({metric}[{window}s])",
    Over.DERIV: "deriv({metric}[{window}s])",
    Over.AVERAGE: "avg_over_time({metric}[{window}s])",
    Over.MAXIMUM: "max_over_time({metric}[{window}s])",
    Over.AGE: "{now} - timestamp({metric})",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """The samples of one pod: whole milliseconds before the moment of the query, oldest first."""

    ages_milliseconds: tuple[int, ...]
    values: Floats
    stale: bool  # the scrape after the last sample failed
    ended: bool  # the pod is gone, of which Prometheus learns with that scrape

    def is_kept(self, window_seconds: float) -> bool:
        """Whether the simulator still has all samples of the window."""
        forgotten = self.ages_milliseconds[:-KEPT_SAMPLES]
        return not forgotten or forgotten[-1] >= window_seconds * 1_000


def _series(random: np.random.Generator) -> _Series:
    """A counter as pods have them: any interval, lost scrapes, restarts, a beginning at 0 or long before, an end."""
    interval = int(random.choice(INTERVALS_MILLISECONDS))
    count = int(random.integers(1, MOST_SAMPLES))
    ages = np.arange(count)[::-1] * interval + int(random.integers(0, 2 * interval))
    kept = random.random(count) > random.choice([0.0, 0.1, 0.5])
    kept[0] = True
    steps = random.choice([0.0, 1.0, 7.5, 400.0]) * random.poisson(3.0, count)
    values = (random.choice([0.0, 5.0, 1e6]) + steps.cumsum())[kept]
    restart = int(random.integers(0, 3 * count))
    if restart < len(values):
        values[restart:] -= values[restart] - random.choice([0.0, 2.0])
    ends_before_now = ages[kept][-1] > 0
    stale, ended = ends_before_now and random.random() < 0.1, ends_before_now and random.random() < 0.2
    return _Series(tuple(ages[kept].tolist()), values, stale=bool(stale), ended=bool(ended))


@pytest.fixture(scope="module")
def table() -> tuple[_Series, ...]:
    random = np.random.default_rng(1)
    return tuple(_series(random) for _ in range(SERIES))


@pytest.fixture(scope="module")
def asked_at(api: Api, table: tuple[_Series, ...]) -> int:
    """The table is in Prometheus, up to a whole second (Unix time)."""
    now = math.floor(time.time())
    points = [point for number, one in enumerate(table) for point in _points(number, one, now)]
    prometheus.receive(api, _metric(now), points)
    until("the samples are there", lambda: bool(prometheus.query(api, _metric(now), now)), within_seconds=10)
    return now


def _metric(asked_at: int) -> str:
    """Another name for each table: a series takes no samples that are older than those it has."""
    return f"foretide_promql_check_{asked_at}"


def _points(number: int, one: _Series, now: int) -> Iterator[dict[str, Any]]:
    attributes = [{"key": "number", "value": {"stringValue": str(number)}}]
    for age, value in zip(one.ages_milliseconds, one.values, strict=True):
        yield {"timeUnixNano": str((now * 1_000 - age) * 10**6), "asDouble": float(value), "attributes": attributes}
    if one.stale or one.ended:
        moment = now * 1_000 - one.ages_milliseconds[-1] + 1
        yield {"timeUnixNano": str(moment * 10**6), "flags": prometheus.NO_VALUE, "attributes": attributes}


@pytest.mark.parametrize("window", WINDOWS_SECONDS)
@pytest.mark.parametrize("over", Over, ids=lambda over: over.name.lower())
def test_the_same_samples_give_the_same_answers(
    api: Api, table: tuple[_Series, ...], asked_at: int, over: Over, window: float
) -> None:
    words = PROMQL[over].format(metric=_metric(asked_at), window=int(window), now=asked_at)
    real = prometheus.query(api, words, asked_at)
    expected = np.array([real.get(str(number), np.nan) for number in range(len(table))])
    # A query for the newest sample looks at no other.
    fair = np.array([over in (Over.NEWEST, Over.AGE) or one.is_kept(window) for one in table])
    # Prometheus subtracts two Unix times: 0.2 microseconds of rounding.
    rounding = 1e-6 if over is Over.AGE else 1e-9
    np.testing.assert_allclose(_simulated(table, over, window)[fair], expected[fair], rtol=1e-9, atol=rounding)


@pytest.mark.parametrize("window", WINDOWS_SECONDS)
def test_the_comparison_meets_forgotten_samples_and_pods_that_ended(table: tuple[_Series, ...], window: float) -> None:
    fair = [one for one in table if one.is_kept(window) and one.ages_milliseconds[-1] < window * 1_000]
    assert len(fair) > SERIES / 2
    assert sum(len(one.values) > KEPT_SAMPLES for one in fair) > SERIES / 10
    assert sum(one.ended for one in fair) > SERIES / 20


def _simulated(table: tuple[_Series, ...], over: Over, window_seconds: float) -> Floats:
    """What the simulator answers: a lane with one pod for each series."""
    law = Law(per_item_seconds=0.01, fixed_seconds=0.04, max_batch=8)
    lanes = [
        Lane(
            name=str(number),
            rates_rps=np.zeros(1),
            step_seconds=15.0,
            seed=1,
            law=law,
            slo_latency_seconds=0.25,
            max_replicas=1,
        )
        for number in range(len(table))
    ]
    state = build(lanes, Conditions(), counted_from_seconds=0.0)
    now = MOST_SAMPLES * max(INTERVALS_MILLISECONDS) / 1_000.0
    state.lanes["places"] = 1
    for lane, one in enumerate(table):
        state.pods[lane, 0]["phase"] = GONE if one.ended else READY
        state.pods[lane, 0]["sampled"] = len(one.values)
        state.pods[lane, 0]["stale"] = one.stale
        for number, (age, value) in enumerate(zip(one.ages_milliseconds, one.values, strict=True)):
            row = number % KEPT_SAMPLES  # as `scrape` writes them
            state.sample_times[lane, 0, row] = now - age / 1_000.0
            state.samples[lane, 0, row, SUCCESS] = value
    function = np.array([FUNCTION_ORDER.index(over)])
    found: Floats = np.full(len(table), np.nan)
    for ended in (False, True):
        asked = np.array([one.ended == ended for one in table])
        answers = np.full((1, asked.sum()), np.nan)
        evaluate(state, now, ended, np.array([SUCCESS]), function, np.array([window_seconds]), answers)
        found[asked] = answers[0]
    return found
