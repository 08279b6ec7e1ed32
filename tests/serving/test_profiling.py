"""The Job of a profile: a replica as the operator makes it, which nothing takes for one, and which ends by itself."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.promql import history
from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.app.watching import OURS
from foretide.scaling.policy import Quantity
from foretide.serving.manifests import ServingSettings, build
from foretide.serving.model_config import model_config
from foretide.serving.naming import deployment_name
from foretide.serving.profiling import CONFIG_ANNOTATION, GENERATOR, generator_job, job_name, profiling_job
from tests.control import objects

NAMES: Final = st.from_regex(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?", fullmatch=True)


def subject(instances: str = "1", **changes: Any) -> tuple[InferenceService, HardwareClass]:
    service = parse.inference_service(objects.service(**changes))
    triton = {"image": "tritonserver:2.51", "instances": instances}
    hardware_class = parse.hardware_class(objects.hardware_class(triton=triton))
    assert isinstance(service, InferenceService)
    assert isinstance(hardware_class, HardwareClass)
    return service, hardware_class


def made(**changes: Any) -> Any:
    service, hardware_class = subject(**changes)
    return profiling_job(
        service,
        hardware_class,
        name="profile-ranker-abc",
        image="operator:1",
        order="{}",
        deadline_seconds=900,
        settings=ServingSettings(),
    )


def child(kind: str) -> Any:
    service, hardware_class = subject()
    return next(one for one in build(service, hardware_class, settings=ServingSettings()) if one["kind"] == kind)


def test_nothing_takes_its_pod_for_a_replica() -> None:
    labels = made()["spec"]["template"]["metadata"]["labels"]
    for selector in (child("Service")["spec"]["selector"], child("Deployment")["spec"]["selector"]["matchLabels"]):
        assert not selector.items() <= labels.items()
    key, _, value = OURS.partition("=")
    assert labels.get(key) != value  # the operator does not even see it, and no PodMonitor of the chart
    assert labels.get(group.COMPONENT_LABEL) != group.INFERENCE_SERVER


@given(service=NAMES, hardware_class=NAMES.filter(lambda name: "--" not in name))
def test_no_history_is_told_of_its_pod(service: str, hardware_class: str) -> None:
    pod = f"{job_name(service, 'a1b2c3')}-x7k2p"
    assert len(pod) <= 63
    pattern = re.search(r'"pod", "(.+?)"\)', history(Quantity.SUCCESS, rate_window_seconds=60.0))
    assert pattern is not None
    told = re.fullmatch(pattern[1], pod)
    assert told is not None
    # whatever service has that name: there are two dashes in the name of its Deployment
    assert "--" not in told[1]
    assert "--" in deployment_name(service, hardware_class) or len(service) + len(hardware_class) > 40


def test_triton_is_that_of_a_replica_but_for_what_clients_need() -> None:
    pod = made()["spec"]["template"]["spec"]
    (replica,) = child("Deployment")["spec"]["template"]["spec"]["containers"]
    (triton,) = pod["initContainers"]
    assert triton.pop("restartPolicy") == "Always"  # a sidecar: it ends with the generator, which waits for its start
    assert set(replica) - set(triton) == {"readinessProbe", "livenessProbe", "lifecycle"}
    assert triton == {name: replica[name] for name in triton}
    (load,) = pod["containers"]
    assert load["name"] == GENERATOR
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert load["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_configuration_is_in_the_pod_itself() -> None:
    template = made()["spec"]["template"]
    config = child("ConfigMap")["data"]["config.pbtxt"]
    assert template["metadata"]["annotations"][CONFIG_ANNOTATION] == config
    (volume,) = [one for one in template["spec"]["volumes"] if one["name"] == "config"]
    (item,) = volume["downwardAPI"]["items"]
    assert item["fieldRef"]["fieldPath"] == f"metadata.annotations['{CONFIG_ANNOTATION}']"
    mounts = template["spec"]["initContainers"][0]["volumeMounts"]
    assert {mount["name"] for mount in mounts} <= {one["name"] for one in template["spec"]["volumes"]}


def test_no_client_is_refused() -> None:
    """Twice the largest batch of them wait for their answers; without those there is no profile."""
    two: dict[str, Any] = {"instances": "2", "model": {**objects.service()["spec"]["model"], "maxBatchSize": 8}}
    service, hardware_class = subject(**two)
    assert "default_queue_policy" in model_config(service, hardware_class)
    assert "default_queue_policy" not in json.dumps(made(**two))


def test_no_answer_comes_from_a_cache() -> None:
    job = made(responseCache={"size": "64Mi"})
    template = job["spec"]["template"]
    assert "response_cache" not in template["metadata"]["annotations"][CONFIG_ANNOTATION]
    assert not any("cache" in flag for flag in template["spec"]["initContainers"][0]["args"])
    plain = made()["spec"]["template"]["spec"]
    assert template["spec"]["initContainers"] == plain["initContainers"]


def test_it_ends_without_anybody_and_goes_with_its_service() -> None:
    for job in (made(), generator_job(subject()[0], name="p", image="i", order="{}", deadline_seconds=900)):
        assert job["spec"]["activeDeadlineSeconds"] == 900
        assert job["spec"]["ttlSecondsAfterFinished"] > 0
        assert job["spec"]["backoffLimit"] == 0
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        (owner,) = job["metadata"]["ownerReferences"]
        assert owner["uid"] == "uid-of-ranker"


def test_a_download_comes_before_triton() -> None:
    model = {"backend": "onnxruntime", "source": {"uri": "s3://models/ranker"}}
    containers = made(model=model)["spec"]["template"]["spec"]["initContainers"]
    assert [one["name"] for one in containers] == ["download", "triton"]
