"""The chart's objects on a control plane of processes, without the operator's pods: it runs as a process there, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

from e2e.cluster import Cluster, pki
from e2e.cluster.paths import REPOSITORY
from e2e.scenarios.api import Api
from manifests import render

INSTALL: Final = REPOSITORY / "manifests" / "install.yaml"
OPERATOR: Final = ("foretide-system", "foretide-operator")  # namespace and name of its service account
OPERATOR_USER: Final = "system:serviceaccount:{}:{}".format(*OPERATOR)
# As long as the longest soak.
TOKEN_SECONDS: Final = 12 * 3_600


def objects(cluster: Cluster, *values: str) -> list[dict[str, Any]]:
    """What the chart makes of these values, such as `--set=watchNamespaces={shop}`; without any it is in the tree."""
    text = render.install_text(*values, binary=str(cluster.bin / "helm")) if values else INSTALL.read_text()
    return [each for each in yaml.safe_load_all(text) if each]


def install(cluster: Cluster, *values: str) -> None:
    """Kinds, rights and the account; returns when the kinds are Established. Again with other values it changes them,
    and takes nothing away."""
    parts = [each for each in objects(cluster, *values) if each["kind"] != "Deployment"]
    cluster.apply(*(each for each in parts if each["kind"] in ("Namespace", "CustomResourceDefinition")))
    cluster.apply(*parts)
    names = [each["metadata"]["name"] for each in parts if each["kind"] == "CustomResourceDefinition"]
    words = (f"customresourcedefinition/{name}" for name in names)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *words)


def operator_token(api: Api) -> str:
    """What the operator shows to have the rights that the chart gives it, and no others."""
    return account_token(api, *OPERATOR)


def account_token(api: Api, namespace: str, name: str) -> str:
    """What a service account shows to have its rights."""
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    answer = api.raw(
        "POST",
        f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
        {},
        json.dumps(request).encode(),
        {"Content-Type": "application/json"},
    )
    return str(json.loads(answer)["status"]["token"])


def kubeconfig(keys: Path, token: str, server: str) -> dict[str, object]:
    """A kubeconfig for who has the token, by way of `server`."""
    return {**pki.kubeconfig(keys, "admin", server), "users": [{"name": "admin", "user": {"token": token}}]}
