"""Times of a pod's life: each one fits into the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.serving import lifecycle
from tests.serving.strategies import model_names

slos = st.floats(0.001, 3600)


@given(st.integers(1, 300), slos, st.integers(1, 64))
def test_the_clocks_of_a_leaving_pod_nest(drain_seconds: int, slo: float, instances: int) -> None:
    times = lifecycle.shutdown(drain_seconds=drain_seconds, slo_latency_seconds=slo, instances=instances)
    assert times.drain_seconds == drain_seconds
    # a request that came at the last moment: its time in the queue and a batch
    assert times.exit_timeout_seconds >= 4 * slo
    # SIGKILL comes after the drain, the last request and the end of the last instance (16 took 20.8 s)
    assert times.grace_seconds > drain_seconds + times.exit_timeout_seconds + 1.3 * instances


def test_the_pod_serves_while_endpoints_forget_it() -> None:
    assert lifecycle.pre_stop(7) == {"preStop": {"sleep": {"seconds": 7}}}


@given(model_names)
def test_liveness_asks_for_the_model_by_one_path_segment(model: str) -> None:
    probes = lifecycle.probes(model)
    path = probes["livenessProbe"]["httpGet"]["path"]
    assert path.split("/") == ["", "v2", "models", model, "ready"]
    assert probes["readinessProbe"]["httpGet"]["path"] == probes["startupProbe"]["httpGet"]["path"]


@pytest.mark.parametrize("model", ["a/../../b", "a?b", "a#b", "a b", "é"])
def test_a_name_that_the_api_would_not_admit_still_stays_one_segment(model: str) -> None:
    path = lifecycle.probes(model)["livenessProbe"]["httpGet"]["path"]
    assert len(path.split("/")) == 5
    assert not set(path) & set("?# ")


@pytest.mark.parametrize(("given", "seconds"), [({}, 1800), ({"startup_seconds": 3600}, 3600)])
def test_a_model_may_load_for_half_an_hour_or_as_long_as_is_granted(given: dict[str, int], seconds: int) -> None:
    startup = lifecycle.probes("m", **given)["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == seconds
