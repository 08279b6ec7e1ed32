"""What one tick did: what metrics, logs and tests look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from foretide.api.hardwareclass import HardwareClass
from foretide.control.challenge_status import Verdict
from foretide.control.direct import Scrapes
from foretide.control.observe import NoMetrics
from foretide.control.world import Key
from foretide.scaling.decision import Decisions


class Stage(StrEnum):
    """The parts of a tick, in their order."""

    OBSERVE = "observe"  # Prometheus or the pods, and Triton's statistics
    DECIDE = "decide"  # for all services, and for the policies that are tried in the shadow
    WRITE = "write"  # status and replicas


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one tick did; the rows of `decisions` are the services of `keys`."""

    keys: tuple[Key, ...]
    hardware: tuple[tuple[tuple[HardwareClass, int], ...], ...]  # the classes of each, and the replicas of each class
    decisions: Decisions
    no_metrics: NoMetrics | None
    queries: int  # sent to Prometheus
    scrapes: Scrapes  # of pods, while it is away
    failed_writes: int
    postponed: int  # services whose status or scaling in the tick had no time for
    stage_seconds: Mapping[Stage, float]
    verdicts: Mapping[Key, Verdict] = field(default_factory=dict)  # on the policies that are tried in the shadow
