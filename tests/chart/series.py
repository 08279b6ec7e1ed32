"""An operator with a service of which everything is known: what it exports has a series of every family."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from foretide.api.conditions import ConditionType
from foretide.app.metrics import SelfMetrics
from foretide.control.challenge_status import Verdict
from foretide.control.world import Key
from foretide.scaling.readings import Readings
from foretide.scaling.shadow import Tally
from tests.app.test_metrics import SHOP, outcome
from tests.scaling.build import foreseen

SERVICE: Final[Key] = SHOP


def operator() -> SelfMetrics:
    """One that leads, and has seen an outage of Prometheus."""
    metrics = SelfMetrics()
    metrics.leader.set(1)
    metrics.tick_interval.set(15)
    metrics.backfill_progress.set(1)
    metrics.events.labels("Pod").inc()
    with metrics.reconciling():
        pass
    metrics.ticked(outcome((SERVICE, 31.0, 2), down=True), now_seconds=0)
    told = outcome((SERVICE, 31.0, 2), failed=1)
    memory = told.decisions.memory
    spending = memory.spending
    many, late = np.full_like(spending.asked, 1e6), np.full_like(spending.late, 5e3)
    calibration = memory.sight.calibration
    outcomes = np.full_like(calibration.outcomes, 600.0)
    memory = replace(
        memory,
        spending=replace(spending, asked=many, late=late, newest=np.array([[465.0, 2.0]])),
        sight=replace(memory.sight, calibration=replace(calibration, outcomes=outcomes)),
    )
    plan = replace(foreseen(62.0, lead_seconds=90.0), likely=Readings.of([40.0]))
    tally = Tally(
        since_seconds=np.array([0.0]),
        judged_seconds=np.array([3_600.0]),
        asked=np.array([200.0]),
        late=np.array([[1.0, 5.0]]),
        replica_seconds=np.array([[7_200.0, 3_600.0]]),
    )
    verdict = Verdict("web-next", "a/1 b/1", reason=None, message="", replicas=3, tally=tally)
    decisions = replace(told.decisions, memory=memory, plan=plan)
    metrics.ticked(replace(told, decisions=decisions, verdicts={SERVICE: verdict}), now_seconds=15)
    well = {"Stalled": "False", "Reconciling": "False", "ScalingLimited": "True"}
    conditions = [
        {"type": kind.value, "status": well.get(kind.value, "True"), "reason": "Available"} for kind in ConditionType
    ]
    metrics.conditions.follow({SERVICE: {"status": {"conditions": conditions}}})
    return metrics
