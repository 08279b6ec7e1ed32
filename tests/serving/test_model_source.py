"""The files of a model before Triton: one argument for a URI, a Secret for the download alone, nothing to write to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.download import FOLDER, DownloadSettings
from foretide.serving.manifests import ServingSettings, build
from tests.serving.strategies import hardware, placed, service

GI = 2**30


def pod(
    service: InferenceService, hardware_class: HardwareClass | None = None, download: DownloadSettings | None = None
) -> dict[str, Any]:
    settings = ServingSettings(download=download or DownloadSettings())
    manifests = build(service, hardware_class or hardware(), settings=settings)
    (found,) = (manifest["spec"]["template"]["spec"] for manifest in manifests if manifest["kind"] == "Deployment")
    return dict(found)


def fetched(uri: str, *, secret: str = "", backend: str = "python") -> InferenceService:
    credentials = {"credentialsSecret": {"name": secret}} if secret else {}
    return service(model={"backend": backend, "source": {"uri": uri}, **credentials})


def download(uri: str, **options: Any) -> dict[str, Any]:
    secret = options.pop("secret", "")
    (found,) = pod(fetched(uri, secret=secret), **options)["initContainers"]
    return dict(found)


def plain(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


def keys(container: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """What is taken of the Secret: variable -> (key, whether it may be missing)."""
    references = {e["name"]: e["valueFrom"]["secretKeyRef"] for e in container["env"] if "valueFrom" in e}
    return {name: (reference["key"], reference["optional"]) for name, reference in references.items()}


@pytest.mark.parametrize(
    ("uri", "argument", "options"),
    [
        (
            "s3://models/ranker/3",
            "source:models/ranker/3",
            {"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "false"},
        ),
        (
            "gs://models/ranker/3/",
            "source:models/ranker/3/",
            {"TYPE": "googlecloudstorage", "ENV_AUTH": "false", "ANONYMOUS": "true"},
        ),
        (
            "https://models.example.com:8443/ranker/model.onnx",
            "source:ranker/model.onnx",
            {"TYPE": "http", "URL": "https://models.example.com:8443/"},
        ),
    ],
)
def test_a_uri_is_one_argument_and_the_rest_is_fixed(uri: str, argument: str, options: dict[str, str]) -> None:
    made = download(uri)
    assert made["command"] == ["rclone"]
    assert made["args"][:3] == ["copy", argument, FOLDER]
    assert all(flag.startswith("--") for flag in made["args"][3:])
    assert plain(made) == {f"RCLONE_CONFIG_SOURCE_{name}": value for name, value in options.items()}
    assert keys(made) == {}


@pytest.mark.parametrize(
    ("uri", "required", "optional"),
    [
        ("s3://models/a", {"access_key_id", "secret_access_key"}, {"session_token", "endpoint", "region"}),
        ("gs://models/a", set(), set()),
        ("azure://models/a", {"account"}, {"key", "sas_url", "tenant", "client_id", "client_secret", "endpoint"}),
        ("https://models.example.com/a", {"headers"}, set()),
    ],
)
def test_each_key_of_the_secret_is_the_option_of_its_name(uri: str, required: set[str], optional: set[str]) -> None:
    made = download(uri, secret="models-read")
    expected = dict.fromkeys(required, False) | dict.fromkeys(optional, True)
    assert keys(made) == {f"RCLONE_CONFIG_SOURCE_{key.upper()}": (key, may) for key, may in expected.items()}
    assert not {variable["name"] for variable in made["env"]} & {"RCLONE_CONFIG", "RCLONE_S3_ENV_AUTH"}


def test_a_service_account_and_authorities_are_files() -> None:
    made = download("gs://models/a", secret="models-read")
    assert plain(made)["RCLONE_CONFIG_SOURCE_SERVICE_ACCOUNT_FILE"] == "/credentials/service_account.json"
    assert "RCLONE_CONFIG_SOURCE_ANONYMOUS" not in plain(made)
    assert plain(made)["SSL_CERT_DIR"] == "/etc/ssl/certs:/credentials/authorities"
    (volume,) = (
        v for v in pod(fetched("gs://models/a", secret="models-read"))["volumes"] if v["name"] == "credentials"
    )
    items = [
        {"key": "service_account.json", "path": "service_account.json"},
        {"key": "ca.crt", "path": "authorities/ca.crt"},
    ]
    assert volume["secret"] == {"secretName": "models-read", "items": items, "optional": True, "defaultMode": 0o440}


def test_without_a_secret_none_is_mounted() -> None:
    made = pod(fetched("s3://models/a"))
    assert [volume for volume in made["volumes"] if "secret" in volume] == []
    assert [mount["mountPath"] for mount in made["initContainers"][0]["volumeMounts"]] == [FOLDER]


@settings(max_examples=30)
@given(placed())
def test_triton_sees_no_secret_and_writes_to_no_model(pair: tuple[InferenceService, HardwareClass]) -> None:
    service, hardware = pair
    made = pod(service, hardware)
    (triton,) = made["containers"]
    assert "credentials" not in {mount["name"] for mount in triton["volumeMounts"]}
    assert not any("valueFrom" in variable for variable in triton["env"])
    (files,) = (mount for mount in triton["volumeMounts"] if mount["name"] == "model")
    assert files["readOnly"] is True
    assert ("initContainers" in made) == (service.spec.model.source.uri is not None)
    for container in made.get("initContainers", ()):
        assert {"name": files["name"], "mountPath": FOLDER} in container["volumeMounts"]
        scheme, _, where = str(service.spec.model.source.uri).partition("://")
        path = where.partition("/")[2] if scheme == "https" else where
        assert [argument for argument in container["args"] if not argument.startswith("--")] == [
            "copy",
            f"source:{path}",
            FOLDER,
        ]


def test_a_download_takes_what_triton_takes_after_it_but_no_device() -> None:
    """A pod takes the most of any of its containers; and one without limits would cost it its quality of service."""
    plain = {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "40Gi"}
    kind = hardware(resources={"requests": {**plain}, "limits": {**plain, "nvidia.com/gpu": 1}})
    assert download("s3://models/a", hardware_class=kind)["resources"] == {"requests": plain, "limits": plain}
    assert download("s3://models/a")["resources"] == {"requests": {}, "limits": {}}


@pytest.mark.parametrize(
    ("limits", "settings", "volume", "limit_bytes"),
    [
        ({}, "100Gi", "100Gi", 100 * GI),
        ({}, "1500M", "1500M", 1_500_000_000),
        ({"ephemeral-storage": "40Gi"}, "100Gi", "40Gi", 40 * GI),
    ],
)
def test_a_model_is_no_larger_than_the_class_or_the_operator_allows(
    limits: dict[str, str], settings: str, volume: str, limit_bytes: int
) -> None:
    made = pod(fetched("s3://models/a"), hardware(resources={"limits": limits}), DownloadSettings(size_limit=settings))
    (files,) = (each for each in made["volumes"] if each["name"] == "model")
    assert files["emptyDir"] == {"sizeLimit": volume}
    assert f"--max-transfer={limit_bytes}B" in made["initContainers"][0]["args"]


def test_image_and_flags_are_the_operators() -> None:
    chosen = DownloadSettings(image="mirror.example.com/rclone@sha256:00", flags=("--bwlimit=100M",))
    made = download("s3://models/a", download=chosen)
    assert made["image"] == "mirror.example.com/rclone@sha256:00"
    assert made["args"][-1] == "--bwlimit=100M"
    rolled = pod(fetched("s3://models/a"), download=chosen) != pod(fetched("s3://models/a"))
    assert rolled
    assert pod(service(), download=chosen) == pod(service()), "who downloads nothing is not rolled"


def test_an_image_is_a_volume_that_nobody_writes_to() -> None:
    source = {"image": {"reference": "registry.example.com/models@sha256:00", "path": "ranker/3"}}
    made = pod(service(model={"backend": "python", "source": source}))
    (files,) = (each for each in made["volumes"] if each["name"] == "model")
    assert files["image"] == {"reference": "registry.example.com/models@sha256:00", "pullPolicy": "IfNotPresent"}
    (mount,) = (each for each in made["containers"][0]["volumeMounts"] if each["name"] == "model")
    assert mount == {"name": "model", "mountPath": "/models/ranker/1", "subPath": "ranker/3", "readOnly": True}
    source = {"image": {"reference": "registry.example.com/models@sha256:00"}}
    whole = pod(service(model={"backend": "python", "source": source}))
    assert not any("subPath" in mount for mount in whole["containers"][0]["volumeMounts"] if mount["name"] == "model")
