"""The charts of the pages that explain: `python -m bench.pictures` writes docs/pictures/ (a minute on one core).

Each is what the operator's own code computes: the second of two days of the demo's trace, request by request, under
Foretide, which has read the first one from Prometheus, and under the HorizontalPodAutoscaler; and the rate of a replica
by the capacity table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.places import REPOSITORY
from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.law import Law as LearnedLaw
from foretide.scaling.capacity.rate import Capacity, rate_per_replica
from foretide.scaling.policy import Past
from foretide.scaling.readings import Readings
from foretide.simulate.observe import profile, promise
from foretide.simulate.outcome import Outcome
from foretide.simulate.policies import POLICIES
from foretide.simulate.run import EPOCH_SECONDS, simulate
from foretide.simulate.scenario import Conditions, Duration, Lane, Law
from foretide.simulate.state import BIN_SECONDS
from foretide.simulate.traces import read_trace

FOLDER: Final = REPOSITORY / "docs" / "pictures"
TRACE: Final = REPOSITORY / "examples" / "traces" / "azure_llm_code_two_days.csv"
# As in the benchmark of all autoscalers.
LAW: Final = Law(per_item_seconds=0.010, fixed_seconds=0.040, max_batch=8, instances=1)
SLO_SECONDS: Final = 0.250
OBJECTIVE: Final = 0.99
COLD_START_SECONDS: Final = 180.0
# Of what the busiest five minutes ask for: enough for some ten replicas.
PEAK_RPS: Final = 400.0
DAY_SECONDS: Final = 86_400.0
HOUR_SECONDS: Final = 3_600.0
MINUTE_SECONDS: Final = 60.0
SHOWN_HOURS: Final = (6.0, 22.0)
WARM_UP_SECONDS: Final = 1_800.0
ASKED, OURS, THEIRS, LATE = "#9a9a9a", "#0072b2", "#d55e00", "#c00000"


def rates_rps() -> Floats:
    """Both days, by the minute, the busiest five of which ask for PEAK_RPS."""
    trace = read_trace(TRACE)
    counts = trace.counts[0].astype(np.float64)
    return np.repeat(counts / counts.max() * PEAK_RPS, round(trace.step_seconds / MINUTE_SECONDS))


def run(policy: str, knobs: dict[str, float]) -> Outcome:
    """The hours that are shown, request by request; before them half an hour that does not count."""
    rates, begin, end = rates_rps(), *(DAY_SECONDS + hour * HOUR_SECONDS for hour in SHOWN_HOURS)
    first = round((begin - WARM_UP_SECONDS) / MINUTE_SECONDS)
    lane = Lane(
        name="service",
        rates_rps=rates[first : round(end / MINUTE_SECONDS)],
        step_seconds=MINUTE_SECONDS,
        seed=1,
        law=LAW,
        slo_latency_seconds=SLO_SECONDS,
        objective=OBJECTIVE,
        cold_start=Duration.constant(COLD_START_SECONDS),
        min_replicas=1,
        max_replicas=60,
        initial_replicas=2,
    )
    starts = EPOCH_SECONDS + begin - WARM_UP_SECONDS
    before = Readings(value=rates[None, :first], known=np.ones((1, first), dtype=np.bool_))
    (outcome,) = simulate(
        POLICIES[policy].policy(profile([lane]), promise([lane]), knobs),
        [lane],
        conditions=Conditions(scrape_seconds=POLICIES[policy].scrape_seconds),
        past=Past(demand=before, step_seconds=MINUTE_SECONDS, end_seconds=starts),
        warm_up_seconds=WARM_UP_SECONDS,
        epoch_seconds=starts,
    )
    return outcome


def foreseen(file: Path) -> None:
    """The same day under two autoscalers: what was asked, what the ready replicas carry, what was late."""
    rate = float(capacity(np.array([SLO_SECONDS]), OBJECTIVE).rate_rps[0])
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True, sharey=True)
    _day(panels[0], run("foretide", {}), rate, "Foretide", OURS)
    _day(panels[1], run("hpa", {"target": 0.7}), rate, "HorizontalPodAutoscaler at 70 %", THEIRS)
    panels[1].set_xlabel("hour of the second day")
    _save(figure, file)


def _day(axes: Axes, outcome: Outcome, rate_rps: float, name: str, colour: str) -> None:
    line = outcome.timeline
    hours = SHOWN_HOURS[0] + (np.arange(len(line.arrivals)) + 0.5) * BIN_SECONDS / HOUR_SECONDS
    minute = round(MINUTE_SECONDS / BIN_SECONDS)
    asked = line.arrivals.reshape(-1, minute).sum(axis=1) / MINUTE_SECONDS
    axes.fill_between(hours[::minute], asked, color=ASKED, alpha=0.5, linewidth=0, label="asked")
    carried = line.ready * rate_rps
    axes.step(hours, carried, where="mid", color=colour, linewidth=1.4, label="carried by the ready replicas")
    late = line.violations / np.maximum(line.arrivals, 1)
    many = late > 1.0 - OBJECTIVE
    axes.plot(
        hours[many], np.zeros(many.sum()), "|", color=LATE, markersize=9, label="more than 1 % late", clip_on=False
    )
    hours_of_replicas = outcome.replica_seconds / HOUR_SECONDS
    axes.set_title(f"{name}: {outcome.violation_share:.2%} late, {hours_of_replicas:.0f} replica-hours", loc="left")
    axes.set_ylabel("requests/s")
    axes.set_xlim(*SHOWN_HOURS)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    _plain(axes)


def rates(file: Path) -> None:
    """What one replica may be given: by the latency that is promised, for three objectives."""
    slos = np.geomspace(0.060, 1.0, 200)
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    axes = figure.subplots()
    for objective, colour in ((0.95, "#56b4e9"), (0.99, OURS), (0.999, "#004c7a")):
        axes.plot(1e3 * slos, capacity(slos, objective).rate_rps, color=colour, label=f"{100 * objective:g} % in time")
    saturation = LAW.max_batch / (LAW.per_item_seconds * LAW.max_batch + LAW.fixed_seconds)
    axes.axhline(saturation, color=ASKED, linestyle="--", linewidth=1)
    axes.annotate("full batches, any latency", (62, saturation), va="bottom", fontsize=8, color="#666666")
    axes.axvline(1e3 * SLO_SECONDS, color=ASKED, linestyle=":", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([60, 100, 250, 500, 1000], ["60", "100", "250", "500", "1,000"])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("spec.slo.latency in ms (a single item takes 50 ms, a batch of 8 takes 120 ms)")
    axes.set_ylabel("items/s of one replica")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    _plain(axes)
    _save(figure, file)


def capacity(slos: Floats, objective: float) -> Capacity:
    """What one replica with LAW is counted on for, at each SLO in seconds."""
    ones = np.ones(len(slos))
    law = LearnedLaw(
        per_item_seconds=LAW.per_item_seconds * ones,
        fixed_seconds=LAW.fixed_seconds * ones,
        largest=LAW.max_batch * ones,
        known=ones > 0.0,
        single_known=ones > 0.0,
        told=ones < 0.0,
    )
    return rate_per_replica(
        law,
        slo_latency_seconds=slos,
        objective=objective * ones,
        max_batch=np.full(len(slos), LAW.max_batch),
        instances=np.ones(len(slos), dtype=np.int64),
    )


def _plain(axes: Axes) -> None:
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, file: Path) -> None:
    # The same bytes for the same numbers: no date, no random ids, and text as text.
    with mpl.rc_context({"svg.hashsalt": "foretide", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Writes all of them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    foreseen(FOLDER / "foreseen.svg")
    rates(FOLDER / "rates.svg")


if __name__ == "__main__":
    main()
