from dataclasses import fields

import pytest

from foretide.scaling.settings import RANGES, ScalingSettings


@pytest.mark.parametrize("name", [field.name for field in fields(ScalingSettings)])
def test_every_setting_is_checked_and_the_message_names_it_with_range_and_value(name: str) -> None:
    low, high = RANGES[name]
    assert getattr(ScalingSettings(**{name: low}), name) == low
    assert getattr(ScalingSettings(**{name: high}), name) == high
    for wrong in (low - 0.1, high * 2, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"{name} must be from {low:g} to \S+, not {wrong:g}"):
            ScalingSettings(**{name: wrong})
    with pytest.raises(ValueError, match=f"{name} must be a number"):
        ScalingSettings(**{name: True})


def test_one_missed_tick_is_no_restart() -> None:
    settings = ScalingSettings(tick_seconds=15.0)
    assert 2 * 15.0 + 0.5 < settings.restart_after_seconds < 3 * 15.0
