"""Objects that are right, and one wrong change each: the table that parse() and every apiserver must judge alike."""

import copy
from dataclasses import dataclass
from typing import Any, Final

Raw = dict[str, Any]
Path = tuple[str | int, ...]


class _Removed:
    """In place of a value: the member is taken away."""

    def __repr__(self) -> str:
        return "REMOVED"


REMOVED: Final = _Removed()


def service(**spec: Any) -> Raw:
    """A right InferenceService that uses every field; keyword arguments replace whole parts of its spec."""
    model = {
        "name": "ranker_v2",
        "version": "3",
        "backend": "onnxruntime",
        "source": {"persistentVolumeClaim": {"claimName": "models", "path": "ranker/3"}},
        "inputs": [
            {"name": "X", "dataType": "FP32", "shape": [128]},
            {"name": "ids:0", "dataType": "INT64", "shape": [-1]},
        ],
        "outputs": [{"name": "Y", "dataType": "FP32", "shape": [1]}],
        "maxBatchSize": 32,
        "parameters": {"intra_op_thread_count": "2"},
        "fileName": "net.onnx",
        "precision": "FP16",
        "decoupled": False,
        "warmup": False,
        "variants": [
            {
                "hardwareClass": "cpu-16",
                "backend": "openvino",
                "source": {"configMap": {"name": "ranker-ir"}},
                "fileName": "net.xml",
                "precision": "BF16",
                "parameters": {"NUM_STREAMS": "1"},
            }
        ],
    }
    return {
        "apiVersion": "foretide.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "ranker", "namespace": "default"},
        "spec": {
            "model": model,
            "hardware": {"classes": ["gpu-t4", "inf2-xl", "cpu-16"], "choose": "InOrder"},
            "slo": {"objective": "99.9", "latency": "100ms", "window": "7d"},
            "scaling": {
                "minReplicas": 2,
                "maxReplicas": 40,
                "replicas": 5,
                "policyRef": {"name": "web"},
                "paused": True,
            },
            "batching": {"mode": "Manual", "maxQueueDelay": "100us", "preferredSizes": [8, 32]},
            "responseCache": {"size": "64Mi"},
            **spec,
        },
    }


def fetching_service(uri: str = "s3://models/ranker/3") -> Raw:
    """A right InferenceService whose model is downloaded with credentials."""
    model = {"backend": "python", "source": {"uri": uri}, "credentialsSecret": {"name": "models-read"}}
    return service(model={"maxBatchSize": 32, **model})


def mounting_service() -> Raw:
    """A right InferenceService whose model is in an image."""
    image = {"reference": "registry.example.com/models/ranker@sha256:00", "path": "ranker/3"}
    return service(model={"backend": "python", "source": {"image": image}, "maxBatchSize": 32})


def smallest_service() -> Raw:
    """A right InferenceService with nothing but what is required."""
    raw = service(model={"backend": "python", "source": {"configMap": {"name": "code"}}})
    del raw["spec"]["scaling"], raw["spec"]["slo"]["window"], raw["spec"]["batching"], raw["spec"]["responseCache"]
    return raw


def hardware_class(**spec: Any) -> Raw:
    """A right HardwareClass that uses every field."""
    return {
        "apiVersion": "foretide.dev/v1alpha1",
        "kind": "HardwareClass",
        "metadata": {"name": "gpu-t4"},
        "spec": {
            "family": "GPU",
            "resources": {
                "requests": {"cpu": "3500m", "memory": "16Gi", "nvidia.com/gpu": 1},
                "limits": {"cpu": 4, "memory": "16Gi", "nvidia.com/gpu": "1"},
            },
            "placement": {
                "nodeSelector": {"example.com/pool": "t4"},
                "tolerations": [
                    {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                    {"key": "pool", "value": "t4", "effect": "NoExecute", "tolerationSeconds": 60},
                    {"operator": "Exists"},
                ],
                "priorityClassName": "serving",
            },
            "triton": {"image": "nvcr.io/nvidia/tritonserver:26.07-py3", "instances": "Auto"},
            "cost": {"perHour": "0.53", "currency": "EUR"},
            "power": {"idleWatts": 20, "busyWatts": 70},
            "quota": {"maxReplicas": 64},
            **spec,
        },
    }


def smallest_hardware_class() -> Raw:
    """A right HardwareClass with nothing but what is required."""
    raw = hardware_class(family="CPU", triton={"image": "tritonserver"})
    for optional in ("resources", "placement", "cost", "power", "quota"):
        del raw["spec"][optional]
    return raw


def scaling_policy(**spec: Any) -> Raw:
    """A right ScalingPolicy that uses every field."""
    return {
        "apiVersion": "foretide.dev/v1alpha1",
        "kind": "ScalingPolicy",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "mode": "Advisory",
            "forecast": {"mode": "Reactive", "history": "36h", "risk": "0.95", "season": "90m"},
            "scaleUp": {"maxStep": "100%"},
            "scaleDown": {"hold": "5m", "maxStep": "10%"},
            "metricsFailure": {"hold": "1h30m", "then": "Grow"},
            "priority": 100,
            "challenger": {"policyRef": {"name": "web-next"}},
            **spec,
        },
    }


