"""The schedule is the trace: its counts, its shape, and chance only inside a step."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.load import Profile, arrivals, read_profile, steady

DAYS = Path(__file__).parents[2] / "examples" / "traces" / "azure_llm_code_two_days.csv"


def trace(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def test_counts_of_each_step_follow_the_trace() -> None:
    profile = read_profile(DAYS)
    counts = np.histogram(arrivals(profile, seed=1), bins=576, range=(0.0, 172_800.0))[0]
    expected = np.array(profile.rates_rps) * 300.0
    # Poisson: five standard deviations of each count, and of the sum
    assert (abs(counts - expected) <= 5.0 * np.sqrt(expected)).all()
    assert abs(counts.sum() - 6_148_050) <= 5.0 * np.sqrt(6_148_050)


def test_arrivals_are_poisson_inside_a_step() -> None:
    times = arrivals(steady(50.0, seconds=200.0), seed=7)
    counts = np.histogram(times, bins=1000, range=(0.0, 200.0))[0]
    assert 0.85 < counts.var() / counts.mean() < 1.15  # 1 for Poisson, 0 for a metronome
    gaps = np.diff(times)
    assert 0.9 < gaps.std() / gaps.mean() < 1.1


def test_the_same_seed_gives_the_same_arrivals() -> None:
    profile = steady(20.0, seconds=30.0)
    assert np.array_equal(arrivals(profile, seed=3), arrivals(profile, seed=3))
    assert not np.array_equal(arrivals(profile, seed=3), arrivals(profile, seed=4))


@given(
    rates=st.lists(st.floats(0.0, 40.0), min_size=1, max_size=20),
    step=st.floats(0.01, 5.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_arrivals_are_sorted_and_inside_the_profile(rates: list[float], step: float, seed: int) -> None:
    profile = Profile(rates_rps=tuple(rates), step_seconds=step)
    times = arrivals(profile, seed=seed)
    assert (np.diff(times) >= 0.0).all()
    assert ((times >= 0.0) & (times <= profile.seconds)).all()
    silent = np.array(rates)[np.minimum((times // step).astype(int), len(rates) - 1)] == 0.0
    assert not silent.any()


def test_two_days_in_eight_minutes_keep_their_shape() -> None:
    days = read_profile(DAYS)
    short = days.lasting(480.0).peaking_at(60.0)
    assert short.seconds == pytest.approx(480.0)
    assert short.peak_rps == pytest.approx(60.0)
    ratio = np.array(short.rates_rps) / np.array(days.rates_rps)
    assert ratio == pytest.approx(60.0 / days.peak_rps)


def test_a_gzipped_trace_with_a_chosen_column(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("t_s,a,b\n0,10,20\n10,30,0\n")
    assert read_profile(path, series="b") == Profile(rates_rps=(2.0, 0.0), step_seconds=10.0)


def test_a_file_that_is_no_trace_is_refused_by_name(tmp_path: Path) -> None:
    path = trace(tmp_path, "time,a\n0,1\n1,2\n")
    with pytest.raises(ValueError, match="t_s") as caught:
        read_profile(path)
    assert str(path) in str(caught.value)


def test_an_unknown_column_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'c'; there are a, b"):
        read_profile(trace(tmp_path, "t_s,a,b\n0,1,1\n1,2,2\n"), series="c")


@pytest.mark.parametrize("rates", [(), (-1.0,), (float("nan"),), (float("inf"),)])
def test_rates_that_mean_nothing_are_refused(rates: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="profile"):
        Profile(rates_rps=rates, step_seconds=1.0)


def test_a_trace_without_requests_cannot_be_scaled() -> None:
    with pytest.raises(ValueError, match="without a single request"):
        steady(0.0, seconds=10.0).peaking_at(5.0)
