"""What was foreseen of the load, in the page of a backtest: of the decisions themselves, and a gap is no zero."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foretide.api.scalingpolicy import ScalingPolicySpec
from foretide.cli.backtest import charts, replay
from foretide.cli.backtest.candidates import Candidate
from foretide.cli.backtest.case import Case, Given, Load, Subject, of_options
from foretide.cli.backtest.foreseen import Foreseen, Recorder
from foretide.cli.backtest.page import page
from foretide.cli.backtest.report import How
from foretide.cli.backtest.results import Result, joined
from foretide.cli.exits import Exit
from foretide.scaling.decision import Decisions
from foretide.scaling.policy import Answer
from foretide.simulate.fidelity import Fidelity
from foretide.simulate.observe import profile, promise
from foretide.simulate.policies import POLICIES
from foretide.simulate.run import simulate
from foretide.simulate.scenario import Conditions, Lane
from foretide.simulate.state import BIN_SECONDS
from tests.cli.conftest import CommandLine
from tests.simulate import worlds

CASE = of_options("x", Given(slo="250ms", batch_time="10ms,40ms,8", cold_start="45s", max_replicas=8))
OURS = Candidate("foretide")
STEADY_RPS = 120.0
SPAN = charts.Span(0.0, 75.0)


def steady(case: Case = CASE) -> Subject:
    """Half an hour of one rate, after half a day of it."""
    load = Load(
        rates_rps=np.full(12 * 60 + 30, STEADY_RPS),
        step_seconds=60.0,
        start_seconds=1_704_067_200.0,
        judged_from=12 * 60,
        unknown_share=0.0,
        source="test",
    )
    return Subject(case, load)


def replayed(subject: Subject, *candidates: Candidate, foreseen: bool = True) -> list[Result]:
    work = replay.tasks([subject], candidates, workers=1, fidelity=Fidelity.ARRIVALS, whole=False, foreseen=foreseen)
    (results,) = joined([subject], candidates, [run for task in work for run in task.perform()])
    return results


def forecast(result: Result) -> Foreseen:
    assert result.foreseen is not None
    return result.foreseen


@pytest.mark.timeout(120)
def test_a_page_has_the_band_of_foretide_and_none_of_a_peer(run: CommandLine, tmp_path: Path) -> None:
    file, html = tmp_path / "load.csv", tmp_path / "report.html"
    rows = [(60 * minute, 600 + 400 * math.sin(minute / 20)) for minute in range(60)]
    file.write_text("t_s,a\n" + "".join(f"{second},{count:.0f}\n" for second, count in rows))
    service = ["--slo", "250ms", "--batch-time", "10ms,40ms,8", "--cold-start", "45s", "--max-replicas", "8"]
    tried = ["--policy", "hpa", "--against", "foretide", "--requests", "--workers", "1"]
    ended = run("backtest", "-f", str(file), *service, *tried, "--report", str(html), "-o", "json", cluster=False)
    assert ended.code == Exit.OK, ended.err
    assert [one["policy"] for one in json.loads(ended.out)["results"]] == ["hpa", "foretide"]
    text = html.read_text()
    assert text.count("<svg") == 3
    (band,) = re.findall(r'<path d="([^"]*)" class="band" style="([^"]*)"', text)
    assert band[0].startswith("M")
    assert "NaN" not in text
    assert "nan" not in band[0]
    assert band[1] == "fill: var(--series-1); stroke: var(--series-1)"  # of the second policy, as its row is
    assert "what was foreseen of it, items a second: foretide" in text
    assert re.search(r"In [\d.]+ % of these moments the load was above the band", text)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("classes", [1, 2])
def test_the_median_of_a_steady_load_is_that_load(classes: int) -> None:
    """Of several classes, too: they serve one load, which is foreseen as a whole."""
    listed = tuple(replace(CASE.usual, name=f"class-{number}", quota=4) for number in range(classes))
    (result,) = replayed(steady(replace(CASE, classes=listed)), OURS)
    median, provided = forecast(result).median_rps, forecast(result).provided_rps
    assert len(median) == len(provided) == len(result.arrivals) == 30 * 60 / BIN_SECONDS
    assert float(np.nanmedian(median)) == pytest.approx(STEADY_RPS, rel=0.05)
    assert np.isfinite(median).all()  # the warm-up foresees the beginning
    assert (provided >= median).all()
    assert forecast(result).exceeded(result.arrivals) < 0.2


@pytest.mark.timeout(120)
def test_who_has_no_forecast_has_none_to_show() -> None:
    reactive = Candidate("reactive", spec=ScalingPolicySpec.model_validate({"forecast": {"mode": "Reactive"}}))
    results = replayed(steady(), reactive, Candidate("hpa", "hpa"))
    assert [one.foreseen for one in results] == [None, None]
    text = page([steady()], [results], How(Fidelity.ARRIVALS, whole=False), ())
    assert 'class="band"' not in text
    assert "foreseen" not in text


def test_without_a_page_nothing_is_kept() -> None:
    (result,) = replayed(steady(), OURS, foreseen=False)
    assert result.foreseen is None


def recorded(lane: Lane, **more: Any) -> tuple[Foreseen, list[tuple[float, Decisions]]]:
    """What was kept of a run, and its decisions."""
    recorder, made = Recorder(1, seconds=lane.seconds), list[tuple[float, Decisions]]()

    def decided(now_seconds: float, answer: Answer[Any]) -> None:
        recorder.decided(now_seconds, answer)
        assert isinstance(answer, Decisions)
        made.append((now_seconds, answer))

    policy = POLICIES["foretide"].policy(profile([lane]), promise([lane]), {})
    simulate(policy, [lane], conditions=Conditions(scrape_seconds=5.0), decided=decided, **more)
    kept = recorder.of(0, begin_seconds=more.get("warm_up_seconds", 0.0))
    assert kept is not None
    return kept, made


def test_each_moment_has_what_the_decision_foresaw_of_it() -> None:
    """A lead time later; of a service that is new nothing is foreseen at first, which is no load of 0."""
    kept, made = recorded(worlds.lane(np.linspace(20.0, 90.0, 20).tolist(), seconds=1_200.0))
    expected: dict[int, tuple[float, float]] = {}
    for now, decisions in made:
        plan = decisions.plan
        if plan.ahead.known[0]:
            place = int((now + plan.lead_seconds[0]) // BIN_SECONDS)
            expected[place] = float(plan.likely.value[0]), float(plan.ahead.value[0])
    foreseen = np.flatnonzero(np.isfinite(kept.median_rps))
    assert foreseen.tolist() == sorted(place for place in expected if place < len(kept.median_rps))
    for place in foreseen.tolist():
        assert (kept.median_rps[place], kept.provided_rps[place]) == pytest.approx(expected[place], rel=1e-6)
    unknown = np.isnan(kept.median_rps)
    assert unknown[: 60 // 15].all()
    assert 0 < unknown.sum() < len(unknown) / 2
    assert np.array_equal(unknown, np.isnan(kept.provided_rps))


def test_the_warm_up_foresees_what_comes_after_it() -> None:
    lane = worlds.lane(50.0, seconds=1_200.0)
    (whole, _), (kept, _) = recorded(lane), recorded(lane, warm_up_seconds=600.0)
    assert np.array_equal(kept.median_rps, whole.median_rps[40:])
    assert np.isfinite(kept.median_rps).all()


def test_a_gap_is_drawn_as_a_gap() -> None:
    values = np.array([1.0, 2.0, np.nan, np.nan, 3.0, np.nan])
    drawn = charts.chart(
        "t", [charts.Line("l", "#000", values)], SPAN, band=charts.Band("b", "#000", values, values * 2)
    )
    assert drawn.y_ticks[-1].label == "6"  # the band is within
    (line,) = drawn.lines
    runs = [run.split("L") for run in line.path.split("M")[1:]]
    assert [len(run) for run in runs] == [2, 2]
    assert runs[1][0] == runs[1][1]  # a value alone is a dot
    assert drawn.band is not None
    assert [len(run.split("L")) for run in drawn.band.path.split("Z")[:-1]] == [4, 2]
    assert "nan" not in line.path + drawn.band.path


def test_thinning_keeps_peaks_beside_gaps_and_gaps_of_a_column() -> None:
    values = np.full(81 * charts.MOST_POINTS, np.nan, dtype=np.float32)
    values[81 * 7 + 5] = 9.0
    thin = charts.thinned(values[:-1], largest=True)
    assert len(thin) == charts.MOST_POINTS
    assert np.flatnonzero(np.isfinite(thin)).tolist() == [7]
    assert thin[7] == 9.0
