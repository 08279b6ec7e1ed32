"""Builds KServe's controller from its Go module, and reads from there what it needs in a cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from e2e.cluster import Cluster, ClusterError, binaries, tools
from e2e.cluster.artefacts import Artefacts
from e2e.cluster.paths import cache_folder
from e2e.cluster.progress import Progress

HERE: Final = Path(__file__).resolve().parent
MANAGER: Final = "kserve-manager"
MODULE: Final = tools.Module(HERE, "github.com/kserve/kserve", {"manager": MANAGER})
NAMESPACE: Final = "kserve"
ACCOUNT: Final = "kserve-controller-manager"
RUNTIME: Final = "kserve-tritonserver"
# Of `config/default`: kinds, account and rights. The manager runs as a process, and without webhooks.
INSTALLED: Final = (
    "CustomResourceDefinition",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
)
CLUSTER_WIDE: Final = frozenset({"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"})
# Deployments as Foretide makes them, and neither Istio nor an ingress controller; all else as released.
SETTINGS: Final[Mapping[str, Mapping[str, object]]] = {
    "deploy": {"defaultDeploymentMode": "Standard"},
    "ingress": {"disableIngressCreation": True, "disableIstioVirtualHost": True},
}


@dataclass(frozen=True, slots=True)
class Built:
    """The program, the files of its module, and which release both are."""

    manager: Path
    source: Path
    version: str


def build(progress: Progress) -> Built:
    """The controller, built now unless nothing changed (4 min on two processors at first)."""
    cache = cache_folder()
    go = binaries.find_go(cache)
    programs = tools.build(MODULE, go, Artefacts(cache / "artefacts"), cache, progress)
    return Built(programs / MANAGER, tools.source(MODULE, go), version((HERE / "go.mod").read_text()))


def version(go_mod: str) -> str:
    """Which release go.mod asks for."""
    found = re.search(rf"^\s*{re.escape(MODULE.path)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ClusterError(f"{HERE}/go.mod does not require {MODULE.path}; restore it from the repository.")
    return found[1]


def install(cluster: Cluster, source: Path) -> None:
    """Kinds, rights, settings and the runtime for Triton are in the cluster."""
    default = [each for each in _objects(cluster, source / "config" / "default") if each["kind"] in INSTALLED]
    kinds = [each for each in default if each["kind"] == "CustomResourceDefinition"]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *kinds)
    names = (f"customresourcedefinition/{each['metadata']['name']}" for each in kinds)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    (settings,) = _objects(cluster, source / "config" / "configmap")
    runtimes = _objects(cluster, source / "config" / "runtimes")
    cluster.apply(
        *(each for each in default if each not in kinds),
        configured(settings),
        *(each for each in runtimes if each["metadata"]["name"] == RUNTIME),
        *_objects(cluster, source / "config" / "storagecontainers"),
    )


def _objects(cluster: Cluster, folder: Path) -> Iterator[dict[str, Any]]:
    return (each for each in yaml.safe_load_all(cluster.kubectl("kustomize", str(folder))) if each)


def configured(config_map: Mapping[str, Any]) -> dict[str, Any]:
    """The released ConfigMap with our settings in it; each of its entries is a text of JSON."""
    data = dict(config_map["data"])
    for name, changes in SETTINGS.items():
        data[name] = json.dumps({**json.loads(data[name]), **changes})
    return {**config_map, "data": data}