def smallest_scaling_policy() -> Raw:
    """A right ScalingPolicy with nothing but what is required."""
    return {**scaling_policy(), "spec": {}}


def model_profile(**spec: Any) -> Raw:
    """A right ModelProfile that uses every field."""
    return {
        "apiVersion": "foretide.dev/v1alpha1",
        "kind": "ModelProfile",
        "metadata": {"name": "ranker-gpu-t4", "namespace": "default"},
        "spec": {
            "service": "ranker",
            "hardwareClass": "gpu-t4",
            "batchTime": {"perItem": "1.2ms", "fixed": "4500us"},
            "maxBatchSize": 32,
            "coldStart": "42s",
            **spec,
        },
    }


def smallest_model_profile() -> Raw:
    """A right ModelProfile with nothing but what is required."""
    return changed(model_profile(), ("spec", "coldStart"), REMOVED)


def changed(raw: Raw, path: Path, value: object) -> Raw:
    """A copy with one value set, or taken away with REMOVED."""
    result = copy.deepcopy(raw)
    parent: Any = result
    for part in path[:-1]:
        parent = parent[part]
    if value is REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return result


@dataclass(frozen=True)
class Wrong:
    """One change that makes a right object wrong, and what both judges must say about it."""

    path: Path
    value: object
    rule: str  # a fragment of parse()'s sentence, which has the field and the value as well
    server: str = ""  # a fragment of the apiserver's sentence where its own rule speaks; else it is `rule` too
    field: str = ""  # where the sentence names another field than the one changed
    shown: str | None = None  # where the sentence shows another value than the one changed

    @property
    def base(self) -> Raw:
        return next(
            (full() for full in (hardware_class, scaling_policy, model_profile) if self._is_of(full())), service()
        )

    def _is_of(self, raw: Raw) -> bool:
        return self.path[0] == "spec" and len(self.path) > 1 and self.path[1] in raw["spec"]

    @property
    def raw(self) -> Raw:
        return changed(self.base, self.path, self.value)

    @property
    def field_name(self) -> str:
        named = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return self.field or named.removeprefix(".")

    @property
    def shown_value(self) -> str:
        if self.shown is not None:
            return self.shown
        return f'"{self.value}"' if isinstance(self.value, str) else str(self.value)

    def __str__(self) -> str:
        return f"{self.field_name}={self.value!r}"[:80]


def _model(*path: str | int) -> Path:
    return ("spec", "model", *path)


_AT_LEAST = "should be greater than or equal to"
_AT_MOST = "should be less than or equal to"
_CLAIM = _model("source", "persistentVolumeClaim")
_TENSOR = {"name": "X", "dataType": "FP32", "shape": [1]}
_VARIANT = _model("variants", 0)
_TOLERATION: Path = ("spec", "placement", "tolerations", 0)
_CHALLENGER = "spec.challenger.policyRef"
_FORECAST_MODE: Path = ("spec", "forecast", "mode")
_MISSING = "(missing)"
_ONE_SOURCE = "must be exactly one of uri, image, persistentVolumeClaim and configMap"
_SCHEME = "must start with s3://, gs://, azure:// or https://, in small letters"
_PLAIN_HTTP = "must not be http://, because a model is code"
_NO_USER = "must not hold credentials"
_NO_QUERY = "must not have a query or a fragment"
_WHERE = "must name a bucket or container of 3 to 222"
_PATH = "must have a path of letters, digits"
_HIDDEN = "(hidden)"

