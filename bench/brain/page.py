"""The page of the brain: bars, variants, single loads, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.brain.coverage import LEVEL, Covered
from bench.brain.judge import Ran, Summary
from bench.brain.peers import HOURS, Point, Sweep, cost_at
from bench.brain.special import LEAD_SECONDS, Result
from bench.brain.variants import VARIANTS, WHOLE

# Days that a person would call smooth: the reasons in bench/scaling/series.toml say "smooth day", "office hours".
SMOOTH: Final = ("azure_functions_2019/bd33ce4bbd8f", "azure_llm_2024_code/code")
MOST_LATE, MOST_LATE_OF_ONE = 0.005, 0.015
MOST_COST: Final = {120.0: 1.8, 300.0: 1.9}
MOST_RATIO: Final = {120.0: 0.85, 300.0: 0.7}
MOST_COST_SMOOTH: Final = 1.25
COVERED_WITHIN: Final = 0.005
COVERED_SHARE: Final = 0.9
RECOVERED_AFTER_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that was run."""

    hours: float
    rans: Sequence[Ran]  # of the whole brain
    ablation_hours: float
    ablations: Sequence[Ran]  # of it and of all without a part
    flash: Sequence[Result]  # with the queue that never refuses
    refusing: Sequence[Result]  # the same with the one that does
    new: Sequence[Result]
    covered: Sequence[Covered]
    ours: Mapping[float, Point]  # by cold start, over the hours that peers are compared for
    peers: Sequence[tuple[Sweep, Point]]

    def points(self, policy: str, cold_start_seconds: float) -> list[Point]:
        """Of one peer in one setting, with all its knobs."""
        wanted = (policy, cold_start_seconds)
        return [point for sweep, point in self.peers if (sweep.policy, sweep.cold_start_seconds) == wanted]

    def best_peer(self, cold_start_seconds: float) -> tuple[str, float] | None:
        """Who pays least for as many late requests as ours has, and how much; None where no peer has so few."""
        late = self.ours[cold_start_seconds].late
        found = {}
        for name in dict.fromkeys(sweep.policy for sweep, _ in self.peers):
            cost = cost_at(late, self.points(name, cold_start_seconds))
            if cost is not None:
                found[name] = cost
        return min(found.items(), key=lambda item: item[1]) if found else None

    def of(self, cold_start_seconds: float) -> list[Ran]:
        """The runs of the whole brain in one setting."""
        return [ran for ran in self.rans if ran.cold_start_seconds == cold_start_seconds]


@dataclass(frozen=True, slots=True)
class Bar:
    """What must hold, and what was measured."""

    what: str
    bar: str
    measured: str
    holds: bool


def bars(results: Results) -> list[Bar]:
    """The bars that were measured."""
    found: list[Bar] = []
    for cold_start, most in MOST_COST.items():
        rans = results.of(cold_start)
        summary = Summary.of(rans, hours=results.hours)
        name = f"cold start {cold_start:g} s"
        found += [
            Bar(
                f"{name}: late, mean of the series",
                f"<= {MOST_LATE:.1%}",
                f"{summary.late_mean:.2%} {_interval(summary.late_interval, percent=True)}",
                summary.late_mean <= MOST_LATE,
            ),
            Bar(
                f"{name}: late, worst series",
                f"<= {MOST_LATE_OF_ONE:.1%}",
                f"{summary.late_worst:.2%} ({summary.worst_series})",
                summary.late_worst <= MOST_LATE_OF_ONE,
            ),
            Bar(
                f"{name}: cost in units of the optimum, arithmetic mean",
                f"<= {most:g}",
                f"{summary.cost_mean:.2f} {_interval(summary.cost_interval)}; geometric {summary.cost_geometric:.2f}",
                summary.cost_mean <= most,
            ),
        ]
    smooth = [ran for ran in results.of(120.0) if ran.series in SMOOTH]
    dearest = max(np.mean([ran.cost for ran in smooth if ran.series == one]) for one in SMOOTH)
    latest = max(np.mean([ran.late_share for ran in smooth if ran.series == one]) for one in SMOOTH)
    found.append(
        Bar(
            "smooth days: cost and late of the worse",
            f"<= {MOST_COST_SMOOTH:g} at <= {MOST_LATE:.1%}",
            f"{dearest:.2f} at {latest:.2%}",
            bool(dearest <= MOST_COST_SMOOTH and latest <= MOST_LATE),
        )
    )
    ours = results.refusing[0]
    longest = LEAD_SECONDS + RECOVERED_AFTER_SECONDS
    found += [
        Bar(
            "step 1 to 5 times, refusing queue: recovered after, slowest seed",
            f"<= {longest:.0f} s",
            f"{ours.recovered_seconds:.0f} s",
            ours.recovered_seconds <= longest,
        ),
        _not_above_hpa("step 1 to 5 times: late", results.flash),
        _not_above_hpa("the same, refusing queue", results.refusing),
        _not_above_hpa("service without a past, first 30 min: late", results.new),
    ]
    found += [_cheaper(results, cold_start, most) for cold_start, most in MOST_RATIO.items() if results.peers]
    if results.covered:
        within = [abs(share - LEVEL) <= COVERED_WITHIN for one in results.covered for share in one.share.values()]
        found.append(
            Bar(
                f"the {LEVEL:.0%} quantile holds as often as it says, +- {100 * COVERED_WITHIN:g} points",
                f">= {COVERED_SHARE:.0%} of the cases",
                f"{np.mean(within):.0%} of {len(within)}",
                bool(np.mean(within) >= COVERED_SHARE),
            )
        )
    return found


