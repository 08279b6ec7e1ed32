"""How good the table's rates are: against searches by the simulator at random points off the grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats
from foretide.scaling.capacity.lattice import lattice
from foretide.scaling.capacity.rate import MOST_UTILISED
from foretide.simulate.capacity import Infeasible, rate_at_slo
from foretide.simulate.scenario import Law, Queue

# Any: nothing here has a unit. The simulator counts in bins of 15 s and from 0.1 ms on.
SINGLE_SECONDS: Final = 0.05
# (Ca^2 + Cs^2) of Kingman's formula beside Ca^2: for the running batch, which newcomers must wait for.
OF_SERVICE: Final = 0.5
# What nearly all rates are held to: too little is dear, too much breaks a promise.
LOWEST_ERROR: Final = -0.05
HIGHEST_ERROR: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One replica and what is promised; times in units of a single item's."""

    per_item_share: float
    max_batch: int
    instances: int
    arrival_cv2: float
    slo_singles: float
    objective: float

    @property
    def saturation(self) -> float:
        """Items in the time of a single one."""
        return self.instances * self.max_batch / (1.0 + self.per_item_share * (self.max_batch - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Rates at one point as shares of saturation, none above MOST_UTILISED."""

    point: Point
    simulated: float
    table: float
    kingman: float

    @property
    def error(self) -> float:
        """Above 0: too much is promised."""
        return self.table / self.simulated - 1.0

    @property
    def holds(self) -> bool:
        return LOWEST_ERROR <= self.error <= HIGHEST_ERROR

    @property
    def kingman_error(self) -> float:
        return self.kingman / self.simulated - 1.0


def points(count: int, *, seed: int) -> list[Point]:
    """Evenly over laws, arrivals and instances; over the logarithms of batches, SLOs and of what may be late."""
    random = np.random.default_rng(seed)
    return [
        Point(
            per_item_share=float(random.random()),
            max_batch=int(exp(random.uniform(0.0, log(65.0)))),
            instances=int(random.integers(1, 5)),
            arrival_cv2=float(random.uniform(1.0, 4.0)),
            slo_singles=exp(random.uniform(log(2.5), log(50.0))),
            objective=1.0 - 10.0 ** random.uniform(-3.0, -1.0),
        )
        for _ in range(count)
    ]


def compare(chosen: Sequence[Point], told: Callable[[float], None] = lambda share: None) -> list[Row]:
    """Half a second a point; one at which no rate keeps the SLO is left out."""
    tabled = table_rates(chosen)
    rows = []
    for place, point in enumerate(chosen):
        try:
            found = simulated(point) / point.saturation
        except Infeasible:
            continue
        finally:
            told((place + 1) / len(chosen))
        shares = (found, tabled[place] / point.saturation, kingman(point) / point.saturation)
        simulator, table, formula = (min(float(share), MOST_UTILISED) for share in shares)
        rows.append(Row(point=point, simulated=simulator, table=table, kingman=formula))
    return rows


def table_rates(chosen: Sequence[Point]) -> Floats:
    """Items in the time of a single one, as the operator has them but without the pause between batches."""
    share, batch, servers, cv2, slo, objective = np.array(
        [
            (one.per_item_share, one.max_batch, one.instances, one.arrival_cv2, one.slo_singles, one.objective)
            for one in chosen
        ],
        dtype=np.float64,
    ).T
    rates: Floats = servers * lattice().rate_per_server(
        per_item_seconds=share,
        fixed_seconds=np.maximum(1.0 - share, 1e-9),
        slo_latency_seconds=slo,
        objective=objective,
        largest_batch=batch,
        servers=servers,
        arrival_cv2=cv2,
    )
    return rates


def simulated(point: Point) -> float:
    """The same by the simulator; within 1 %, so it says."""
    law = Law(
        per_item_seconds=point.per_item_share * SINGLE_SECONDS,
        fixed_seconds=(1.0 - point.per_item_share) * SINGLE_SECONDS,
        max_batch=point.max_batch,
        instances=point.instances,
        noise_cv=0.0,
        between_batches_seconds=0.0,
        overhead_seconds=0.0,
    )
    rate = rate_at_slo(
        law,
        slo_latency_seconds=point.slo_singles * SINGLE_SECONDS,
        objective=point.objective,
        queue=Queue(),
        arrival_cv=point.arrival_cv2**0.5,
    )
    return rate * SINGLE_SECONDS


def kingman(point: Point) -> float:
    """The formula that the table replaced: the throughput mu of the largest batch b that fits twice into the SLO, times
    the share rho of it at which as many are late as may be, by Kingman's heavy-traffic limit (1962) for wait W:
    P(W > SLO - time(b)) = exp(-2 (1 - rho) mu (SLO - time(b)) / (rho (Ca^2 + Cs^2))).
    """
    share, slo = point.per_item_share, point.slo_singles
    batch = min(max((slo / 2.0 - (1.0 - share)) / max(share, 1e-9), 1.0), float(point.max_batch))
    time = 1.0 + share * (batch - 1.0)
    throughput = point.instances * batch / time
    wait = max(slo - time, time)
    variability = point.arrival_cv2 + OF_SERVICE
    rho = 1.0 / (1.0 - log(1.0 - point.objective) * variability / (2.0 * throughput * wait))
    return throughput * rho
