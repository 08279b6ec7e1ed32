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

# Pod names append "-<10>-<5>" to the Deployment's name and must stay within the 63 characters of a host name.
DEPLOYMENT_NAME_LIMIT: Final = 63 - len("-0123456789-01234")
_DIGEST_LENGTH: Final = 8


def deployment_name(service: str, hardware_class: str) -> str:
    """`<service>-<class>`; unique, also where it must be cut (then with a digest of both names)."""
    name = f"{service}-{hardware_class}".replace(".", "-")
    if len(name) <= DEPLOYMENT_NAME_LIMIT and "." not in hardware_class:
        return name
    digest = hashlib.sha256(f"{service}/{hardware_class}".encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: DEPLOYMENT_NAME_LIMIT - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"


def config_map_name(service: str) -> str:
    """The ConfigMap with the model's config.pbtxt."""
    return f"{service}-config"


def service_account_name(service: str) -> str:
    """The token-less account the Triton pods run as."""
    return f"{service}-triton"


def url(service: str, namespace: str) -> str:
    """Where clients inside the cluster send their requests."""
    return f"http://{service}.{namespace}.svc:{HTTP_PORT}"


def selector(service: str, hardware_class: str) -> dict[str, str]:
    """The labels by which a Deployment finds its pods."""
    return {group.SERVICE_LABEL: service, group.HARDWARE_CLASS_LABEL: hardware_class}


def labels(service: str, hardware_class: str) -> dict[str, str]:
    """The labels of every child; none is copied from the InferenceService.

    Labels of GitOps tools on it (app.kubernetes.io/instance, argocd.argoproj.io/...) would claim the children.
    """
    return {
        group.NAME_LABEL: group.TRITON,
        group.INSTANCE_LABEL: service,
        group.COMPONENT_LABEL: group.INFERENCE_SERVER,
        group.MANAGED_BY_LABEL: group.MANAGED_BY,
        **selector(service, hardware_class),
    }
