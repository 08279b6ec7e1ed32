"""Who is compared: Foretide as it comes, and HPA and KEDA each at three targets and with two queues."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bench.live.loads import Load
from foretide.serving.queue_policy import LEAST_INSTANCES
from foretide.simulate.workload import QueueName


class Scaler(StrEnum):
    """Who sets the number of replicas."""

    FORETIDE = "foretide"
    HPA = "hpa"  # with prometheus-adapter, a Pods metric: the mean of the ready pods
    KEDA = "keda"  # its Prometheus trigger: an External metric over all pods


PEERS: Final = (Scaler.HPA, Scaler.KEDA)
TARGETS: Final = (0.50, 0.65, 0.80)


@dataclass(frozen=True, slots=True)
class System:
    """A scaler as it is set."""

    scaler: Scaler
    # Of what a replica can do with full batches; None: nothing is tuned.
    target: float | None = None
    # Of a peer: DEFAULT is Triton's, without limits, as its documents show it. With SLO what cannot be in time is
    # refused, and the query counts what was refused: the strongest that a reactive scaler can have.
    queue: QueueName = QueueName.DEFAULT

    @property
    def name(self) -> str:
        """Also the name of its objects."""
        if self.target is None:
            return self.scaler.value
        refusing = "-refusing" if self.queue is QueueName.SLO else ""
        return f"{self.scaler.value}-{100 * self.target:.0f}{refusing}"


FORETIDE: Final = System(Scaler.FORETIDE)
# Each peer has its pods with both.
PEER_QUEUES: Final = (QueueName.DEFAULT, QueueName.SLO)


def queue_of(system: System, load: Load) -> QueueName:
    """What its replicas refuse: Foretide's as it renders them."""
    if system.scaler is Scaler.FORETIDE and load.model.law.instances >= LEAST_INSTANCES:
        return QueueName.HALF
    return system.queue


def systems(load: Load, *, quick: bool) -> tuple[System, ...]:
    """All, or Foretide and the strongest setting of each peer, which is enough beside a load that is not judged."""
    strongest = (FORETIDE, *(System(peer, 0.65, QueueName.SLO) for peer in PEERS))
    peers = (System(peer, target, queue) for queue in PEER_QUEUES for peer in PEERS for target in TARGETS)
    return strongest if quick or not load.judged else (FORETIDE, *peers)
