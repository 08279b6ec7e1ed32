"""Series as text, for families of thousands of them. For 23,000 series of 1,000 services, which wait in the event loop
beside the ticks, prometheus_client with its object and sorted labels for each sample took five times as long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foretide.app.families import Family

Samples = Iterable[tuple[tuple[str, ...], float]]

_ESCAPED: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_ESCAPED_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


def lines(family: Family, samples: Samples) -> Iterator[str]:
    """The family in Prometheus' text format; `samples` have the values of its labels in their order, and a number."""
    yield f"# HELP {family.name} {family.text.translate(_ESCAPED_HELP)}\n# TYPE {family.name} {family.kind}\n"
    names = ",".join(f'{label}="%s"' for label in family.labels)
    line = f"{family.name}{{{names}}} %r\n"
    for labels, value in samples:
        yield line % (*(label.translate(_ESCAPED) for label in labels), value)
