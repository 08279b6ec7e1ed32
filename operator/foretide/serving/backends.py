"""How Triton runs each backend: on what, from which files, and what that asks of a pod.

From the backends' own READMEs and sample configurations (onnxruntime, tensorrt, pytorch, openvino, tensorflow, python,
fil, dali, vllm, tensorrtllm; releases 24.03 to 26.01), but where a measurement is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.model import Model

_CPU: Final = {Family.CPU: "KIND_CPU"}
_GPU: Final = {Family.GPU: "KIND_GPU"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What is the same for all models of a backend."""

    kinds: Mapping[Family, str]  # the instance kind in Triton's words, for each family that can run it
    elsewhere: str  # why not on the others, and what to do
    folder: str = ""  # where in the folder of a version the files of a source belong; by default they are it
    platform: str = ""  # for a backend that reads more than one kind of file
    threads: str = ""  # the parameter with the threads of one instance
    omp: bool = False  # threads by OpenMP, which reads them from the environment


RUNS: Final[Mapping[str, Runs]] = {
    "onnxruntime": Runs(
        kinds=_CPU | _GPU,
        elsewhere="write a Python model that runs it through torch-neuronx",
        threads="intra_op_thread_count",
    ),
    "tensorrt": Runs(
        kinds=_GPU,
        elsewhere="TensorRT plans run on NVIDIA GPUs only; add a variant with backend onnxruntime for the class",
    ),
    "pytorch": Runs(
        kinds=_CPU | _GPU,
        elsewhere="write a Python model that runs it through torch-neuronx",
        threads="INTRA_OP_THREAD_COUNT",
    ),
    "openvino": Runs(
        kinds=_CPU,
        elsewhere="Triton's OpenVINO runs on CPUs only, beside an idle device; add a variant with backend onnxruntime "
        "for the class",
        threads="INFERENCE_NUM_THREADS",
    ),
    "tensorflow": Runs(
        kinds=_CPU | _GPU,
        elsewhere="write a Python model that runs it through the Neuron SDK",
        folder="model.savedmodel",
        platform="tensorflow_savedmodel",
        threads="TF_NUM_INTRA_THREADS",
    ),
    # The Neuron runtime, not Triton, places a model on cores.
    "python": Runs(kinds=_CPU | _GPU | {Family.INFERENTIA: "KIND_MODEL"}, elsewhere="", omp=True),
    "fil": Runs(kinds=_CPU | _GPU, elsewhere="trees gain nothing there; use a class of family CPU", omp=True),
    "dali": Runs(kinds=_CPU | _GPU, elsewhere="DALI runs on NVIDIA GPUs and on CPUs; use a class of these"),
    # The engine takes all devices of the pod. KIND_GPU would make an instance for each of them, with a whole model.
    "vllm": Runs(kinds=dict.fromkeys(Family, "KIND_MODEL"), elsewhere=""),
    # Not a slip: the backend places its engine on the GPUs itself, and its own configuration says KIND_CPU.
    "tensorrtllm": Runs(
        kinds={Family.GPU: "KIND_CPU"},
        elsewhere="TensorRT-LLM engines run on NVIDIA GPUs only; use backend vllm, or a class of family GPU",
    ),
}

# Of backends that compute in a precision of the user's choice, where.
_PRECISION_ON: Final[Mapping[str, Family]] = {
    "onnxruntime": Family.GPU,
    "tensorflow": Family.GPU,
    "openvino": Family.CPU,
}


def unfit(model: Model, hardware_class: HardwareClass) -> str:
    """Why the class cannot run the model, with what to change; empty where it can.

    The API server cannot tell: these are two objects, of two teams.
    """
    runs, family = RUNS[model.backend], hardware_class.spec.family
    where = f'HardwareClass "{hardware_class.name}" is of family {family.value}'
    if family not in runs.kinds:
        families = " and ".join(each.value for each in runs.kinds)
        return f"spec.model.backend: {model.backend} runs on {families}, but {where}; {runs.elsewhere}"
    if model.precision is not None and family is not (needed := _PRECISION_ON[model.backend]):
        return (
            f"spec.model.precision: {model.backend} computes in {model.precision} on {needed.value} only, but {where}; "
            f"leave precision out, or give it to a variant for a class of family {needed.value}"
        )
    return ""


def instance_kind(model: Model, hardware_class: HardwareClass) -> str:
    """Triton's word for where instances run; only for a model that is not `unfit`."""
    return RUNS[model.backend].kinds[hardware_class.spec.family]
