"""Services as the operator leaves them: status is written by the code that writes it in production."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.control.policies import USUAL
from foretide.control.scaling_conditions import Circumstances
from foretide.control.scaling_status import status
from tests.control import objects
from tests.scaling.build import bounds, foreseen, held_since_long, judge

Raw = dict[str, Any]
PRICE = {"perHour": "0.53", "currency": "USD"}


def service(name: str = "ranker", *, ago_seconds: float = 480.0, **changes: Any) -> Raw:
    """One that grew from 2 to 4 replicas because of what is foreseen."""
    now = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    hardware_class = parse.hardware_class(objects.hardware_class(cost=PRICE))
    assert isinstance(hardware_class, HardwareClass)
    known = Circumstances(
        generation=1, no_metrics=None, foreign_scaler=None, policy=USUAL, hardware_class=hardware_class, now=now
    )
    made = judge(
        18.0,
        replicas=2,
        plan=foreseen(34.0, score=2.326, lead_seconds=42.0),
        limits=bounds(1, 20),
        memory=held_since_long(2),
    )
    written = status(made, 0, known, {})
    reconciled = {
        "observedGeneration": 1,
        "url": f"http://{name}.shop.svc:8000",
        "replicas": 4,
        "readyReplicas": 3,
        "slo": {
            "attainment": "99.62",
            "budgetLeft": "62",
            "burnRates": [{"window": "5m", "rate": "0.4"}, {"window": "1h", "rate": "1.2"}],
            "source": "Summary",
        },
        "coldStart": {"p50": "12s", "p90": "42s", "starts": 9},
    }
    conditions = [
        {"type": kind, "status": value, "reason": reason, "message": "m", "lastTransitionTime": objects.SINCE}
        for kind, value, reason in (("Ready", "True", "Available"), ("ModelLoaded", "True", "ModelLoaded"))
    ]
    written = {**written, **reconciled, "conditions": [*written["conditions"], *conditions]}
    return objects.service(name, status={**written, **changes.pop("status", {})}, **changes)


def operator(**environment: str) -> Raw:
    """The Deployment of the operator, as far as the plugin reads it."""
    container = {"env": [{"name": name, "value": value} for name, value in environment.items()]}
    return {
        "metadata": {
            "name": "foretide-operator",
            "namespace": "foretide-system",
            "labels": {"app.kubernetes.io/name": "foretide", "app.kubernetes.io/component": "operator"},
        },
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
