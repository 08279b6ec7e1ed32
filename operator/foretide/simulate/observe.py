"""What a policy is shown: the pods and the answers of Prometheus, and nothing that is not known in production."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from foretide.scaling.arrays import Floats, Ints, total
from foretide.scaling.capacity.evidence import BatchCounts
from foretide.scaling.decision import Bounds, Fleet
from foretide.scaling.policy import Observation, Over, PodList, Promise, Quantity, Query
from foretide.scaling.readings import Readings
from foretide.scaling.tuning import Told, Tuning
from foretide.simulate.peers.profile import Profile
from foretide.simulate.scenario import Lane
from foretide.simulate.scrapes import evaluate, increases
from foretide.simulate.state import ABSENT, GONE, KEPT_SAMPLES, READY, RESTARTING, ROUTABLE, STARTING, State

# Nobody's answers are kept here: as of a model without a response cache, no series tells of hits.
QUANTITY_ORDER: Final = tuple(quantity for quantity in Quantity if quantity is not Quantity.CACHE_HITS)
FUNCTION_ORDER: Final = tuple(Over)
# Nothing is decided by it.
SLO_WINDOW_SECONDS: Final = 28 * 86_400.0


class Observer:
    """Makes the observations of one run."""

    def __init__(self, lanes: Sequence[Lane], queries: tuple[Query, ...], *, epoch_seconds: float) -> None:
        self._queries: Final = tuple(query for query in queries if query.quantity in QUANTITY_ORDER)
        self._untold: Final = tuple(query for query in queries if query.quantity not in QUANTITY_ORDER)
        self._epoch_seconds: Final = epoch_seconds
        told = self._queries
        self._quantities: Final = np.array([QUANTITY_ORDER.index(query.quantity) for query in told], dtype=np.int64)
        self._functions: Final = np.array([FUNCTION_ORDER.index(query.over) for query in told], dtype=np.int64)
        self._windows: Final = np.array([query.window_seconds for query in told], dtype=np.float64)
        self._bounds: Final = _bounds(lanes)
        self._promise: Final = promise(lanes)
        self._tuning: Final = Tuning.usual(len(lanes))
        self._told: Final = Told.nothing(len(lanes))
        self._executed: Floats | None = None

    def see(self, state: State, replicas: Ints, now: float, *, away: bool) -> Observation:
        """The state as a policy may know it; `away`: Prometheus does not answer."""
        phase = phases(state)
        service, place = np.nonzero((phase != ABSENT) & (phase != GONE))
        # Field by field: whole records of all pods are 400 bytes each.
        mine = phase[service, place]
        ready = (mine == READY) | (mine == ROUTABLE)
        present = ready | (mine == STARTING) | (mine == RESTARTING)
        return Observation(
            now_seconds=self._epoch_seconds + now,
            pods=PodList(
                service=service.astype(np.int64),
                ready=ready,
                leaving=~present,
                ready_age_seconds=np.where(ready, now - state.pods["ready_at"][service, place], 0.0),
                age_seconds=now - state.pods["created_at"][service, place],
            ),
            answers=self._answers(state, now, len(service), away=away),
            batches=self._batches(state),
            fleet=Fleet(replicas=replicas.copy(), rolling=np.zeros(len(replicas), dtype=np.bool_)),
            bounds=self._bounds,
            promise=self._promise,
            tuning=self._tuning,
            told=self._told,
            ended={} if away else self._ended(state, now, np.nonzero(phase == GONE)[0]),
        )

    def _answers(self, state: State, now: float, rows: int, *, away: bool) -> Mapping[Query, Readings]:
        if away:
            return {query: Readings.unknown(rows) for query in (*self._queries, *self._untold)}
        table = self._table(state, now, rows, ended=False)
        return {query: Readings.unknown(rows) for query in self._untold} | {
            query: Readings.checked(row, np.ones(rows, dtype=np.bool_))
            for query, row in zip(self._queries, table, strict=True)
        }

    def _ended(self, state: State, now: float, service: Ints) -> Mapping[Query, Floats]:
        if not len(service):
            return {}
        table = np.nan_to_num(self._table(state, now, len(service), ended=True))
        return {
            query: total(service, row, length=len(state.lanes)) for query, row in zip(self._queries, table, strict=True)
        }

    def _table(self, state: State, now: float, rows: int, *, ended: bool) -> Floats:
        table = np.empty((len(self._queries), rows))
        evaluate(state, now, ended, self._quantities, self._functions, self._windows, table)
        return table

    def _batches(self, state: State) -> BatchCounts:
        """Executions since the last look, as Triton's statistics tell them."""
        if self._executed is None:
            self._executed = np.zeros_like(state.executed)
        rows = np.empty((4, state.executed[..., 0].size))
        count = increases(state, self._executed, rows)
        service, batch_size, executions, seconds = rows[:, :count].copy()
        return BatchCounts(
            service=service.astype(np.int64),
            batch_size=batch_size.astype(np.int64),
            executions=executions,
            seconds=seconds,
        )


def phases(state: State) -> Ints:
    """Of the places that a pod has ever had, [lanes, places]: of thrice the largest fleet most were never used, and
    each is in a cache line of its own."""
    return state.pods["phase"][:, : int(state.lanes["places"].max(initial=0))]


def longest_window_seconds(*, scrape_seconds: float) -> float:
    """What the kept samples cover."""
    return (KEPT_SAMPLES - 1) * scrape_seconds


def promise(lanes: Sequence[Lane]) -> Promise:
    """What the services of the lanes promise."""
    return Promise(
        slo_latency_seconds=np.array([lane.slo_latency_seconds for lane in lanes]),
        objective=np.array([lane.objective for lane in lanes]),
        max_batch=np.array([lane.law.max_batch for lane in lanes], dtype=np.int64),
        instances=np.array([lane.law.instances for lane in lanes], dtype=np.int64),
        window_seconds=np.full(len(lanes), SLO_WINDOW_SECONDS),
    )


def profile(lanes: Sequence[Lane]) -> Profile:
    """What a load test of one replica shows: between two batches there is what no compute counter tells."""
    laws = [lane.law for lane in lanes]
    return Profile(
        per_item_seconds=np.array([law.per_item_seconds for law in laws]),
        fixed_seconds=np.array([law.fixed_seconds + law.between_batches_seconds for law in laws]),
        max_batch=np.array([law.max_batch for law in laws], dtype=np.int64),
        instances=np.array([law.instances for law in laws], dtype=np.int64),
        slo_latency_seconds=np.array([lane.slo_latency_seconds for lane in lanes]),
        objective=np.array([lane.objective for lane in lanes]),
    )


def _bounds(lanes: Sequence[Lane]) -> Bounds:
    nobody = np.zeros(len(lanes), dtype=np.bool_)
    return Bounds(
        minimum=np.array([lane.min_replicas for lane in lanes], dtype=np.int64),
        maximum=np.array([lane.max_replicas for lane in lanes], dtype=np.int64),
        paused=nobody,
        is_pinned=nobody,
        pinned=np.zeros(len(lanes), dtype=np.int64),
    )