# URI, what is said against it, and whether it is left out of that because it may hold a secret.
_WRONG_URIS: Final = (
    ("models/ranker", _SCHEME, False),
    ("/models/ranker", _SCHEME, False),
    ("S3://models/ranker", _SCHEME, False),
    ("HTTPS://models.example.com/ranker", _SCHEME, False),
    ("ftp://models.example.com/ranker", _SCHEME, False),
    ("file:///etc/passwd", _SCHEME, False),
    ("gcs://models/ranker", _SCHEME, False),
    ("as://models/ranker", _SCHEME, False),
    (":s3,env_auth:models/ranker", _SCHEME, False),
    ("s3:models/ranker", _SCHEME, False),
    ("s3:/models/ranker", _SCHEME, False),
    (" s3://models/ranker", _SCHEME, False),
    ("\ns3://models/ranker", _SCHEME, False),
    ("http://models.example.com/ranker", _PLAIN_HTTP, False),
    ("http://me:pw@models.example.com/ranker", _PLAIN_HTTP, True),
    ("https://me:pw@models.example.com/ranker", _NO_USER, True),
    ("https://token@models.example.com/ranker", _NO_USER, True),
    ("s3://key:secret@models/ranker", _NO_USER, True),
    ("https://models.example.com/ranker?X-Amz-Signature=0123", _NO_QUERY, True),
    ("s3://models/ranker?versionId=1", _NO_QUERY, True),
    ("gs://models/ranker?X-Goog-Signature=abc", _NO_QUERY, True),
    ("https://models.example.com/ranker#top", _NO_QUERY, True),
    ("https://models.example.com?/x", _NO_QUERY, True),
    ("s3://", _WHERE, False),
    ("s3:///ranker", _WHERE, False),
    ("https:///ranker", _WHERE, False),
    ("s3://ab/ranker", _WHERE, False),
    ("s3://Models/ranker", _WHERE, False),
    ("s3://-models/ranker", _WHERE, False),
    ("s3://models-/ranker", _WHERE, False),
    ("s3://../ranker", _WHERE, False),
    ("gs://models,anonymous=true:x/ranker", _WHERE, False),
    ("s3://models:9000/ranker", _WHERE, False),
    ("s3://$(AWS_SECRET)/ranker", _WHERE, False),
    ("s3://models\n/ranker", _WHERE, False),
    ("https://models.example.com:0/ranker", _WHERE, False),
    ("https://models.example.com:65536000/ranker", _WHERE, False),
    ("https://Models.example.com/ranker", _WHERE, False),
    ("https://models..example.com/ranker", _WHERE, False),
    ("https://[::1]/ranker", _WHERE, False),
    ("https://-models/ranker", _WHERE, False),
    ("s3://models", _PATH, False),
    ("s3://models/", _PATH, False),
    ("https://models.example.com", _PATH, False),
    ("https://models.example.com/", _PATH, False),
    ("s3://models//ranker", _PATH, False),
    ("s3://models/ranker//", _PATH, False),
    ("s3://models/../other/ranker", _PATH, False),
    ("s3://models/ranker/..", _PATH, False),
    ("s3://models/./ranker", _PATH, False),
    ("s3://models/.git", _PATH, False),
    ("s3://models/my model", _PATH, False),
    ("s3://models/ranker\n", _PATH, False),
    ("s3://models/ranker%2F3", _PATH, False),
    ("s3://models/ran:ker", _PATH, False),
    ("s3://models/a,b", _PATH, False),
    ("s3://models/$(SECRET)", _PATH, False),
    ("s3://models/`id`", _PATH, False),
    ("s3://models/;reboot", _PATH, False),
    ("s3://models/*", _PATH, False),
    ("s3://models/{a}", _PATH, False),
    ("s3://models/--config", _PATH, False),
    ("s3://models/rénker", _PATH, False),
    ("s3://models/a@b", _PATH, True),
)
RIGHT_URIS: Final = (
    "s3://models/ranker",
    "s3://models/ranker/3/",
    "s3://my.models-2/team=search/ranker/3/model.onnx",
    "gs://models_of_team/ranker/v1.2+cuda/3",
    "azure://models/_ranker/3",
    "https://models.example.com/ranker/3/",
    "https://models.example.com:8443/~team/model.onnx",
    "https://huggingface.co/org/Model-1.5/resolve/main/onnx/model.onnx",
    "https://198.51.100.7/a",
    "s3://" + "b" * 222 + "/" + "x" * 796,
)


def _fetched_with(secret: Raw) -> Raw:
    source = {"uri": "s3://models/ranker"}
    return {"backend": "python", "source": source, "credentialsSecret": secret, "maxBatchSize": 32}


def _uri(uri: str, rule: str, *, hidden: bool) -> "Wrong":
    shown = _HIDDEN if hidden else uri.replace("\n", "�")
    return Wrong(_model("source"), {"uri": uri}, rule, field="spec.model.source.uri", shown=f'"{shown}"')


