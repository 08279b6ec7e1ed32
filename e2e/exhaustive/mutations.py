"""One change for each property of an InferenceService, and whether none was forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from e2e.cluster.paths import REPOSITORY
from e2e.exhaustive.run import CLASSES

CRD: Final = REPOSITORY / "crds" / "foretide.dev_inferenceservices.yaml"
URI: Final = {"uri": None}
TENSOR: Final = {"name": "Z", "dataType": "FP64", "shape": [2, -1]}
ONLY_VALUE: Final = frozenset({"hardware.choose"})  # there is no other


def _variant(**content: Any) -> dict[str, Any]:
    return {"model": {"variants": [{"hardwareClass": CLASSES[0], **content}]}}


# Merge patches of the spec of a service of `run.SPEC`; null takes a property away.
MUTATIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "name": {"model": {"name": "another"}},
    "version": {"model": {"version": "7"}},
    "backend": {"model": {"backend": "pytorch"}},
    "image": {"model": {"source": {**URI, "image": {"reference": "example.com/model:1", "path": "models"}}}},
    "claim": {"model": {"source": {**URI, "persistentVolumeClaim": {"claimName": "models", "path": "ranker"}}}},
    "config-map": {"model": {"backend": "python", "source": {**URI, "configMap": {"name": "ranker-code"}}}},
    "uri": {"model": {"source": {"uri": "gs://models/ranker"}}},
    "secret": {"model": {"credentialsSecret": {"name": "models-read"}}},
    "inputs": {"model": {"inputs": [TENSOR]}},
    "outputs": {"model": {"outputs": [TENSOR]}},
    "no-tensors": {"model": {"inputs": None, "outputs": None}},
    "max-batch-size": {"model": {"maxBatchSize": 0}},
    "parameters": {"model": {"parameters": {"intra_op_thread_count": "2"}}},
    "file-name": {"model": {"fileName": "net.onnx"}},
    "precision": {"model": {"backend": "openvino", "precision": "BF16"}},
    "decoupled": {"model": {"backend": "python", "decoupled": True}},
    "warmup": {"model": {"warmup": True}},
    "variant": _variant(backend="openvino", fileName="net.xml", precision="BF16", parameters={"a": "b"}),
    "variant-uri": _variant(source={"uri": "s3://models/other"}),
    "variant-image": _variant(source={"image": {"reference": "example.com/model:2", "path": "models"}}),
    "variant-claim": _variant(source={"persistentVolumeClaim": {"claimName": "other", "path": "ranker"}}),
    "variant-config-map": _variant(backend="python", source={"configMap": {"name": "other-code"}}),
    "class": {"hardware": {"classes": [CLASSES[1]]}},
    "objective": {"slo": {"objective": "99.9"}},
    "latency": {"slo": {"latency": "250ms"}},
    "window": {"slo": {"window": "7d"}},
    "min-replicas": {"scaling": {"minReplicas": 3}},
    "max-replicas": {"scaling": {"maxReplicas": 9}},
    "replicas": {"scaling": {"replicas": 4}},
    "policy": {"scaling": {"policyRef": {"name": "web"}}},
    "response-cache": {"responseCache": {"size": "64Mi"}},
    "paused": {"scaling": {"paused": True}},
    "no-batching": {"batching": {"mode": "None"}},
    "manual-batching": {"batching": {"mode": "Manual", "maxQueueDelay": "3ms", "preferredSizes": [2, 4]}},
}


def touched() -> set[str]:
    """The properties that some mutation sets."""
    return {path for mutation in MUTATIONS.values() for path in _leaves_of_value(mutation)}


def properties() -> set[str]:
    """All properties of the spec that are no objects of further ones; `[]` is an item, `{}` a value of any name."""
    versions = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    return set(_leaves_of_schema(versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]))


def _leaves_of_value(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            is_free = path.endswith("parameters")
            yield from _leaves_of_value(each, f"{path}{{}}" if is_free else f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves_of_value(each, f"{path}[]")
    elif value is not None:
        yield path


def _leaves_of_schema(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    inner = {f"{path}.{name}".lstrip("."): each for name, each in schema.get("properties", {}).items()}
    if "items" in schema:
        inner[f"{path}[]"] = schema["items"]
    if isinstance(schema.get("additionalProperties"), Mapping):
        inner[f"{path}{{}}"] = schema["additionalProperties"]
    if not inner:
        yield path
    for name, each in inner.items():
        yield from _leaves_of_schema(each, name)
