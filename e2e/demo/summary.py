"""The result of the demo in numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.demo.days import Day, capacity_of, days
from e2e.demo.watch import Look
from e2e.load import Result, report


@dataclass(frozen=True, slots=True)
class Summary:
    """build/demo/summary.json; null where the demo did not come to it."""

    seconds_to_first_answer: float | None
    requests: int
    failed_requests: int  # whatever was not answered with 200, for whatever reason
    share_within_slo: float | None  # of the load's requests
    replicas_min: int | None  # of those that answered, while the load ran
    replicas_max: int | None
    answers_checked: int
    answers_wrong: int
    capacity_rps: float | None  # of one replica within the SLO, as the operator counts on it
    days: tuple[Day, ...] | None  # of two: the first as it came, the second foreseen

    def write(self, path: Path) -> None:
        """The numbers as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def summarise(
    seconds_to_first_answer: float | None,
    first: Sequence[Result],
    load: Result | None,
    looks: Sequence[Look],
    *,
    slo_seconds: float,
    season_seconds: float | None = None,
) -> Summary:
    """The summary of the first answers, the load (if there was one) and the looks at the service."""
    parts = [*first, *([load] if load is not None else [])]
    sums = [report.totals(part, slo_seconds=slo_seconds) for part in parts]
    loaded = load is not None and len(load) > 0
    ready = ready_during(load, looks) if load is not None and loaded else []
    compared: tuple[Day, ...] = ()
    if load is not None and season_seconds is not None:
        compared = days(load, looks, season_seconds=season_seconds, slo_seconds=slo_seconds)
    return Summary(
        seconds_to_first_answer=seconds_to_first_answer,
        requests=sum(part.requests for part in sums),
        failed_requests=sum(part.failed for part in sums),
        share_within_slo=round(sums[-1].share_within_slo, 5) if loaded else None,
        replicas_min=min(ready, default=None),
        replicas_max=max(ready, default=None),
        answers_checked=sum(part.answers_checked for part in sums),
        answers_wrong=sum(part.answers_wrong for part in sums),
        capacity_rps=capacity_of(looks),
        days=compared or None,
    )


def ready_during(load: Result, looks: Sequence[Look]) -> list[int]:
    """Ready replicas at each look while the load ran."""
    ended = load.started_at + float(load.planned_at[-1])
    return [look.ready for look in looks if load.started_at <= look.at <= ended]
