"""A ModelProfile is read into plain numbers, and never says that a batch takes no time."""

from hypothesis import given
from hypothesis import strategies as st

from foretide.api import parse
from foretide.api.durations import format_nanoseconds
from foretide.api.modelprofile import ModelProfile
from foretide.api.problems import Problems
from tests.api import apiserver, specs

# To the nanosecond below a millisecond, to the microsecond above: what a measurement may have.
_MEASURED = st.integers(0, 10**6) | st.integers(0, 3_600 * 10**6).map(lambda microseconds: 1_000 * microseconds)


def test_a_profile_has_its_fields_in_units() -> None:
    result = parse.model_profile(specs.model_profile())
    assert isinstance(result, ModelProfile)
    assert (result.name, result.namespace) == ("ranker-gpu-t4", "default")
    assert (result.spec.service, result.spec.hardware_class, result.spec.max_batch_size) == ("ranker", "gpu-t4", 32)
    assert (result.spec.per_item_seconds, result.spec.fixed_seconds) == (0.0012, 0.0045)
    assert result.spec.cold_start_seconds == 42


def test_a_cold_start_that_was_not_measured_is_not_zero() -> None:
    result = parse.model_profile(specs.smallest_model_profile())
    assert isinstance(result, ModelProfile)
    assert result.spec.cold_start_seconds is None


def _written(nanoseconds: int) -> str:
    """The duration without the unit ns, which the API does not take: 500ns is 0.5us."""
    return f"{nanoseconds / 1000}us" if nanoseconds < 1000 else format_nanoseconds(nanoseconds)


@given(_MEASURED, _MEASURED)
def test_a_batch_takes_time_or_the_profile_is_refused(per_item: int, fixed: int) -> None:
    raw = specs.model_profile(batchTime={"perItem": _written(per_item), "fixed": _written(fixed)})
    result = parse.model_profile(raw)
    assert isinstance(result, Problems) == (per_item + fixed == 0) == bool(apiserver.errors(raw))
    if isinstance(result, ModelProfile):
        assert (result.spec.per_item_seconds, result.spec.fixed_seconds) == (per_item / 1e9, fixed / 1e9)
