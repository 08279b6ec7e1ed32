from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from foretide.api.reasons import Reason
from foretide.scaling.decide import decide
from foretide.scaling.decision import Bound, Decisions, Plan, Quotas
from foretide.scaling.forecast.foresight import Foresight, Trust
from foretide.scaling.ledger import CHANGED, KEPT, explain, reason
from foretide.scaling.memory import Memory
from foretide.scaling.observation import Gap
from foretide.scaling.ration import ration
from foretide.scaling.tuning import Tuning
from tests.scaling.build import (
    NOW,
    SETTINGS,
    bounds,
    capacity,
    fleet,
    floats,
    foreseen,
    held_since_long,
    ints,
    judge,
    seen,
)
from tests.scaling.strategies import random_world, seeds, seldom


def test_growth_says_what_was_asked_what_a_replica_serves_and_what_follows() -> None:
    made = judge(118.2, replicas=3, rate_rps=26.4)
    assert explain(made, 0) == (
        "3 -> 5: 118.2 items/s asked, 26.4 a replica within 100ms at p99 (measured 4.5ms + 1.2ms per item), so 5"
    )
    assert reason(made, 0) == Reason.SCALED_UP


@pytest.mark.parametrize(
    ("made", "text", "word"),
    [
        (judge(None, replicas=3), "stays at 3: the load is unknown (there is no series of any ready "
         "replica), so nothing changes", Reason.METRICS_UNAVAILABLE),
        (judge(5.0, replicas=6, memory=Memory.fresh(1), plan=foreseen(hold_seconds=60.0)),
         "so 1 would do, but 6 were needed within the last 60s", Reason.SCALE_DOWN_HELD),
        (judge(5.0, replicas=6, memory=held_since_long(6)), "so 1 would do, but 6 were needed within the last 300s",
         Reason.SCALE_DOWN_HELD),
        (judge(5.0, replicas=10), "10 -> 8: 5.0 items/s asked, 10.0 a replica", Reason.SCALED_DOWN),
        (judge(5.0, replicas=10), "so 1 would do, but one step takes away no more than 2", Reason.SCALED_DOWN),
        (judge(500.0, replicas=10), "so 50, but maxReplicas is 10", Reason.AT_MAX_REPLICAS),
        (judge(0.0, replicas=1), "so 0, but minReplicas is 1", Reason.AT_MIN_REPLICAS),
        (judge(None, replicas=9, limits=bounds(1, 4)), "9 -> 4: the load is unknown (there is no series of any ready "
         "replica), but maxReplicas is 4", Reason.AT_MAX_REPLICAS),
        (judge(5.0, replicas=6, rolling=True), "so 1 would do, but a rollout is running", Reason.ROLLOUT_HELD),
        (judge(5.0, replicas=6, may_shrink=False), "so 1 would do, but nothing shrinks while Prometheus is away",
         Reason.SCALE_DOWN_HELD),
        (judge(5.0, replicas=3, limits=bounds(paused=True)), "stays at 3: paused by the spec", Reason.SCALING_PAUSED),
        (judge(5.0, replicas=3, limits=bounds(pinned=7)), "3 -> 7: pinned to 7 by the spec", Reason.REPLICAS_PINNED),
        (judge(5.0, replicas=4, silent=3), "5.0 items/s asked of 1 of 4 replicas", Reason.PARTIAL_SERIES),
        (judge(5.0, replicas=4, silent=3), "3 silent replicas count as fully loaded", Reason.PARTIAL_SERIES),
        (judge(5.0, replicas=4, expected=1, young=3), "3 new replicas count as fully loaded", Reason.SCALE_DOWN_HELD),
        (judge(25.0, replicas=6, pending=92.0), "25.0 items/s asked and 60 waiting", Reason.SCALE_DOWN_HELD),
        (judge(25.0, replicas=3, short=75.0), "3 -> 8: 75.0 items/s asked in a burst (25.0 on average), "
         "10.0 a replica", Reason.SCALED_UP),
        (judge(5.0, replicas=6, expected=0), "no replica is ready long enough", Reason.NO_READY_REPLICAS),
        (judge(28.0, replicas=4), "so 3 would do, but that leaves less than 10% of room", Reason.STEADY),
        (judge(25.0, replicas=3, plan=foreseen(62.0, lead_seconds=90.0, score=2.326)),
         "3 -> 7: 25.0 items/s asked, 62.0 foreseen in 1m30s (p99), 10.0 a replica", Reason.SCALED_UP),
        (judge(25.0, replicas=7, plan=foreseen(62.0)), "stays at 7: 25.0 items/s asked, 62.0 foreseen", Reason.STEADY),
        (judge(25.0, replicas=6, plan=foreseen(1.0, 53.0)), "so 3 would do, but 6 are foreseen to be needed soon",
         Reason.SCALE_DOWN_HELD),
        (judge(25.0, replicas=3), "stays at 3: 25.0 items/s asked", Reason.STEADY),
    ],
)  # fmt: skip
def test_every_bound_has_its_sentence_and_its_word(made: Decisions, text: str, word: Reason) -> None:
    assert text in explain(made, 0)
    assert reason(made, 0) == word


