"""The configurations that the benchmark of queue limits compares."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from bench.queue_limits import INSTANCES, SLO_SECONDS, config


@pytest.mark.parametrize("instances", INSTANCES)
@pytest.mark.parametrize("limited", [False, True])
def test_only_the_limit_and_the_instances_differ(instances: int, limited: bool) -> None:
    found = text_format.Parse(config(instances, limited=limited), ModelConfig())
    assert [group.count for group in found.instance_group] == [instances]
    assert found.HasField("dynamic_batching")
    timeout_us = found.dynamic_batching.default_queue_policy.default_timeout_microseconds
    assert timeout_us == (1e6 * SLO_SECONDS / 2 if limited else 0)
    found.instance_group[0].count = 1
    found.dynamic_batching.ClearField("default_queue_policy")
    assert found == text_format.Parse(config(1, limited=False), ModelConfig())
