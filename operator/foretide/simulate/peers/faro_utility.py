"""Faro's view of a service: latency of a queue with many servers, and the utility of a latency.

Source: Faro (EuroSys 2025), beomyeol/faro src/solver.py and src/utility.py: the wait of M/D/c is taken for half of
that of M/M/c, at the percentile that is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import gammaincc, gammaln, xlogy

from foretide.scaling.arrays import Bools, Floats

MOST_UTILISED: Final = 0.95  # above, the latency is that at 0.95 divided by the share of the load which that serves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Jobs:
    """What the latency model needs to know of each service."""

    rate_rps: Floats  # shape [services, minutes]
    running: Floats  # replicas that serve now
    service_seconds: Floats
    lanes: Floats  # servers of one replica
    slo_seconds: Floats

    def __len__(self) -> int:
        return len(self.running)

    def chosen(self, rows: Bools) -> Jobs:
        """Only these services."""
        return replace(
            self,
            rate_rps=self.rate_rps[rows],
            running=self.running[rows],
            service_seconds=self.service_seconds[rows],
            lanes=self.lanes[rows],
            slo_seconds=self.slo_seconds[rows],
        )


def latency_seconds(servers: Floats, rate_rps: Floats, service_seconds: Floats, *, percentile: float = 99.0) -> Floats:
    """Latency percentile of each queue; servers need not be whole, and none of them means never."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        served = served_share(servers, rate_rps, service_seconds)
        load = rate_rps * served * service_seconds
        waits = _waiting_probability(servers, load)
        spare = (servers - load) / service_seconds
        wait = np.maximum(0.0, np.log(waits * 100.0 / (100.0 - percentile)) / spare)
        latency: Floats = (np.where(waits > 0.0, wait, 0.0) / 2.0 + service_seconds) / served
    return np.where(servers > 0.0, latency, np.inf)


def served_share(servers: Floats, rate_rps: Floats, service_seconds: Floats) -> Floats:
    """The share of the load at which the servers are utilised to 95 %, 1 where they are less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = MOST_UTILISED * servers / (rate_rps * service_seconds)
    return np.where(share < 1.0, share, 1.0)


def _waiting_probability(servers: Floats, load: Floats) -> Floats:
    """Erlang C, from Erlang B at the whole servers: P(X = c) / P(X <= c) of a Poisson number X."""
    whole = np.floor(servers)
    blocked = np.exp(xlogy(whole, load) - load - gammaln(whole + 1.0)) / gammaincc(whole + 1.0, load)
    probability: Floats = blocked / ((1.0 - blocked) * (1.0 - load / servers) + blocked)
    return probability


def utility(
    jobs: Jobs,
    replicas: Floats,
    *,
    delay_steps: int = 0,
    percentile: float = 99.0,
    overload_counts: bool = False,
) -> Floats:
    """The mean over the minutes of min(1, SLO / latency), per service; `replicas` may have leading axes.

    Replicas that are added now serve only after `delay_steps` minutes. With `overload_counts` it is multiplied by the
    share of the load that is served, which the source does not do: see `Faro`.
    """
    minutes = jobs.rate_rps.shape[1]
    serving = np.repeat(replicas[..., None], minutes, axis=-1)
    # A forecast shorter than the delay would count no added replica at all.
    if 0 < delay_steps < minutes:
        serving[..., :delay_steps] = np.minimum(serving[..., :delay_steps], jobs.running[:, None])
    servers, seconds = serving * jobs.lanes[:, None], jobs.service_seconds[:, None]
    worth = np.minimum(
        1.0, jobs.slo_seconds[:, None] / latency_seconds(servers, jobs.rate_rps, seconds, percentile=percentile)
    )
    if overload_counts:
        worth = worth * served_share(servers, jobs.rate_rps, seconds)
    values: Floats = worth.mean(axis=-1)
    return values
