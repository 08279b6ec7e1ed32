"""parse() gives a typed object or every problem, and never raises."""

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.api import parse
from foretide.api.hardwareclass import Family, HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.problems import Problems
from tests.api import specs
from tests.api.judges import JUDGES, parsed

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def _problems(raw: Any) -> Problems:
    result = parsed(raw)
    assert isinstance(result, Problems)
    return result


def test_a_service_has_its_fields_in_units() -> None:
    result = parse.inference_service(specs.changed(specs.service(), ("metadata", "uid"), "u-1"))
    assert isinstance(result, InferenceService)
    assert (result.name, result.namespace, result.uid, result.model_name) == ("ranker", "default", "u-1", "ranker_v2")
    assert result.hardware_classes == ("gpu-t4", "inf2-xl", "cpu-16")
    assert result.latency_seconds == 0.1
    assert result.objective == 0.999
    assert result.spec.slo.window_seconds == 7 * 86_400
    assert result.policy_name == "web"
    assert result.spec.model.inputs[1].shape == (-1,)


def test_defaults_are_filled_in() -> None:
    result = parse.inference_service(specs.smallest_service())
    assert isinstance(result, InferenceService)
    assert result.model_name == "ranker"
    assert result.spec.model.version == "1"
    assert result.spec.model.largest_batch == 1
    assert (result.min_replicas, result.max_replicas, result.spec.scaling.paused) == (1, 10, False)
    assert result.spec.slo.window_seconds == 28 * 86_400
    assert result.policy_name is None


def test_pinned_replicas_are_both_bounds() -> None:
    result = parse.inference_service(specs.service(scaling={"minReplicas": 2, "maxReplicas": 4, "replicas": 7}))
    assert isinstance(result, InferenceService)
    assert (result.min_replicas, result.max_replicas) == (7, 7)


