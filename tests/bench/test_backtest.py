"""The services that `bench.backtest` times are many, busy, and all different."""

from __future__ import annotations

import numpy as np

from bench.backtest.__main__ import KNOWN_DAYS, REPLICAS, STEP_SECONDS, fleet

DAY_STEPS = round(86_400 / STEP_SECONDS)


def test_services_have_models_and_loads_of_their_own() -> None:
    subjects = list(fleet(60, 2.0))
    assert len({one.case.usual.law for one in subjects}) == len({one.case.name for one in subjects}) == 60
    assert len({one.load.rates_rps.tobytes() for one in subjects}) == 60
    for one in subjects:
        assert one.load.judged_seconds == 2 * 86_400.0
        assert one.load.judged_from == KNOWN_DAYS * DAY_STEPS
        # at its busiest it needs some of the replicas, and not always all of them
        top = np.quantile(one.load.rates_rps, 0.99) / one.case.usual.law.saturation_rps
        assert 0.4 * REPLICAS < top < REPLICAS
