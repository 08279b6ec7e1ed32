"""config.pbtxt, read back with Triton's own protobuf: it says what was asked, and any text stays text."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from foretide.adapters.triton_metrics import HISTOGRAM
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.serving.latency_metrics import HISTOGRAM_FAMILY, flags, has_histogram, histogram_bounds_ms
from foretide.serving.model_config import model_config, quoted
from foretide.serving.parallelism import instances
from tests.serving.strategies import hardware, placed, service, services, text


def read(config: str) -> ModelConfig:
    return text_format.Parse(config, ModelConfig())


@given(placed())
def test_triton_reads_what_was_asked_for(pair: tuple[InferenceService, HardwareClass]) -> None:
    service, hardware = pair
    config, model = read(model_config(service, hardware)), service.model_on(hardware.name)
    assert config.name == service.model_name
    assert config.backend == model.backend
    assert config.default_model_filename == (model.file_name or "")
    assert config.max_batch_size == model.largest_batch
    assert config.model_transaction_policy.decoupled is model.is_decoupled
    if model.backend != "tensorrtllm":
        for found, asked in ((config.input, model.inputs), (config.output, model.outputs)):
            assert [tensor.name for tensor in found] == [tensor.name for tensor in asked]
            assert [DataType.Name(tensor.data_type) for tensor in found] == [f"TYPE_{t.data_type}" for t in asked]
            assert [tuple(tensor.dims) for tensor in found] == [tensor.shape for tensor in asked]
    found_parameters = {key: value.string_value for key, value in config.parameters.items()}
    assert found_parameters.items() >= model.parameters.items()
    assert list(config.version_policy.specific.versions) == [int(model.version)]
    assert [group.count for group in config.instance_group] == [instances(model, hardware)]


@settings(max_examples=30)
@given(placed())
def test_nothing_is_in_it_that_was_not_asked_for(pair: tuple[InferenceService, HardwareClass]) -> None:
    service, hardware = pair
    config, model = read(model_config(service, hardware)), service.model_on(hardware.name)
    expected = {"name", "backend", "version_policy", "instance_group"}
    expected |= {"platform"} if model.backend == "tensorflow" else set()
    expected |= {"default_model_filename"} if model.file_name else set()
    expected |= {"max_batch_size"} if model.largest_batch else set()
    expected |= {"dynamic_batching"} if service.is_batched_on(hardware.name) else set()
    expected |= {"input", "output"} if model.inputs or model.backend == "tensorrtllm" else set()
    expected |= {"model_transaction_policy"} if model.is_decoupled else set()
    expected |= {"response_cache"} if service.spec.response_cache else set()
    expected |= {"model_warmup"} if model.warmup else set()
    expected |= {"optimization"} if model.precision and model.backend != "openvino" else set()
    expected |= {"model_metrics"} if has_histogram(hardware) else set()
    assert {field.name for field, _ in config.ListFields()} - {"parameters"} == expected


@given(text)
def test_any_string_is_one_printable_literal(value: str) -> None:
    literal = quoted(value)
    assert literal.isascii()
    assert literal.isprintable()
    assert read(f"name: {literal}").name == value


@given(st.characters(codec="utf-8"))
def test_any_single_character_survives(character: str) -> None:
    assert read(f"name: {quoted(character)}").name == character


def test_a_model_with_a_batch_dimension_is_batched() -> None:
    assert read(model_config(service(), hardware())).HasField("dynamic_batching")


def test_a_model_without_a_batch_dimension_has_no_dynamic_batching() -> None:
    unbatched = service(model={"backend": "python", "source": {"configMap": {"name": "x"}}, "maxBatchSize": 0})
    assert not read(model_config(unbatched, hardware())).HasField("dynamic_batching")


def test_the_order_of_parameters_does_not_matter() -> None:
    """A map has no order; the file must not change, and roll all pods, because the API server sorted it."""

    def config(parameters: dict[str, str]) -> str:
        model = {"backend": "python", "source": {"configMap": {"name": "x"}}, "parameters": parameters}
        return model_config(service(model=model), hardware())

    assert config({"a": "1", "b": "2"}) == config({"b": "2", "a": "1"})


NEW = "nvcr.io/nvidia/tritonserver:26.07-py3"


@pytest.mark.parametrize(
    ("latency", "expected"),
    [
        ("100ms", [50, 75, 100, 150, 200, 400]),
        ("33ms", [16.5, 24.75, 33, 49.5, 66, 132]),
        ("1.5ms", [0.75, 1.125, 1.5, 2.25, 3, 6]),
        ("1h", [1.8e6, 2.7e6, 3.6e6, 5.4e6, 7.2e6, 1.44e7]),
    ],
)
def test_the_slo_is_a_bound_of_the_histogram(latency: str, expected: list[float]) -> None:
    asked = service(slo={"objective": "99", "latency": latency})
    (control,) = read(model_config(asked, hardware(triton={"image": NEW}))).model_metrics.metric_control
    assert control.metric_identifier.family == HISTOGRAM_FAMILY == HISTOGRAM.name.removesuffix("_bucket")
    assert list(control.histogram_options.buckets) == expected


@given(services())
def test_bounds_rise_and_one_is_the_slo_to_the_last_bit_that_counts(service: InferenceService) -> None:
    bounds = [float(bound) for bound in histogram_bounds_ms(service, hardware(triton={"image": NEW}))]
    assert bounds == sorted(set(bounds))
    assert min(abs(bound / 1_000.0 / service.latency_seconds - 1.0) for bound in bounds) < 1e-8


@pytest.mark.parametrize(
    ("image", "knows"),
    [
        (NEW, True),
        ("tritonserver:26.01", True),
        ("registry.corp:5000/mirror/nvidia/tritonserver:26.01-py3@sha256:00", True),
        ("nvcr.io/nvidia/tritonserver:27.02-trtllm-python-py3", True),
        ("nvcr.io/nvidia/tritonserver:25.12-py3", False),
        ("localhost/foretide/tritonserver:2.51-cpu", False),
        ("nvcr.io/nvidia/tritonserver:26.13-py3", False),
        ("nvcr.io/nvidia/tritonserver:latest", False),
        ("nvcr.io/nvidia/tritonserver", False),
        ("nvcr.io/nvidia/tritonserver@sha256:26.07", False),
        ("corp/our-tritonserver:26.07", False),
        ("corp/ranker:26.07-py3", False),
        ("tritonserver:26.07/ranker:1", False),
    ],
)
def test_a_triton_that_may_not_know_of_histograms_hears_nothing_of_them(image: str, knows: bool) -> None:
    """2.51 ends at once on a field or a setting that it does not know."""
    made = hardware(triton={"image": image})
    assert read(model_config(service(), made)).HasField("model_metrics") is knows
    assert ("--metrics-config=histogram_latencies=true" in flags(made)) is knows
    assert "--metrics-config=summary_latencies=true" in flags(made)
