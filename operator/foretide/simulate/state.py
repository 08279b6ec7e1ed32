"""The state of all lanes, in the shape that compiled code works on: tables of records.

Times are seconds since the start of the run. Requests that wait or run are nodes of linked lists, a pool per lane.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from foretide.simulate.scenario import Conditions, Lane

Array: TypeAlias = npt.NDArray[Any]
Record: TypeAlias = Any  # one row of a table; numba gives its fields as attributes

# The life of a pod.
ABSENT: Final = 0
STARTING: Final = 1  # created: waiting for a machine, pulling, loading the model
READY: Final = 2  # ready, and kube-proxy does not know yet
ROUTABLE: Final = 3
LEAVING: Final = 4  # told to leave, and kube-proxy does not know yet
UNROUTABLE: Final = 5  # kube-proxy knows; preStop still sleeps
FINISHING: Final = 6  # answers what it has and ends
RESTARTING: Final = 7  # crashed; the container starts again in the same pod
GONE: Final = 8  # ended; range queries still find its samples

# Counters and gauges of a pod, in the order of `policy.Quantity`.
SUCCESS, FAILURE, INFERENCE, EXECUTION, PENDING, REQUEST_SECONDS, BUSY_SECONDS, ARRIVED, CONCURRENCY_SECONDS = range(9)
QUANTITIES: Final = 9

# Purposes of random numbers.
ARRIVALS, ROUTES, SERVICE, STARTS, SCRAPES = range(5)
STREAMS: Final = 5

# Distributions of a lane.
COLD_START, PROVISIONING, RESTART = range(3)

NOBODY: Final = -1
BIN_SECONDS: Final = 15.0
# Latencies are counted in bins of 0.5 %, from 0.1 ms to 1,000 s.
SHORTEST_SECONDS: Final = 1e-4
BINS_PER_E: Final = 200.0
LATENCY_BINS: Final = int(math.log(1e7) * BINS_PER_E) + 2
# Samples kept of each pod: a window of 5 min at a scrape of 5 s, or of 1 min at 1 s.
KEPT_SAMPLES: Final = 64
FIRST_POOL: Final = 4_096

REAL: Final = "f8"
WHOLE: Final = "i8"

SETTING: Final = np.dtype(
    [
        ("step_seconds", REAL),
        ("per_item", REAL),
        ("fixed", REAL),
        ("between", REAL),
        ("overhead", REAL),
        ("noise", WHOLE),
        ("noise_sigma", REAL),
        ("max_batch", WHOLE),
        ("instances", WHOLE),
        ("timeout", REAL),
        ("max_queue", REAL),
        ("delay", REAL),
        ("missed_wake_ups", REAL),
        ("slo", REAL),
        ("routing", WHOLE),
        ("arrival_cv", REAL),
        ("recorded", WHOLE),  # whether arrivals were recorded
        ("linger", REAL),
        ("scrape", REAL),
        ("lost_scrapes", REAL),
        ("remembered", REAL),  # how long samples of a pod that has ended are asked for
        ("pre_stop", REAL),
        ("grace", REAL),
        ("warm", REAL),
        ("endpoints", REAL),
        ("crashes_per_second", REAL),
        ("counted_from", REAL),
    ]
)
LANE: Final = np.dtype(
    [
        ("streams", "u8", (STREAMS,)),
        ("step", WHOLE),  # of the trace in which the next arrival lies, or the number of a recorded arrival
        ("next_arrival", REAL),
        ("next_event", REAL),  # of any pod; -inf: to be found anew
        ("next_change", REAL),  # of what waits or runs in a pod that gets requests; not later than that
        ("turn", WHOLE),  # of round robin
        ("routable", WHOLE),  # pods that get requests
        ("pods", WHOLE),  # that exist
        ("places", WHOLE),  # that a pod has ever had: those beyond are absent, of a large fleet nearly all
        ("warm", REAL),  # pods that fit on the machines that are there
        ("warm_since", REAL),  # all of that room was taken then
        ("pod_seconds", REAL),  # paid so far
        ("paid_until", REAL),
        ("violations", REAL),  # of the fluid, not counted yet: less than a whole one, or of a crash
        ("failures", REAL),
        ("free", WHOLE),  # head of the list of free nodes
    ]
)
POD: Final = np.dtype(
    [
        ("phase", WHOLE),
        ("created_at", REAL),
        ("housed_at", REAL),  # its machine is there then
        ("ready_at", REAL),
        ("next_event", REAL),
        ("ends_by", REAL),  # killed then, whatever it still has
        ("next_scrape", REAL),
        ("stale", WHOLE),  # the last scrape failed
        ("waiting", WHOLE),
        ("waiting_arrivals", REAL),  # sum of the arrival times of what waits
        ("head", WHOLE),
        ("tail", WHOLE),
        ("awake_at", REAL),  # when the batcher looks at the queue, if no request wakes it before
        ("free_at", REAL),  # when an instance can take the next batch
        ("due", REAL),  # when the next batch is made; inf while nothing waits
        ("running", WHOLE),  # requests in batches
        ("next_end", REAL),  # of a batch; inf while none runs
        ("sampled", WHOLE),  # samples ever
        ("counters", REAL, (QUANTITIES,)),
        ("present", REAL),  # requests of the fluid
        ("standing", WHOLE),  # requests of the fluid that wait, as a scrape sees them
        ("oldest", REAL),  # when the first and the last of them came, in requests that a replica got until then
        ("newest", REAL),
        ("oldest_step", WHOLE),  # the step of the first
        ("flow", REAL, (QUANTITIES,)),  # what the counters gain in the step that ends at flow_until
        ("flow_seconds", REAL),
        ("flow_until", REAL),
    ]
)
INSTANCE: Final = np.dtype(
    [
        ("busy_until", REAL),  # the instance takes the next batch then
        ("ends", REAL),  # of its batch
        ("size", WHOLE),  # of its batch; 0: none
        ("head", WHOLE),
        ("seconds", REAL),
    ]
)
NODE: Final = np.dtype([("arrived", REAL), ("following", WHOLE)])
BIN: Final = np.dtype([("arrivals", WHOLE), ("violations", WHOLE), ("failures", WHOLE)])


class State(NamedTuple):
    """Everything, of all lanes."""

    setting: Array  # SETTING [lanes]
    rates: Array  # [lanes, steps]
    recorded: Array  # [lanes, arrivals + 1]: recorded arrivals and inf; without any the lane draws its own
    durations: Array  # [lanes, 3, quantiles]
    lanes: Array  # LANE [lanes]
    pods: Array  # POD [lanes, pods]
    instances: Array  # INSTANCE [lanes, pods, instances]
    executed: Array  # [lanes, pods, max batch + 1, 2]: executions and their seconds, by batch size
    sample_times: Array  # [lanes, pods, KEPT_SAMPLES]
    samples: Array  # [lanes, pods, KEPT_SAMPLES, QUANTITIES]
    routable: Array  # [lanes, pods]: the pods that get requests
    nodes: Array  # NODE [lanes, nodes]
    bins: Array  # BIN [lanes, bins]: what came of the requests that arrived in each 15 s
    latencies: Array  # [lanes, LATENCY_BINS]: answered requests, from `counted_from` on


class Server(NamedTuple):
    """One pod, with what it shares with the others of its lane."""

    setting: Record
    lane: Record
    pod: Record
    instances: Array  # INSTANCE [instances]
    executed: Array  # [max batch + 1, 2]
    nodes: Array  # NODE [nodes]
    bins: Array  # BIN [bins]
    latencies: Array


def build(
    lanes: Sequence[Lane], conditions: Conditions, *, counted_from_seconds: float, remembered_seconds: float = 0.0
) -> State:
    """The state at time 0, without pods; samples of pods that have ended are kept for so long."""
    count, steps = len(lanes), max(len(lane.rates_rps) for lane in lanes)
    # While one fleet drains another may be starting; and a third has ended and is remembered.
    pods = (3 if remembered_seconds > 0.0 else 2) * max(lane.max_replicas for lane in lanes) + 2
    instances = max(lane.law.instances for lane in lanes)
    batch = max(lane.law.max_batch for lane in lanes)
    bins = math.ceil(max(lane.seconds for lane in lanes) / BIN_SECONDS) + 1

    rates = np.zeros((count, steps))
    recorded = _recorded(lanes)
    setting = np.zeros(count, dtype=SETTING)
    states = np.zeros(count, dtype=LANE)
    for row, lane in enumerate(lanes):
        rates[row, : len(lane.rates_rps)] = lane.rates_rps
        setting[row] = _setting(lane, conditions, counted_from_seconds, remembered_seconds)
        states[row]["streams"] = [_seed(lane, stream) for stream in range(STREAMS)]
        states[row]["warm"] = lane.nodes.warm_pods
    states["next_event"] = -np.inf
    table = np.zeros((count, pods), dtype=POD)
    table["next_event"] = table["next_scrape"] = np.inf
    nodes = np.zeros((count, FIRST_POOL), dtype=NODE)
    nodes["following"] = np.arange(1, FIRST_POOL + 1)
    nodes["following"][:, -1] = NOBODY
    durations = [[lane.cold_start, lane.nodes.provisioning, conditions.restart] for lane in lanes]
    return State(
        setting=setting,
        rates=rates,
        recorded=recorded,
        durations=np.array([[entry.quantiles_seconds for entry in row] for row in durations]),
        lanes=states,
        pods=table,
        instances=np.zeros((count, pods, instances), dtype=INSTANCE),
        executed=np.zeros((count, pods, batch + 1, 2)),
        sample_times=np.zeros((count, pods, KEPT_SAMPLES)),
        samples=np.zeros((count, pods, KEPT_SAMPLES, QUANTITIES)),
        routable=np.zeros((count, pods), dtype=np.int64),
        nodes=nodes,
        bins=np.zeros((count, bins), dtype=BIN),
        latencies=np.zeros((count, LATENCY_BINS), dtype=np.int64),
    )


def with_larger_pool(state: State) -> State:
    """The same state with room for twice as many requests in flight."""
    count, size = state.nodes.shape
    nodes = np.zeros((count, 2 * size), dtype=NODE)
    nodes[:, :size] = state.nodes
    nodes["following"][:, size:] = np.arange(size + 1, 2 * size + 1)
    nodes["following"][:, -1] = state.lanes["free"]  # the new nodes first, then those that were free before
    state.lanes["free"] = size
    return state._replace(nodes=nodes)


def _recorded(lanes: Sequence[Lane]) -> Array:
    times = [lane.arrival_times if lane.arrival_times is not None else np.zeros(0) for lane in lanes]
    table = np.full((len(lanes), max(len(row) for row in times) + 1), np.inf)
    for row, known in enumerate(times):
        table[row, : len(known)] = known
    return table


def _setting(
    lane: Lane, conditions: Conditions, counted_from_seconds: float, remembered_seconds: float
) -> tuple[float, ...]:
    law, queue = lane.law, lane.queue
    fields = {
        "step_seconds": lane.step_seconds,
        "per_item": law.per_item_seconds,
        "fixed": law.fixed_seconds,
        "between": law.between_batches_seconds,
        "overhead": law.overhead_seconds,
        "noise": int(law.noise),
        "noise_sigma": math.sqrt(math.log1p(law.noise_cv**2)),
        "max_batch": law.max_batch,
        "instances": law.instances,
        "timeout": queue.timeout_seconds,
        "max_queue": queue.max_size,
        "delay": queue.delay_seconds,
        "missed_wake_ups": queue.missed_wake_ups if queue.limited else 0.0,
        "slo": lane.slo_latency_seconds,
        "routing": int(lane.routing),
        "arrival_cv": lane.arrival_cv,
        "recorded": lane.arrival_times is not None,
        "linger": lane.nodes.linger_seconds,
        "scrape": conditions.scrape_seconds,
        "lost_scrapes": conditions.lost_scrapes,
        "remembered": remembered_seconds,
        "pre_stop": conditions.pre_stop_seconds,
        "grace": conditions.grace_seconds,
        "warm": lane.nodes.warm_pods,
        "endpoints": conditions.endpoints_seconds,
        "crashes_per_second": conditions.crashes_per_hour / 3600.0,
        "counted_from": counted_from_seconds,
    }
    return tuple(fields[name] for name in SETTING.names or ())


def _seed(lane: Lane, stream: int) -> int:
    """Lanes of one name and seed see the same arrivals, whatever policy runs them."""
    entropy = [zlib.crc32(lane.name.encode()), lane.seed & 0xFFFFFFFF, lane.seed >> 32 & 0xFFFFFFFF, stream]
    if stream == SERVICE and lane.noise_seed:
        entropy.append(lane.noise_seed)
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
