"""What a PromQL expression asks for: the names of its metrics. For text that `promtool` parses, not for any text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from foretide.adapters.triton_metrics import HISTOGRAM, METRICS, SUMMARY
from foretide.app import metrics_page

# What is no name of a metric: strings, matchers, lists of labels, ranges with their subqueries, numbers.
_NOT_NAMES: Final = re.compile(
    r"""'[^']*'|"[^"]*"|\{[^}]*\}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|\[[^\]]*\]"""
    r"""|\b\d[\w.]*"""
)
_WORD: Final = re.compile(r"[a-zA-Z_:][\w:]*(?!\w*\s*\()")
_KEYWORDS: Final = {"and", "or", "unless", "bool", "offset", "group_left", "group_right", "atan2"}
_SHOWN_BY_TRITON: Final = Path(__file__).parents[1] / "adapters" / "triton_2.51_metrics.txt"


def metrics(expression: str) -> set[str]:
    """The names of all metrics in it."""
    strings_gone = re.sub(r"'[^']*'|\"[^\"]*\"", "''", expression)
    bare = _NOT_NAMES.sub(" ", strings_gone)
    return {word for word in _WORD.findall(bare) if word not in _KEYWORDS}


def of_operator() -> set[str]:
    """What docs/metrics.md lists, as PromQL finds it."""
    return {name for family in metrics_page.EVERY for name in metrics_page.exported(family)}


def of_triton() -> set[str]:
    """What a Triton server exports: all that one showed, and what newer ones are asked for."""
    shown = re.findall(r"^(nv_\w+)", _SHOWN_BY_TRITON.read_text(encoding="utf-8"), re.MULTILINE)
    return {*shown, HISTOGRAM.name, SUMMARY.name, *(metric.name for metric in METRICS.values())}
