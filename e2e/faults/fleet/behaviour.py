"""How the pods of a service behave; plain values that travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Start(StrEnum):
    """What becomes of a pod that a node was found for."""

    READY = "ready"
    NEVER = "never"  # runs, and its model goes on loading
    CRASH = "crash"  # Triton ends, again and again
    NO_IMAGE = "no-image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One service: its load, the law of its model, and what is wrong with its pods."""

    rate_rps: float = 0.0  # of requests of one item, over all ready pods alike
    batch_seconds: float = 0.1  # of one request; one instance, so a pod serves 1 / batch_seconds
    queue_seconds: float = 0.5  # how long a request waits before it is refused
    # Of pods that start or leave from now on.
    start: Start = Start.READY
    start_seconds: float = 0.2
    leave_seconds: float = 0.2
    # Of their metrics.
    values: Mapping[str, str] = field(default_factory=dict)  # metric -> the text in place of its value
    absent: Sequence[str] = ()  # metrics that are not told; "all" for text without a series
    frozen: bool = False  # the metrics of that moment, for ever
    ahead_seconds: float | None = None  # samples have times of their own: so far in the future
    unscraped: int = 0  # so many pods answer scrapes with 500
    unloaded: int = 0  # so many have no model, and so no series
    twice: bool = False  # Prometheus finds each pod by two ways
    leads_to: str = ""  # whatever is asked for, the answer is that it is at this URL
    deaf: bool = False  # nobody answers on the pods' ports

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Behaviour:
        return cls(**{**found, "start": Start(found["start"])})
