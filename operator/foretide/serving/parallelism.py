"""How many instances of a model a replica runs at once, and with how many threads each."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.instances import AUTO
from foretide.api.model import Model
from foretide.api.quantities import parse_quantity

# One runs a batch while the other is copied to and from the device; a third found nothing left to overlap in NVIDIA's
# guide to optimization.
GPU_INSTANCES: Final = 2
MOST_INSTANCES: Final = 64
# These make use of a whole device, or of many requests at once, from one instance.
_ONE_IS_ENOUGH: Final = ("vllm", "tensorrtllm", "dali")


def instances(model: Model, hardware_class: HardwareClass) -> int:
    """As many as the class says; with Auto

        CPU:         floor(CPUs), each with one thread (20 ms models: 46.6, 95.2 and 189.5 requests/s with 1, 2 and 4)
        GPU:         2, so that copies overlap with compute; 1 for vllm, tensorrtllm and dali
        Inferentia:  1: what was compiled for the cores takes them all

    CPUs are the limit of the class, else its request, else 1. Each instance holds the whole model in memory, whose size
    nobody knows before it runs: that is why a class has one instance unless its owner writes Auto.
    """
    wanted = hardware_class.spec.triton.instances
    if wanted != AUTO:
        return int(wanted)
    family = hardware_class.spec.family
    if model.backend in _ONE_IS_ENOUGH or family is Family.INFERENTIA:
        return 1
    if family is Family.GPU:
        return GPU_INSTANCES
    resources = hardware_class.spec.resources
    cpus = resources.limits.get("cpu", resources.requests.get("cpu", "1"))
    return max(1, min(MOST_INSTANCES, math.floor(parse_quantity(cpus))))


def threads(model: Model, hardware_class: HardwareClass) -> int | None:
    """Threads of one instance, so that all of them fit the CPU limit: max(1, floor(limit / instances)).

    None where there is no limit, or where the work is done by another processor: the backend's own default, one for
    each core of the *host*, is right there. Under a limit of 500m on 64 cores 64 threads use up the 50 ms of a period
    in less than one, and the pod stands still for the other 99.
    """
    limit = hardware_class.spec.resources.limits.get("cpu")
    if limit is None or hardware_class.spec.family is not Family.CPU:
        return None
    return max(1, math.floor(parse_quantity(limit) / Decimal(instances(model, hardware_class))))
