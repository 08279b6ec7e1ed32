"""The cache of answers in each replica: Triton's own, in the memory of the server, by the inputs of a request."""

from __future__ import annotations

from typing import Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.quantities import parse_quantity

# Of the memory limit: the model, its instances and what they work with need the rest. The cache takes its memory as it
# fills, so that one that is too large kills replicas hours after they started.
LARGEST_SHARE: Final = 0.5


def size_bytes(service: InferenceService) -> int:
    """Memory of each replica for answers; 0 without a cache."""
    cache = service.spec.response_cache
    return 0 if cache is None else cache.size_bytes


def misfit(service: InferenceService, hardware_class: HardwareClass) -> str:
    """Why the class has no room for the cache, with what to change; empty where it has.

    The API server cannot tell: these are two objects, of two teams.
    """
    cache, memory = service.spec.response_cache, hardware_class.spec.resources.limits.get("memory")
    if cache is None or memory is None or cache.size_bytes <= LARGEST_SHARE * float(parse_quantity(memory)):
        return ""
    return (
        f"spec.responseCache.size: {cache.size} is more than half of the memory limit of {memory} of HardwareClass "
        f'"{hardware_class.name}"; lower the size, or use a class with more memory'
    )


def flags(service: InferenceService) -> list[str]:
    """Flags of tritonserver; without them it keeps nothing, whatever config.pbtxt says."""
    size = size_bytes(service)
    return [f"--cache-config=local,size={size}"] if size else []