def table(found: Sequence[Bar]) -> list[str]:
    """As markdown, which a terminal shows well enough."""
    rows = [f"| {one.what} | {one.bar} | {one.measured} | {'holds' if one.holds else 'MISSED'} |" for one in found]
    return ["| what | bar | measured | |", "|---|---|---|---|", *rows]


def lines(results: Results, found: Sequence[Bar]) -> list[str]:
    """The whole page."""
    seeds = len({ran.seed for ran in results.rans})
    return [
        "# The scaling brain on loads that chose nothing",
        "",
        "Made by `python -m bench.brain` (about half an hour on two processors).",
        "",
        f"Each series that judges (`bench/scaling/series.toml`) is run for the {results.hours:g} hours around its "
        "largest minute behind 60 % of the series, request by request, with the model, SLO (99 % within 250 ms) and "
        f"size of [the benchmark of all autoscalers](scaling.md). {seeds} seeds. One "
        "setting for all series: the constants of the brain were chosen on the series that choose, and "
        "the [global model](../forecast-model.md) never saw a series that judges. Means are over the series; intervals "
        "are 95 %, by bootstrap over series and seeds.",
        "",
        *table(found),
        "",
        f"## What each part is worth, cold start {min(MOST_COST):g} s",
        "",
        f"The {results.ablation_hours:g} hours around the largest minute, one seed.",
        "",
        *_variants(results),
        "",
        "`perfect forecast` is our own decision told what will come: what is late with it comes of lead times that "
        "differ, of capacity and of chance within 15 s; what it costs above 1 comes of the hold, the margin and the "
        "room that the SLO asks for at any moment.",
        "",
        "## Beside other autoscalers",
        "",
        f"Over the {HOURS:g} hours around the largest minute, one seed, each peer with the knobs that are cheapest for "
        "so few late requests **on these very loads**, which nobody has in advance; ours has one setting.",
        "",
        *_peers(results),
        "",
        "## Series by series",
        "",
        *_series(results),
        "",
        f"## A step from two replicas' load to ten; nine of ten cold starts take less than {LEAD_SECONDS:.0f} s",
        "",
        "The queue that never refuses, where what waits stays with the pod it came to:",
        "",
        *_results(results.flash, recovered=True),
        "",
        "The queue that refuses what would be late:",
        "",
        *_results(results.refusing, recovered=True),
        "",
        "## A service without a past, its first half hour",
        "",
        *_results(results.new, recovered=False),
        "",
        f"## How often the {LEVEL:.0%} quantile held",
        "",
        *_coverage(results.covered),
    ]