def test_a_hardware_class_has_its_fields() -> None:
    result = parse.hardware_class(specs.hardware_class())
    assert isinstance(result, HardwareClass)
    assert result.spec.family is Family.GPU
    assert result.spec.resources.limits == {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
    assert result.spec.placement.tolerations[1].toleration_seconds == 60
    assert result.spec.cost is not None
    assert (result.spec.cost.amount_per_hour, result.spec.cost.currency) == (0.53, "EUR")
    assert result.spec.power is not None
    assert (result.spec.power.idle_watts, result.spec.power.busy_watts) == (20, 70)
    assert result.spec.quota is not None
    assert result.spec.quota.max_replicas == 64


def test_what_a_hardware_class_does_not_say_is_not_zero() -> None:
    result = parse.hardware_class(specs.smallest_hardware_class())
    assert isinstance(result, HardwareClass)
    assert (result.spec.cost, result.spec.power, result.spec.quota) == (None, None, None)


def test_prices_are_in_dollars_where_no_currency_is_named() -> None:
    result = parse.hardware_class(specs.hardware_class(cost={"perHour": "0"}))
    assert isinstance(result, HardwareClass)
    assert result.spec.cost is not None
    assert (result.spec.cost.amount_per_hour, result.spec.cost.currency) == (0.0, "USD")


@pytest.mark.parametrize("wrong", specs.WRONG, ids=str)
def test_a_problem_names_field_value_rule_and_fix(wrong: specs.Wrong) -> None:
    found = [problem for problem in _problems(wrong.raw).items if problem.field == wrong.field_name]
    assert found, _problems(wrong.raw).message
    problem = next(problem for problem in found if wrong.rule in problem.rule)
    assert wrong.shown_value in problem.value
    assert problem.fix
    assert problem.sentence == f"{problem.field}: {problem.value} {problem.rule}; {problem.fix}"
    assert problem.sentence.isprintable()


def test_all_problems_are_told_at_once_and_no_echo() -> None:
    raw = specs.service(
        model={"backend": "onnx", "source": {}, "inputs": [{"name": "X", "dataType": "FP32", "shape": [0]}]},
        slo={"objective": "99%", "latency": "5"},
        scaling={"minReplicas": 20},
        hardware={"classes": []},
        sclaing={},
    )
    raw["metadata"]["name"] = "Ranker"
    assert [problem.field for problem in _problems(raw).items] == [
        "metadata.name",
        "spec.model.backend",
        "spec.model.source",
        "spec.model.inputs[0].shape[0]",
        "spec.hardware.classes",
        "spec.slo.objective",
        "spec.slo.latency",
        "spec.scaling.minReplicas",
        "spec.sclaing",
    ]


@pytest.mark.parametrize(
    ("path", "value", "fix"),
    [
        (("spec", "sclaing"), {}, "write scaling"),
        (("spec", "model", "max_batch_size"), 4, "write maxBatchSize"),
        (("spec", "model", "nothingLikeIt"), 4, "remove it"),
        (("spec", "model", "backend"), "onnx", "write onnxruntime"),
        (("spec", "model", "version"), 3, "put it in quotes"),
        (("spec", "model", "maxBatchSize"), 5000, "write 4096 or less"),
        (("spec", "slo"), specs.REMOVED, 'add it, for example slo: {objective: "99", latency: 100ms}'),
    ],
)
def test_the_fix_says_what_to_write(path: specs.Path, value: object, fix: str) -> None:
    assert fix in _problems(specs.changed(specs.service(), path, value)).message


def test_what_yaml_made_of_a_word_without_quotes_is_told_to_be_put_in_quotes() -> None:
    found = _problems(specs.changed(specs.scaling_policy(), ("spec", "forecast", "mode"), False))
    assert found.message == "spec.forecast.mode: false must be one of Auto, Reactive; write one of them, in quotes"


def test_null_is_left_out_and_an_integral_number_is_an_integer_as_in_the_apiserver() -> None:
    raw = specs.changed(specs.service(), ("spec", "scaling"), {"minReplicas": 3.0, "replicas": None, "paused": None})
    result = parse.inference_service(raw)
    assert isinstance(result, InferenceService)
    assert (result.min_replicas, result.max_replicas, result.spec.scaling.paused) == (3, 10, False)


def test_views_are_read_like_dicts() -> None:
    raw = specs.service()
    view = MappingProxyType(
        {**raw, "spec": MappingProxyType(raw["spec"]), "metadata": MappingProxyType(raw["metadata"])}
    )
    assert isinstance(parse.inference_service(view), InferenceService)


def test_the_input_is_not_touched() -> None:
    raw = specs.service(scaling={"replicas": None})
    parse.inference_service(raw)
    assert raw == specs.service(scaling={"replicas": None})


def test_a_long_list_of_problems_is_cut() -> None:
    unknown = {f"x{number}": 1 for number in range(100)}
    message = _problems(specs.service(**unknown)).message
    assert len(message) < 4096
    assert message.endswith("and 80 more")


@pytest.mark.parametrize("raw", [None, [], "x", 3, {}, {"spec": None}, {"metadata": [], "spec": []}])
def test_what_is_no_object_is_a_problem_too(raw: Any) -> None:
    for judge in JUDGES.values():
        result = judge(raw)
        assert isinstance(result, Problems)
        assert {problem.field for problem in result.items} == {"metadata", "spec"}


def test_no_nesting_exhausts_the_stack() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    found = _problems(specs.changed(specs.service(), ("spec", "model", "parameters", "x"), deep))
    assert found.items[0].field == "spec.model.parameters.x"
    while deep:  # taken apart by hand: the interpreter would recurse
        deep = deep.pop()


def test_numbers_too_long_to_print_are_problems() -> None:
    found = _problems(specs.changed(specs.service(), ("spec", "model", "maxBatchSize"), 10**5000))
    assert found.items[0].value.startswith("an integer of 16610 bits")
    found = _problems(specs.changed(specs.hardware_class(), ("spec", "resources", "limits", "cpu"), 10**5000))
    assert found.items[0].rule == "must be a string or an integer"


def test_half_a_character_is_a_problem() -> None:
    for path in (("spec", "model", "name"), ("spec", "model", "parameters", "x")):
        found = _problems(specs.changed(specs.service(), path, "\ud800"))
        assert found.items[0].sentence.isprintable()


def _paths(value: Any, path: specs.Path = ()) -> list[specs.Path]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, member in members for below in _paths(member, (*path, key)))]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_json_anywhere_gives_an_object_or_problems(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from(specs.FULLEST))
    path = data.draw(st.sampled_from([path for path in _paths(base) if path and path[0] in ("metadata", "spec")]))
    result = parsed(specs.changed(base, path, data.draw(_JSON)))
    if isinstance(result, Problems):
        assert result.items
        assert all(problem.sentence.isprintable() and len(problem.value) <= 100 for problem in result.items)


@settings(deadline=None)
@given(_JSON)
def test_any_json_alone_gives_problems(raw: Any) -> None:
    for judge in JUDGES.values():
        assert isinstance(judge(raw), Problems)
