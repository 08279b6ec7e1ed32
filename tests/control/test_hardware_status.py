"""status.hardware: what is told of classes, and read back of whatever somebody made of it."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.reasons import Reason
from foretide.api.status import InferenceServiceStatus
from foretide.control.hardware_status import ClassState, Told, entries, told
from tests.control import objects


def state(**changes: Any) -> ClassState:
    parsed = parse.hardware_class(objects.hardware_class(cost={"perHour": "0.53", "currency": "USD"}))
    assert isinstance(parsed, HardwareClass)
    usual = {
        "name": "cpu-16",
        "hardware_class": parsed,
        "replicas": 5,
        "counted": 3,
        "ready": 2,
        "reason": Reason.UNSCHEDULABLE,
        "message": "no room",
    }
    return ClassState(**{**usual, **changes})


def test_what_is_told_is_read_back_and_of_the_schema() -> None:
    made = entries([state(), state(name="gone", hardware_class=None, reason=Reason.HARDWARE_CLASS_NOT_FOUND)])
    assert told({"hardware": made}) == {"cpu-16": Told(5, 3), "gone": Told(5, 3)}
    assert told({"hardware": made})["cpu-16"].surplus == 2
    assert (made[0]["costPerHour"], "costPerHour" in made[1]) == ("2.65", False)
    InferenceServiceStatus.model_validate({"hardware": tuple(made)})


def test_long_words_of_others_are_cut() -> None:
    (made,) = entries([state(message="x" * 5_000)])
    InferenceServiceStatus.model_validate({"hardware": (made,)})


@pytest.mark.parametrize(
    "garbage", [None, 3, "x", [3], [{}], [{"class": 1, "replicas": 1, "counted": 1}], [{"class": "a", "replicas": "1"}]]
)
def test_what_is_no_entry_is_passed_over(garbage: Any) -> None:
    assert told({"hardware": garbage}) == {}
