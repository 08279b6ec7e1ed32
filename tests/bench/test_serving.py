"""The search for a rate, the configurations that are compared, and the verdict, without a server."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import ModelConfig

from bench.serving.configurations import DEFAULTS, DERIVED, Configuration, defaults, derived, sweep
from bench.serving.measure import Measured
from bench.serving.models import Measurable, measurables
from bench.serving.page import holds, table, verdict, write
from bench.serving.search import rate_at_slo

MODELS = measurables()


@given(st.floats(1.0, 5_000.0), st.floats(1.0, 500.0))
def test_the_rate_is_found_to_the_resolution(knee: float, first: float) -> None:
    found = rate_at_slo(lambda rate: 1.0 if rate <= knee else 0.5, objective=0.99, first_rps=first, resolution=0.06)
    if first / 16.0 > knee:
        assert found == 0.0
    else:
        assert found <= knee * (1 + 1e-9)
        assert found > 0.0 or knee < first / 8.0
        assert found == 0.0 or found * 1.0601 >= min(knee, first * 2.0**13)


def test_a_stall_of_the_machine_is_not_taken_for_the_server() -> None:
    asked: list[float] = []

    def share(rate: float) -> float:
        asked.append(rate)
        return 0.2 if len(asked) == 3 or rate > 300.0 else 1.0

    assert rate_at_slo(share, objective=0.99, first_rps=50.0, resolution=0.06) == pytest.approx(300.0, rel=0.06)
    assert len(asked) < 20


def test_nothing_in_time_is_a_rate_of_zero_after_few_questions() -> None:
    asked: list[float] = []

    def share(rate: float) -> float:
        asked.append(rate)
        return math.nan

    assert rate_at_slo(share, objective=0.99, first_rps=64.0, resolution=0.06) == 0.0
    assert min(asked) >= 4.0


def parsed(configuration: Configuration) -> ModelConfig:
    return text_format.Parse(configuration.text, ModelConfig())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_defaults_say_only_what_triton_cannot_do_without(model: Measurable) -> None:
    found = parsed(defaults(model))
    assert {field.name for field, _ in found.ListFields()} <= {
        "name", "backend", "max_batch_size", "input", "output", "parameters",
    }  # fmt: skip
    assert found.max_batch_size == model.model["maxBatchSize"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_derived_and_swept_configurations_are_those_of_the_operator(model: Measurable) -> None:
    ours = parsed(derived(model, cpus=4))
    assert ours.instance_group[0].count == 4
    assert ours.HasField("dynamic_batching")
    texts = [(one.text, tuple(one.environment.items())) for one in sweep(model, cpus=2)]
    assert len(set(texts)) == len(texts) >= 8
    counts = {parsed(one).instance_group[0].count for one in sweep(model, cpus=2)}
    assert counts == {1, 2, 4}
    assert {parsed(one).dynamic_batching.max_queue_delay_microseconds for one in sweep(model, cpus=2)} == {
        0, 2_000, 10_000,
    }  # fmt: skip
    assert len(list(sweep(model, cpus=2, quick=True))) < len(texts)


def test_python_models_have_as_many_threads_as_the_class_leaves_each_instance() -> None:
    mlp = next(model for model in MODELS if model.name == "mlp")
    assert derived(mlp, cpus=4).environment == {"OMP_NUM_THREADS": "1"}
    assert next(iter(sweep(mlp, cpus=4))).environment == {"OMP_NUM_THREADS": "4"}


def rows(model: str, derived_rps: float, defaults_rps: float, *swept: float) -> list[Measured]:
    by_hand = [Measured(model, f"way {place}", rate) for place, rate in enumerate(swept)]
    return [Measured(model, DERIVED, derived_rps), Measured(model, DEFAULTS, defaults_rps), *by_hand]


def test_the_verdict_is_by_both_bars() -> None:
    good, better = verdict("a", rows("a", 130, 100, 90, 140)), verdict("b", rows("b", 300, 100, 290))
    equal, poor = verdict("c", rows("c", 100, 100, 100)), verdict("d", rows("d", 200, 100, 300))
    assert (good.over_defaults, good.best) == (1.3, "way 1")
    assert good.of_best == pytest.approx(130 / 140)
    assert holds([good, better, equal])
    assert not holds([good, equal, equal])  # only one of three is better than the defaults
    assert not holds([good, better, poor])  # far from what a hand finds
    assert verdict("e", rows("e", 10, 0, 10)).over_defaults == math.inf


def test_the_page_has_every_model_and_every_configuration(tmp_path: Path) -> None:
    found = [row for model in MODELS for row in rows(model.name, 130, 100, 120)]
    found.append(Measured("mlp", "broken", 0.0, error="it did not load\nmore", generator_was_late=True))
    head, line, *body = table(MODELS, found)
    assert head.count("|") == line.count("|") == body[0].count("|")
    assert "| sleeper | p99 50 ms | 130/s | 100/s | 120/s (way 0) | 1.30 | 1.08 |" in body
    assert "| mlp | broken | not loaded: it did not load (the generator was late) |" in body
    write(MODELS, found, cpus=2, seconds=10.0, page=tmp_path / "page.md")
    assert "on 2 processors" in (tmp_path / "page.md").read_text()
