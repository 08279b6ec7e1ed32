"""The CustomResourceDefinitions and parse() accept and refuse the same objects, in the same words."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretide.api.problems import Problems
from tests.api import apiserver, specs
from tests.api.judges import parsed

# Values near the edges of the rules: what one judge might read differently from the other.
_WORDS = """
a A 0 1 -1 99 100 99.9 1ms 1h 1h1us 0.999999ms 60m 59m60s 1us 2s3ms 1e3 500m 16Gi 1.5 a.b a- -a a/b ../a é Equal Exists
NoExecute GPU onnxruntime FP32 0x1 1_000 +1 1. .5 00 01 99.99990 1ms1ms 100000us 1000us 999.999999us 0.0167h 1e99 1E
Off Auto Active FromErrorBudget Grow 0.5 0.49999 0.95 0.999999 1% 20% 100% 101% 1000% 1001% 01% 0d 1d 7d 8d 14d 15d 28d
90d 91d 1d1h 24h 24h1us 168h 336h 337h 4m 240s 239s 0s 0us 0.001us 0.0001us 0.000001ms 3600s 0.53 -1 USD usd web ranker
"""
_STRINGS = st.sampled_from([*_WORDS.split(), "", " 1", "a\n", "x" * 63, "x" * 64])
_NUMBERS = st.sampled_from([-2, -1, 0, 1, 2, 10, 63, 64, 65, 4096, 4097, 10_000, 10_001, 2**31, 0.5, 1.0, 2.5])
_NAMES = """
name path replicas minReplicas cpu nvidia.com/gpu gpu hugepages-2Mi key x mode hold maxStep history risk then policyRef
perItem fixed perHour idleWatts busyWatts maxReplicas uri image reference configMap claimName
"""
_OBJECTS = st.dictionaries(st.sampled_from(_NAMES.split()), _STRINGS | _NUMBERS, max_size=3)
_VALUES = (
    _STRINGS | _NUMBERS | _OBJECTS | st.booleans() | st.none() | st.lists(_STRINGS | _NUMBERS | _OBJECTS, max_size=3)
)


def _accepted_by_parse(raw: dict[str, Any]) -> bool:
    return not isinstance(parsed(raw), Problems)


@pytest.mark.parametrize("wrong", specs.WRONG, ids=str)
def test_wrong_objects_are_refused_by_both(wrong: specs.Wrong) -> None:
    assert not _accepted_by_parse(wrong.raw)
    said = apiserver.errors(wrong.raw)
    assert any(wrong.field_name in sentence for sentence in said), said


@pytest.mark.parametrize("wrong", [wrong for wrong in specs.WRONG if not wrong.server], ids=str)
def test_a_rule_says_the_same_in_cel_and_in_python(wrong: specs.Wrong) -> None:
    found = parsed(wrong.raw)
    assert isinstance(found, Problems)
    by_python = {problem.sentence for problem in found.items}
    by_cel = {sentence.replace("\n", "�") for sentence in apiserver.errors(wrong.raw)}
    assert by_cel == by_python


@pytest.mark.parametrize("raw", [*specs.FULLEST, *specs.SMALLEST])
def test_right_objects_are_accepted_by_both(raw: dict[str, Any]) -> None:
    assert _accepted_by_parse(raw)
    assert apiserver.errors(raw) == []


@pytest.mark.parametrize("uri", specs.RIGHT_URIS)
def test_uris_of_every_scheme_are_accepted_by_both(uri: str) -> None:
    assert _accepted_by_parse(specs.fetching_service(uri))
    assert apiserver.errors(specs.fetching_service(uri)) == []


# What ends one part of a URI and begins another, or has a meaning to rclone, to a shell or to the kubelet.
_PIECES = (
    "s3:// gs:// azure:// https:// http:// models m host.example a/b / // .. . : , @ ? # $( ) % \\ ` ' \" ~ _ - + = é"
)
_URIS = st.lists(st.sampled_from([*_PIECES.split(), " ", "\n", "\x00", "A"]), min_size=1, max_size=6).map("".join)


@settings(max_examples=300, deadline=None)
@given(_URIS | st.text(max_size=20).map("s3://models/".__add__))
def test_uris_are_judged_alike_and_what_is_accepted_cannot_be_read_as_anything_else(uri: str) -> None:
    try:
        uri.encode()
    except UnicodeEncodeError:
        return
    raw = specs.fetching_service(uri)
    accepted = _accepted_by_parse(raw)
    assert accepted == (apiserver.errors(raw) == [])
    if accepted:
        where, _, path = uri.partition("://")[2].partition("/")
        assert path
        assert not set(where) & set(" ,@$()'\"`%?#\n\\")
        assert not set(path) & set(" ,:@$()'\"`%?#\n\\")
        assert not any(part in ("", ".", "..") or part.startswith("-") for part in path.removesuffix("/").split("/"))


def test_no_sentence_repeats_what_may_be_a_secret() -> None:
    for uri in ("ftp://me:hunter2@host/x", "https://me:hunter2@host/x y", "s3://models/x?sig=hunter2", "#hunter2"):
        raw = specs.fetching_service(uri)
        found = parsed(raw)
        assert isinstance(found, Problems)
        assert "hunter2" not in found.message + "".join(apiserver.errors(raw))


def _paths(value: Any, path: specs.Path = ()) -> list[specs.Path]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, member in members for below in _paths(member, (*path, key)))]


@pytest.mark.parametrize("right", specs.FULLEST, ids=lambda raw: raw["kind"])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_changed_objects_are_judged_alike(right: specs.Raw, data: st.DataObject) -> None:
    raw = right
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in _paths(raw) if len(path) > 1 and path[0] == "spec"]))
        raw = specs.changed(raw, path, data.draw(_VALUES | st.just(specs.REMOVED)))
    assert _accepted_by_parse(raw) == (apiserver.errors(raw) == []), apiserver.errors(raw)


@pytest.mark.parametrize("raw", specs.SMALLEST, ids=lambda raw: raw["kind"])
def test_defaults_are_the_same(raw: specs.Raw) -> None:
    completed = apiserver.with_defaults(raw, apiserver.schema_of(raw["kind"]))
    plain = parsed(raw)
    assert not isinstance(plain, Problems)
    assert plain == parsed(completed)
