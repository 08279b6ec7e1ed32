"""How large /dev/shm may get: through it Triton hands tensors to the processes of a Python-based backend."""

from __future__ import annotations

import math
from typing import Final

from foretide.api.backends import BRINGS_TENSORS
from foretide.api.hardwareclass import HardwareClass
from foretide.api.model import Model, Tensor
from foretide.api.quantities import parse_quantity
from foretide.serving.parallelism import instances

MIB: Final = 2**20
# A stub takes 1 MiB at its start, and a pool grows in steps of 1 MiB with the largest tensors and never shrinks. What a
# container has by default is 64.
BASE_MIB: Final = 128
# The processes of one engine talk to each other (NCCL) through it.
ENGINE_MIB: Final = 2048
UNKNOWN_MIB: Final = 1024
_BYTES: Final = {
    **dict.fromkeys(("BOOL", "UINT8", "INT8"), 1),
    **dict.fromkeys(("UINT16", "INT16", "FP16", "BF16"), 2),
    **dict.fromkeys(("UINT32", "INT32", "FP32"), 4),
    **dict.fromkeys(("UINT64", "INT64", "FP64"), 8),
}


def limit_mib(model: Model, hardware_class: HardwareClass, *, cache_bytes: int = 0) -> int:
    """The limit of the volume in MiB. It counts against the container's memory as it fills, and is not reserved.

        fixed shapes     128 MiB + instances x 2 x bytes of the largest batch, its inputs and outputs (one batch runs
                         while the next one is handed over)
        others           half of the memory limit, less the response cache (`cache_bytes`), because a request may be of
                         any size; 1 GiB where there is none
        vllm, TensorRT-LLM  the same, and 2 GiB at least

    Any backend may be Python-based, so that none is left out. A pool that is full fails the request.
    """
    item = _item_bytes(model)
    if item is not None and model.backend not in BRINGS_TENSORS:
        batches = 2 * instances(model, hardware_class) * max(model.largest_batch, 1)
        return BASE_MIB + math.ceil(batches * item / MIB)
    memory = hardware_class.spec.resources.limits.get("memory")
    share = UNKNOWN_MIB if memory is None else math.floor((parse_quantity(memory) - cache_bytes) / 2 / MIB)
    return max(share, ENGINE_MIB if model.backend in BRINGS_TENSORS else BASE_MIB)


def _item_bytes(model: Model) -> int | None:
    """Of all tensors of one item; None where that is not known before it comes."""
    sizes = [_bytes(tensor) for tensor in (*model.inputs, *model.outputs)]
    known = [size for size in sizes if size is not None]
    return sum(known) if sizes and len(known) == len(sizes) else None


def _bytes(tensor: Tensor) -> int | None:
    if tensor.data_type not in _BYTES or any(size < 0 for size in tensor.shape):
        return None
    return _BYTES[tensor.data_type] * math.prod(tensor.shape)
