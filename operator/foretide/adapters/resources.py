"""Where each kind of object lives under the Kubernetes API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from foretide.api import group

# Objects stay what JSON made of them: their shape belongs to the API server, not to this program.
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of Kubernetes object and its path under the API server."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, *, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, the object or its subresource; every part is quoted."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        parts = [root + self.api_version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)


INFERENCE_SERVICE: Final = Resource(group.API_VERSION, group.INFERENCE_SERVICE_KIND, group.INFERENCE_SERVICES)
HARDWARE_CLASS: Final = Resource(group.API_VERSION, group.HARDWARE_CLASS_KIND, group.HARDWARE_CLASSES, namespaced=False)
SCALING_POLICY: Final = Resource(group.API_VERSION, group.SCALING_POLICY_KIND, group.SCALING_POLICIES)
MODEL_PROFILE: Final = Resource(group.API_VERSION, group.MODEL_PROFILE_KIND, group.MODEL_PROFILES)
DEPLOYMENT: Final = Resource("apps/v1", "Deployment", "deployments")
SERVICE: Final = Resource("v1", "Service", "services")
CONFIG_MAP: Final = Resource("v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNT: Final = Resource("v1", "ServiceAccount", "serviceaccounts")
POD_DISRUPTION_BUDGET: Final = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
POD: Final = Resource("v1", "Pod", "pods")
HORIZONTAL_POD_AUTOSCALER: Final = Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
JOB: Final = Resource("batch/v1", "Job", "jobs")
LEASE: Final = Resource("coordination.k8s.io/v1", "Lease", "leases")
EVENT: Final = Resource("events.k8s.io/v1", "Event", "events")
CUSTOM_RESOURCE_DEFINITION: Final = Resource(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
SUBJECT_ACCESS_REVIEW: Final = Resource(
    "authorization.k8s.io/v1", "SubjectAccessReview", "subjectaccessreviews", namespaced=False
)

CHILDREN: Final = (SERVICE_ACCOUNT, CONFIG_MAP, SERVICE, POD_DISRUPTION_BUDGET, DEPLOYMENT)
_BY_KIND: Final = {
    (resource.api_version, resource.kind): resource
    for resource in (
        INFERENCE_SERVICE,
        HARDWARE_CLASS,
        SCALING_POLICY,
        MODEL_PROFILE,
        *CHILDREN,
        POD,
        HORIZONTAL_POD_AUTOSCALER,
        JOB,
        LEASE,
        EVENT,
        SUBJECT_ACCESS_REVIEW,
    )
}


def resource_of(obj: Object) -> Resource:
    """The resource an object belongs to; KeyError for a kind that nobody here writes."""
    return _BY_KIND[(obj["apiVersion"], obj["kind"])]
