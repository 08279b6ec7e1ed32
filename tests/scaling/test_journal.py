import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.status import MAX_MEMORY_BYTES
from foretide.scaling.capacity import fit
from foretide.scaling.capacity.evidence import ENOUGH_EXECUTIONS
from foretide.scaling.journal import Lost, OfClass, decode, decode_class, encode
from foretide.scaling.lead_time import LONGEST_SECONDS, SHORTEST_SECONDS, quantile, starts
from foretide.scaling.learned import Learned
from foretide.scaling.memory import Memory
from tests.scaling.build import NO_PODS, held_since_long
from tests.scaling.strategies import often, plausible, random_memory, random_world, seeds, seldom


@seldom
@given(seeds, st.text(max_size=300), st.text(max_size=300))
def test_what_is_written_is_read_back(seed: int, uid: str, model: str) -> None:
    memory = random_memory(np.random.default_rng(seed), 10, plausible)
    for row in range(10):
        text = encode(memory, row, uid=uid, model=model)
        back = decode(text, uid=uid, model=model)
        assert isinstance(back, Memory)
        expected = memory.take(np.array([row]))
        assert back.window.started[0] == expected.window.started[0]
        if expected.window.started[0]:
            assert (back.window.peaks == expected.window.peaks).all()
            assert back.window.slot[0] == expected.window.slot[0]
            assert back.window.hold_seconds[0] == expected.window.hold_seconds[0]
            assert back.window.last_seen_seconds[0] == pytest.approx(expected.window.last_seen_seconds[0], abs=1e-3)
        assert back.kappa[0] == pytest.approx(expected.kappa[0], rel=1e-5)
        for column in ("saved", "foreseen_hours", "late_hours"):
            assert getattr(back.risk, column)[0] == pytest.approx(getattr(expected.risk, column)[0], rel=1e-5)
        for column in ("asked", "late", "measured"):
            expected_sums = getattr(expected.spending, column)[0]
            assert getattr(back.spending, column)[0] == pytest.approx(expected_sums, rel=1e-5)
        assert starts(back.lead_times, 0) == [pytest.approx(each, rel=1e-5) for each in starts(expected.lead_times, 0)]
        assert back.items_per_request[0] == pytest.approx(expected.items_per_request[0], rel=1e-5)
        learnt, remembered = fit(expected.evidence), fit(back.evidence)
        assert learnt.known[0] == remembered.known[0]
        assert remembered.fixed_seconds[0] == pytest.approx(learnt.fixed_seconds[0], abs=1e-5 * longest(expected))
        # Written once more it is the same text: status does not change by being read.
        assert encode(back, 0, uid=uid, model=model) == text


def longest(memory: Memory) -> float:
    """Seconds that the slowest class of batches of the only service takes."""
    seconds, executions = memory.evidence.seconds[0], memory.evidence.executions[0]
    return float((seconds / np.maximum(executions, 1.0)).max())


@seldom
@given(seeds)
def test_the_memory_of_any_decision_fits_into_status_and_is_read_back(seed: int) -> None:
    world = random_world(seed)
    memory = world.decide().memory
    for row in range(len(world)):
        text = encode(memory, row, uid="3f6c1b1e-0000-4000-8000-000000000000", model="ranker/1/onnxruntime")
        assert len(text.encode()) <= MAX_MEMORY_BYTES
        assert isinstance(
            decode(text, uid="3f6c1b1e-0000-4000-8000-000000000000", model="ranker/1/onnxruntime"), Memory
        )


def test_the_object_of_another_uid_inherits_nothing() -> None:
    text = encode(held_since_long(7), 0, uid="a", model="m")
    assert decode(text, uid="b", model="m") == Lost("of another object")


def test_the_batch_times_of_another_model_hold_until_the_first_new_ones() -> None:
    memory = random_memory(np.random.default_rng(0), 1, plausible)
    assert fit(memory.evidence).known[0]
    back = decode(encode(memory, 0, uid="a", model="m/1"), uid="a", model="m/2")
    assert isinstance(back, Memory)
    assert (back.window.peaks == memory.window.peaks).all()
    # The old law still counts, ...
    seen = memory.evidence.executions[0] >= ENOUGH_EXECUTIONS
    before, after = (each.seconds[0][seen] / each.executions[0][seen] for each in (memory.evidence, back.evidence))
    assert np.allclose(before, after, rtol=1e-4)
    # ... and with so little weight that a hundred executions of the new model outvote it.
    assert (back.evidence.executions <= ENOUGH_EXECUTIONS).all()