def rationed(demand: float | None, *, replicas: int, limit: int, pinned: int | None = None) -> Decisions:
    """Alone under a quota."""
    quotas = Quotas(group=ints(0), priority=ints(0), limit=ints(limit))
    nothing = Foresight(levels=floats(0.5, 0.9), demand_rps=np.zeros((1, 2, 2)), trust=ints(Trust.NO_HISTORY))
    return ration(judge(demand, replicas=replicas, limits=bounds(pinned=pinned)), quotas, nothing)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (rationed(55.0, replicas=2, limit=4), "2 -> 4: 55.0 items/s asked, 10.0 a replica within 100ms at p99 "
         "(measured 4.5ms + 1.2ms per item), so 6 are wanted, but the quota of 4 replicas leaves 4"),
        (rationed(55.0, replicas=4, limit=4), "stays at 4: 55.0 items/s asked"),
        (rationed(None, replicas=3, limit=2), "3 -> 2: the load is unknown (there is no series of any ready replica), "
         "but the quota of 2 replicas leaves 2"),
        (rationed(5.0, replicas=1, limit=4, pinned=6),
         "1 -> 4: pinned to 6 by the spec, but the quota of 4 replicas leaves 4"),
        (rationed(None, replicas=4, limit=4, pinned=6),
         "stays at 4: pinned to 6 by the spec, but the quota of 4 replicas leaves 4"),
    ],
)  # fmt: skip
def test_a_quota_has_its_sentence_and_its_word(made: Decisions, text: str) -> None:
    assert text in explain(made, 0)
    assert reason(made, 0) == Reason.AT_QUOTA


@pytest.mark.parametrize(
    ("measured", "feasible", "text"),
    [
        (False, True, "within 100ms at p99 (assumed, nothing measured yet)"),
        (True, False, "a replica (none within 100ms) (measured 4.5ms + 1.2ms per item)"),
    ],
)
def test_where_the_capacity_comes_from_is_said(measured: bool, feasible: bool, text: str) -> None:
    made = decide(
        bounds(),
        Tuning.usual(1),
        fleet(1),
        seen(15.0),
        capacity(measured=measured, feasible=feasible),
        Plan.none(1, hold_seconds=SETTINGS.scale_down_hold_seconds),
        Memory.fresh(1),
        now_seconds=NOW,
        settings=SETTINGS,
    )
    assert text in explain(made, 0)


def test_every_gap_is_told_apart() -> None:
    texts = set()
    for gap in set(Gap) - {Gap.NONE}:
        made = judge(None, replicas=3)
        texts.add(explain(replace(made, seen=seen(None, gap=gap)), 0))
    assert len(texts) == len(Gap) - 1


def test_every_bound_has_a_word() -> None:
    assert set(KEPT) == set(Bound)
    assert set(CHANGED) <= set(Bound)
    assert [bound.label for bound in (Bound.HOLD, Bound.STEP_LIMIT)] == ["Hold", "StepLimit"]


@seldom
@given(seeds)
def test_any_decision_is_explained_in_one_short_sentence_of_real_numbers(seed: int) -> None:
    made = random_world(seed).decide()
    for row in range(len(made)):
        text = explain(made, row)
        assert len(text) <= 512
        assert "nan" not in text
        assert "inf" not in text
        assert "\n" not in text
        assert isinstance(reason(made, row), Reason)
