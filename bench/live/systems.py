"""Who is compared: Foretide as it comes, and HPA and KEDA each at three targets and with two queues."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from foretide.simulate.workload import QueueName


class Scaler(StrEnum):
    """Who sets the number of replicas."""

    FORETIDE = "foretide"
    HPA = "hpa"  # with prometheus-adapter, a Pods metric: the mean of the ready pods
    KEDA = "keda"  # its Prometheus trigger: an External metric over all pods


TARGETS: Final = (0.50, 0.65, 0.80)


@dataclass(frozen=True, slots=True)
class System:
    """A scaler as it is set."""

    scaler: Scaler
    # Of what a replica can do with full batches; None: nothing is tuned.
    target: float | None = None
    # DEFAULT is Triton's, without limits, as its documents show it; HALF what Foretide renders. With SLO what cannot be
    # in time is refused, and the peer's query counts what was refused: the strongest that a reactive scaler can have.
    queue: QueueName = QueueName.DEFAULT

    @property
    def name(self) -> str:
        """Also the name of its objects."""
        if self.target is None:
            return self.scaler.value
        refusing = "-refusing" if self.queue is QueueName.SLO else ""
        return f"{self.scaler.value}-{100 * self.target:.0f}{refusing}"


FORETIDE: Final = System(Scaler.FORETIDE, queue=QueueName.HALF)
# Each peer has its pods with both.
PEER_QUEUES: Final = (QueueName.DEFAULT, QueueName.SLO)


def systems(*, quick: bool) -> tuple[System, ...]:
    """All, or Foretide and the strongest setting of each peer."""
    if quick:
        return (FORETIDE, *(System(peer, 0.65, QueueName.SLO) for peer in (Scaler.HPA, Scaler.KEDA)))
    return (
        FORETIDE,
        *(
            System(peer, target, queue)
            for queue in PEER_QUEUES
            for peer in (Scaler.HPA, Scaler.KEDA)
            for target in TARGETS
        ),
    )