@often
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_lost_and_never_an_error(text: str) -> None:
    assert isinstance(decode(text, uid="a", model="m"), Lost)


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", "[" * 4000, '{"v":' * 700, "9" * 4000, "1e999", "NaN", '{"v":3}', "\ud800", "x" * 9000],
)
def test_this_text_is_lost(text: str) -> None:
    assert isinstance(decode(text, uid="a", model="m"), Lost)


def test_true_is_no_number() -> None:
    document = json.loads(encode(held_since_long(7), 0, uid="a", model="m"))
    assert isinstance(decode(json.dumps({**document, "items": True}), uid="a", model="m"), Lost)


FIELDS = (
    "v",
    "uid",
    "model",
    "items",
    "kappa",
    "saved",
    "foreseen",
    "late",
    "spent",
    "starts",
    "batches",
    "seen",
    "hold",
    "slot",
    "peaks",
)
broken: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**300, 10**301),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers() | st.floats() | st.lists(st.floats(), max_size=5), max_size=9),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@often
@given(st.sampled_from(FIELDS), broken)
def test_one_field_edited_by_hand_is_lost_or_still_sound(name: str, value: Any) -> None:
    memory = random_memory(np.random.default_rng(0), 1, plausible)
    document = json.loads(encode(memory, 0, uid="a", model="m"))
    for edited in ({**document, name: value}, {key: document[key] for key in document if key != name}):
        back = decode(json.dumps(edited), uid="a", model="m")
        if isinstance(back, Lost):
            continue
        assert np.isfinite(back.window.last_seen_seconds).all()
        assert (back.window.peaks >= 0).all()
        assert (back.items_per_request >= 1.0).all()
        assert np.isfinite(back.kappa).all()
        assert (back.kappa > 0.0).all()
        assert np.isfinite(back.risk.score(np.array([0.99]))).all()
        lead = quantile(back.lead_times, NO_PODS, level=0.9)
        assert ((lead >= SHORTEST_SECONDS) & (lead <= LONGEST_SECONDS)).all()
        law = fit(back.evidence)
        assert np.isfinite(law.per_item_seconds).all()
        assert np.isfinite(law.fixed_seconds).all()


# Of several hardware classes


@seldom
@given(seeds)
def test_what_is_learned_of_eight_classes_fits_and_is_read_back(seed: int) -> None:
    memory = random_memory(np.random.default_rng(seed), 9, plausible)
    learned = Learned(evidence=memory.evidence, kappa=memory.kappa, lead_times=memory.lead_times)
    classes = [OfClass(f"class-{row}", f"model {row}", learned, row) for row in range(8)]
    text = encode(memory, 8, uid="u", model="m", classes=classes)
    assert len(text.encode()) <= MAX_MEMORY_BYTES
    assert isinstance(decode(text, uid="u", model="m"), Memory)
    for row in range(8):
        back = decode_class(text, f"class-{row}", uid="u", model=f"model {row}")
        assert isinstance(back, Learned)
        assert back.kappa[0] == pytest.approx(learned.kappa[row], rel=1e-5)
        assert back.evidence.seconds[0] == pytest.approx(learned.evidence.seconds[row], rel=1e-8)
        assert starts(back.lead_times, 0) == [pytest.approx(one, rel=1e-5) for one in starts(learned.lead_times, row)]
        other = decode_class(text, f"class-{row}", uid="u", model="another image")
        assert isinstance(other, Learned)
        assert (other.evidence.executions <= back.evidence.executions).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "of other hardware classes"),
        ({"classes": []}, "of other hardware classes"),
        ({"classes": {"x": 1}}, "of other hardware classes"),
        ({"v": 1}, "not of version 5"),
    ],
)
def test_what_is_no_memory_of_a_class_is_lost(change: dict[str, Any], reason: str) -> None:
    text = encode(Memory.fresh(1), 0, uid="u", model="m")
    lost = decode_class(json.dumps({**json.loads(text), **change}), "gpu-t4", uid="u", model="m")
    assert lost == Lost(reason)
