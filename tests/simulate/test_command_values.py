"""Texts of options: what they mean, and the sentence about those that mean nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from foretide.simulate.command import values
from foretide.simulate.command.refused import Refused


def test_a_batch_time_is_a_law() -> None:
    law = values.batch_time("--batch-time", "1.2ms,4.5ms,32", instances=2)
    assert (law.per_item_seconds, law.fixed_seconds, law.max_batch, law.instances) == (0.0012, 0.0045, 32, 2)


def test_a_cold_start_is_a_time_or_a_distribution_of_that_mean(tmp_path: Path) -> None:
    assert values.random_time("--cold-start", "2m").quantiles_seconds == (120.0,) * 101
    spread = values.random_time("--cold-start", "120s,lognormal:0.3")
    assert spread.mean_seconds == 120.0
    assert spread.quantiles_seconds[0] < 70.0 < 170.0 < spread.quantiles_seconds[-1]
    file = tmp_path / "starts.txt"
    file.write_text("20s\n40s\n\n1m30s\n")
    measured = values.random_time("--cold-start", f"100s,empirical:{file}")
    assert measured.mean_seconds == 100.0, "of what is drawn between the measured ones, 47.5 s before"
    ends = (measured.quantiles_seconds[0], measured.quantiles_seconds[-1])
    assert ends == pytest.approx((20.0 * 100.0 / 47.5, 90.0 * 100.0 / 47.5))


@pytest.mark.parametrize(("text", "share"), [("99", 0.99), ("99.95", 0.9995), ("99.999", 0.99999)])
def test_an_objective_is_a_percentage(text: str, share: float) -> None:
    assert values.objective("--objective", text) == share


def test_a_knob_is_a_name_and_a_number() -> None:
    assert values.knob("--knob", "target=0.6") == ("target", 0.6)


def test_a_window_is_from_when_to_when() -> None:
    window = values.window("--window", "24h,36h30m")
    assert (window.begin_seconds, window.end_seconds) == (86_400.0, 131_400.0)


def test_machines_are_a_time_and_a_number_of_replicas_that_have_room() -> None:
    assert values.nodes(None, None).warm_pods == math.inf
    nodes = values.nodes("90s,lognormal:0.5", "2")
    assert (nodes.warm_pods, nodes.provisioning.mean_seconds) == (2, 90.0)
    assert len(set(nodes.provisioning.quantiles_seconds)) > 50


def test_an_outage_is_from_when_and_how_long() -> None:
    outage = values.outage("--outage", "30m,90s")
    assert (outage.start_seconds, outage.end_seconds) == (1_800.0, 1_890.0)


@pytest.mark.parametrize(
    ("convert", "text", "sentence"),
    [
        (
            lambda text: values.duration("--slo", text, low=0.001, high=3600.0),
            "250",
            '--slo: "250" must be a duration with a unit (us, ms, s, m, h); write it like 250ms or 2m30s',
        ),
        (
            lambda text: values.duration("--slo", text, low=0.001, high=3600.0),
            "2h",
            '--slo: "2h" must be from 0.001 s to 3600 s; write it like 250ms or 2m30s',
        ),
        (
            lambda text: values.objective("--objective", text),
            "99%",
            '--objective: "99%" must be a percentage greater than 0 and less than 100, with at most 4 decimals and no '
            'percent sign; write it like "99" or "99.9"',
        ),
        (
            lambda text: values.objective("--objective", text),
            "99.9991",
            '--objective: "99.9991" must be at most 99.999: too many requests are needed to see one late; '
            'write it like "99" or "99.9"',
        ),
        (
            lambda text: values.batch_time("--batch-time", text, instances=1),
            "10ms,40ms",
            '--batch-time: "10ms,40ms" must have three parts; write it as time per item, fixed time, largest batch, '
            "e.g. 10ms,40ms,8",
        ),
        (
            lambda text: values.batch_time("--batch-time", text, instances=1),
            "0s,0s,8",
            '--batch-time: "0s,0s,8" is no law: per_item_seconds + fixed_seconds must be above 0: a batch takes time; '
            "write it as time per item, fixed time, largest batch, e.g. 10ms,40ms,8",
        ),
        (
            lambda text: values.batch_time("--batch-time", text, instances=1),
            "10ms,40ms,0",
            '--batch-time: "0" must be a whole number from 1 to 1024; write it like 1',
        ),
        (
            lambda text: values.random_time("--cold-start", text),
            "120s,normal:3",
            '--cold-start: "120s,normal:3" names a distribution that is not known; write it like 120s, '
            "120s,lognormal:0.3 or 120s,empirical:FILE",
        ),
        (
            lambda text: values.random_time("--cold-start", text),
            "120s,lognormal:x",
            '--cold-start: "x" must be a number from 0 to 10; write it like 0',
        ),
        (
            lambda text: values.random_time("--cold-start", text),
            "120s,empirical:/nowhere",
            "--cold-start empirical: \"/nowhere\" cannot be read ([Errno 2] No such file or directory: '/nowhere'); "
            "give a text file with one time a line, e.g. 41.5s",
        ),
        (
            lambda text: values.knob("--knob", text),
            "0.6",
            '--knob: "0.6" must be a name and a number; write it like target=0.6',
        ),
        (
            lambda text: values.knob("--knob", text),
            "target=high",
            '--knob target: "high" must be a number from -1e+12 to 1e+12; write it like -1e+12',
        ),
        (
            lambda text: values.window("--window", text),
            "2h,1h",
            '--window: "2h,1h" must end after it begins; write it as begin,end since the trace began, e.g. 24h,48h',
        ),
        (
            lambda text: values.nodes(text, None),
            "90s",
            '--provisioning: "90s" needs --warm; say how many replicas find room at once, e.g. --warm 2',
        ),
        (
            lambda text: values.nodes(None, text),
            "2",
            '--warm: "2" needs --provisioning; say how long a machine takes, e.g. --provisioning 90s',
        ),
        (
            lambda text: values.nodes(text, "2"),
            "long",
            '--provisioning: "long" must be a duration with a unit (us, ms, s, m, h); write it like 120s, '
            "120s,lognormal:0.3 or 120s,empirical:FILE",
        ),
        (
            lambda text: values.nodes("90s", text),
            "-1",
            '--warm: "-1" must be a whole number from 0 to 2000; write it like 0',
        ),
        (
            lambda text: values.outage("--outage", text),
            "30m",
            '--outage: "30m" must have two parts; write it as begin since the judged part began and length, '
            "e.g. 30m,5m",
        ),
        (
            lambda text: values.outage("--outage", text),
            "30m,0s",
            '--outage: "30m,0s" must last longer than 0 s; write it as begin since the judged part began and length, '
            "e.g. 30m,5m",
        ),
        (
            lambda text: values.whole("--seeds", text, low=1, high=1000),
            "2.5",
            '--seeds: "2.5" must be a whole number from 1 to 1000; write it like 1',
        ),
    ],
)
def test_what_means_nothing_is_refused_with_field_value_rule_and_fix(
    convert: Callable[[str], object], text: str, sentence: str
) -> None:
    with pytest.raises(Refused) as caught:
        convert(text)
    assert str(caught.value) == sentence


def test_measured_times_without_any_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "starts.txt"
    file.write_text("0s\n")
    with pytest.raises(Refused, match="has no time above 0"):
        values.random_time("--cold-start", f"100s,empirical:{file}")
    file.write_text("1ms\n" * 100 + "1h\n")
    with pytest.raises(Refused, match="is no distribution of times: quantiles_seconds must be from 0 to 86400, not"):
        values.random_time("--cold-start", f"20m,empirical:{file}")
    with pytest.raises(Refused, match="is no distribution of times: quantiles_seconds must be from 0 to 86400, not"):
        values.random_time("--cold-start", "20h,lognormal:3")


@pytest.mark.parametrize("text", ["nan", "inf"])
def test_a_number_is_finite(text: str) -> None:
    assert not math.isfinite(float(text))
    with pytest.raises(Refused):
        values.number("--arrival-cv", text, low=1.0, high=10.0)
