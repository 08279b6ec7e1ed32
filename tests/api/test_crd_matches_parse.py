"""The CustomResourceDefinitions and parse() accept and refuse the same objects, in the same words."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.problems import Problems
from tests.api import apiserver, specs

# Values near the edges of the rules: what one judge might read differently from the other.
_WORDS = """
a A 0 1 -1 99 100 99.9 1ms 1h 1h1us 0.999999ms 60m 59m60s 1us 2s3ms 1e3 500m 16Gi 1.5 a.b a- -a a/b ../a é Equal Exists
NoExecute GPU onnxruntime FP32 0x1 1_000 +1 1. .5 00 01 99.99990 1ms1ms 100000us 1000us 999.999999us 0.0167h 1e99 1E
"""
_STRINGS = st.sampled_from([*_WORDS.split(), "", " 1", "a\n", "x" * 63, "x" * 64])
_NUMBERS = st.sampled_from([-2, -1, 0, 1, 2, 10, 63, 64, 65, 4096, 4097, 10_000, 10_001, 2**31, 0.5, 1.0, 2.5])
_NAMES = "name path replicas minReplicas cpu nvidia.com/gpu gpu hugepages-2Mi key x"
_OBJECTS = st.dictionaries(st.sampled_from(_NAMES.split()), _STRINGS | _NUMBERS, max_size=3)
_VALUES = (
    _STRINGS | _NUMBERS | _OBJECTS | st.booleans() | st.none() | st.lists(_STRINGS | _NUMBERS | _OBJECTS, max_size=3)
)


def _accepted_by_parse(raw: dict[str, Any]) -> bool:
    judge = parse.hardware_class if raw["kind"] == "HardwareClass" else parse.inference_service
    return not isinstance(judge(raw), Problems)


@pytest.mark.parametrize("wrong", specs.WRONG, ids=str)
def test_wrong_objects_are_refused_by_both(wrong: specs.Wrong) -> None:
    assert not _accepted_by_parse(wrong.raw)
    said = apiserver.errors(wrong.raw)
    assert any(wrong.field_name in sentence for sentence in said), said


@pytest.mark.parametrize("wrong", [wrong for wrong in specs.WRONG if not wrong.server], ids=str)
def test_a_rule_says_the_same_in_cel_and_in_python(wrong: specs.Wrong) -> None:
    judge = parse.hardware_class if wrong.raw["kind"] == "HardwareClass" else parse.inference_service
    found = judge(wrong.raw)
    assert isinstance(found, Problems)
    by_python = {problem.sentence for problem in found.items}
    by_cel = {sentence.replace("\n", "�") for sentence in apiserver.errors(wrong.raw)}
    assert by_cel == by_python


@pytest.mark.parametrize(
    "raw", [specs.service(), specs.smallest_service(), specs.hardware_class(), specs.smallest_hardware_class()]
)
def test_right_objects_are_accepted_by_both(raw: dict[str, Any]) -> None:
    assert _accepted_by_parse(raw)
    assert apiserver.errors(raw) == []


def _paths(value: Any, path: specs.Path = ()) -> list[specs.Path]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, member in members for below in _paths(member, (*path, key)))]


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_changed_objects_are_judged_alike(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from([specs.service(), specs.hardware_class()]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in _paths(raw) if len(path) > 1 and path[0] == "spec"]))
        raw = specs.changed(raw, path, data.draw(_VALUES | st.just(specs.REMOVED)))
    assert _accepted_by_parse(raw) == (apiserver.errors(raw) == []), apiserver.errors(raw)


def test_defaults_are_the_same() -> None:
    for raw, judge in (
        (specs.smallest_service(), parse.inference_service),
        (specs.smallest_hardware_class(), parse.hardware_class),
    ):
        completed = apiserver.with_defaults(raw, apiserver.schema_of(raw["kind"]))
        plain, full = judge(raw), judge(completed)
        assert isinstance(plain, InferenceService | HardwareClass)
        assert plain == full
