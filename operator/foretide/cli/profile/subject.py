"""What is measured: a service and a class, as the cluster has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.problems import Problems
from foretide.cli.exits import Stop
from foretide.serving.backends import unfit

if TYPE_CHECKING:
    from foretide.adapters.kubeconfig import Cluster

# They let a request join a batch that runs.
JOINS: Final = ("vllm", "tensorrtllm")
_NAME_LIMIT: Final = 253


async def named(cluster: Cluster, name: str, class_name: str) -> tuple[InferenceService, HardwareClass]:
    """The two; raises Stop where nothing can be measured of them, AdapterError where the cluster does not answer."""
    from foretide.adapters.resources import HARDWARE_CLASS, INFERENCE_SERVICE

    raw = await cluster.api.get(INFERENCE_SERVICE, namespace=cluster.namespace, name=name)
    if raw is None:
        raise Stop(f"there is no InferenceService {name} in namespace {cluster.namespace}; -n names another one")
    service = parse.inference_service(raw)
    if isinstance(service, Problems):
        raise Stop(f"InferenceService {name} breaks rules: {service.message}")
    raw_class = await cluster.api.get(HARDWARE_CLASS, namespace=None, name=class_name)
    if raw_class is None:
        there = ", ".join(sorted(one["metadata"]["name"] for one in await cluster.api.list(HARDWARE_CLASS)))
        raise Stop(f"--class: there is no HardwareClass {class_name}; there are {there or 'none'}")
    hardware_class = parse.hardware_class(raw_class)
    if isinstance(hardware_class, Problems):
        raise Stop(f"HardwareClass {class_name} breaks rules: {hardware_class.message}")
    model = service.model_on(hardware_class.name)
    if model.is_decoupled or model.backend in JOINS:
        raise Stop(
            f"{name}: {model.backend} lets requests join a batch that runs, or answers in parts; a law of batch times "
            "says nothing about it, so there is no profile to measure"
        )
    if why := unfit(model, hardware_class):
        raise Stop(f"--class: {why}")
    return service, hardware_class


async def profile_name(cluster: Cluster, service: InferenceService, class_name: str) -> str:
    """Of the ModelProfile that there is for the same, else of a new one: of two the operator would take one."""
    from foretide.adapters.errors import Rejected
    from foretide.adapters.resources import MODEL_PROFILE

    try:
        raws = await cluster.api.list(MODEL_PROFILE, namespace=service.namespace)
    except Rejected:
        raws = []
    there = [one for one in map(parse.model_profile, raws) if isinstance(one, ModelProfile)]
    names = [one.name for one in there if (one.spec.service, one.spec.hardware_class) == (service.name, class_name)]
    return min(names, default=f"{service.name}-{class_name}"[:_NAME_LIMIT].rstrip("-."))