def _variants(results: Results) -> list[str]:
    rows = [
        "| variant | late, mean | late, worst | cost, mean | cost, geometric | changes a day |",
        "|---|---|---|---|---|---|",
    ]
    for name in (variant.name for variant in VARIANTS):
        rans = [ran for ran in results.ablations if ran.variant == name]
        if not rans:
            continue
        one = Summary.of(rans, hours=results.ablation_hours)
        rows.append(
            f"| {name} | {one.late_mean:.2%} | {one.late_worst:.2%} | {one.cost_mean:.2f} | "
            f"{one.cost_geometric:.2f} | {one.events_a_day:.0f} |"
        )
    return rows


def _peers(results: Results) -> list[str]:
    settings = sorted(results.ours)
    heads = [f"{one:g} s: cost with as many late as ours | fewest late, at cost" for one in settings]
    ours = [f"{results.ours[one].cost:.2f} | {results.ours[one].late:.2%}" for one in settings]
    rows = [
        f"| policy | {' | '.join(heads)} |",
        "|---" * (1 + 2 * len(settings)) + "|",
        f"| {WHOLE} | {' | '.join(ours)} |",
    ]
    for name in dict.fromkeys(sweep.policy for sweep, _ in results.peers):
        cells = []
        for setting in settings:
            mine = results.points(name, setting)
            cost = cost_at(results.ours[setting].late, mine)
            fewest = min(mine, key=lambda point: (point.late, point.cost))
            cells.append(f"{'never' if cost is None else f'{cost:.2f}'} | {fewest.late:.2%} at {fewest.cost:.2f}")
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def _series(results: Results) -> list[str]:
    settings = sorted({ran.cold_start_seconds for ran in results.rans})
    rows = [
        f"| series | {' | '.join(f'{one:g} s: late | cost' for one in settings)} |",
        "|---" * (1 + 2 * len(settings)) + "|",
    ]
    for series in sorted({ran.series for ran in results.rans}):
        cells = []
        for setting in settings:
            mine = [ran for ran in results.of(setting) if ran.series == series]
            cells.append(f"{np.mean([ran.late_share for ran in mine]):.2%} | {np.mean([ran.cost for ran in mine]):.2f}")
        rows.append(f"| {series} | {' | '.join(cells)} |")
    return rows


def _results(found: Sequence[Result], *, recovered: bool) -> list[str]:
    head = "| policy | late | replica-hours |" + (" recovered after |" if recovered else "")
    rows = [head, "|---" * (4 if recovered else 3) + "|"]
    for one in found:
        row = f"| {one.policy} | {one.late_share:.2%} | {one.replica_hours:.2f} |"
        rows.append(row + (f" {one.recovered_seconds:.0f} s |" if recovered else ""))
    return rows


def _coverage(covered: Sequence[Covered]) -> list[str]:
    rows = ["| series | least | mean | most |", "|---|---|---|---|"]
    for series in dict.fromkeys(one.series for one in covered):
        shares = [share for one in covered if one.series == series for share in one.share.values()]
        rows.append(f"| {series} | {min(shares):.2%} | {np.mean(shares):.2%} | {max(shares):.2%} |")
    return rows


def _cheaper(results: Results, cold_start_seconds: float, most: float) -> Bar:
    ours, best = results.ours[cold_start_seconds], results.best_peer(cold_start_seconds)
    against = "no peer has so few late" if best is None else f"{ours.cost / best[1]:.2f} ({best[0]}: {best[1]:.2f})"
    return Bar(
        f"cold start {cold_start_seconds:g} s: our cost over the best peer's with as many late",
        f"< {most:g}",
        f"{against}; ours is {ours.cost:.2f} at {ours.late:.2%}",
        best is None or ours.cost / best[1] < most,
    )


def _not_above_hpa(what: str, found: Sequence[Result]) -> Bar:
    """Against the HPA at our cost: between the two targets that cost less and more, by a straight line."""
    ours, peers = found[0], sorted(found[1:], key=lambda one: one.replica_hours)
    late = float(np.interp(ours.replica_hours, [one.replica_hours for one in peers], [one.late_share for one in peers]))
    return Bar(
        what,
        f"<= HPA's at our {ours.replica_hours:.2f} replica-hours, {late:.2%}",
        f"{ours.late_share:.2%}",
        ours.late_share <= late,
    )


def _interval(interval: tuple[float, float], *, percent: bool = False) -> str:
    low, high = interval
    return f"[{low:.2%}, {high:.2%}]" if percent else f"[{low:.2f}, {high:.2f}]"
