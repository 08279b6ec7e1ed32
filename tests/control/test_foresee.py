"""A forecast that fails leaves a reactive autoscaler, and a sentence in the log."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from foretide.control.foresee import Guarded
from foretide.scaling.brain import Brain
from foretide.scaling.forecast.foresight import Target, Trust
from foretide.scaling.forecast.model import shipped
from foretide.scaling.forecast.sight import Outlook, Sight, look
from foretide.scaling.readings import Readings
from tests.scaling.build import NOW, SETTINGS

SERVICES = 3
DEMAND = Readings.checked(np.array([1.0, 20.0, 300.0]), np.array([True, True, False]))
OUTLOOK = Outlook(
    lead_seconds=np.full(SERVICES, 45.0),
    step_seconds=15.0,
    floor_rps=np.full(SERVICES, 0.5),
    season_seconds=np.full(SERVICES, np.nan),
)


def fails(*_: Any, **__: Any) -> Any:
    raise ValueError("features must be finite")


def test_what_does_not_fail_is_as_it_was() -> None:
    sight = Sight.fresh(SERVICES)
    guarded = Guarded()(sight, shipped(), DEMAND, OUTLOOK, now_seconds=NOW)
    plain = look(sight, shipped(), DEMAND, OUTLOOK, now_seconds=NOW)
    np.testing.assert_array_equal(guarded[1].demand_rps, plain[1].demand_rps)
    np.testing.assert_array_equal(guarded[1].trust, plain[1].trust)


def test_a_failure_foresees_nothing_and_remembers_the_load() -> None:
    guarded = Guarded(fails)
    sight, foresight = guarded(Sight.fresh(SERVICES), shipped(), DEMAND, OUTLOOK, now_seconds=NOW)
    assert set(foresight.trust.tolist()) == {Trust.MISSED}
    assert not foresight.at(Target.AHEAD, np.zeros(SERVICES)).known.any()
    seen, _ = look(Sight.fresh(SERVICES), shipped(), DEMAND, OUTLOOK, now_seconds=NOW)
    np.testing.assert_array_equal(sight.history.recent, seen.history.recent)


def test_a_failure_is_told_once_and_again_when_it_is_another(caplog: pytest.LogCaptureFixture) -> None:
    messages = iter(["one", "one", "", "one", "two"])

    def sometimes(*given: Any, **more: Any) -> Any:
        if message := next(messages):
            raise ValueError(message)
        return look(*given, **more)

    guarded = Guarded(sometimes)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            guarded(Sight.fresh(SERVICES), shipped(), DEMAND, OUTLOOK, now_seconds=NOW)
    assert len(caplog.records) == 3


def test_the_brain_takes_it() -> None:
    assert Brain(SETTINGS, foresee=Guarded()).foresee is not look
