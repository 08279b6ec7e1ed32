"""A server that runs already, which is loaded only where the user says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from foretide.api import group
from foretide.api.inferenceservice import InferenceService
from foretide.cli.exits import Stop
from foretide.control.pods import authority, is_ready
from foretide.serving.naming import HTTP_PORT

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster

FLAG = "--in-production"


@dataclass(frozen=True, slots=True)
class Address:
    """Where it is."""

    name: str  # as the user named it
    address: str  # host:port
    from_here: bool  # reached from where the plugin runs, else from a pod in the cluster


async def address_of(cluster: Cluster, service: InferenceService, against: str, *, in_production: bool) -> Address:
    """Of a URL, or of a pod in the namespace. Raises Stop where it may have clients and FLAG is not given."""
    if "://" in against:
        parts = urlsplit(against)
        if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
            raise Stop(f"--against: {against!r} must be http://host:port, without a path; or the name of a pod")
        if not in_production:
            raise Stop(
                f"--against: nobody here knows who else asks {parts.netloc}, and it is loaded until it is late; say "
                f"that it may be with {FLAG}"
            )
        return Address(parts.netloc, f"{parts.netloc}" if parts.port else f"{parts.netloc}:{HTTP_PORT}", from_here=True)
    from foretide.adapters.resources import POD

    pod = await cluster.api.get(POD, namespace=service.namespace, name=against)
    if pod is None:
        raise Stop(f"--against: there is no pod {against} in namespace {service.namespace}; or give http://host:port")
    owner = pod["metadata"].get("labels", {}).get(group.SERVICE_LABEL)
    if owner is not None and not in_production:
        raise Stop(
            f"--against: clients of {owner} are sent to {against}, and it is loaded until it is late; leave --against "
            f"out, which measures in a pod of its own, or say that it may be with {FLAG}"
        )
    address = authority(pod, HTTP_PORT)
    if address is None or not is_ready(pod):
        raise Stop(f"--against: pod {against} is not ready; name one that is")
    return Address(against, address, from_here=False)
