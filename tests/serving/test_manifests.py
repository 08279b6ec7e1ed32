"""The children of a service: safe for any input, and the same text for the same service."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.api import group
from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving import naming
from foretide.serving.latency_metrics import QUANTILES
from foretide.serving.manifests import ServingSettings, build
from tests.serving.strategies import class_names, hardware, placed, service, service_names

SETTINGS = ServingSettings(drain_seconds=5)
DNS_LABEL = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
RESTRICTED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret", "image"}


def inputs(test: Callable[..., None]) -> Callable[..., None]:
    """For services of any kind and classes that can run them; few, for each is a dozen draws."""

    @settings(max_examples=20)
    @given(placed())
    def run(pair: tuple[InferenceService, HardwareClass]) -> None:
        test(*pair)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def children(
    service: InferenceService, hardware: HardwareClass, settings: ServingSettings = SETTINGS
) -> dict[str, Any]:
    return {manifest["kind"]: manifest for manifest in build(service, hardware, settings=settings)}


def deployment(service: InferenceService, hardware: HardwareClass) -> dict[str, Any]:
    found: dict[str, Any] = children(service, hardware)["Deployment"]["spec"]
    return found


def template(service: InferenceService, hardware: HardwareClass) -> dict[str, Any]:
    found: dict[str, Any] = deployment(service, hardware)["template"]
    return found


def container(service: InferenceService, hardware: HardwareClass) -> dict[str, Any]:
    (found,) = template(service, hardware)["spec"]["containers"]
    return dict(found)


def nodes(value: Any) -> Iterator[Any]:
    """Every map in a manifest."""
    if isinstance(value, Mapping):
        yield value
        for member in value.values():
            yield from nodes(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from nodes(item)


@inputs
def test_the_same_input_gives_the_same_output_and_it_is_json(
    service: InferenceService, hardware: HardwareClass
) -> None:
    once, again = build(service, hardware, settings=SETTINGS), build(service, hardware, settings=SETTINGS)
    assert once == again
    assert json.loads(json.dumps(once)) == list(once)


@inputs
def test_no_manifest_says_how_many_replicas(service: InferenceService, hardware: HardwareClass) -> None:
    for manifest in build(service, hardware, settings=SETTINGS):
        assert not any("replicas" in node for node in nodes(manifest))


@inputs
def test_every_child_belongs_to_its_service(service: InferenceService, hardware: HardwareClass) -> None:
    for manifest in build(service, hardware, settings=SETTINGS):
        metadata = manifest["metadata"]
        assert metadata["namespace"] == service.namespace
        assert metadata["ownerReferences"] == [
            {
                "apiVersion": group.API_VERSION,
                "kind": "InferenceService",
                "name": service.name,
                "uid": service.uid,
                "controller": True,
            }
        ]
        assert metadata["labels"][group.SERVICE_LABEL] == service.name
        assert metadata["labels"][group.MANAGED_BY_LABEL] == group.MANAGED_BY
        assert DNS_LABEL.fullmatch(metadata["name"])


@inputs
def test_selectors_are_made_of_names_alone_and_find_the_pods(
    service: InferenceService, hardware: HardwareClass
) -> None:
    """They are immutable: nothing that a user may edit can be in them."""
    made = children(service, hardware)
    selector = {group.SERVICE_LABEL: service.name, group.HARDWARE_CLASS_LABEL: hardware.name}
    assert made["Deployment"]["spec"]["selector"] == {"matchLabels": selector}
    # By class, so that those of one that wait for a node forbid no eviction of the others.
    assert made["PodDisruptionBudget"]["spec"]["selector"] == {"matchLabels": selector}
    # All classes serve.
    assert made["Service"]["spec"]["selector"] == {group.SERVICE_LABEL: service.name}
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert all(len(value) <= 63 for value in labels.values())


@inputs
def test_the_pods_keep_the_restricted_pod_security_level(service: InferenceService, hardware: HardwareClass) -> None:
    pod = template(service, hardware)["spec"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "ephemeralContainers", "hostAliases"} & set(pod)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for volume in pod["volumes"]:
        (source,) = set(volume) - {"name"}
        assert source in RESTRICTED_VOLUMES
    for each in [*pod.get("initContainers", ()), *pod["containers"]]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    (only,) = pod["containers"]
    assert not any("hostPort" in port for port in only["ports"])
    assert not any("valueFrom" in variable for variable in only["env"])
    account = children(service, hardware)["ServiceAccount"]
    assert account["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == account["metadata"]["name"]


@inputs
def test_no_text_of_a_user_is_in_the_command(service: InferenceService, hardware: HardwareClass) -> None:
    made = container(service, hardware)
    assert made["command"] == ["tritonserver"]
    for argument in made["args"]:
        flag, _, value = argument.partition("=")
        assert re.fullmatch("--[a-z-]+", flag)
        assert re.fullmatch(
            "/models|none|true|false|[0-9]+|[a-z]+_latencies=true|summary_quantiles=[0-9.:,]+|local,size=[0-9]+|ISO8601|",
            value,
        )
    assert all(re.fullmatch("/tmp|void|[0-9]+", variable["value"]) for variable in made["env"])


@inputs
def test_the_model_is_where_triton_looks_for_it(service: InferenceService, hardware: HardwareClass) -> None:
    made = container(service, hardware)
    mounts = {mount["mountPath"]: mount for mount in made["volumeMounts"]}
    folder = f"/models/{service.model_name}"
    # A SavedModel is a folder, which Triton wants by this name.
    below = "/model.savedmodel" if service.spec.model.backend == "tensorflow" else ""
    version = f"{folder}/{service.spec.model.version}{below}"
    assert set(mounts) == {f"{folder}/config.pbtxt", version, "/dev/shm", "/tmp"}
    assert all(".." not in mount.split("/") for mount in mounts)
    volumes = {volume["name"]: volume for volume in template(service, hardware)["spec"]["volumes"]}
    assert {mount["name"] for mount in mounts.values()} == set(volumes) - {"credentials"}
    files = mounts[version]
    assert files["readOnly"] is True
    source = service.spec.model.source
    if source.config_map is not None:
        assert volumes[files["name"]]["configMap"] == {"name": source.config_map.name}
        assert "subPath" not in files
    elif source.persistent_volume_claim is not None:
        claim = source.persistent_volume_claim
        assert volumes[files["name"]]["persistentVolumeClaim"] == {"claimName": claim.claim_name, "readOnly": True}
        assert files.get("subPath", "") == claim.path
    assert volumes["config"]["configMap"]["name"] == children(service, hardware)["ConfigMap"]["metadata"]["name"]


@inputs
def test_no_capacity_leaves_before_new_capacity_is_ready(service: InferenceService, hardware: HardwareClass) -> None:
    made = deployment(service, hardware)
    assert made["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod, only = made["template"]["spec"], made["template"]["spec"]["containers"][0]
    (exit_timeout,) = (a for a in only["args"] if a.startswith("--exit-timeout-secs="))
    drain = only["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert drain + int(exit_timeout.partition("=")[2]) < pod["terminationGracePeriodSeconds"]
    startup = only["startupProbe"]
    assert made["progressDeadlineSeconds"] > startup["periodSeconds"] * startup["failureThreshold"]


def test_ports_are_named_and_the_service_points_at_them() -> None:
    made = children(service(), hardware())
    ports = {port["name"]: port["containerPort"] for port in container(service(), hardware())["ports"]}
    assert ports == {"http": 8000, "grpc": 8001, "metrics": 8002}
    assert {(p["name"], p["port"], p["targetPort"]) for p in made["Service"]["spec"]["ports"]} == {
        ("http", 8000, "http"),
        ("grpc", 8001, "grpc"),
    }
    assert naming.url("ranker", "shop") == "http://ranker.shop.svc:8000"


def test_tensors_that_are_given_are_not_completed_by_triton() -> None:
    tensor = {"name": "X", "dataType": "FP32", "shape": [1]}
    model = {"backend": "onnxruntime", "source": {"configMap": {"name": "x"}}, "inputs": [tensor], "outputs": [tensor]}
    assert "--disable-auto-complete-config" in container(service(model=model), hardware())["args"]
    assert "--disable-auto-complete-config" not in container(service(), hardware())["args"]


@pytest.mark.parametrize("family", Family)
def test_only_a_gpu_class_sees_gpus(family: Family) -> None:
    python = service(model={"backend": "python", "source": {"configMap": {"name": "code"}}})
    variables = {one["name"]: one["value"] for one in container(python, hardware(family=family.value))["env"]}
    assert variables.pop("HOME") == "/tmp", "caches are kept there, for the root file system is read-only"
    assert variables.keys() == (set() if family is Family.GPU else {"TRITON_SERVER_CPU_ONLY", "NVIDIA_VISIBLE_DEVICES"})


def test_the_class_decides_resources_and_place() -> None:
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    made = template(
        service(),
        hardware(
            resources={"requests": {"cpu": "500m"}, "limits": {"nvidia.com/gpu": 1}},
            placement={"nodeSelector": {"pool": "t4"}, "tolerations": [toleration], "priorityClassName": "high"},
        ),
    )["spec"]
    assert made["containers"][0]["resources"] == {"requests": {"cpu": "500m"}, "limits": {"nvidia.com/gpu": "1"}}
    assert made["nodeSelector"] == {"pool": "t4"}
    assert [{k: v for k, v in t.items() if v != ""} for t in made["tolerations"]] == [toleration]
    assert made["priorityClassName"] == "high"
    plain = template(service(), hardware())["spec"]
    assert not {"nodeSelector", "tolerations", "priorityClassName"} & set(plain)


def test_summaries_have_the_quantiles_that_shares_are_read_from() -> None:
    """As tritonserver reads them: quantile:error, by commas."""
    (flag,) = (one for one in container(service(), hardware())["args"] if "summary_quantiles=" in one)
    pairs = [pair.split(":") for pair in flag.removeprefix("--metrics-config=summary_quantiles=").split(",")]
    assert {float(quantile): float(error) for quantile, error in pairs} == QUANTILES
    for quantile, error in QUANTILES.items():
        assert 0.0 < quantile < 1.0
        assert error <= 10 * (1.0 - quantile)


# Names


@given(service_names, class_names)
def test_names_leave_room_for_the_names_of_pods(service: str, hardware_class: str) -> None:
    name = naming.deployment_name(service, hardware_class)
    assert DNS_LABEL.fullmatch(f"{name}-0123456789-01234")


@given(st.lists(st.tuples(service_names, class_names), min_size=2, max_size=6, unique=True))
def test_no_two_deployments_share_a_name(pairs: list[tuple[str, str]]) -> None:
    assert len({naming.deployment_name(service, name) for service, name in pairs}) == len(pairs)


def test_dashes_do_not_make_two_names_one() -> None:
    assert naming.deployment_name("ranker", "gpu-t4") != naming.deployment_name("ranker-gpu", "t4")


def test_long_names_are_cut_and_stay_different() -> None:
    service, longest = "s" * 40, "c" * 62
    names = {naming.deployment_name(service, f"{longest}{last}") for last in "abc"}
    assert len(names) == 3
    assert naming.deployment_name("ranker", "cpu-16") == "ranker--cpu-16"


# What rolls the pods


def digest(service: InferenceService, hardware: HardwareClass) -> str:
    return str(template(service, hardware)["metadata"]["annotations"][group.TEMPLATE_DIGEST_ANNOTATION])


MODEL = {"backend": "onnxruntime", "source": {"configMap": {"name": "files"}}, "maxBatchSize": 8}


@pytest.mark.parametrize(
    "changed",
    [
        service(model={**MODEL, "maxBatchSize": 16}),
        service(model={**MODEL, "parameters": {"threads": "2"}}),
        service(model={**MODEL, "version": "2"}),
    ],
)
def test_a_changed_configuration_is_another_file_and_means_new_pods(changed: InferenceService) -> None:
    """Pods of the old template keep the old file: one of them that restarts must not take a broken new one."""
    before, after = children(service(), hardware())["ConfigMap"], children(changed, hardware())["ConfigMap"]
    assert before["data"] != after["data"]
    assert before["metadata"]["name"] != after["metadata"]["name"]
    assert before["immutable"] is after["immutable"] is True
    assert digest(changed, hardware()) != digest(service(), hardware())


@pytest.mark.parametrize(
    "changed",
    [
        service(scaling={"minReplicas": 3, "maxReplicas": 30}),
        service(scaling={"paused": True}),
        service(scaling={"replicas": 7}),
        service(slo={"objective": "99.99", "latency": "100ms"}),
        service(slo={"objective": "99", "latency": "0.1s"}),
    ],
)
@pytest.mark.parametrize("image", ["tritonserver:2.51", "tritonserver:26.07"])
def test_what_pods_need_not_know_does_not_touch_them(changed: InferenceService, image: str) -> None:
    kind = hardware(triton={"image": image})
    assert build(changed, kind, settings=SETTINGS) == build(service(), kind, settings=SETTINGS)


def test_another_image_changes_the_pods_and_not_their_configuration() -> None:
    newer = hardware(triton={"image": "tritonserver:2.60"})
    before, after = template(service(), hardware()), template(service(), newer)
    expected = copy.deepcopy(before["spec"])
    expected["containers"][0]["image"] = "tritonserver:2.60"
    assert after["spec"] == expected
    assert digest(service(), newer) != digest(service(), hardware())
    assert children(service(), newer)["ConfigMap"] == children(service(), hardware())["ConfigMap"]


@settings(max_examples=10)
@given(placed(), placed())
def test_the_digest_stands_for_the_whole_template(
    one: tuple[InferenceService, HardwareClass], other: tuple[InferenceService, HardwareClass]
) -> None:
    same = template(*one)["spec"] == template(*other)["spec"]
    assert (digest(*one) == digest(*other)) == same
