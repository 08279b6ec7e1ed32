"""What a process tells of itself at /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families


def read(text: str) -> dict[str, float]:
    """The series by `name` or `name{label="value",...}`, labels in the order of their names."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {_series(sample.name, sample.labels): sample.value for sample in samples}


def _series(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name
