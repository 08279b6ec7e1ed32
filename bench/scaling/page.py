"""docs/benchmarks/scaling.md, and a page for each series that judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

from bench.scaling.pictures import draw_pareto, draw_series
from bench.scaling.plan import COLD_START_CV, LARGE, LAW, OBJECTIVE, SLO_SECONDS, SMALL, USUAL
from bench.scaling.results import Results
from bench.scaling.split import Series, Split
from bench.scaling.summary import Summary, knobs_text, setting_of, summaries
from foretide.simulate.command.results import HOUR_SECONDS, Run

PARETO: Final = "pareto.png"


def write(results: Results, folder: Path) -> None:
    """All pages with their pictures."""
    pictures = folder / "scaling"
    pictures.mkdir(parents=True, exist_ok=True)
    draw_pareto(summaries(results.judge), results, pictures / PARETO)
    (folder / "scaling.md").write_text("\n".join(_page(results)) + "\n")
    for one in results.series:
        if one.split is Split.JUDGE:
            tuned = [run for run in results.judge if run["series"] == one.name and _is_tuned(run, results)]
            picture = pictures / f"{_file_name(one)}.png"
            draw_series([run for run in tuned if "timeline" in run], picture)
            picture.with_suffix(".md").write_text("\n".join(_series_page(one, tuned, picture)) + "\n")


def _page(results: Results) -> Iterator[str]:
    scope = results.scope
    yield f"""# Autoscalers on real traces

Made by `make bench-scaling` (an hour on two processors, resumable); every figure is in `build/bench/scaling.json`.

One service on Triton under one real load a lane, simulated request by request: {LAW.per_item_seconds * 1e3:g} ms an
item and {LAW.fixed_seconds * 1e3:g} ms a batch of at most {LAW.max_batch}, {OBJECTIVE:.0%} of the requests promised
within {SLO_SECONDS:g} s, cold starts lognormal around their mean (cv {COLD_START_CV:g}). Each series is scaled so that
it needs {SMALL} replicas or fewer in all but one of a thousand steps. Judged are
{scope.judged_seconds / HOUR_SECONDS:g} hours around the largest minute behind 60 % of the series; before them lies the
past that a policy may learn from. `bench/scaling/series.toml` says which series choose knobs and which judge, and why.
So that it takes no more than an hour the refusing queue, larger fleets and burstier arrivals are run at a cold start of
{USUAL.title} alone. Seeds of each series: {len(scope.seeds)} (`BENCH_ARGS="--seeds 5"` for more). The intervals are
those of the mean over the series (bootstrap, 90 %). Whole days of Foretide, seed by seed and part by part:
[brain.md](brain.md).

**Every peer is tuned for each setting of its own**: it gets the cheapest knobs that keep the objective in the mean over
the series that choose, swept [as a fluid](fluid.md), one knob after the other; where none keep it, those with the
fewest late requests (marked `!`). Peers that forecast with a neural network in their paper (MArk, Faro) have an
autoregression instead. A quota is one for all series of a side together.

A cell is: mean share of requests outside the SLO [its interval], and the geometric mean of the cost in units of the
optimum: of the schedule of someone who knows the rates and, at the least cost, has the replicas that keep the objective
at every step. Who spends late requests where that is dear may cost less.

No policy may be below what its number of late requests costs at least: {len(results.below_the_bound)} of
{len(results.runs):,} runs are. That bound is for any sequence of decisions and leaves out waiting; in the mean over the
runs on the series that judge it is {_tightness(results):.0%} of what they cost.

![Requests outside the SLO against cost, in each setting](scaling/{PARETO})

## Tuned on the series that choose, by cold start
"""
    judged = summaries(results.judge)
    yield from _tuned_table(judged, results)
    yield f"\n## As they come, cold start {USUAL.title}\n"
    yield from _plain_table(judged, results)
    yield f"""
The refusing queue refuses what would be late (timeout: SLO less the largest batch); else it is Triton's default,
without a limit.

## Burstier arrivals, larger fleets

Tuned at {SMALL} replicas and Poisson arrivals; cold start {USUAL.title},
{scope.varied_seconds / 60:g} minutes; {LARGE} replicas as a fluid. Policies with a quota are left out: it was
chosen for fleets of one size.
"""
    yield from _varied_table(results)
    yield f"""
