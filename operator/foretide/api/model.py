"""The model of an InferenceService: where its files are, which Triton backend runs it, and its tensors."""

from typing import Annotated, Literal

from pydantic import Field

from foretide.api.fields import Fields
from foretide.api.names import ModelName, ModelVersion
from foretide.api.rules import KeyedBy, Rule
from foretide.api.source import CredentialsSecret, Source

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
    credentials_secret: CredentialsSecret | None = None
    """Secret for the download of source.uri; without it the server is asked as anybody may."""
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
        Rule(
            cel="!has(self.credentialsSecret) || has(self.source.uri)",
            holds=lambda model: model.credentials_secret is None or model.source.uri is not None,
            rule="must be left out unless the source is a uri, because nothing else is downloaded",
            fix="remove credentialsSecret, or set source.uri",
            cel_values=("self.credentialsSecret.name",),
            values=lambda model: (model.credentials_secret.name,),
            field="credentialsSecret",
        ),
        Rule(
            cel="!has(self.source.uri) || !self.source.uri.startsWith('azure://') || has(self.credentialsSecret)",
            holds=lambda model: (
                not (model.source.uri or "").startswith("azure://") or model.credentials_secret is not None
            ),
            rule="must come with credentialsSecret, because its key account says whose container it is",
            fix="make a Secret with the key account and name it in credentialsSecret",
            shown='"azure://"',  # not the whole of it: a wrong one may hold a signature
            cel_values=(),
            values=lambda model: (),
            field="source.uri",
        ),
    )
