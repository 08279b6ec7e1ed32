"""Models from a real S3 server: downloaded and served, and each way in which that fails told in words of its own."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from e2e.scenarios import sleeper
from e2e.scenarios.api import ApiRefused
from e2e.scenarios.conditions import condition, holds
from e2e.scenarios.measured import Measured
from e2e.scenarios.service import Service
from e2e.scenarios.store import KEY, Store
from e2e.scenarios.tenant import Tenant
from e2e.scenarios.waiting import until
from foretide.adapters.resources import POD
from foretide.serving.naming import DOWNLOAD_CONTAINER

# Two attempts with five seconds after each, and the kubelet's start of the container.
TOLD_SECONDS = 45.0
PROGRESS = re.compile(r"(\d+)%,")


def files(model: str, path: str) -> dict[str, bytes]:
    return {f"models/{path}/{name}": text.encode() for name, text in sleeper.files(model).items()}


def from_uri(uri: str, secret: str, *, offset: float = 0.0) -> dict[str, Any]:
    spec = sleeper.spec(offset=offset)
    spec["model"] |= {"source": {"uri": uri}, "credentialsSecret": {"name": secret}}
    return spec


def until_told(service: Service, reason: str) -> str:
    """What ModelLoaded says of the failure."""

    def told(live: Any) -> bool:
        return holds(live, "ModelLoaded", "False", reason)

    live = service.until(f"{reason} is told", told, within_seconds=TOLD_SECONDS)
    assert holds(live, "Ready", "False", reason), condition(live, "Ready")
    assert KEY not in json.dumps(live["status"])
    return str(condition(live, "ModelLoaded")["message"])


def download_log(service: Service) -> str:
    """What the download said so far; nothing before it began."""
    try:
        (pod,) = service.pods()
        path = POD.path(namespace=service.namespace, name=pod["metadata"]["name"], subresource="log")
        return service.api.text(path, {"container": DOWNLOAD_CONTAINER})
    except (ApiRefused, ValueError):
        return ""


def test_model_of_a_bucket_is_served_and_each_failure_has_its_own_words(tenant: Tenant, measured: Measured) -> None:
    store = Store.open(tenant, files("sleeper", "sleeper/1") | files("broken", "truncated/1"))
    right = store.credentials("right")
    wrong = store.credentials("wrong", key="another")

    served = tenant.serve("served", from_uri("s3://models/sleeper/1", right, offset=3))
    wrong_key = tenant.serve("wrong-key", from_uri("s3://models/sleeper/1", wrong))
    no_bucket = tenant.serve("no-bucket", from_uri("s3://missing/sleeper/1", right))
    no_secret = tenant.serve("no-secret", from_uri("s3://models/sleeper/1", "nowhere"))
    truncated = tenant.serve("truncated", from_uri("s3://models/truncated/1", right))

    served.until_ready(replicas=1)
    served.until_answers(3)
    assert "model.py: Copied (new)" in download_log(served)

    assert "Forbidden" in until_told(wrong_key, "DownloadFailed")
    assert "missing" in until_told(no_bucket, "DownloadFailed")
    assert 'secret "nowhere" not found' in until_told(no_secret, "DownloadFailed")
    # Its bytes are those of the bucket, so that only Triton can say that some are missing.
    assert "weights.bin ends after 12 of 4096 bytes" in until_told(truncated, "ModelLoadFailed")

    store.credentials("wrong")
    wrong_key.until_ready(replicas=1, within_seconds=90)
    wrong_key.until_answers()


def test_download_goes_on_when_its_server_dies_half_way_and_comes_back(tenant: Tenant) -> None:
    weights = os.urandom(600_000)
    store = Store.open(
        tenant, files("sleeper", "large/1") | {"models/large/1/weights.bin": weights}, bytes_per_second="32k"
    )
    service = tenant.serve("large", from_uri("s3://models/large/1", store.credentials("right")))

    def half_way() -> bool:
        return any(0 < int(percent) < 100 for percent in PROGRESS.findall(download_log(service)))

    until("the download is half way", half_way, within_seconds=60, shows=lambda: download_log(service))
    store.kill()
    store.until_serving()
    service.until_ready(replicas=1, within_seconds=150)
    service.until_answers()
