"""The schema of status takes what the two loops write, and no number that is not whole but as a string."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from foretide.api.conditions import ConditionType
from foretide.api.status import InferenceServiceStatus
from tests.api import apiserver, specs

_TIME = "2026-11-22T08:00:00Z"
_FULL: dict[str, Any] = {
    "observedGeneration": 3,
    "conditions": [
        {"type": kind.value, "status": "Unknown", "reason": "NoSeries", "message": "", "lastTransitionTime": _TIME}
        for kind in ConditionType
    ],
    "url": "http://ranker.shop.svc:8000",
    "replicas": 3,
    "readyReplicas": 3,
    "desiredReplicas": 4,
    "hardware": [
        {
            "class": "gpu-t4",
            "replicas": 5,
            "counted": 2,
            "ready": 2,
            "costPerHour": "2.65",
            "reason": "Unschedulable",
            "message": "2 of its replicas are counted on: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
        },
        {"class": "cpu-16", "replicas": 0, "counted": 0, "ready": 0, "reason": "NotNeeded", "message": ""},
    ],
    "capacity": {"perReplica": "44.8", "batchTime": {"perItem": "1.2ms", "fixed": "4.1ms"}, "source": "Measured"},
    "coldStart": {"p50": "38s", "p90": "42s", "starts": 12},
    "slo": {
        "attainment": "98.7",
        "budgetLeft": "-30",
        "burnRates": [{"window": "5m", "rate": "14.4"}, {"window": "1h", "rate": "1.3"}],
        "source": "Histogram",
    },
    "cost": {
        "perHour": "1.59",
        "perThousandInferences": "0.0098",
        "currency": "USD",
        "wattHoursPerThousandInferences": "0.81",
    },
    "challenger": {
        "policy": "web-next",
        "reason": "ScalingPaused",
        "message": "spec.scaling.paused is true",
        "compared": "uid-of-web/3 uid-of-web-next/1",
        "since": _TIME,
        "hours": "12.5",
        "inferences": "1250000",
        "replicas": 4,
        "score": {"attainment": "99.61", "late": "4875", "replicaHours": "50.1", "costPerHour": "2.12"},
        "championScore": {"attainment": "98.7", "late": "16250", "replicaHours": "37.5", "costPerHour": "1.59"},
    },
    "decisions": [
        {
            "time": _TIME,
            "from": 3,
            "to": 4,
            "demand": "71.4",
            "forecast": "118",
            "quantile": "0.99",
            "horizon": "42s",
            "hpa": 2,
            "bound": "Forecast",
            "reason": "ScaledUp",
            "text": "3 -> 4",
        }
    ],
    "memory": "x",
}


def _errors(status: dict[str, Any]) -> list[str]:
    return apiserver.errors({**specs.service(), "status": status})


def test_everything_that_may_be_told_is_taken() -> None:
    InferenceServiceStatus.model_validate_json(json.dumps(_FULL))
    assert set(_FULL) == {field.alias for field in InferenceServiceStatus.model_fields.values()}
    assert _errors(_FULL) == []


def test_nothing_need_be_told() -> None:
    assert _errors({}) == []
    assert InferenceServiceStatus().slo is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("slo", "attainment"), 98.7),
        (("slo", "burnRates"), [{"window": "5m", "rate": "1"}, {"window": "5m", "rate": "2"}]),
        (("slo", "source"), specs.REMOVED),
        (("cost", "perHour"), 1.59),
        (("cost", "currency"), "EURO"),
        (("coldStart", "starts"), -1),
        (("challenger", "policy"), specs.REMOVED),
        (("challenger", "score", "late"), 4875),
        (("decisions", 0, "hpa"), 2.5),
        (("decisions", 0, "quantile"), 0.99),
    ],
)
def test_what_is_not_of_the_schema_is_refused_by_model_and_apiserver(path: specs.Path, value: object) -> None:
    wrong = specs.changed(_FULL, path, value)
    assert _errors(wrong)
    with pytest.raises(ValidationError):
        InferenceServiceStatus.model_validate_json(json.dumps(wrong))
