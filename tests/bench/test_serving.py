"""The search for a rate, the configurations that are compared, and the verdict, without a server."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelConfig

from bench.serving.__main__ import QUICK, WHOLE
from bench.serving.configurations import DEFAULTS, DERIVED, Configuration, defaults, derived, sweep
from bench.serving.measure import Measured, finalists
from bench.serving.models import Measurable, measurables
from bench.serving.page import holds, table, verdict, write
from bench.serving.search import STEP, Staircase, level_of, rate_of, roughly
from bench.serving.store import Store

MODELS = measurables(Path("downloaded"))


@given(st.integers(-40, 140), st.integers(0, 100))
def test_the_highest_level_that_keeps_the_objective_is_found_roughly(knee: int, first: int) -> None:
    found = roughly(lambda level: level <= knee, first=first, floor=0, stride=6, close=2)
    if knee < 0:
        assert found is None
    elif knee - first < 6 * 22:
        assert found is not None
        assert knee - 2 < found <= knee


def test_a_stall_of_the_machine_is_not_taken_for_the_server() -> None:
    asked: list[int] = []

    def keeps(level: int) -> bool:
        asked.append(level)
        return len(asked) != 3 and level <= 50

    found = roughly(keeps, first=20, floor=0, stride=6, close=2)
    assert found is not None
    assert 48 < found <= 50
    assert len(asked) < 20


def test_what_keeps_the_objective_at_no_rate_has_none() -> None:
    asked: list[int] = []

    def keeps(level: int) -> bool:
        asked.append(level)
        return False

    assert roughly(keeps, first=60, floor=56, stride=6, close=2) is None
    assert asked == [60, 60, 56, 56]  # nobody asks below the floor


@given(st.integers(0, 120), st.integers(-4, 4), st.integers(0, WHOLE.rounds))
def test_a_staircase_ends_around_the_rate_and_a_stall_costs_it_a_step(knee: int, off: int, stall: int) -> None:
    stairs = Staircase(knee + off)
    for turn in range(WHOLE.rounds):
        stairs.told(stairs.level <= knee and turn != stall)
    assert rate_of(knee) / 1.16 < stairs.rate_rps < rate_of(knee) * 1.06
    low, high = stairs.between_rps
    assert low * (1 - 1e-9) <= stairs.rate_rps <= high * (1 + 1e-9)


def test_a_staircase_that_never_turned_says_only_how_far_it_came() -> None:
    stairs = Staircase(10)
    for _ in range(4):
        stairs.told(True)
    assert stairs.levels == [18]
    assert stairs.rate_rps == pytest.approx(STEP**18)


@given(st.integers(-50, 200))
def test_levels_and_rates_are_the_same_thing(level: int) -> None:
    assert level_of(rate_of(level)) == level


def parsed(configuration: Configuration) -> ModelConfig:
    return text_format.Parse(configuration.text, ModelConfig())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_defaults_say_only_what_triton_cannot_do_without(model: Measurable) -> None:
    found = parsed(defaults(model))
    assert {field.name for field, _ in found.ListFields()} <= {
        "name", "backend", "max_batch_size", "input", "output", "parameters",
    }  # fmt: skip
    assert found.max_batch_size == model.model["maxBatchSize"]


def test_defaults_have_the_threads_of_the_real_onnxruntime_backend() -> None:
    for model in MODELS:
        threads = parsed(defaults(model)).parameters["intra_op_thread_count"].string_value
        assert threads == ("0" if model.model["backend"] == "onnxruntime" else "")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_derived_and_swept_configurations_are_those_of_the_operator(model: Measurable) -> None:
    ours = parsed(derived(model, cpus=4))
    assert ours.instance_group[0].count == 4
    assert ours.HasField("dynamic_batching")
    swept = list(sweep(model, cpus=2))
    assert len({one.key for one in swept}) == len(swept) >= 8
    assert derived(model, cpus=2).key not in {one.key for one in swept}  # what is the same is not measured twice
    assert {parsed(one).instance_group[0].count for one in swept} == {1, 2, 4}
    assert {parsed(one).dynamic_batching.max_queue_delay_microseconds for one in swept} == {0, 5_000}
    largest = model.model["maxBatchSize"]
    assert {parsed(one).max_batch_size for one in swept} == {max(2, largest // 4), largest, 2 * largest}
    assert not all(parsed(one).HasField("dynamic_batching") for one in swept)
    assert len(list(sweep(model, cpus=2, quick=True))) < len(swept)


def test_python_models_have_as_many_threads_as_the_class_leaves_each_instance() -> None:
    mlp = next(model for model in MODELS if model.name == "mlp")
    assert derived(mlp, cpus=4).environment == {"OMP_NUM_THREADS": "1"}
    assert next(iter(sweep(mlp, cpus=4))).environment == {"OMP_NUM_THREADS": "4"}


def rows(model: str, derived_rps: float, defaults_rps: float, *swept: float) -> list[Measured]:
    pairs = [(DERIVED, derived_rps), (DEFAULTS, defaults_rps), *((f"way {n}", rate) for n, rate in enumerate(swept))]
    return [Measured(model, name, rate, rate_rps=rate or None, between_rps=(rate, rate)) for name, rate in pairs]


def test_the_finalists_are_ours_the_defaults_and_the_best_of_the_others() -> None:
    found = [*rows("a", 10, 100, 90, 140, 120), Measured("a", "broken", 0.0, error="it did not load")]
    assert finalists(found, 2) == {DERIVED, DEFAULTS, "way 1", "way 2"}
    assert finalists(rows("a", 10, 0, 90, 0), 2) == {DERIVED, "way 0"}  # no server where no rate was kept


def test_the_verdict_is_by_both_bars() -> None:
    good, better = verdict("a", rows("a", 130, 100, 90, 140)), verdict("b", rows("b", 300, 100, 290))
    equal, poor = verdict("c", rows("c", 100, 100, 100)), verdict("d", rows("d", 200, 100, 300))
    assert (good.over_defaults, good.best) == (1.3, "way 1")
    assert good.of_best == pytest.approx(130 / 140)
    assert (better.best, better.of_best) == (DERIVED, 1.0)
    assert holds([good, better, equal])
    assert not holds([good, equal, equal])  # only one of three is better than the defaults
    assert not holds([good, better, poor])  # far from what a hand finds
    assert verdict("e", rows("e", 10, 0, 10)).over_defaults == math.inf
    assert verdict("f", rows("f", 0, 10, 20)).of_best == 0.0
    rough_only = [*rows("g", 10, 5), Measured("g", "way 0", 99.0)]  # what was not side by side is not compared
    assert verdict("g", rough_only).best == DERIVED


def test_the_page_has_every_model_and_every_configuration(tmp_path: Path) -> None:
    found = [row for model in MODELS for row in rows(model.name, 130, 100, 120)]
    found.append(Measured("mlp", "broken", 0.0, error="it did not load\nmore"))
    found.append(Measured("mlp", "worse", 50.0))
    found.append(Measured("mlp", "poor", 0.0, 91.0))
    head, line, *body = table(MODELS, found)
    assert head.count("|") == line.count("|") == body[0].count("|")
    assert "| mlp | p99 100 ms | 130/s | 100/s | 130/s (derived) | 1.30 | 1.00 |" in body
    assert "| mlp | way 0 | 120/s | 120/s | 120 to 120/s | 0 |" in body
    assert "| mlp | broken | not loaded: it did not load |  |  |  |" in body
    assert "| mlp | poor | less than 91/s |  |  |  |" in body
    assert "| mlp | worse | 50/s |  |  |  |" in body
    write(MODELS, found, cpus=2, effort=WHOLE, page=tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    assert "on 2 processors" in text
    assert "2 of 3 models (3 keep it)" in text.replace("\n", " ")
    assert max(map(len, (line for line in text.splitlines() if not line.startswith("|")))) <= 120


def test_what_is_measured_is_found_again_until_something_of_it_is_another(tmp_path: Path) -> None:
    store, model = Store(tmp_path / "out"), MODELS[0]
    ways = [derived(model, cpus=2), defaults(model)]
    assert store.found(model, ways, WHOLE) is None
    store.keep(model, ways, WHOLE, rows(model.name, 130, 100))
    assert store.found(model, ways, WHOLE) == rows(model.name, 130, 100)
    assert store.found(model, ways, QUICK) is None
    assert store.found(model, [derived(model, cpus=4), ways[1]], WHOLE) is None
