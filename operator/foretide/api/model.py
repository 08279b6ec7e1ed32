"""The model of an InferenceService: where its files are, which Triton backend runs it, and its tensors."""

from typing import Annotated, Literal

from pydantic import Field

from foretide.api.fields import Fields
from foretide.api.names import FolderPath, ModelName, ModelVersion, ObjectName
from foretide.api.rules import KeyedBy, Rule

Backend = Literal[
    "onnxruntime",
    "tensorrt",
    "pytorch",
    "openvino",
    "tensorflow",
    "python",
    "fil",
    "dali",
]
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


class PersistentVolumeClaimSource(Fields):
    """A folder in a volume that already holds the model."""

    claim_name: ObjectName = Field(examples=["models"])
    """Name of the PersistentVolumeClaim, in the namespace of the InferenceService."""
    path: FolderPath = ""
    """Folder in the volume with the files of one version, such as model.onnx. Empty: the root of the volume."""


class ConfigMapSource(Fields):
    """A ConfigMap whose keys are the files of a small model."""

    name: ObjectName = Field(examples=["model-files"])
    """Name of the ConfigMap, in the namespace of the InferenceService. Its keys are the files of one version."""


class Source(Fields):
    """Where the files of one version of the model are: exactly one of the members."""

    persistent_volume_claim: PersistentVolumeClaimSource | None = None
    """A folder in a volume."""
    config_map: ConfigMapSource | None = None
    """The keys of a ConfigMap; for small models, such as one model.py."""

    rules = (
        Rule(
            cel="has(self.persistentVolumeClaim) != has(self.configMap)",
            holds=lambda source: (source.persistent_volume_claim is None) != (source.config_map is None),
            rule="must be exactly one of persistentVolumeClaim and configMap",
            fix="keep the one that holds the model's files",
            shown="%s",
            cel_values=("has(self.configMap) ? 'both' : 'none'",),
            values=lambda source: ("both" if source.config_map else "none",),
        ),
    )


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
    inputs: Tensors = ()
    """Inputs of the model. Inputs and outputs may both be left out where Triton reads them from the model itself."""
    outputs: Tensors = ()
    """Outputs of the model."""
    max_batch_size: Annotated[int, Field(ge=0, le=4096)] = 1
    """Largest batch, in items, that the model takes; 0 for a model without a batch dimension."""
    parameters: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=64)] = Field(default={})
    """Parameters of the Triton backend."""

    rules = (
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
