"""Queueing results that the simulator must reproduce where they hold; rates are per second and times in seconds.

Sources: Kleinrock, Queueing Systems vol. 1, 1975 (M/M/1, M/M/c, Pollaczek-Khinchine); Tijms, A First Course in
Stochastic Models, 2003, and Franx, Operations Research Letters 29, 2001 (M/D/1 waiting times); Inoue,
arXiv:1912.06322 (batch service); Allen, Probability, Statistics and Queueing Theory, 1990 (G/G/c).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats

# Bisection of a quantile of M/D/1 ends here, relative to the service time.
QUANTILE_ERROR: Final = 1e-9


def erlang_c(servers: int, offered: float) -> float:
    """The probability that a request waits in M/M/c; `offered` is arrival rate / service rate, below `servers`.

    By the recursion of Erlang B, which has no large numbers: B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1)).
    """
    if servers < 1 or not 0.0 <= offered < servers:
        raise ValueError(f"offered is {offered}, must be from 0 to below servers, {servers}")
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return servers * blocked / (servers - offered * (1.0 - blocked))


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkovQueue:
    """M/M/c in order of arrival: Poisson arrivals, exponential service times; M/M/1 with one server."""

    arrival_rps: float
    service_rps: float  # of one server
    servers: int = 1

    def __post_init__(self) -> None:
        _check_load(self.arrival_rps / (self.service_rps * self.servers) if self.service_rps > 0.0 else math.inf)

    @property
    def waits(self) -> float:
        """The probability that a request waits at all (Erlang C)."""
        return erlang_c(self.servers, self.arrival_rps / self.service_rps)

    @property
    def _spare_rps(self) -> float:
        return self.servers * self.service_rps - self.arrival_rps

    @property
    def mean_wait_seconds(self) -> float:
        return self.waits / self._spare_rps

    @property
    def mean_sojourn_seconds(self) -> float:
        return self.mean_wait_seconds + 1.0 / self.service_rps

    def wait_beyond(self, seconds: float) -> float:
        """P(wait > seconds) = C exp(-(c mu - lambda) t)."""
        return self.waits * math.exp(-self._spare_rps * seconds)

    def wait_quantile_seconds(self, share: float) -> float:
        """The wait that this share of requests does not exceed; 0 where fewer than the rest wait at all."""
        return max(0.0, math.log(self.waits / (1.0 - share)) / self._spare_rps) if self.waits > 0.0 else 0.0

    def sojourn_beyond(self, seconds: float) -> float:
        """P(wait + service > seconds): the two are independent, one of them exponential with an atom at 0."""
        mu, spare, waits = self.service_rps, self._spare_rps, self.waits
        alone = math.exp(-mu * seconds)
        if math.isclose(spare, mu, rel_tol=1e-6):
            both = alone * (1.0 + mu * seconds)  # the limit: two equal phases
        else:
            both = (spare * alone - mu * math.exp(-spare * seconds)) / (spare - mu)
        return (1.0 - waits) * alone + waits * both


@dataclass(frozen=True, kw_only=True)
class DeterministicQueue:
    """M/D/1 in order of arrival: Poisson arrivals, every request takes the same time."""

    arrival_rps: float
    service_seconds: float

    def __post_init__(self) -> None:
        _check_load(self.load)

    @property
    def load(self) -> float:
        return self.arrival_rps * self.service_seconds

    @property
    def mean_wait_seconds(self) -> float:
        """Pollaczek-Khinchine: rho D / (2 (1 - rho))."""
        return self.load * self.service_seconds / (2.0 * (1.0 - self.load))

    @property
    def mean_sojourn_seconds(self) -> float:
        return self.mean_wait_seconds + self.service_seconds

    def in_system(self, most: int) -> Floats:
        """P(0), P(1), ... P(most) requests in the system.

        By balance across the border of j and j + 1: P(j+1) a(0) = P(0) A(j) + sum over i = 1..j of P(i) A(j-i+1), with
        a(k) the probability of k arrivals in a service time and A(k) that of more than k. Only sums of positive
        numbers: the usual recursion subtracts and loses all digits for large j.
        """
        more = self._more_arrivals_than(most + 1)
        found = np.empty(most + 1)
        found[0] = 1.0 - self.load
        for j in range(most):
            found[j + 1] = (found[0] * more[j] + found[1 : j + 1] @ more[j:0:-1]) * math.exp(self.load)
        return found

    def _more_arrivals_than(self, most: int) -> Floats:
        """P(more than k arrivals in a service time) for k = 0..most, summed from the small end."""
        if self.load == 0.0:
            return np.zeros(most + 1)
        ks = np.arange(most + 60)
        logs = ks * math.log(self.load) - self.load - np.cumsum(np.log(np.maximum(ks, 1)))
        beyond: Floats = np.cumsum(np.exp(logs[::-1]))[::-1]
        return np.append(beyond[1:], 0.0)[: most + 1]

    @cached_property
    def _at_most_waiting(self) -> Floats:
        """P(no more than m requests wait), until what is left is nothing: the tail falls faster than load^m."""
        states = self.in_system(math.ceil(math.log(1e-17) / math.log(self.load)) + 2)
        sums: Floats = np.cumsum(states)[1:]  # one more is served
        return sums

    def wait_beyond(self, seconds: float) -> float:
        """P(wait > seconds) by Franx' formula: for (k-1) D <= x < kD,
        P(wait <= x) = exp(-lambda (kD - x)) sum over j = 0..k-1 of Q(k-1-j) (lambda (kD - x))^j / j!,
        with Q(m) the probability that no more than m requests wait. All terms are positive; Erlang's series
        alternates and has lost all digits by x = 20 D."""
        if seconds < 0.0 or self.load == 0.0:
            return float(seconds < 0.0)
        k = int(seconds / self.service_seconds) + 1
        ahead = self.arrival_rps * (k * self.service_seconds - seconds)
        at_most = self._at_most_waiting
        # Beyond a hundred arrivals in one service time there is nothing.
        js = np.arange(min(k, 100))
        poisson = np.exp(js * math.log(max(ahead, 1e-300)) - ahead - np.cumsum(np.log(np.maximum(js, 1))))
        waiting = np.minimum(k - 1 - js, len(at_most) - 1)
        return max(0.0, 1.0 - float(poisson @ at_most[waiting]))

    def sojourn_beyond(self, seconds: float) -> float:
        """P(wait + service > seconds)."""
        return self.wait_beyond(seconds - self.service_seconds)

    def wait_quantile_seconds(self, share: float) -> float:
        """The wait that this share of requests does not exceed."""
        low, high = 0.0, self.service_seconds
        if self.wait_beyond(0.0) <= 1.0 - share:
            return 0.0
        while self.wait_beyond(high) > 1.0 - share:
            high *= 2.0
        while high - low > QUANTILE_ERROR * self.service_seconds:
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.wait_beyond(middle) > 1.0 - share else (low, middle)
        return high


def batch_sojourn_bound_seconds(*, arrival_rps: float, per_item_seconds: float, fixed_seconds: float) -> float:
    """Inoue's upper bound of the mean latency where a server takes all that wait as one batch, of any size.

    min(phi0, phi1) for batch times per_item x b + fixed; within 0-8 % of the truth as long as batches stay below the
    largest size. The 99th percentile is about 2.1 times as much.
    """
    rate, a, t0 = arrival_rps, per_item_seconds, fixed_seconds
    _check_load(rate * a)
    free = 1.0 - rate * a
    light = (a + t0) / (2.0 * free) * (1.0 + 2.0 * rate * t0 + (1.0 - rate * t0) / (1.0 + rate * a))
    heavy = 1.5 * t0 / free + a / 2.0 * (rate * a + 2.0) / (1.0 - (rate * a) ** 2)
    return min(light, heavy)


def allen_cunneen_wait_seconds(
    *, arrival_rps: float, service_rps: float, servers: int, arrival_cv: float, service_cv: float
) -> float:
    """The mean wait in G/G/c, about: (Ca^2 + Cs^2) / 2 times that of M/M/c; Kingman's formula with one server.

    Exact for M/M/c and, by Pollaczek-Khinchine, for M/G/1.
    """
    wait = MarkovQueue(arrival_rps=arrival_rps, service_rps=service_rps, servers=servers).mean_wait_seconds
    return (arrival_cv**2 + service_cv**2) / 2.0 * wait


def _check_load(load: float) -> None:
    if not 0.0 <= load < 1.0:
        raise ValueError(f"the load is {load:.6g} of what can be served, must be from 0 to below 1")
