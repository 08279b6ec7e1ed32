"""What the autoscaler is told of each service is what its pods run."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.control.policies import USUAL
from foretide.control.table import Row, promise
from foretide.control.world import Key, Served, ServedClass
from tests.control import objects


def row(service: dict[str, Any], hardware: dict[str, Any]) -> Row:
    parsed, of_class = parse.inference_service(service), parse.hardware_class(hardware)
    assert isinstance(parsed, InferenceService), parsed
    assert isinstance(of_class, HardwareClass), of_class
    served = Served(parsed, (ServedClass(of_class.name, "d", of_class),))
    return Row(Key("shop", "ranker"), served, service, {}, None, USUAL, None)


@pytest.mark.parametrize(
    ("model", "largest"),
    [({"backend": "python", "maxBatchSize": 8}, 8), ({"backend": "python"}, 1), ({"backend": "vllm"}, 0)],
)
def test_the_largest_batch_is_the_one_that_triton_makes(model: dict[str, Any], largest: int) -> None:
    service = objects.service(model={"source": {"configMap": {"name": "x"}}, **model})
    assert promise([row(service, objects.hardware_class())]).max_batch.tolist() == [largest]


def test_instances_are_those_that_share_the_queue() -> None:
    limits = {"limits": {"cpu": "4"}}
    classes = [
        objects.hardware_class(resources=limits, triton={"image": "x", "instances": instances})
        for instances in ("Auto", 3)
    ]
    rows = [row(objects.service(), each) for each in classes]
    assert promise(rows).instances.tolist() == [4, 3]
