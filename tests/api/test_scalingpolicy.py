"""A ScalingPolicy is read into plain numbers, and one that says nothing is what a service without one gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api import parse
from foretide.api.problems import Problems
from foretide.api.scalingpolicy import ScalingPolicy, ScalingPolicySpec
from tests.api import apiserver, specs


def _policy(raw: specs.Raw) -> ScalingPolicy:
    result = parse.scaling_policy(raw)
    assert isinstance(result, ScalingPolicy), result
    return result


def test_a_policy_has_its_fields_in_units() -> None:
    policy = _policy(specs.changed(specs.scaling_policy(), ("metadata", "uid"), "u-1"))
    assert (policy.name, policy.namespace, policy.uid) == ("web", "default", "u-1")
    spec = policy.spec
    assert (spec.mode, spec.priority) == ("Advisory", 100)
    assert (spec.forecast.mode, spec.forecast.quantile) == ("Reactive", 0.95)
    assert (spec.forecast.history_seconds, spec.forecast.season_seconds) == (36 * 3_600, 90 * 60)
    assert spec.scale_up.max_step_fraction == 1.0
    assert (spec.scale_down.hold_seconds, spec.scale_down.max_step_fraction) == (300, 0.1)
    assert (spec.metrics_failure.hold_seconds, spec.metrics_failure.then) == (5_400, "Grow")


def test_a_policy_that_says_nothing_is_the_default() -> None:
    assert _policy(specs.smallest_scaling_policy()).spec == ScalingPolicySpec()


def test_the_default_leaves_to_the_operator_what_it_can_find_itself() -> None:
    default = ScalingPolicySpec()
    assert (default.mode, default.forecast.mode, default.priority) == ("Active", "Auto", 0)
    assert (default.forecast.quantile, default.forecast.season_seconds) == (None, None)
    assert default.scale_up.max_step_fraction is None
    assert default.scale_down.hold_seconds is None


def test_the_default_has_its_numbers() -> None:
    default = ScalingPolicySpec()
    assert default.forecast.history_seconds == 14 * 86_400
    assert default.scale_down.max_step_fraction == 0.2
    assert (default.metrics_failure.hold_seconds, default.metrics_failure.then) == (1_800, "Hold")


@given(st.decimals(min_value="0.5", max_value="0.99999", places=5))
def test_every_quantile_from_the_median_up_is_taken_as_it_is_written(quantile: object) -> None:
    raw = specs.scaling_policy(forecast={"risk": str(quantile)})
    assert _policy(raw).spec.forecast.quantile == float(str(quantile))
    assert apiserver.errors(raw) == []


@given(st.floats(min_value=-2, max_value=2).filter(lambda number: not 0.5 <= number < 1))
def test_no_other_number_is_a_quantile(number: float) -> None:
    raw = specs.scaling_policy(forecast={"risk": str(number)})
    assert isinstance(parse.scaling_policy(raw), Problems)
    assert apiserver.errors(raw)


@pytest.mark.parametrize("name", ["Web", "web_1", "", "-web", "a" * 254])
def test_a_policy_has_the_name_of_an_object(name: str) -> None:
    result = parse.scaling_policy(specs.changed(specs.scaling_policy(), ("metadata", "name"), name))
    assert isinstance(result, Problems)
    assert [problem.field for problem in result.items] == ["metadata.name"]
