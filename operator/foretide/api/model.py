"""The model of an InferenceService: where its files are, which Triton backend runs it, and its tensors."""

from typing import Annotated, Literal

from pydantic import Field

from foretide.api.backends import BACKEND_RULES, UNBATCHED, Backend, Precision, TensorBackend
from foretide.api.fields import Fields
from foretide.api.names import FileName, HardwareClassName, ModelName, ModelVersion
from foretide.api.rules import KeyedBy, Rule
from foretide.api.source import CREDENTIALS_RULES, CredentialsSecret, Source

DataType = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BF16",
    "STRING",
]
Dimension = Annotated[
    int,
    Field(ge=-1, le=2**31 - 1),
    Rule(
        cel="self != 0",
        holds=lambda size: size != 0,
        rule="must not be 0",
        fix="write the size of the dimension, or -1 where it varies",
        shown="%s",
    ),
]


class Tensor(Fields):
    """An input or output of the model, as Triton sees it."""

    name: Annotated[str, Field(min_length=1, max_length=128, examples=["X"])]
    """Name of the tensor in the model."""
    data_type: DataType = Field(examples=["FP32"])
    """Element type in the words of Triton's configuration, without TYPE_."""
    shape: Annotated[
        tuple[Dimension, ...],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = Field(examples=["[128]"])
    """Size of each dimension, without the batch dimension; -1 where it varies."""


Tensors = Annotated[tuple[Tensor, ...], Field(min_length=1, max_length=64), KeyedBy("name")]
Parameters = Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=64)]


class Variant(Fields):
    """The same model, with the same tensors, built for one hardware class."""

    hardware_class: HardwareClassName = Field(examples=["gpu-t4"])
    """Name of the HardwareClass, one of spec.hardware.classes, whose replicas run this variant."""
    backend: TensorBackend | None = None
    """Triton backend that runs the variant. Default: that of the model."""
    source: Source | None = None
    """Where the files of the variant are. Default: those of the model."""
    file_name: FileName | None = None
    """As fileName of the model. Default: that of the model if the backend is the same."""
    precision: Precision | None = None
    """As precision of the model. Default: that of the model if the backend is the same."""
    parameters: Parameters | None = None
    """Parameters of the backend, in place of those of the model. Default: those of the model if the backend is the
    same."""


class Model(Fields):
    """What is served: one version of one model."""

    name: ModelName = ""
    """Name of the model in requests. Default: the name of the InferenceService."""
    version: ModelVersion = "1"
    """Version number, which clients may name in requests; a new one rolls new pods in."""
    backend: Backend = Field(examples=["onnxruntime"])
    """Triton backend that runs the model."""
    source: Source = Field(examples=["{configMap: {name: model-files}}"])
    """Where the files of this version are."""
    credentials_secret: CredentialsSecret | None = None
    """Secret for the download of source.uri; without it the server is asked as anybody may."""
    inputs: Tensors = ()
    """Inputs of the model. Inputs and outputs may both be left out where Triton reads them from the model itself."""
    outputs: Tensors = ()
    """Outputs of the model."""
    max_batch_size: Annotated[int, Field(ge=0, le=4096)] | None = None
    """Largest batch, in items, that the model takes; 0 for a model without a batch dimension. Default: 1, and 0 for
    vllm, which batches by itself."""
    parameters: Parameters = Field(default={})
    """Parameters of the Triton backend; they win over those that Foretide derives."""
    file_name: FileName | None = None
    """Name of the model's file in its folder. Default: the backend's own, such as model.onnx."""
    precision: Precision | None = None
    """Precision to compute in: with onnxruntime and tensorflow on a GPU (by TensorRT) and with openvino. Default: that
    of the model's file."""
    decoupled: bool | None = None
    """Whether a request may have any number of answers, as when tokens are streamed. Default: true for vllm, false for
    the others."""
    warmup: bool = False
    """Runs the model once with the smallest and once with the largest batch, of zeros, before a replica is ready; needs
    inputs of fixed shapes."""
    variants: Annotated[tuple[Variant, ...], Field(max_length=8), KeyedBy("hardwareClass")] = ()
    """The model as built for hardware classes of their own; the classes that are not named run the model itself."""

    rules = (
        *BACKEND_RULES,
        *CREDENTIALS_RULES,
        Rule(
            cel="has(self.inputs) == has(self.outputs)",
            holds=lambda model: bool(model.inputs) == bool(model.outputs),
            rule="must come together with the other one of inputs and outputs",
            fix="give both, or none to let Triton read them from the model",
            shown="%s",
            cel_values=("has(self.inputs) ? 'inputs' : 'outputs'",),
            values=lambda model: ("inputs" if model.inputs else "outputs",),
        ),
    )

    @property
    def largest_batch(self) -> int:
        """The largest batch in items; 0 without a batch dimension."""
        if self.max_batch_size is not None:
            return self.max_batch_size
        return 0 if self.backend == UNBATCHED else 1

    @property
    def is_decoupled(self) -> bool:
        return self.backend == UNBATCHED if self.decoupled is None else self.decoupled

    def on(self, hardware_class: str) -> "Model":
        """The model as the replicas of a hardware class run it: a variant's members in place of its own.

        What is said for one backend means nothing to another, so a variant of another backend inherits only what is
        true of the model itself: its source, tensors and batches.
        """
        variant = next((one for one in self.variants if one.hardware_class == hardware_class), None)
        if variant is None:
            return self.model_copy(update={"variants": ()})
        update: dict[str, object] = {"variants": ()}
        if variant.backend not in (None, self.backend):
            update |= {"file_name": None, "precision": None, "parameters": {}, "decoupled": None}
        own = (name for name in Variant.model_fields if name != "hardware_class")
        update |= {name: value for name in own if (value := getattr(variant, name)) is not None}
        return self.model_copy(update=update)
