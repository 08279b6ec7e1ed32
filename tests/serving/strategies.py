"""Services and hardware classes that the API admits, with whatever text it admits in them."""

from __future__ import annotations

from typing import Any, Final, get_args

from hypothesis import assume
from hypothesis import strategies as st

from foretide.api import group, parse
from foretide.api.backends import ALWAYS_BATCHED, ANSWERS_MANY, BRINGS_TENSORS, NAMES_NO_FILE, PRECISIONS, Backend
from foretide.api.durations import parse_nanoseconds
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.model import DataType
from foretide.serving.backends import unfit
from foretide.serving.response_cache import misfit

DATA_TYPES: Final = get_args(DataType)
BACKENDS: Final = get_args(Backend)

# Everything that has ever broken out of a string somewhere.
NASTY: Final = (
    '"',
    "\\",
    '\\"',
    "{{7*7}}",
    "{% raw %}",
    "$(id)",
    "../..",
    '" } parameters { key: "x',
    "\x00",
    "\n",
    "\r\n# ",
    "\x7f",
    "\u2028",
    "é",
    "日本",
    "😀",
    "\\x41\\101",
    "'",
)
text = st.text(max_size=12) | st.lists(st.sampled_from(NASTY), max_size=3).map("".join)

service_names = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
class_names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,6}", fullmatch=True).map(
    lambda name: name[:63].rstrip("-")
)
model_names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
paths = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}){0,2}", fullmatch=True)
latencies = st.sampled_from(["1ms", "1.5ms", "20ms", "100ms", "1s", "2m30s", "1h"]) | st.integers(1, 3_600_000).map(
    lambda milliseconds: f"{milliseconds}ms" if milliseconds < 999_999 else f"{milliseconds // 1000}s"
)
dimensions = st.integers(-1, 2**31 - 1).filter(bool)
tensors = st.lists(
    st.fixed_dictionaries(
        {
            "name": text.filter(bool),
            "dataType": st.sampled_from(DATA_TYPES),
            "shape": st.lists(dimensions, min_size=1, max_size=4),
        }
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda tensor: tensor["name"],
)
uris = st.one_of(
    st.builds(
        "{}://{}/{}".format,
        st.sampled_from(["s3", "gs"]),
        st.from_regex("[a-z0-9][a-z0-9._-]{1,20}[a-z0-9]", fullmatch=True),
        st.from_regex(
            "[A-Za-z0-9_~][A-Za-z0-9_.~=+-]{0,5}(/[A-Za-z0-9_~][A-Za-z0-9_.~=+-]{0,5}){0,2}/?", fullmatch=True
        ),
    ),
    st.sampled_from(["https://models.example.com:8443/ranker/3/", "https://models.example.com/model.onnx"]),
)
sources = st.one_of(
    st.fixed_dictionaries({"uri": uris}),
    st.fixed_dictionaries(
        {"image": st.fixed_dictionaries({"reference": st.just("models@sha256:00")}, optional={"path": paths})}
    ),
    st.fixed_dictionaries({"configMap": st.fixed_dictionaries({"name": service_names})}),
    st.fixed_dictionaries(
        {
            "persistentVolumeClaim": st.fixed_dictionaries(
                {"claimName": service_names}, optional={"path": st.just("") | paths}
            )
        }
    ),
)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    backend = draw(st.sampled_from(BACKENDS))
    model: dict[str, Any] = {
        "backend": backend,
        "source": draw(sources),
        "version": draw(st.integers(1, 999_999_999).map(str)),
        "parameters": draw(st.dictionaries(text, text, max_size=3)),
    }
    if backend != "vllm":
        model["maxBatchSize"] = draw(st.sampled_from([1, 8, 4096] if backend in ALWAYS_BATCHED else [0, 1, 8, 4096]))
    if backend in ANSWERS_MANY:
        model["decoupled"] = backend == "vllm" or draw(st.booleans())
    if backend in PRECISIONS and draw(st.booleans()):
        model["precision"] = draw(st.sampled_from(PRECISIONS[backend]))
    if backend not in NAMES_NO_FILE and draw(st.booleans()):
        model["fileName"] = draw(st.sampled_from(["net.onnx", "m_1.json", "a-b"]))
    if backend not in BRINGS_TENSORS and draw(st.booleans()):
        model |= {"inputs": draw(tensors), "outputs": draw(tensors)}
        fixed = all(size > 0 for tensor in model["inputs"] for size in tensor["shape"])
        model["warmup"] = fixed and draw(st.booleans())
    if draw(st.booleans()):
        model["name"] = draw(model_names)
    if "uri" in model["source"] and draw(st.booleans()):
        model["credentialsSecret"] = {"name": draw(service_names)}
    return model


@st.composite
def batchings(draw: st.DrawFn, model: dict[str, Any], latency: str) -> dict[str, Any]:
    """What a model and an SLO admit."""
    modes = ["Auto"]
    if model.get("maxBatchSize", 0) > 1:
        modes += ["Manual", *(["None"] if "inputs" in model else [])]
    mode = draw(st.sampled_from(modes))
    if mode != "Manual":
        return {"mode": mode}
    most_us = parse_nanoseconds(latency) // 1_000 - 1
    return {"mode": mode, "maxQueueDelay": f"{draw(st.integers(0, most_us) | st.just(most_us))}us"}


@st.composite
def services(draw: st.DrawFn) -> InferenceService:
    model, latency = draw(models()), draw(latencies)
    caches = not model.get("decoupled", False) and draw(st.booleans())
    raw = {
        "metadata": {"name": draw(service_names), "namespace": "shop", "uid": "u1", "generation": 1},
        "spec": {
            "model": model,
            "hardware": {"classes": [draw(class_names)]},
            **({"responseCache": {"size": draw(st.sampled_from(["1Mi", "99Mi", "512Mi"]))}} if caches else {}),
            "slo": {"objective": draw(st.sampled_from(["99", "99.9", "50"])), "latency": latency},
            "batching": draw(batchings(model, latency)),
            "scaling": {"minReplicas": draw(st.integers(1, 5)), "maxReplicas": draw(st.integers(5, 50))},
        },
    }
    parsed = parse.inference_service(raw)
    assume(isinstance(parsed, InferenceService))  # text that is no UTF-8
    assert isinstance(parsed, InferenceService)
    return parsed


@st.composite
def hardware_classes(draw: st.DrawFn) -> HardwareClass:
    toleration = st.fixed_dictionaries(
        {"key": st.just("pool")},
        optional={
            "value": st.sampled_from(["a", "b"]),
            "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule"]),
        },
    )
    raw = {
        "metadata": {"name": draw(class_names), "uid": "u2", "generation": 1},
        "spec": {
            "family": draw(st.sampled_from(["GPU", "CPU", "Inferentia"])),
            "resources": draw(
                st.sampled_from([{}, {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi", "nvidia.com/gpu": 1}}])
            ),
            "placement": {
                "nodeSelector": draw(st.dictionaries(st.just("pool"), st.sampled_from(["a", ""]), max_size=1)),
                "tolerations": draw(st.lists(toleration, max_size=2)),
                "priorityClassName": draw(st.sampled_from(["", "high"])),
            },
            "triton": {
                "image": draw(
                    st.sampled_from(
                        [
                            "tritonserver:2.51",
                            "nvcr.io/nvidia/tritonserver@sha256:00",
                            "nvcr.io/nvidia/tritonserver:26.07-py3",
                        ]
                    )
                ),
                "instances": draw(st.integers(1, 64) | st.just("Auto")),
            },
        },
    }
    parsed = parse.hardware_class(raw)
    assert isinstance(parsed, HardwareClass)
    return parsed


@st.composite
def placed(draw: st.DrawFn) -> tuple[InferenceService, HardwareClass]:
    """A service and a class that can run it."""
    service, hardware_class = draw(services()), draw(hardware_classes())
    assume(not unfit(service.model_on(hardware_class.name), hardware_class))
    assume(not misfit(service, hardware_class))
    return service, hardware_class


def service(name: str = "ranker", **spec: Any) -> InferenceService:
    """A plain service; keyword arguments replace parts of its spec."""
    raw = {
        "apiVersion": group.API_VERSION,
        "metadata": {"name": name, "namespace": "shop", "uid": "u1", "generation": 1},
        "spec": {
            "model": {"backend": "onnxruntime", "source": {"configMap": {"name": "files"}}, "maxBatchSize": 8},
            "hardware": {"classes": ["cpu-16"]},
            "slo": {"objective": "99", "latency": "100ms"},
            **spec,
        },
    }
    parsed = parse.inference_service(raw)
    assert isinstance(parsed, InferenceService), parsed
    return parsed


def hardware(name: str = "cpu-16", **spec: Any) -> HardwareClass:
    """A plain class."""
    raw = {
        "metadata": {"name": name, "uid": "u2", "generation": 1},
        "spec": {"family": "CPU", "triton": {"image": "tritonserver:2.51"}, **spec},
    }
    parsed = parse.hardware_class(raw)
    assert isinstance(parsed, HardwareClass), parsed
    return parsed