WRONG: Final = (
    # metadata.name of the apiserver is checked at the root, so its sentence brings the field itself
    Wrong(("metadata", "name"), "a" * 41, "must be at most 40 characters"),
    Wrong(("metadata", "name"), "9ranker", "start with a letter"),
    Wrong(("metadata", "name"), "ran.ker", "must be at most 40 characters of a-z, 0-9 and -"),
    # model
    Wrong(_model("name"), "ran/ker", "must start with a letter or digit and continue with"),
    Wrong(_model("name"), "", "must not be empty", "should be at least 1 chars long"),
    Wrong(_model("name"), "x" * 64, "must have at most 63 characters", "Too long", shown=f'"{"x" * 60}'),
    Wrong(_model("version"), 3, "must be a string", 'must be of type string: "integer"'),
    Wrong(_model("version"), "0", "must be a positive integer in quotes"),
    Wrong(_model("version"), "v3", "must be a positive integer in quotes"),
    Wrong(_model("version"), "01", "must be a positive integer in quotes"),
    Wrong(_model("version"), "1\n", "must be a positive integer in quotes", shown='"1�"'),
    Wrong(_model("backend"), "onnx", "must be one of onnxruntime, tensorrt", 'supported values: "onnxruntime"'),
    Wrong(_model("backend"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(_model("source"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(_model("source"), {}, _ONE_SOURCE, shown="none"),
    Wrong(_model("source", "configMap"), {"name": "x"}, _ONE_SOURCE, field="spec.model.source", shown="more than one"),
    Wrong(_model("source", "uri"), "s3://models/a", _ONE_SOURCE, field="spec.model.source", shown="more than one"),
    Wrong(
        _model("source"),
        {"uri": "s3://models/a", "image": {"reference": "a"}},
        _ONE_SOURCE,
        shown="more than one",
    ),
    Wrong(
        _model("source", "url"), "s3://models/a", "the API has no such field", 'unknown field "spec.model.source.url'
    ),
    *(_uri(uri, rule, hidden=hidden) for uri, rule, hidden in _WRONG_URIS),
    Wrong(
        _model("source"),
        {"uri": ""},
        "must not be empty",
        "should be at least 1 chars long",
        field="spec.model.source.uri",
        shown='""',
    ),
    Wrong(
        _model("source"),
        {"uri": "s3://models/" + "x" * 1013},
        "must have at most 1024 characters",
        "Too long",
        field="spec.model.source.uri",
        shown='"s3://models/xxx',
    ),
    Wrong(
        _model("source"),
        {"uri": 3},
        "must be a string",
        'must be of type string: "integer"',
        field="spec.model.source.uri",
        shown="3",
    ),
    Wrong(
        _model("source"),
        {"uri": "azure://models/ranker"},
        "must come with credentialsSecret",
        field="spec.model.source.uri",
        shown='"azure://"',
    ),
    Wrong(
        _model("variants"),
        [{"hardwareClass": "cpu-16", "source": {"uri": "azure://models/ranker"}}],
        "must come with credentialsSecret",
        field="spec.model.source.uri",
        shown='"azure://"',
    ),
    Wrong(
        _model("source"),
        {"image": {}},
        "is required",
        "Required value",
        field="spec.model.source.image.reference",
        shown=_MISSING,
    ),
    Wrong(
        _model("source"),
        {"image": {"reference": "a b"}},
        "must be an image reference without spaces",
        field="spec.model.source.image.reference",
        shown='"a b"',
    ),
    Wrong(
        _model("source"),
        {"image": {"reference": "--x"}},
        "must be an image reference without spaces",
        field="spec.model.source.image.reference",
        shown='"--x"',
    ),
    Wrong(
        _model("source"),
        {"image": {"reference": "a", "path": "../etc"}},
        "must be a folder relative to the root",
        field="spec.model.source.image.path",
        shown='"../etc"',
    ),
    Wrong(
        _model("source"),
        {"image": {"reference": "a", "pullPolicy": "Always"}},
        "the API has no such field",
        'unknown field "spec.model.source.image.pullPolicy"',
        field="spec.model.source.image.pullPolicy",
        shown='"Always"',
    ),
    Wrong(
        _model("credentialsSecret"),
        {"name": "models-read"},
        "must be left out unless the source is a uri",
        shown='"models-read"',
    ),
    Wrong(
        _model(),
        _fetched_with({"name": "Models_Read"}),
        "must be the name of a Kubernetes object",
        field="spec.model.credentialsSecret.name",
        shown='"Models_Read"',
    ),
    Wrong(
        _model(),
        _fetched_with({}),
        "is required",
        "Required value",
        field="spec.model.credentialsSecret.name",
        shown=_MISSING,
    ),
    Wrong(
        _model(),
        _fetched_with({"name": "models-read", "namespace": "other"}),
        "the API has no such field",
        'unknown field "spec.model.credentialsSecret.namespace"',
        field="spec.model.credentialsSecret.namespace",
        shown='"other"',
    ),
    Wrong((*_CLAIM, "claimName"), "My_Models", "must be the name of a Kubernetes object"),
    Wrong((*_CLAIM, "path"), "../other", "must be a folder relative to the root of the volume"),
    Wrong((*_CLAIM, "path"), "a/../../other", "must be a folder relative to the root of the volume"),
    Wrong((*_CLAIM, "path"), "/etc", "must be a folder relative to the root of the volume"),
    Wrong((*_CLAIM, "path"), "a//b", "must be a folder relative to the root of the volume"),
    Wrong(_model("inputs"), [_TENSOR, _TENSOR], "must be the name of one item only", "Duplicate value", shown='"X"'),
    Wrong(_model("inputs"), [], "must have at least 1 item", "should have at least 1 items", shown="a list of 0 items"),
    Wrong(_model("outputs"), REMOVED, "must come together with", field="spec.model", shown="inputs"),
    Wrong(_model("inputs"), REMOVED, "must come together with", field="spec.model", shown="outputs"),
    Wrong(_model("inputs", 0, "shape"), [0], "must not be 0", field="spec.model.inputs[0].shape[0]", shown="0"),
    Wrong(_model("inputs", 0, "shape", 0), -2, "must be at least -1", f"{_AT_LEAST} -1"),
    Wrong(_model("inputs", 0, "shape", 0), 1.5, "must be an integer", 'must be of type integer: "number"'),
    Wrong(_model("inputs", 0, "shape", 0), "128", "must be an integer", 'must be of type integer: "string"'),
    Wrong(_model("inputs", 0, "dataType"), "TYPE_FP32", "must be one of BOOL, UINT8", "supported values"),
    Wrong(_model("inputs", 0, "name"), "", "must not be empty", "should be at least 1 chars long"),
    Wrong(_model("maxBatchSize"), -1, "must be at least 0", f"{_AT_LEAST} 0"),
    Wrong(_model("maxBatchSize"), 4097, "must be at most 4096", f"{_AT_MOST} 4096"),
    Wrong(_model("maxBatchSize"), True, "must be an integer", 'must be of type integer: "boolean"', shown="true"),
    Wrong(_model("parameters", "threads"), 2, "must be a string", 'must be of type string: "integer"'),
    Wrong(_model("batchSize"), 8, "the API has no such field", 'unknown field "spec.model.batchSize"'),
    Wrong(_model("max_batch_size"), 8, "the API has no such field", 'unknown field "spec.model.max_batch_size"'),
    Wrong(_model("fileName"), "../net.onnx", "must be the name of one file"),
    Wrong(_model("fileName"), "3/net.onnx", "must be the name of one file"),
    Wrong(_model("fileName"), "", "must not be empty", "should be at least 1 chars long"),
    Wrong(_model("precision"), "FP8", "must be one of FP32, FP16, BF16, INT8", "supported values"),
    Wrong(_model("precision"), "BF16", "must be one that the backend can compute in", shown="BF16 with onnxruntime"),
    Wrong(
        _model("backend"),
        "tensorrt",
        "must be one that the backend can compute in",
        field="spec.model.precision",
        shown="FP16 with tensorrt",
    ),
    Wrong(_model("decoupled"), True, "must be true for vllm, and may be so for python", shown="true"),
    Wrong(_model("decoupled"), "no", "must be true or false", 'must be of type boolean: "string"'),
    Wrong(_model("warmup"), True, "must be false unless all inputs are given with fixed shapes", shown="true"),
    Wrong((*_VARIANT, "hardwareClass"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(
        (*_VARIANT, "hardwareClass"),
        "gpu-v100",
        "must be one of spec.hardware.classes",
        field="spec.model.variants",
    ),
    Wrong((*_VARIANT, "backend"), "vllm", "must be one of onnxruntime, tensorrt", 'supported values: "onnxruntime"'),
    Wrong(
        (*_VARIANT, "precision"),
        "INT8",
        "must be one that the backend can compute in",
        field="spec.model.variants",
        shown="precision INT8",
    ),
    Wrong((*_VARIANT, "fileName"), ".hidden", "must be the name of one file"),
    Wrong((*_VARIANT, "source"), {}, "must be exactly one of", shown="none"),
    Wrong(
        _model("variants"),
        [{"hardwareClass": "cpu-16"}] * 2,
        "must be the hardwareClass of one item only",
        "Duplicate value",
        shown='"cpu-16"',
    ),
    Wrong(
        (*_VARIANT,),
        {"hardwareClass": "cpu-16", "backend": "tensorflow", "fileName": "net.pb"},
        "must be without a fileName for tensorflow",
        field="spec.model.variants",
        shown="net.pb",
    ),
    Wrong((*_VARIANT, "maxBatchSize"), 4, "the API has no such field", "unknown field"),
    # a model that brings its own tensors and batches
    *(
        Wrong(
            ("spec",),
            {
                "model": {"backend": backend, "source": {"configMap": {"name": "x"}}, **said},
                "hardware": {"classes": ["cpu-16"]},
                "slo": {"objective": "99", "latency": "100ms"},
            },
            rule,
            field=f"spec.model.{field}",
            shown=shown,
        )
        for backend, field, said, rule, shown in (
            ("vllm", "maxBatchSize", {"maxBatchSize": 8}, "must be left out for vllm, which batches by itself", "8"),
            ("vllm", "decoupled", {"decoupled": False}, "must be true for vllm", "false"),
            ("vllm", "fileName", {"fileName": "m.json"}, "must be left out for tensorflow, vllm", '"m.json"'),
            ("vllm", "inputs", {"inputs": [_TENSOR], "outputs": [_TENSOR]}, "must be without inputs", "vllm"),
            ("tensorrtllm", "maxBatchSize", {"maxBatchSize": 0}, "must be at least 1 for fil and tensorrtllm", "0"),
            ("fil", "maxBatchSize", {"maxBatchSize": 0}, "must be at least 1 for fil and tensorrtllm", "0"),
            ("python", "warmup", {"warmup": True}, "must be false unless all inputs are given", "true"),
            (
                "tensorrtllm",
                "variants",
                {"variants": [{"hardwareClass": "cpu-16", "backend": "python"}]},
                "must be without a backend for vllm and tensorrtllm",
                "python",
            ),
        )
    ),
    # batching
    Wrong(("spec", "batching", "mode"), "Off", "must be one of Auto, Manual, None", 'supported values: "Auto"'),
    Wrong(("spec", "batching", "mode"), "Auto", "must be Manual where maxQueueDelay or preferredSizes are given"),
    Wrong(("spec", "batching", "maxQueueDelay"), "61s", "must be a duration from 0s to 1m", "from 0s to 1m"),
    Wrong(("spec", "batching", "maxQueueDelay"), "100ms", "must be below spec.slo.latency"),
    Wrong(
        ("spec", "batching", "preferredSizes"), [], "must have at least 1 item", "at least 1 items", shown="a list of"
    ),
    Wrong(("spec", "batching", "preferredSizes", 0), 0, "must be at least 1", f"{_AT_LEAST} 1"),
    Wrong(
        ("spec", "batching", "preferredSizes"),
        [8, 33, 34],
        "must not be above spec.model.maxBatchSize",
        shown="33",
    ),
    Wrong(
        _model("maxBatchSize"),
        1,
        "must not be Manual unless spec.model.maxBatchSize is above 1",
        field="spec.batching.mode",
        shown='"Manual"',
    ),
    # responseCache
    *(
        Wrong(("spec", "responseCache", "size"), size, "must be from 1Mi to 999Gi")
        for size in ("0Mi", "64M", "512Ki", "1000Gi", "100000Mi", "01Gi", "1.5Gi", "-1Mi", "Mi")
    ),
    Wrong(("spec", "responseCache", "size"), "123456789Mi", "must have at most 8 characters", "Too long"),
    Wrong(("spec", "responseCache", "size"), 64, "must be a string", 'must be of type string: "integer"'),
    Wrong(
        ("spec", "responseCache"), {}, "is required", "Required value", field="spec.responseCache.size", shown=_MISSING
    ),
    Wrong(
        _model(),
        {"backend": "python", "source": {"configMap": {"name": "x"}}, "maxBatchSize": 32, "decoupled": True},
        "must not be set for a model that is decoupled",
        field="spec.responseCache",
        shown="64Mi",
    ),
    # hardware
    Wrong(("spec", "hardware", "classes"), [], "must have at least 1 item", "at least 1 items", shown="a list of 0"),
    Wrong(
        ("spec", "hardware", "classes"),
        [f"class-{number}" for number in range(9)],
        "must have at most 8 items",
        "must have at most 8 items",
        shown="",
    ),
    # its variant is of another class then, which the apiserver says as well
    Wrong(("spec", "hardware", "classes", 0), "CPU", "must be at most 63 characters of a-z", "at most 63 characters"),
    Wrong(
        ("spec", "hardware", "classes"), ["cpu-16", "gpu-t4", "cpu-16"], "must be listed once only", shown='"cpu-16"'
    ),
    Wrong(("spec", "hardware", "choose"), "Cheapest", "must be one of InOrder", 'supported values: "InOrder"'),
    # slo
    Wrong(("spec", "slo"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(("spec", "slo"), None, "is required", "Required value", shown=_MISSING),
    Wrong(("spec", "slo", "latency"), "100", "must be a duration from 1ms to 1h"),
    Wrong(("spec", "slo", "latency"), "0.5ms", "must be a duration from 1ms to 1h"),
    Wrong(("spec", "slo", "latency"), "1h1ms", "must be a duration from 1ms to 1h"),
    Wrong(("spec", "slo", "latency"), "-5s", "must be a duration from 1ms to 1h"),
    Wrong(("spec", "slo", "latency"), "1d", "must be a duration from 1ms to 1h"),
    Wrong(("spec", "slo", "latency"), "999999h999999h99999h", "must be a duration from 1ms to 1h"),
    Wrong(("spec", "slo", "latency"), 100, "must be a string", 'must be of type string: "integer"'),
    Wrong(("spec", "slo", "objective"), "99%", "must be a percentage greater than 0 and less than 100"),
    Wrong(("spec", "slo", "objective"), "100", "must be a percentage greater than 0 and less than 100"),
    Wrong(("spec", "slo", "objective"), "0.0", "must be a percentage greater than 0 and less than 100"),
    Wrong(("spec", "slo", "objective"), 99, "must be a string", 'must be of type string: "integer"'),
    Wrong(("spec", "slo", "window"), "59m", "must be a duration from 1h to 90d"),
    Wrong(("spec", "slo", "window"), "91d", "must be a duration from 1h to 90d"),
    Wrong(("spec", "slo", "window"), "0d", "must be a duration from 1h to 90d"),
    Wrong(("spec", "slo", "window"), "1d12h", "must be a duration from 1h to 90d"),
    Wrong(("spec", "slo", "window"), "2160h1us", "must be a duration from 1h to 90d"),
    # scaling
    Wrong(
        ("spec", "scaling", "policyRef"),
        {},
        "is required",
        "Required value",
        field="spec.scaling.policyRef.name",
        shown=_MISSING,
    ),
    Wrong(("spec", "scaling", "policyRef", "name"), "Web", "must be the name of a Kubernetes object"),
    Wrong(("spec", "scaling", "policyRef"), "web", "must be an object", 'must be of type object: "string"'),
    Wrong(("spec", "scaling", "minReplicas"), 0, "must be at least 1", f"{_AT_LEAST} 1"),
    Wrong(("spec", "scaling", "maxReplicas"), 10_001, "must be at most 10000", f"{_AT_MOST} 10000"),
    Wrong(
        ("spec", "scaling", "minReplicas"), 41, "must not be greater than maxReplicas", shown="41 with maxReplicas 40"
    ),
    Wrong(
        ("spec", "scaling"),
        {"minReplicas": 20},
        "must not be greater than maxReplicas",
        field="spec.scaling.minReplicas",
        shown="20 with maxReplicas 10",
    ),
    Wrong(("spec", "scaling", "replicas"), 0, "must be at least 1", f"{_AT_LEAST} 1"),
    Wrong(("spec", "scaling", "paused"), "yes", "must be true or false", 'must be of type boolean: "string"'),
    # hardware class
    Wrong(("spec", "family"), "TPU", "must be one of GPU, CPU, Inferentia", 'supported values: "GPU"'),
    Wrong(("spec", "resources", "limits", "memory"), "16 GB", "must be a Kubernetes quantity"),
    Wrong(("spec", "resources", "limits", "cpu"), "-1", "must be a Kubernetes quantity"),
    Wrong(("spec", "resources", "limits", "cpu"), -1, "must be a Kubernetes quantity", shown="-1"),
    Wrong(
        ("spec", "resources", "limits", "cpu"), 0.5, "must be a string or an integer", "must be of type integer,string"
    ),
    Wrong(
        ("spec", "resources", "limits", "gpu"),
        1,
        "must be cpu, memory, ephemeral-storage",
        field="spec.resources.limits",
        shown='"gpu"',
    ),
    Wrong(
        ("spec", "resources", "requests", "memory"),
        "16385Mi",
        "must not be requested above its limit",
        field="spec.resources.requests",
        shown='"memory"',
    ),
    Wrong(
        ("spec", "resources", "requests", "amd.com/gpu"),
        1,
        "must be under limits, because Kubernetes does not share devices",
        field="spec.resources.requests",
        shown='"amd.com/gpu"',
    ),
    Wrong((*_TOLERATION, "value"), "x", "must be empty with operator Exists"),
    Wrong((*_TOLERATION, "tolerationSeconds"), 5, "must be left out unless effect is NoExecute"),
    Wrong((*_TOLERATION, "effect"), "Never", "must be one of NoSchedule", "supported values"),
    Wrong(("spec", "placement", "tolerations", 2, "operator"), "Equal", "must be Exists where there is no key"),
    Wrong(("spec", "triton", "image"), "triton server", "must be an image reference without spaces"),
    Wrong(("spec", "triton", "image"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(("spec", "triton", "instances"), 65, "must be Auto or a number from 1 to 64"),
    Wrong(("spec", "triton", "instances"), 0, "must be Auto or a number from 1 to 64"),
    Wrong(("spec", "triton", "instances"), "auto", "must be Auto or a number from 1 to 64"),
    Wrong(("spec", "triton", "instances"), True, "must be a string or an integer", "must be of type", shown="true"),
    Wrong(("spec", "cost", "perHour"), "-0.1", "must be a number that is not negative"),
    Wrong(("spec", "cost", "perHour"), "1e-3", "must be a number that is not negative"),
    Wrong(("spec", "cost", "perHour"), "$0.53", "must be a number that is not negative"),
    Wrong(("spec", "cost", "perHour"), 0.53, "must be a string", 'must be of type string: "number"'),
    Wrong(("spec", "cost", "perHour"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(("spec", "cost", "currency"), "usd", "must be the three capital letters"),
    Wrong(("spec", "cost", "currency"), "EURO", "must be the three capital letters"),
    Wrong(("spec", "power", "idleWatts"), -1, "must be at least 0", f"{_AT_LEAST} 0"),
    Wrong(("spec", "power", "idleWatts"), 71, "must not be greater than busyWatts", shown="71 with busyWatts 70"),
    Wrong(("spec", "power", "busyWatts"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(("spec", "quota", "maxReplicas"), 0, "must be at least 1", f"{_AT_LEAST} 1"),
    Wrong(("spec", "quota", "maxReplicas"), 10_001, "must be at most 10000", f"{_AT_MOST} 10000"),
    # scaling policy
    Wrong(("spec", "mode"), "Passive", "must be one of Active, Advisory", 'supported values: "Active"'),
    # what YAML makes of Off without quotes
    Wrong(_FORECAST_MODE, False, "must be one of Auto, Reactive", 'must be of type string: "boolean"', shown="false"),
    Wrong(("spec", "forecast", "history"), "59m", "must be a duration from 1h to 14d"),
    Wrong(("spec", "forecast", "history"), "15d", "must be a duration from 1h to 14d"),
    Wrong(("spec", "forecast", "history"), "2w", "must be a duration from 1h to 14d"),
    Wrong(("spec", "forecast", "risk"), "0.4999", "must be FromErrorBudget or a quantile from 0.5"),
    Wrong(("spec", "forecast", "risk"), "1", "must be FromErrorBudget or a quantile from 0.5"),
    Wrong(("spec", "forecast", "risk"), "95", "must be FromErrorBudget or a quantile from 0.5"),
    Wrong(("spec", "forecast", "risk"), "fromErrorBudget", "must be FromErrorBudget or a quantile from 0.5"),
    Wrong(("spec", "forecast", "risk"), 0.95, "must be a string", 'must be of type string: "number"'),
    Wrong(("spec", "forecast", "season"), "3m59s", "must be a duration from 4m to 7d"),
    Wrong(("spec", "forecast", "season"), "8d", "must be a duration from 4m to 7d"),
    Wrong(("spec", "scaleUp", "maxStep"), "0%", "must be a whole percentage from 1% to 1000%"),
    Wrong(("spec", "scaleUp", "maxStep"), "1001%", "must be a whole percentage from 1% to 1000%"),
    Wrong(("spec", "scaleUp", "maxStep"), "100", "must be a whole percentage from 1% to 1000%"),
    Wrong(("spec", "scaleUp", "maxStep"), 100, "must be a string", 'must be of type string: "integer"'),
    Wrong(("spec", "scaleDown", "maxStep"), "101%", "must be a whole percentage from 1% to 100%"),
    Wrong(("spec", "scaleDown", "maxStep"), "12.5%", "must be a whole percentage from 1% to 100%"),
    Wrong(("spec", "scaleDown", "hold"), "999ms", "must be Auto or a duration from 1s to 24h"),
    Wrong(("spec", "scaleDown", "hold"), "2d", "must be Auto or a duration from 1s to 24h"),
    Wrong(("spec", "scaleDown", "hold"), "auto", "must be Auto or a duration from 1s to 24h"),
    Wrong(("spec", "metricsFailure", "hold"), "59s", "must be a duration from 1m to 24h"),
    Wrong(("spec", "metricsFailure", "hold"), "Auto", "must be a duration from 1m to 24h"),
    Wrong(("spec", "metricsFailure", "then"), "Shrink", "must be one of Hold, Grow", 'supported values: "Hold"'),
    Wrong(("spec", "priority"), -1, "must be at least 0", f"{_AT_LEAST} 0"),
    Wrong(("spec", "priority"), 1001, "must be at most 1000", f"{_AT_MOST} 1000"),
    Wrong(("spec", "challenger"), {}, "is required", "Required value", "spec.challenger.policyRef", _MISSING),
    Wrong(
        ("spec", "challenger", "policyRef"), {}, "is required", "Required value", f"{_CHALLENGER}.name", shown=_MISSING
    ),
    Wrong(("spec", "challenger", "policyRef", "name"), "Web-next", "must be the name of a Kubernetes object"),
    Wrong(("spec", "challenger", "policyRef", "name"), "web", "must be another ScalingPolicy"),
    # model profile
    Wrong(("spec", "service"), "r" * 41, "must have at most 40 characters", "Too long", shown=f'"{"r" * 41}"'),
    Wrong(("spec", "service"), "9ranker", "start with a letter"),
    Wrong(("spec", "hardwareClass"), "gpu--t4", "must be at most 63 characters of a-z"),
    Wrong(("spec", "batchTime", "perItem"), "1.2", "must be a duration from 0s to 1h"),
    Wrong(("spec", "batchTime", "perItem"), "0.0001us", "must be a duration from 0s to 1h"),
    Wrong(("spec", "batchTime", "perItem"), "500ns", "must be a duration from 0s to 1h"),
    Wrong(("spec", "batchTime", "fixed"), "1h1us", "must be a duration from 0s to 1h"),
    Wrong(("spec", "batchTime", "fixed"), "-1ms", "must be a duration from 0s to 1h"),
    Wrong(
        ("spec", "batchTime"),
        {"perItem": "0s", "fixed": "0.000us"},
        "must take time: one of the two must be more than 0",
        shown="perItem 0s with fixed 0.000us",
    ),
    Wrong(("spec", "batchTime", "fixed"), REMOVED, "is required", "Required value", shown=_MISSING),
    Wrong(("spec", "maxBatchSize"), 0, "must be at least 1", f"{_AT_LEAST} 1"),
    Wrong(("spec", "coldStart"), "999ms", "must be a duration from 1s to 1h"),
    Wrong(("spec", "coldStart"), "1d", "must be a duration from 1s to 1h"),
)

# One of each kind with all its fields, and one with as few as it may have.
FULLEST: Final = (
    service(),
    fetching_service(),
    mounting_service(),
    hardware_class(),
    scaling_policy(),
    model_profile(),
)
SMALLEST: Final = (smallest_service(), smallest_hardware_class(), smallest_scaling_policy(), smallest_model_profile())
