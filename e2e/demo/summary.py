"""The result of the demo in eight numbers, and whether it is a success."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from e2e.demo.watch import Look
from e2e.load import Result, report


@dataclass(frozen=True, slots=True)
class Summary:
    """build/demo/summary.json; null where the demo did not come to it."""

    seconds_to_first_answer: float | None = None
    requests: int = 0
    failed_requests: int = 0
    share_within_slo: float | None = None
    replicas_min: int | None = None  # of those that answered, while the load ran
    replicas_max: int | None = None
    answers_checked: int = 0
    answers_wrong: int = 0

    @property
    def success(self) -> bool:
        """Every request answered, every answer right, and there was one."""
        return self.answers_checked > 0 and self.answers_wrong == 0 and self.failed_requests == 0

    def write(self, path: Path) -> None:
        """The numbers as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def summarise(
    first_answer_seconds: float | None,
    first: Sequence[bool],
    result: Result | None,
    looks: Sequence[Look],
    *,
    slo_seconds: float,
) -> Summary:
    """The summary of the first answers (right or wrong), the load (if there was one) and the looks at the service."""
    right, wrong = sum(first), len(first) - sum(first)
    if result is None or len(result) == 0:
        return Summary(first_answer_seconds, len(first), 0, None, None, None, right + wrong, wrong)
    sums = report.totals(result, slo_seconds=slo_seconds)
    last = result.started_at + float(result.planned_at[-1])
    ready = [look.ready for look in looks if result.started_at <= look.at <= last] or [
        look.ready for look in looks[-1:]
    ]
    return Summary(
        seconds_to_first_answer=first_answer_seconds,
        requests=len(first) + sums.requests,
        failed_requests=sums.failed,
        share_within_slo=round(sums.share_within_slo, 5),
        replicas_min=min(ready, default=None),
        replicas_max=max(ready, default=None),
        answers_checked=right + wrong + sums.answers_checked,
        answers_wrong=wrong + sums.answers_wrong,
    )