## Leave one series out

The second view: over all series, each with the knobs that all others chose; cold start {USUAL.title}.
"""
    yield from _held_out_table(results.held_out)
    yield "\n## Series\n\n| series | what it is | side |\n|---|---|---|"
    for one in results.series:
        link = f"[{one.name}](scaling/{_file_name(one)}.md)" if one.split is Split.JUDGE else one.name
        yield f"| {link} | {one.reason} | {one.split} |"


def _head(first: str, titles: Sequence[str]) -> str:
    return f"| {first} | {' | '.join(titles)} |\n|{'---|' * (1 + len(titles))}"


def _tuned_table(rows: Sequence[Summary], results: Results) -> Iterator[str]:
    by_key = {(row.policy, row.setting, row.knobs): row for row in rows}
    settings = results.scope.settings
    yield _head("policy", [setting.title for setting in settings])
    for entry in results.policies:
        cells = []
        for setting in settings:
            choice = results.chosen[entry.name, setting]
            knobs = knobs_text(choice.knobs)
            cells.append(f"{_cell(by_key[entry.name, setting, knobs])}<br>{'' if choice.keeps else '! '}{knobs}")
        yield f"| {entry.name} | {' | '.join(cells)} |"


def _plain_table(rows: Sequence[Summary], results: Results) -> Iterator[str]:
    by_key = {(row.policy, row.setting, row.knobs): row for row in rows}
    yield _head("policy", ["outside the SLO, mean", "worst series", "cost / optimum, mean", "dearest series"])
    for entry in results.policies:
        yield _line(by_key[entry.name, USUAL, knobs_text(entry.settings({}))])


def _line(row: Summary) -> str:
    return (
        f"| {row.policy} | {row.violation_share:.2%} | {row.worst_share:.1%} ({row.worst_series}) "
        f"| {row.times_optimum:.2f} | {row.worst_times_optimum:.2f} |"
    )


def _tightness(results: Results) -> float:
    return fmean(run["bound_replica_hours"] / run["replica_hours"] for run in results.judge)


def _cell(row: Summary) -> str:
    low, high = row.share_interval
    return f"{row.violation_share:.2%} [{low:.1%}, {high:.1%}] at {row.times_optimum:.2f}"


def _varied_table(results: Results) -> Iterator[str]:
    by_key = {(row.policy, row.variation): row for row in summaries(results.varied)}
    kinds = results.scope.variations
    yield _head("policy", [kind.title for kind in kinds])
    for name in dict.fromkeys(policy for policy, _ in by_key):
        yield f"| {name} | {' | '.join(_cell(by_key[name, kind]) for kind in kinds)} |"


def _held_out_table(runs: Sequence[Run]) -> Iterator[str]:
    yield _head("policy", ["outside the SLO, mean", "worst series", "cost / optimum, mean", "dearest series"])
    # The knobs differ by series, and are no part of what is compared.
    for row in summaries([{**run, "knob": {}} for run in runs]):
        yield _line(row)


def _series_page(one: Series, tuned: Sequence[Run], picture: Path) -> Iterator[str]:
    yield f"""# {one.name}

{one.reason[0].upper()}{one.reason[1:]}. [All series](../scaling.md)

![Load, and replicas of some policies]({picture.name})

Replicas that the load needs, and replicas ready, at a cold start of {USUAL.title}.

Tuned on other series, mean of the seeds: requests outside the SLO, and cost in units of the optimum.
"""
    rows = summaries(tuned)
    settings = sorted({row.setting for row in rows})
    by_key = {(row.policy, row.setting): row for row in rows}
    yield _head("policy", [setting.title for setting in settings])
    for name in dict.fromkeys(policy for policy, _ in by_key):
        cells = [by_key[name, setting] for setting in settings]
        yield f"| {name} | {' | '.join(f'{row.violation_share:.2%} at {row.times_optimum:.2f}' for row in cells)} |"


def _is_tuned(run: Run, results: Results) -> bool:
    return bool(results.chosen[run["policy"], setting_of(run)].knobs == run["knob"])


def _file_name(one: Series) -> str:
    return one.name.replace("/", "-")
