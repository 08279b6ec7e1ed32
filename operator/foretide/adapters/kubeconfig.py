"""A person's way into a cluster: by the rules of kubectl, with --kubeconfig and --context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio import client, config
from kubernetes.aio.config import kube_config

from foretide.adapters.errors import Rejected
from foretide.adapters.kubernetes import KubernetesApi, opened

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
CONNECTIONS: Final = 32
DEFAULT_NAMESPACE: Final = "default"
# What the loader raises for files that are none, beside its own error.
_UNREADABLE: Final = (config.ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster, as one user."""

    api: KubernetesApi
    namespace: str  # of the context; where the user did not name another one
    server: str


@asynccontextmanager
async def connect(*, kubeconfig: str | None, context: str | None) -> AsyncIterator[Cluster]:
    """The named kubeconfig, else $KUBECONFIG, else ~/.kube/config, else the service account of the pod.

    The kubeconfig is never written. Raises Rejected (NoKubeconfig) where there is none of these, or it cannot be used.
    """
    configuration = client.Configuration()
    try:
        namespace = await _load(configuration, kubeconfig, context)
    except _UNREADABLE as error:
        where = kubeconfig or kube_config.KUBE_CONFIG_DEFAULT_LOCATION
        raise Rejected(f"kubeconfig {where} cannot be used: {error}", reason="NoKubeconfig") from error
    async with opened(configuration, connections=CONNECTIONS) as api:
        yield Cluster(api, namespace, configuration.host)


async def _load(configuration: client.Configuration, kubeconfig: str | None, context: str | None) -> str:
    """Fills the configuration; the namespace of the context."""
    if kubeconfig is None and context is None and not _there(kube_config.KUBE_CONFIG_DEFAULT_LOCATION):
        try:
            config.load_incluster_config(client_configuration=configuration)
            return NAMESPACE_FILE.read_text(encoding="utf-8").strip() or DEFAULT_NAMESPACE
        except (config.ConfigException, OSError):
            pass  # not in a pod: what is missing is a kubeconfig
    if not _there(kubeconfig or kube_config.KUBE_CONFIG_DEFAULT_LOCATION):
        raise FileNotFoundError("there is no such file")
    await config.load_kube_config(
        config_file=kubeconfig, context=context, client_configuration=configuration, persist_config=False
    )
    contexts, active = config.list_kube_config_contexts(config_file=kubeconfig)
    chosen = next((each for each in contexts if each["name"] == context), active)
    return str(chosen["context"].get("namespace") or DEFAULT_NAMESPACE)


def _there(paths: str) -> bool:
    """Whether any file of a list like $KUBECONFIG exists."""
    return any(Path(path).expanduser().is_file() for path in paths.split(kube_config.ENV_KUBECONFIG_PATH_SEPARATOR))
