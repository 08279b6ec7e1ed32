"""The list of policies: each can be run, with the defaults of its documents."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from foretide.app.settings import Settings
from foretide.scaling.brain import Brain
from foretide.scaling.policy import AnyPolicy
from foretide.scaling.settings import ScalingSettings
from foretide.simulate.observe import profile, promise
from foretide.simulate.peers.aws import Aws
from foretide.simulate.peers.azure import Azure
from foretide.simulate.peers.dynamo import Dynamo
from foretide.simulate.peers.faro import Faro
from foretide.simulate.peers.faro_baselines import FairShare, FaroMark, FaroStepping, Step
from foretide.simulate.peers.faro_solver import Objective
from foretide.simulate.peers.forecasters.persistence import Persistence
from foretide.simulate.peers.hpa import Hpa
from foretide.simulate.peers.hpa_metrics import HpaMetric, Signal, Source
from foretide.simulate.peers.inferno import Inferno
from foretide.simulate.peers.keda import Keda
from foretide.simulate.peers.kpa import Kpa, KpaMetric
from foretide.simulate.peers.mark import Mark
from foretide.simulate.peers.phpa import Phpa
from foretide.simulate.peers.scheduled import Scheduled
from foretide.simulate.peers.static import Static
from foretide.simulate.peers.wva import Wva
from foretide.simulate.policies import POLICIES, SCRAPE_SECONDS, Listed, listed
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions
from foretide.simulate.trees import compiled_model
from foretide.simulate.workload import Window, Workload, joined_past
from tests.simulate.loads import loads, waves
from tests.simulate.worlds import lane, same

# Seven hours of past, so that forecasts are fitted; five minutes of warm-up and ten that are judged.
LOADS = [
    replace(load, start_seconds=load.judged_from_seconds - 300.0)
    for load in loads(waves(435, rows=2), window=Window(25_500.0, 26_100.0))
]
LANES = [load.lane() for load in LOADS]
PROFILE = profile(LANES)
PROMISE = promise(LANES)
# Each policy without its profile, at the defaults of its own class; eight services of the quota are two here.
DOCUMENTED: Mapping[str, AnyPolicy] = {
    "static": Static(profile=PROFILE),
    "scheduled": Scheduled(profile=PROFILE),
    "hpa": Hpa(profile=PROFILE),
    "hpa-rejected": Hpa(profile=PROFILE, metrics=(HpaMetric(signal=Signal.RATE_AND_FAILURES),)),
    "hpa-utilisation": Hpa(profile=PROFILE, metrics=(HpaMetric(source=Source.RESOURCE, signal=Signal.UTILISATION),)),
    "keda": Keda(profile=PROFILE),
    "kpa": Kpa(profile=PROFILE),
    "kpa-rps": Kpa(profile=PROFILE, metric=KpaMetric.RPS),
    "wva": Wva(),
    "inferno": Inferno(profile=PROFILE),
    "mark": Mark(profile=PROFILE),
    "mark-faro": FaroMark(profile=PROFILE),
    "faro": Faro(profile=PROFILE),
    "faro-app": Faro(profile=PROFILE, raise_quantile=True),
    "faro-quota": Faro(profile=PROFILE, quota=8),
    "faro-quota-fair": Faro(profile=PROFILE, quota=8, objective=Objective.FAIR),
    "fair-share": FairShare(quota=8),
    "aiad": FaroStepping(),
    "one-shot": FaroStepping(step=Step.ONE_SHOT),
    "phpa": Phpa(profile=PROFILE),
    "dynamo-constant": Dynamo(profile=PROFILE, forecaster=Persistence()),
    "dynamo-arima": Dynamo(profile=PROFILE),
    "aws": Aws(profile=PROFILE),
    "azure": Azure(profile=PROFILE),
    "foretide": Brain(ScalingSettings(), model=compiled_model()),
}
each = pytest.mark.parametrize("entry", POLICIES.values(), ids=list(POLICIES))


def run(entry: Listed, *some: Workload, **knobs: float) -> list[Any]:
    lanes = [load.lane() for load in some]
    return simulate(
        entry.policy(profile(lanes), promise(lanes), knobs),
        lanes,
        conditions=Conditions(scrape_seconds=entry.scrape_seconds),
        past=joined_past(some),
        warm_up_seconds=some[0].warm_up_seconds,
    )


@each
def test_at_its_defaults_a_policy_is_as_its_documents_say(entry: Listed) -> None:
    assert entry.policy(PROFILE, PROMISE, {}) == DOCUMENTED[entry.name]


def test_every_policy_of_the_list_is_compared_with_its_documents() -> None:
    assert list(POLICIES) == list(DOCUMENTED)


@each
def test_a_policy_runs_and_a_lane_alone_is_as_beside_others(entry: Listed) -> None:
    first, second = run(entry, *LOADS)
    assert first.requests > 0
    assert second.requests > 0
    assert sum(first.reasons.values()) > 0
    if not entry.divides:
        (alone,) = run(entry, LOADS[1])
        assert same(alone, second)


@each
def test_a_policy_keeps_the_least_number_of_replicas_without_any_load(entry: Listed) -> None:
    """A run refuses an answer below it."""
    some = [lane(0.0, name=name, min_replicas=3, initial_replicas=4) for name in ("one", "two")]
    policy = entry.policy(profile(some), promise(some), {})
    for outcome in simulate(policy, some, conditions=Conditions(scrape_seconds=entry.scrape_seconds)):
        assert outcome.timeline.desired.min() >= 3


@each
def test_every_value_of_a_sweep_is_within_the_range_of_its_knob(entry: Listed) -> None:
    for knob in entry.knobs:
        policies = [entry.policy(PROFILE, PROMISE, {knob.name: value}) for value in knob.sweep]
        assert knob.default in knob.sweep
        assert all(one != other for one, other in pairwise(policies)), "each value counts"


def test_sweeps_of_targets_go_from_a_fifth_to_nine_tenths() -> None:
    for name in ("hpa", "hpa-rejected", "hpa-utilisation", "keda", "kpa"):
        (knob,) = POLICIES[name].knobs
        assert (knob.sweep[0], knob.sweep[-1]) == (0.2, 0.9)


def test_knative_is_scraped_each_second_and_a_window_of_ten_minutes_each_ten() -> None:
    assert {name: entry.scrape_seconds for name, entry in POLICIES.items() if entry.scrape_seconds != 5.0} == {
        "kpa": 1.0,
        "kpa-rps": 1.0,
        "azure": 10.0,
    }


def test_a_policy_that_is_not_there_is_refused_with_all_that_are() -> None:
    with pytest.raises(ValueError, match=r"no policy 'hpa2'; there are static, scheduled, hpa, .*, foretide"):
        listed("hpa2")


def test_a_knob_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="static has no knob 'x'; its knobs are target_utilisation, quantile"):
        listed("static").settings({"x": 1.0})
    with pytest.raises(ValueError, match="foretide has no knob 'x'; it has none"):
        listed("foretide").settings({"x": 1.0})


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="target_utilisation must be within"):
        listed("static").policy(PROFILE, PROMISE, {"target_utilisation": 99.0})


def test_a_quota_is_for_all_services_together() -> None:
    policy = listed("faro-quota").policy(PROFILE, PROMISE, {"quota": 3.5})
    assert isinstance(policy, Faro)
    assert policy.quota == 7


def test_foretide_asks_prometheus_as_the_operator_does() -> None:
    assert Settings.model_fields["scrape_interval_seconds"].default == SCRAPE_SECONDS


def test_a_knob_has_the_name_of_the_field_that_it_sets() -> None:
    """But for those of a metric inside, and for a quota, which is per service here."""
    for name, policy in DOCUMENTED.items():
        fields = set(inspect.signature(type(policy)).parameters)
        for knob in POLICIES[name].knobs:
            assert knob.name in fields | {"target"}
            if knob.name in fields - {"quota"}:
                assert np.isclose(float(getattr(policy, knob.name)), knob.default)
