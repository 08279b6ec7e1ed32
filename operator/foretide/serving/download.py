"""The init container that downloads a model from where its URI says, and what of a Secret it is given.

rclone downloads: one program for every kind of store, which checks sums, tries again and goes on where a connection
broke. The URI becomes one argument, `source:bucket/path`. To rclone all that follows the first colon is a path, so no
text in it can name another remote or set an option; no shell, template or configuration file is involved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.model import Model
from foretide.api.quantities import parse_quantity
from foretide.serving import naming, security

FOLDER: Final = "/model"
_CREDENTIALS: Final = "/credentials"
_CREDENTIALS_VOLUME: Final = "credentials"
# The certificates of the image, and those of the Secret beside them: Go reads every file of these folders.
_AUTHORITIES: Final = f"/etc/ssl/certs:{_CREDENTIALS}/authorities"
_SERVICE_ACCOUNT_KEY: Final = "service_account.json"
_AUTHORITY_KEY: Final = "ca.crt"
# What follows is an option of the remote "source".
_OPTION: Final = "RCLONE_CONFIG_SOURCE_"


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """What the operator's administrator decides for all downloads."""

    image: str = "docker.io/rclone/rclone:1.76.0"
    flags: tuple[str, ...] = ()  # of rclone, after our own
    size_limit: str = "100Gi"  # of one model, where the hardware class limits no ephemeral-storage


@dataclass(frozen=True, slots=True)
class _Store:
    """How rclone is told of one kind of store: options in its environment, each the upper-case name of a key.

    rclone takes these from its environment or from a file with options of every kind, which a Secret must not become.
    A required key that is missing the kubelet tells by name; the others are left out where the Secret has none.
    """

    options: dict[str, str]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


_S3: Final = _Store(
    # "Other" addresses buckets in the path, which AWS takes as well as every server that imitates it. Without keys the
    # request is anonymous: env_auth would borrow the identity of the node.
    options={"TYPE": "s3", "PROVIDER": "Other", "ENV_AUTH": "false"},
    required=("access_key_id", "secret_access_key"),
    optional=("session_token", "endpoint", "region"),
)
_GS: Final = _Store(options={"TYPE": "googlecloudstorage", "ENV_AUTH": "false"})
_AZURE: Final = _Store(
    options={"TYPE": "azureblob", "ENV_AUTH": "false"},
    required=("account",),
    optional=("key", "sas_url", "tenant", "client_id", "client_secret", "endpoint"),
)
_HTTPS: Final = _Store(options={"TYPE": "http"}, required=("headers",))
_STORES: Final = {"s3": _S3, "gs": _GS, "azure": _AZURE, "https": _HTTPS}


def size_limit(hardware_class: HardwareClass, settings: DownloadSettings) -> str:
    """How large a model may be: what the class gives a replica of the node's disk, or the operator's limit."""
    return hardware_class.spec.resources.limits.get("ephemeral-storage", settings.size_limit)


def container(
    model: Model, uri: str, hardware_class: HardwareClass, settings: DownloadSettings, *, volume: str
) -> dict[str, Any]:
    """The init container. What it takes of a node is what Triton takes after it, so it costs the pod nothing."""
    limit_bytes = int(parse_quantity(size_limit(hardware_class, settings)))
    return {
        "name": naming.DOWNLOAD_CONTAINER,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["rclone"],
        "args": [*_arguments(uri, limit_bytes), *settings.flags],
        "env": _environment(model, uri),
        "resources": _resources(hardware_class),
        "securityContext": security.container_security_context(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": volume, "mountPath": FOLDER},
            *([{"name": _CREDENTIALS_VOLUME, "mountPath": _CREDENTIALS, "readOnly": True}] if _secret(model) else []),
        ],
    }


def volumes(model: Model) -> list[dict[str, Any]]:
    """The Secret's keys that rclone takes as files, for the init container alone."""
    secret = _secret(model)
    if not secret:
        return []
    items = [
        {"key": _SERVICE_ACCOUNT_KEY, "path": _SERVICE_ACCOUNT_KEY},
        {"key": _AUTHORITY_KEY, "path": f"authorities/{_AUTHORITY_KEY}"},
    ]
    # Optional: no Secret has both keys. A pod would wait for a missing one for ever, and only an event would say so.
    return [
        {
            "name": _CREDENTIALS_VOLUME,
            "secret": {"secretName": secret, "items": items, "optional": True, "defaultMode": 0o440},
        }
    ]


def _secret(model: Model) -> str:
    return model.credentials_secret.name if model.credentials_secret else ""


def _arguments(uri: str, limit_bytes: int) -> list[str]:
    scheme, _, where = uri.partition("://")
    path = where.partition("/")[2] if scheme == "https" else where
    return [
        "copy",
        f"source:{path}",
        FOLDER,
        "--config=/notfound",  # rclone's word for none
        # A container that starts again finds whole files of before by their sums, and fetches the others.
        "--checksum",
        "--retries=2",
        "--retries-sleep=5s",
        "--low-level-retries=3",  # each goes on at the byte where the one before ended
        "--contimeout=10s",
        "--timeout=1m",
        # The kubelet evicts a pod whose volume grew too large, and nobody is told why; rclone ends with a sentence.
        f"--max-transfer={limit_bytes}B",
        "--cutoff-mode=hard",
        "--stats=5s",
        "--stats-one-line",
        "--verbose",
    ]


def _environment(model: Model, uri: str) -> list[dict[str, Any]]:
    scheme, _, where = uri.partition("://")
    store = _STORES[scheme]
    options = dict(store.options)
    secret = _secret(model)
    if scheme == "https":
        options["URL"] = f"https://{where.partition('/')[0]}/"
    elif scheme == "gs" and secret:
        options["SERVICE_ACCOUNT_FILE"] = f"{_CREDENTIALS}/{_SERVICE_ACCOUNT_KEY}"
    elif scheme == "gs":
        options["ANONYMOUS"] = "true"
    environment: list[dict[str, Any]] = [
        {"name": f"{_OPTION}{name}", "value": value} for name, value in options.items()
    ]
    if secret:
        environment.append({"name": "SSL_CERT_DIR", "value": _AUTHORITIES})
        environment += [_from_secret(secret, key, optional=False) for key in store.required]
        environment += [_from_secret(secret, key, optional=True) for key in store.optional]
    return environment


def _from_secret(secret: str, key: str, *, optional: bool) -> dict[str, Any]:
    reference = {"name": secret, "key": key, "optional": optional}
    return {"name": f"{_OPTION}{key.upper()}", "valueFrom": {"secretKeyRef": reference}}


def _resources(hardware_class: HardwareClass) -> dict[str, dict[str, str]]:
    """Those of Triton less its devices: a pod takes of each resource the most that any of its containers asks for, and
    one container without them would cost the pod its quality of service."""
    given = hardware_class.spec.resources
    return {
        kind: {name: amount for name, amount in amounts.items() if "/" not in name}
        for kind, amounts in (("requests", given.requests), ("limits", given.limits))
    }
