"""What is simulated: one lane is one service under one load, with one seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from statistics import NormalDist
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.settings import ScalingSettings

# More replicas at once than any benchmark needs; the arrays of a lane grow with it.
MOST_REPLICAS: Final = 2_000
QUANTILES: Final = 101


class Routing(IntEnum):
    """Which ready replica gets a request."""

    RANDOM = 0  # kube-proxy with a new connection per request
    ROUND_ROBIN = 1
    LEAST_OUTSTANDING = 2

    @property
    def word(self) -> str:
        """As a user writes it."""
        return self.name.lower().replace("_", "-")


class Noise(IntEnum):
    """How batch times of one size differ."""

    LOGNORMAL = 0
    EXPONENTIAL = 1  # no machine is like that, and the oldest formulas of queueing are


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Time of a batch of b items on one instance: per_item * b + fixed, times noise of mean 1."""

    per_item_seconds: float
    fixed_seconds: float
    max_batch: int
    instances: int = 1
    noise: Noise = Noise.LOGNORMAL
    noise_cv: float = 0.01  # of the lognormal one
    # Triton 2.51 loses this between two batches, and no compute counter shows it: fitted to its latencies, 0.5 ms with
    # the default queue and 1.0 ms with a limited one (docs/benchmarks/simulator.md).
    between_batches_seconds: float = 0.001
    # From the client's send to the queue and from the batch's end to the client, which Triton's queue never sees: 1.1
    # and 1.4 ms there.
    overhead_seconds: float = 0.0012

    def __post_init__(self) -> None:
        _range("per_item_seconds", self.per_item_seconds, 0.0, 3600.0)
        _range("fixed_seconds", self.fixed_seconds, 0.0, 3600.0)
        _range("max_batch", self.max_batch, 1, 1024)
        _range("instances", self.instances, 1, 16)
        _range("noise_cv", self.noise_cv, 0.0, 5.0)
        _range("between_batches_seconds", self.between_batches_seconds, 0.0, 60.0)
        _range("overhead_seconds", self.overhead_seconds, 0.0, 60.0)
        if self.per_item_seconds + self.fixed_seconds <= 0.0:
            raise ValueError("per_item_seconds + fixed_seconds must be above 0: a batch takes time")

    def batch_seconds(self, batch: float) -> float:
        """Mean time of a batch."""
        return self.per_item_seconds * batch + self.fixed_seconds

    @property
    def saturation_rps(self) -> float:
        """Requests a second of one replica whose batches are all full."""
        return self.instances * self.max_batch / (self.batch_seconds(self.max_batch) + self.between_batches_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Triton's `default_queue_policy` with `timeout_action: REJECT`; the default is no limit at all."""

    timeout_seconds: float = math.inf
    max_size: float = math.inf
    delay_seconds: float = 0.0  # max_queue_delay_microseconds
    # Share of the batches whose end does not wake the batcher, where there is a limit (server#8870); fitted there, too.
    missed_wake_ups: float = 0.125

    def __post_init__(self) -> None:
        for name in ("timeout_seconds", "max_size"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        _range("delay_seconds", self.delay_seconds, 0.0, 60.0)
        _range("missed_wake_ups", self.missed_wake_ups, 0.0, 1.0)

    @property
    def limited(self) -> bool:
        """Any limit makes Triton form no batch ahead, and miss wake-ups."""
        return math.isfinite(self.timeout_seconds) or math.isfinite(self.max_size)


@dataclass(frozen=True, slots=True)
class Duration:
    """A distribution of times by its quantiles at 0, 1, ... 100 %; drawn by inversion."""

    quantiles_seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.quantiles_seconds) != QUANTILES:
            raise ValueError(f"a distribution has {QUANTILES} quantiles, not {len(self.quantiles_seconds)}")
        if any(
            later < earlier for earlier, later in zip(self.quantiles_seconds, self.quantiles_seconds[1:], strict=False)
        ):
            raise ValueError("quantiles must not fall")
        _range("quantiles_seconds", self.quantiles_seconds[0], 0.0, 86_400.0)
        _range("quantiles_seconds", self.quantiles_seconds[-1], 0.0, 86_400.0)

    @classmethod
    def constant(cls, seconds: float) -> Duration:
        return cls((seconds,) * QUANTILES)

    @classmethod
    def lognormal(cls, mean_seconds: float, cv: float) -> Duration:
        """Of that mean; of that coefficient of variation before it is cut off at its 0.5 % and 99.5 % quantiles."""
        _range("cv", cv, 0.0, 10.0)
        sigma = math.sqrt(math.log1p(cv * cv))
        levels = np.clip(np.linspace(0.0, 1.0, QUANTILES), 0.005, 0.995)
        return cls(tuple(math.exp(sigma * z) for z in _normal_quantile(levels))).scaled_to(mean_seconds)

    @classmethod
    def empirical(cls, seconds: list[float]) -> Duration:
        """Of measured times."""
        return cls(tuple(float(q) for q in np.quantile(np.asarray(seconds), np.linspace(0.0, 1.0, QUANTILES))))

    @property
    def mean_seconds(self) -> float:
        """Of what is drawn; to the nanosecond, below which there are only errors of rounding."""
        return round(self._mean_seconds, 9)

    @property
    def _mean_seconds(self) -> float:
        quantiles = np.asarray(self.quantiles_seconds)
        return float((quantiles[1:] + quantiles[:-1]).mean() / 2)

    def scaled_to(self, mean_seconds: float) -> Duration:
        """Of the same shape with that mean."""
        mean_before = self._mean_seconds
        if mean_before <= 0.0:
            raise ValueError(f"a time of 0 s cannot be scaled to a mean of {mean_seconds:g} s")
        return Duration(tuple(float(q) * mean_seconds / mean_before for q in self.quantiles_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Machines behind the pods; by default there is always room."""

    warm_pods: float = math.inf  # pods that fit on machines that run anyway
    provisioning: Duration = field(default_factory=lambda: Duration.constant(0.0))
    linger_seconds: float = 600.0  # an empty machine stays so long

    def __post_init__(self) -> None:
        _range("warm_pods", self.warm_pods, 0.0, math.inf)
        _range("linger_seconds", self.linger_seconds, 0.0, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Times without metrics, in seconds of the run."""

    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        _range("start_seconds", self.start_seconds, 0.0, math.inf)
        if not self.end_seconds > self.start_seconds:
            raise ValueError(
                f"end_seconds must be above start_seconds, {self.start_seconds:g}, not {self.end_seconds:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What holds for all lanes of a run."""

    # inf: nobody asks Prometheus, and no pod is scraped
    scrape_seconds: float = ScalingSettings().scrape_interval_seconds
    lost_scrapes: float = 0.0  # share
    outages: tuple[Outage, ...] = ()
    pre_stop_seconds: float = 10.0  # the pod serves on while its removal gets around
    grace_seconds: float = 30.0  # terminationGracePeriodSeconds: then it is killed with what it still has
    endpoints_seconds: float = 1.0  # until kube-proxy knows that a pod is ready, or leaving
    crashes_per_hour: float = 0.0  # of each ready pod
    restart: Duration = field(default_factory=lambda: Duration.constant(10.0))  # of a container that crashed

    def __post_init__(self) -> None:
        _range("scrape_seconds", self.scrape_seconds, 0.1, math.inf)
        _range("lost_scrapes", self.lost_scrapes, 0.0, 1.0)
        _range("pre_stop_seconds", self.pre_stop_seconds, 0.0, 86_400.0)
        _range("grace_seconds", self.grace_seconds, 0.0, 86_400.0)
        _range("endpoints_seconds", self.endpoints_seconds, 0.0, 86_400.0)
        _range("crashes_per_hour", self.crashes_per_hour, 0.0, 3600.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lane:
    """One service under one load, or its pods of one hardware class."""

    name: str
    rates_rps: Floats  # [steps]: the mean rate of each step
    step_seconds: float
    seed: int
    noise_seed: int = 0  # another one draws other batch times for the same requests on the same routes
    law: Law
    slo_latency_seconds: float
    objective: float = 0.99
    queue: Queue = field(default_factory=Queue)
    cold_start: Duration = field(default_factory=lambda: Duration.constant(60.0))
    nodes: Nodes = field(default_factory=Nodes)
    routing: Routing = Routing.RANDOM
    # Recorded arrivals (seconds, ascending) in place of drawn ones; the rates then only give the length.
    arrival_times: Floats | None = None
    arrival_cv: float = 1.0  # of the times between arrivals: 1 is Poisson, above is bursty (hyperexponential)
    # Lanes of one word here are the hardware classes of one service: its rates are shared by them (`sharing`).
    shares: str = ""
    min_replicas: int = 1
    max_replicas: int = 100
    initial_replicas: int = 1  # ready from the beginning

    def __post_init__(self) -> None:
        rates = self.rates_rps
        if rates.ndim != 1 or not len(rates):
            raise ValueError(f"rates_rps of {self.name} must be one rate per step, not of shape {rates.shape}")
        if not (np.isfinite(rates).all() and (rates >= 0.0).all()):
            raise ValueError(f"rates_rps of {self.name} must be finite and at least 0")
        times = self.arrival_times
        if times is not None and (times.ndim != 1 or not np.isfinite(times).all() or np.any(np.diff(times) < 0.0)):
            raise ValueError(f"arrival_times of {self.name} must be finite and must not fall")
        _range("step_seconds", self.step_seconds, 1e-3, 86_400.0)
        _range("slo_latency_seconds", self.slo_latency_seconds, 1e-6, 3600.0)
        _range("objective", self.objective, 0.0, 1.0)
        _range("arrival_cv", self.arrival_cv, 1.0, 10.0)
        _range("min_replicas", self.min_replicas, 0, self.max_replicas)
        _range("max_replicas", self.max_replicas, 1, MOST_REPLICAS)
        _range("initial_replicas", self.initial_replicas, 0, self.max_replicas)

    @property
    def seconds(self) -> float:
        return len(self.rates_rps) * self.step_seconds


def _range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}, not {value:g}")


def _normal_quantile(levels: Floats) -> Floats:
    """Inverse of the standard normal distribution function."""
    return np.array([NormalDist().inv_cdf(level) for level in levels])
