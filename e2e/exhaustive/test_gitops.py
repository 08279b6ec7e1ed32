"""What GitOps tools are tested with is what a service looks like."""

from __future__ import annotations

import json

import pytest

from e2e.exhaustive.recording import LIFE, record
from e2e.scenarios.api import Api
from foretide.adapters.kubernetes import KubernetesApi


@pytest.mark.timeout(240)
async def test_the_recording_is_of_now(api: Api, operator: KubernetesApi, namespace: str) -> None:
    recorded = json.loads(LIFE.read_text())
    found = await record(api, operator, namespace)
    assert found == recorded, "write it anew with `python -m e2e.exhaustive.recording`, and look at the difference"
