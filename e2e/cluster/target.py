"""Which cluster the tests and the demo use: CLUSTER=embedded (default), kind or current."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from .cluster import Cluster
from .commands import run
from .errors import ClusterError, CommandFailed
from .images import IMAGES
from .lifecycle import up
from .progress import Progress

KIND_NAME: Final = "foretide"
LOADED: Final = ("operator", "triton", "prometheus", "alertmanager")


def connect(environment: Mapping[str, str] = os.environ, progress: Progress | None = None) -> Cluster:
    """The cluster that CLUSTER names, ready for use; what it needs from the user it says in one sentence.

    - embedded: this machine becomes a one-node cluster (Linux, root).
    - kind: `kind create cluster --name foretide`, and the images, built with docker beforehand, are loaded into it.
    - current: the kubeconfig's current context as it is; nothing is installed on this machine. Its nodes must be able
      to pull the images: push them to a registry and name it in IMAGE_REGISTRY, for example IMAGE_REGISTRY=ghcr.io/you.
    """
    shown = progress or Progress()
    choices: dict[str, Callable[[], Cluster]] = {
        "embedded": lambda: up(shown),
        "kind": lambda: _kind(environment, shown),
        "current": lambda: _current(environment, shown),
    }
    chosen = environment.get("CLUSTER") or "embedded"
    if chosen not in choices:
        raise ClusterError(f"CLUSTER={chosen} is unknown: use {', '.join(choices)}.")
    return choices[chosen]()


def image(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The reference under which the chosen cluster finds one of our images: local, or in IMAGE_REGISTRY."""
    reference = IMAGES[name].reference
    registry = environment.get("IMAGE_REGISTRY")
    return f"{registry.rstrip('/')}/{reference.rpartition('/')[2]}" if registry else reference


def _kind(environment: Mapping[str, str], progress: Progress) -> Cluster:
    kind = _program("kind", environment, "install it from https://kind.sigs.k8s.io, or use CLUSTER=embedded.")
    if KIND_NAME not in run([kind, "get", "clusters"], env=environment).split():
        with progress.step("creating the kind cluster"):
            run([kind, "create", "cluster", "--name", KIND_NAME], env=environment)
    for name in LOADED:
        with progress.step(f"loading {image(name, environment)} into kind"):
            run([kind, "load", "docker-image", image(name, environment), "--name", KIND_NAME], env=environment)
    return _reached(f"kind-{KIND_NAME}", environment, progress)


def _current(environment: Mapping[str, str], progress: Progress) -> Cluster:
    kubectl = _program("kubectl", environment, "install it from https://kubernetes.io/docs/tasks/tools.")
    try:
        context = run([kubectl, "config", "current-context"], env=environment).strip()
    except CommandFailed as error:
        raise ClusterError(
            "CLUSTER=current needs a current kubeconfig context and there is none: "
            "set KUBECONFIG, or run `kubectl config use-context NAME`."
        ) from error
    if not environment.get("IMAGE_REGISTRY"):
        progress.say(
            "IMAGE_REGISTRY is not set: the nodes must already have " + ", ".join(image(n, environment) for n in LOADED)
        )
    return _reached(context, environment, progress)


def _reached(context: str, environment: Mapping[str, str], progress: Progress) -> Cluster:
    """The cluster of a context, if it answers."""
    kubectl = _program("kubectl", environment, "install it from https://kubernetes.io/docs/tasks/tools.")
    _program("helm", environment, "install it from https://helm.sh.")
    try:
        answer = run(
            [kubectl, f"--context={context}", "version", "--output=json", "--request-timeout=10s"], env=environment
        )
    except CommandFailed as error:
        raise ClusterError(
            f"The cluster of context {context} does not answer ({error.output.splitlines()[-1]})."
        ) from error
    version = json.loads(answer).get("serverVersion", {}).get("gitVersion", "unknown")
    progress.say(f"Using the cluster of context {context} (Kubernetes {version}).")
    files = environment.get("KUBECONFIG") or "~/.kube/config"
    host = environment.get("NODE_PORT_HOST", "127.0.0.1")
    return Cluster(Path(files.split(":")[0]).expanduser(), kubectl.parent, host, context)


def _program(name: str, environment: Mapping[str, str], fix: str) -> Path:
    found = shutil.which(name, path=environment.get("PATH"))
    if found is None:
        raise ClusterError(f"There is no `{name}` on PATH: {fix}")
    return Path(found)
