"""Triton's backends: what each of them lets a model say, and the rules that follow for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from foretide.api.rules import Rule, listed, literal

if TYPE_CHECKING:
    from foretide.api.model import Model

Backend = Literal[
    "onnxruntime",
    "tensorrt",
    "pytorch",
    "openvino",
    "tensorflow",
    "python",
    "fil",
    "dali",
    "vllm",
    "tensorrtllm",
]
# What a variant may change to. The two others bring their own tensors, which clients of the model do not know.
TensorBackend = Literal["onnxruntime", "tensorrt", "pytorch", "openvino", "tensorflow", "python", "fil", "dali"]
Precision = Literal["FP32", "FP16", "BF16", "INT8"]

# Backends that compute in another precision than the file's when they are told to. All others do as the file says, so
# that a precision there would be a label only: a TensorRT plan is built for one, vLLM reads `dtype` in model.json.
PRECISIONS: Final[Mapping[str, tuple[Precision, ...]]] = {
    "onnxruntime": ("FP32", "FP16", "INT8"),  # by its TensorRT execution provider
    "tensorflow": ("FP32", "FP16", "INT8"),  # by TF-TRT
    "openvino": ("BF16",),
}
# vLLM answers only this way; the others may.
ANSWERS_MANY: Final = ("python", "dali", "vllm", "tensorrtllm")
BRINGS_TENSORS: Final = ("vllm", "tensorrtllm")
# Their folder has a fixed layout: a SavedModel, model.json, engines.
NAMES_NO_FILE: Final = ("tensorflow", "vllm", "tensorrtllm")
ALWAYS_BATCHED: Final = ("fil", "tensorrtllm")
UNBATCHED: Final = "vllm"


def _computes_in(backend: str, precision: str) -> str:
    """CEL: whether the backend can compute in the precision; both are CEL expressions."""
    return " || ".join(
        f"{backend} == {literal(name)} && {precision} in {listed(allowed)}" for name, allowed in PRECISIONS.items()
    )


def computes_in(backend: str, precision: str | None) -> bool:
    """Whether the backend can compute in the precision; None is that of the file, which each can."""
    return precision is None or precision in PRECISIONS.get(backend, ())


def _wrong_precision(model: Model) -> list[tuple[str, str]]:
    """Precision and backend of the variants that do not go together."""
    pairs = ((variant.precision, variant.backend or model.backend) for variant in model.variants)
    return [(str(precision), backend) for precision, backend in pairs if not computes_in(backend, precision)]


def _misnamed(model: Model) -> list[str]:
    """File names of variants whose backend has none."""
    pairs = ((variant.file_name, variant.backend or model.backend) for variant in model.variants)
    return [name for name, backend in pairs if name is not None and backend in NAMES_NO_FILE]


def _other_backends(model: Model) -> list[str]:
    """Backends of variants of a model that brings tensors no other backend has."""
    named = [variant.backend for variant in model.variants if variant.backend is not None]
    return [str(name) for name in named] if model.backend in BRINGS_TENSORS else []


def _unbatched(model: Model) -> list[str]:
    """Backends of the model that need a batch dimension and are denied one."""
    used = [model.backend, *(variant.backend or model.backend for variant in model.variants)]
    return [name for name in used if name in ALWAYS_BATCHED and model.max_batch_size == 0]


_BACKEND_OF_VARIANT: Final = "(has(v.backend) ? v.backend : self.backend)"
_VARIANT_IS_RIGHT: Final = f"!has(v.precision) || {_computes_in(_BACKEND_OF_VARIANT, 'v.precision')}"
_VARIANT_IS_MISNAMED: Final = f"has(v.fileName) && {_BACKEND_OF_VARIANT} in {listed(NAMES_NO_FILE)}"
_FIX_PRECISION: Final = (
    "leave it out, or give it to onnxruntime (FP32, FP16, INT8), tensorflow (the same) or openvino (BF16)"
)
_PRECISION: Final = "must be one that the backend can compute in"
_NEEDS_BATCH: Final = f"self.backend in {listed(ALWAYS_BATCHED)}"
_VARIANT_NEEDS_BATCH: Final = f"has(v.backend) && v.backend in {listed(ALWAYS_BATCHED)}"

BACKEND_RULES: Final = (
    Rule(
        cel=f"!has(self.precision) || {_computes_in('self.backend', 'self.precision')}",
        holds=lambda model: computes_in(model.backend, model.precision),
        rule=_PRECISION,
        fix=_FIX_PRECISION,
        shown="%s with %s",
        cel_values=("self.precision", "self.backend"),
        values=lambda model: (model.precision, model.backend),
        field="precision",
    ),
    Rule(
        cel=f"!has(self.variants) || self.variants.all(v, {_VARIANT_IS_RIGHT})",
        holds=lambda model: not _wrong_precision(model),
        rule=_PRECISION,
        fix=_FIX_PRECISION,
        shown="precision %s",
        cel_values=(f"self.variants.filter(v, !({_VARIANT_IS_RIGHT}))[0].precision",),
        values=lambda model: (_wrong_precision(model)[0][0],),
        field="variants",
    ),
    Rule(
        cel=f"!has(self.decoupled) || (self.decoupled ? self.backend in {listed(ANSWERS_MANY)}"
        f" : self.backend != {literal(UNBATCHED)})",
        holds=lambda model: (
            model.decoupled is None
            or (model.backend in ANSWERS_MANY if model.decoupled else model.backend != UNBATCHED)
        ),
        rule="must be true for vllm, and may be so for python, dali and tensorrtllm only",
        fix="leave it out for the way that the backend answers in",
        shown="%s",
        cel_values=("self.decoupled ? 'true' : 'false'",),
        values=lambda model: (str(model.decoupled).lower(),),
        field="decoupled",
    ),
    Rule(
        cel=f"!has(self.maxBatchSize) || self.maxBatchSize == 0 || self.backend != {literal(UNBATCHED)}",
        holds=lambda model: not model.max_batch_size or model.backend != UNBATCHED,
        rule="must be left out for vllm, which batches by itself",
        fix="remove maxBatchSize; max_num_seqs in model.json limits how many requests run at once",
        shown="%s",
        cel_values=("self.maxBatchSize",),
        values=lambda model: (model.max_batch_size,),
        field="maxBatchSize",
    ),
    Rule(
        cel=f"!has(self.maxBatchSize) || self.maxBatchSize > 0 || "
        f"!({_NEEDS_BATCH} || (has(self.variants) && self.variants.exists(v, {_VARIANT_NEEDS_BATCH})))",
        holds=lambda model: not _unbatched(model),
        rule="must be at least 1 for fil and tensorrtllm",
        fix="write the largest batch, in items; 1 where items come alone",
        shown="%s",
        cel_values=("self.maxBatchSize",),
        values=lambda model: (model.max_batch_size,),
        field="maxBatchSize",
    ),
    Rule(
        cel=f"!has(self.inputs) || !(self.backend in {listed(BRINGS_TENSORS)})",
        holds=lambda model: not model.inputs or model.backend not in BRINGS_TENSORS,
        rule="must be without inputs and outputs, because the backend brings its own",
        fix="remove inputs and outputs",
        shown="%s",
        cel_values=("self.backend",),
        values=lambda model: (model.backend,),
        field="inputs",
    ),
    Rule(
        cel=f"!has(self.fileName) || !(self.backend in {listed(NAMES_NO_FILE)})",
        holds=lambda model: model.file_name is None or model.backend not in NAMES_NO_FILE,
        rule="must be left out for tensorflow, vllm and tensorrtllm, whose folders have names of their own",
        fix="remove fileName; docs/backends.md has the layout of each",
        cel_values=("self.fileName",),
        values=lambda model: (model.file_name,),
        field="fileName",
    ),
    Rule(
        cel=f"!has(self.variants) || !self.variants.exists(v, {_VARIANT_IS_MISNAMED})",
        holds=lambda model: not _misnamed(model),
        rule="must be without a fileName for tensorflow, vllm and tensorrtllm, whose folders have names of their own",
        fix="remove fileName; docs/backends.md has the layout of each",
        cel_values=(f"self.variants.filter(v, {_VARIANT_IS_MISNAMED})[0].fileName",),
        values=lambda model: (_misnamed(model)[0],),
        field="variants",
    ),
    Rule(
        cel=f"!has(self.variants) || !(self.backend in {listed(BRINGS_TENSORS)}) || "
        "!self.variants.exists(v, has(v.backend))",
        holds=lambda model: not _other_backends(model),
        rule="must be without a backend for vllm and tensorrtllm, whose tensors no other backend has",
        fix="remove backend from the variant, or make it a service of its own",
        cel_values=("self.variants.filter(v, has(v.backend))[0].backend",),
        values=lambda model: (_other_backends(model)[0],),
        field="variants",
    ),
    Rule(
        cel="!self.warmup || (has(self.inputs) && self.inputs.all(tensor, tensor.shape.all(dimension, dimension > 0)))",
        holds=lambda model: (
            not model.warmup
            or (bool(model.inputs) and all(size > 0 for tensor in model.inputs for size in tensor.shape))
        ),
        rule="must be false unless all inputs are given with fixed shapes, of which the warm-up is made",
        fix="give inputs and outputs without -1, or remove warmup",
        shown="%s",
        cel_values=("self.warmup ? 'true' : 'false'",),
        values=lambda model: (str(model.warmup).lower(),),
        field="warmup",
    ),
)
