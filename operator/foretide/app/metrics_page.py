"""Writes docs/metrics.md from the families: `python -m foretide.app.metrics_page [--check] [FILE]`."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

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
    parser = argparse.ArgumentParser(prog="python -m foretide.app.metrics_page", description=__doc__)
    parser.add_argument("file", nargs="?", default=_FILE, type=Path, help=f"default: {_FILE}")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not up to date")
    options = parser.parse_args(arguments)
    if options.file.is_file() and options.file.read_text(encoding="utf-8") == rendered():
        return 0
    if options.check:
        sys.stdout.write(f"{options.file}: out of date; run make pages\n")
        return 1
    options.file.write_text(rendered(), encoding="utf-8")
    sys.stdout.write(f"{options.file}: written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
