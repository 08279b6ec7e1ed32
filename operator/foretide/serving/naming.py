"""Names, labels and ports of the children. Fixed for ever at the first release: selectors are immutable."""

from __future__ import annotations

import hashlib
from typing import Final

from foretide.api import group

HTTP_PORT: Final = 8000
GRPC_PORT: Final = 8001
METRICS_PORT: Final = 8002
HTTP_PORT_NAME: Final = "http"
GRPC_PORT_NAME: Final = "grpc"
METRICS_PORT_NAME: Final = "metrics"
CONTAINER: Final = "triton"
DOWNLOAD_CONTAINER: Final = "download"

REPOSITORY: Final = "/models"

# Pod names append "-<10>-<5>" to the Deployment's name and must stay within the 63 characters of a host name.
DEPLOYMENT_NAME_LIMIT: Final = 63 - len("-0123456789-01234")
_DIGEST_LENGTH: Final = 8


def deployment_name(service: str, hardware_class: str) -> str:
    """`<service>--<class>`, cut and with a digest where it is too long.

    Two dashes, which no class name holds, because one would give ("ranker", "gpu-t4") and ("ranker-gpu", "t4") the
    same Deployment.
    """
    name = f"{service}--{hardware_class}"
    if len(name) <= DEPLOYMENT_NAME_LIMIT:
        return name
    return f"{name[: DEPLOYMENT_NAME_LIMIT - _DIGEST_LENGTH - 1].rstrip('-')}-{digest(name)}"


def config_map_name(service: str, config: str) -> str:
    """The ConfigMap with this very text as config.pbtxt.

    One name for all texts would be changed under running pods: while a broken version fails to roll out, each old
    pod that restarts would take the broken text too.
    """
    return f"{service}-config-{digest(config)}"


def version_folder(model: str, version: str) -> str:
    """Where the container has the files of one version of the model; both names are free of slashes."""
    return f"{REPOSITORY}/{model}/{version}"


def digest(text: str) -> str:
    """Eight hexadecimal digits that stand for a text in a name."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]


def service_account_name(service: str) -> str:
    """The token-less account the Triton pods run as."""
    return f"{service}-triton"


def url(service: str, namespace: str) -> str:
    """Where clients inside the cluster send their requests."""
    return f"http://{service}.{namespace}.svc:{HTTP_PORT}"


def selector(service: str, hardware_class: str) -> dict[str, str]:
    """The labels by which a Deployment finds its pods."""
    return {group.SERVICE_LABEL: service, group.HARDWARE_CLASS_LABEL: hardware_class}


def labels(service: str, hardware_class: str | None = None) -> dict[str, str]:
    """The labels of every child, with the class of what is made for one; none is copied from the InferenceService.

    Labels of GitOps tools on it (app.kubernetes.io/instance, argocd.argoproj.io/...) would claim the children.
    """
    return {
        group.NAME_LABEL: group.TRITON,
        group.INSTANCE_LABEL: service,
        group.COMPONENT_LABEL: group.INFERENCE_SERVER,
        group.MANAGED_BY_LABEL: group.MANAGED_BY,
        **({group.SERVICE_LABEL: service} if hardware_class is None else selector(service, hardware_class)),
    }
