"""Our own policy in Faro's simulator, beside the best port of Faro's policies in the same runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.faro_table.cases import OBJECTIVES, Case
from bench.faro_table.page import TITLES, Results, mean, percent, spread
from bench.faro_table.published import Spread
from bench.faro_table.world import Outcome

MOONSHOT: Final = 0.5  # of what the best has outside the SLO


@dataclass(frozen=True, slots=True)
class Beside:
    """Foretide under a quota, and the best of Faro's variants under it."""

    case: Case
    ours: Sequence[Outcome]
    best: Case
    theirs: Sequence[Outcome]

    @classmethod
    def of(cls, case: Case, results: Results) -> Beside | None:
        """None where no variant of Faro's was run under that quota."""
        rivals = [Case(name=name, quota=case.quota) for name in OBJECTIVES]
        ran = [rival for rival in rivals if rival in results]
        if not ran:
            return None
        best = min(ran, key=lambda rival: mean(results[rival], "by_minute"))
        return cls(case, results[case], best, results[best])

    @property
    def ratio(self) -> float:
        """Of what is outside the SLO."""
        return mean(self.ours, "by_minute") / mean(self.theirs, "by_minute")

    @property
    def holds(self) -> bool:
        return self.ratio < 1.0


def table(besides: Sequence[Beside]) -> Iterator[str]:
    """Markdown, two lines for each quota."""
    yield "| quota | policy | % outside the SLO by minute | by job | by request | refused | replicas | ratio | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for each in besides:
        verdict = f"{each.ratio:.2f} | {'holds' if each.holds else '**MISSED**'}"
        yield _line(each.case, each.ours, verdict)
        yield _line(each.best, each.theirs, "|")


def section(besides: Sequence[Beside]) -> Iterator[str]:
    """Of the page."""
    half = sum(each.ratio <= MOONSHOT for each in besides)
    yield f"""
## Foretide in Faro's setting

The operator's own `Brain` in the same runs: the same arrivals, times of service, and days before the first second. It
is shown what it sees in production (pods, and what each has counted; batch times since the last look) and the quota,
and it has its one setting, with this simulator's tick of 10 s. It knows neither how long a request takes nor how long a
start does: it learns both as it goes. Every job counts the same: late requests in units of its own error budget. What a
replica is worth under a quota (`Lateness`) was chosen here, among a dozen forms, on the first runs under 32 and 36; the
other runs have other arrivals of the same load. It has no constant of this simulator. Its forecast model, the one that
is shipped, was trained among others on the ten days before of the same jobs, as Faro's own forecaster was, and never on
the day that is served.

The bar: below the best of Faro's variants ({", ".join(TITLES[name] for name in OBJECTIVES)}) under each quota, by
minute; {sum(each.holds for each in besides)} of {len(besides)} hold. The aim beyond it is half of that: {half} of \
{len(besides)}.
"""
    yield from table(besides)


def _line(case: Case, outcomes: Sequence[Outcome], verdict: str) -> str:
    shares = Spread.of(100.0 * outcome.by_minute for outcome in outcomes)
    return (
        f"| {case.quota} | {TITLES[case.name]} | {spread(shares)} | {percent(100.0 * mean(outcomes, 'by_job'))} "
        f"| {percent(100.0 * mean(outcomes, 'by_request'))} | {mean(outcomes, 'refused'):,.0f} "
        f"| {mean(outcomes, 'replicas'):.2f} | {verdict} |"
    )
