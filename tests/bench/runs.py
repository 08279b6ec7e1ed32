"""Runs as the benchmark keeps them."""

from __future__ import annotations

from typing import Any


def run(**fields: Any) -> dict[str, Any]:
    """One of the HPA in the usual setting, with other fields where they are given."""
    usual: dict[str, Any] = {
        "policy": "hpa",
        "knob": {"target": 0.5},
        "series": "t/a",
        "seed": 1,
        "queue": "default",
        "cold_start_seconds": 120.0,
        "size": 10,
        "arrival_cv": 1.0,
        "fidelity": "fluid",
        "requests": 1000,
        "violations": 5,
        "replica_hours": 12.0,
        "optimum_replica_hours": 10.0,
        "scale_events": 3,
    }
    return {**usual, **fields}
