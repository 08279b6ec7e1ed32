"""What the operator foresees for the demo's service, from its own metrics."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from e2e.demo.example import Example
from e2e.demo.install import NAMESPACE, RELEASE
from e2e.demo.target import Target

# The chart's Service of the operator, through the API server: so it is read on whatever cluster.
METRICS = f"/api/v1/namespaces/{NAMESPACE}/services/{RELEASE}-operator:8080/proxy/metrics"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One tick of the operator; None for what it does not know or trust."""

    made_at: float  # Unix time
    lead_seconds: float  # how far ahead it looks: until a replica started now is ready
    capacity_rps: float  # what one replica is counted on for within the SLO
    likely_rps: float | None  # the median
    provided_rps: float | None  # the quantile that is provided for

    @property
    def at(self) -> float:
        """The moment it is foreseen for."""
        return self.made_at + self.lead_seconds


def fetch(target: Target, wanted: Example) -> Foreseen | None:
    """What the last tick foresaw, None before there was one; CommandFailed when the operator does not answer."""
    return read(target.kubectl("get", "--raw", METRICS, "--request-timeout=2s"), wanted)


def read(text: str, wanted: Example) -> Foreseen | None:
    """The same from the text of the metrics."""
    here = {"namespace": wanted.namespace, "service": wanted.name}
    found = {
        (sample.name, sample.labels.get("level")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels or sample.labels.items() >= here.items()
    }
    lead = found.get(("foretide_lead_time_seconds", None))
    capacity = found.get(("foretide_capacity_items_per_second", None))
    if lead is None or capacity is None:
        return None
    return Foreseen(
        made_at=found["foretide_last_tick_timestamp_seconds", None],
        lead_seconds=lead,
        capacity_rps=capacity,
        likely_rps=found.get(("foretide_forecast_items_per_second", "median")),
        provided_rps=found.get(("foretide_forecast_items_per_second", "provided")),
    )
