"""What Triton's queue refuses: nothing with one instance, and with more what has waited for half of the SLO."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import text_format
from hypothesis import given
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelDynamicBatching, ModelQueuePolicy

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.model_config import model_config
from foretide.serving.parallelism import instances
from tests.serving.strategies import hardware, placed, service

MANUAL = {"mode": "Manual", "maxQueueDelay": "20ms"}
MODEL = {"backend": "python", "source": {"configMap": {"name": "x"}}, "maxBatchSize": 8}
TENSORS = {
    "inputs": [{"name": "X", "dataType": "FP32", "shape": [4]}],
    "outputs": [{"name": "Y", "dataType": "FP32", "shape": [4]}],
}


def batching(service: InferenceService, hardware: HardwareClass) -> ModelDynamicBatching:
    return text_format.Parse(model_config(service, hardware), ModelConfig()).dynamic_batching


@pytest.mark.parametrize(
    ("count", "more", "timeout_us"),
    [
        ("1", {}, None),
        ("2", {}, 50_000),
        ("64", {}, 50_000),
        ("Auto", {}, None),  # one whole CPU
        ("2", {"batching": {"mode": "None"}}, None),
        ("2", {"model": {**MODEL, **TENSORS, "maxBatchSize": 1}}, None),
        ("1", {"batching": MANUAL}, None),
        ("2", {"batching": MANUAL}, 60_000),  # half of the 80 ms after the delay; or every lonely request was refused
    ],
)
def test_two_instances_refuse_what_has_waited_for_half_of_the_slo(
    count: str, more: dict[str, Any], timeout_us: int | None
) -> None:
    asked = service(**{"model": {**MODEL, **TENSORS}, "slo": {"objective": "99", "latency": "100ms"}, **more})
    found = batching(asked, hardware(triton={"image": "triton:1", "instances": count}))
    assert found.HasField("default_queue_policy") is (timeout_us is not None)
    if timeout_us is not None:
        assert found.default_queue_policy.timeout_action == ModelQueuePolicy.REJECT
        assert found.default_queue_policy.default_timeout_microseconds == timeout_us


@given(placed())
def test_nobody_is_refused_for_the_delay_alone_and_nobody_waits_for_all_of_the_slo(
    pair: tuple[InferenceService, HardwareClass],
) -> None:
    """One instance never has a limit: Triton lets requests wait beside it while it is free."""
    service, hardware = pair
    found = batching(service, hardware)
    limited = service.is_batched_on(hardware.name) and instances(service.model_on(hardware.name), hardware) > 1
    policy = found.default_queue_policy
    assert found.HasField("default_queue_policy") is limited
    # What a full queue refuses is in no metric, and a client's own timeout would hide an overload.
    assert (policy.max_queue_size, policy.allow_timeout_override) == (0, False)
    assert not found.priority_queue_policy
    if limited:
        assert found.max_queue_delay_microseconds < policy.default_timeout_microseconds
        assert policy.default_timeout_microseconds <= 1e6 * service.latency_seconds
