"""Writes docs/metrics.md from the families: `python -m foretide.app.metrics_page [--check] [FILE]`."""

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from foretide.api.generated import keep_page
from foretide.app import condition_series, families, service_series
from foretide.app.families import Family, Kind

_FILE: Final = "docs/metrics.md"
OF_SERVICES: Final = (*service_series.FAMILIES, condition_series.CONDITION)
EVERY: Final = (*families.OPERATOR, *OF_SERVICES)
_HEAD: Final = """\
# Metrics of the operator
<!-- Generated from operator/foretide/app by `python -m foretide.app.metrics_page`; do not edit. -->

`/metrics` on port 8080 of each operator pod, also of those that stand by: `foretide_leader` tells which one acts. Those
of Python and of the process (`python_info`, `process_*`) are there, too. What is made of them: [alerts](alerts.md).

- The labels `namespace` and `service` name the InferenceService. Scrape with `honorLabels: true` (`honor_labels` where
  there is no Prometheus Operator), as the chart's PodMonitor does: else Prometheus writes the operator's own namespace
  over them.
- **Unknown has no series**, and is never 0: write alerts so that an absent series does not fire them, and
  `ForetideMetricsMissing` and `ForetideDown` for those that are absent.
- Counters begin at 0 with each operator that takes over: read them through `rate()` or `increase()`.
- No label holds a text of a user but the names of namespaces, services and hardware classes. The last column tells how
  many series there are at the most; S is the number of InferenceServices.
"""


def rendered() -> str:
    """The text of the page."""
    total = "\nIn all some 40 series of a service, and 150 of an operator.\n"
    return (
        "\n".join(
            [
                _HEAD,
                "## Of the operator",
                *_table(families.OPERATOR),
                "",
                "## Of each service",
                *_table(OF_SERVICES),
                total,
                "",
            ]
        ).rstrip()
        + "\n"
    )


def _table(rows: Iterable[Family]) -> Iterable[str]:
    yield "| metric | type | labels | unit | meaning | series at most |"
    yield "|---|---|---|---|---|---|"
    for family in rows:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| `{family.name}` | {family.kind} | {labels} | {family.unit} | {family.text} | {family.most} |"


def exported(family: Family) -> tuple[str, ...]:
    """The names under which PromQL finds it."""
    if family.kind is Kind.HISTOGRAM:
        return tuple(f"{family.name}_{suffix}" for suffix in ("bucket", "sum", "count"))
    return (family.name,)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with --check only compare; the exit status is 1 if it differs."""
    return keep_page(arguments, module="foretide.app.metrics_page", about=__doc__, file=_FILE, rendered=rendered)


if __name__ == "__main__":
    sys.exit(main())
