"""Prometheus goes away and comes back, in virtual time: the load stays known, and no number of replicas follows it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foretide.adapters.prometheus import Pod
from foretide.adapters.promql import expression
from foretide.control.outcome import Outcome
from foretide.control.sources import LONGEST_RETURN_WINDOWS, longest_window_seconds
from foretide.scaling.policy import Over, Quantity, Query
from tests.control import objects
from tests.control.cluster import TICK_SECONDS, Cluster
from tests.control.fakes import BRAIN, DOWN, FakePrometheus
from tests.virtual_time import run

ONE_REPLICA: Final = 4.0
STEADY: Final = 3.5 * 4
HOLD_TICKS: Final = 25
# Of a window of 30 s that begins anew: nothing, then what `rate()` makes of a third of it, two thirds, all.
FILLING: Final = (None, 1 / 3, 2 / 3, 1.0)


class Life:
    """A cluster whose pods count what they serve, and a Prometheus that scrapes them while it lives."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.counted: dict[str, float] = {}
        self.history = len(FILLING) - 1  # ticks of scrapes that Prometheus has
        self.blocked = False  # whether a network policy keeps the operator from the pods
        self.outcome: Outcome | None = None

    def serve(self, rps: float) -> None:
        """The pods share the load evenly for a tick."""
        share = rps / len(self.cluster.pods)
        values = self.cluster.scraper.values
        values.clear()
        for pod, obj in self.cluster.pods.items():
            self.counted[pod.name] = self.counted.get(pod.name, 0.0) + share * TICK_SECONDS
            answered = self.counted[pod.name]
            if not self.blocked:
                values[f"{obj['status']['podIP']}:8002"] = {
                    Quantity.SUCCESS: answered,
                    Quantity.FAILURE: 0.0,
                    Quantity.INFERENCE: answered,
                    Quantity.PENDING: 0.0,
                    Quantity.REQUEST_SECONDS: 0.01 * answered,
                }

    async def tick(self, rps: float = STEADY, what: str = "well") -> int:
        """`cut`: the way to Prometheus is; `killed`: it is, and what it had scraped is lost."""
        self.serve(rps)
        self.history = -1 if what == "killed" else min(self.history + 1, len(FILLING) - 1)
        self.cluster.prometheus.down = None if what == "well" else DOWN
        filled = FILLING[max(self.history, 0)]
        self.cluster.load(ranker=None if filled is None else filled * rps)
        seconds = 0.01 * (filled or 0.0) * rps / len(self.cluster.pods)
        told = {} if filled is None else dict.fromkeys(self.cluster.pods, seconds)
        self.cluster.prometheus.samples["request_seconds"] = told
        self.outcome = await self.cluster.tick()
        self.cluster.settle()
        return self.cluster.replicas()

    async def ticks(self, *whats: str, rps: float = STEADY) -> list[int]:
        return [await self.tick(rps, what) for what in whats]

    @property
    def demand(self) -> float | None:
        assert self.outcome is not None
        seen = self.outcome.decisions.seen.demand
        return float(seen.value[0]) if seen.known[0] else None

    @property
    def read(self) -> int:
        """Pods that were read directly in the last tick."""
        assert self.outcome is not None
        return self.outcome.scrapes.asked

    def told(self, kind: str) -> tuple[str, str, str]:
        found = {entry["type"]: entry for entry in self.cluster.status()["conditions"]}
        return found[kind]["status"], found[kind]["reason"], found[kind]["message"]


async def life(*services: dict[str, Any], replicas: int = 4) -> Life:
    """Four replicas that have had the load of four for longer than the hold."""
    cluster = Cluster(objects.hardware_class())
    await cluster.serve(*(services or (objects.service(),)), replicas=replicas)
    found = Life(cluster)
    for _ in range(HOLD_TICKS):
        assert await found.tick() == replicas
    return found


# Away


async def test_while_all_is_well_no_pod_is_asked() -> None:
    one = await life()
    assert one.read == 0
    assert one.cluster.scraper.asked == []


async def test_the_load_is_known_from_the_second_tick_on() -> None:
    one = await life()
    assert await one.tick(what="killed") == 4
    assert one.told("MetricsAvailable") == ("False", "PrometheusUnreachable", str(DOWN))
    assert one.told("ScalingActive")[:2] == ("False", "MetricsUnavailable")
    assert await one.tick(what="killed") == 4
    assert one.demand == pytest.approx(STEADY)
    assert one.told("MetricsAvailable") == (
        "False",
        "PrometheusUnreachable",
        f"{DOWN}; the load is read from the pods directly (4 of 4)",
    )
    assert one.told("ScalingActive") == (
        "True",
        "ScalingActive",
        "the number of replicas grows with the load that the pods tell; without Prometheus nothing shrinks",
    )
    assert one.read == 4


async def test_a_status_at_rest_is_written_no_more() -> None:
    one = await life()
    await one.ticks("killed", "killed")
    one.cluster.kubernetes.writes.clear()
    await one.ticks(*["killed"] * HOLD_TICKS)
    assert one.cluster.kubernetes.writes == []


async def test_a_load_that_grows_is_followed() -> None:
    """As far as with Prometheus, whose stand-in shows a whole window at once."""
    one, undisturbed = await life(), await life()
    await one.ticks("killed", "killed")
    grown = (await undisturbed.ticks("well", rps=9 * ONE_REPLICA))[-1]
    assert grown > 7
    growing = await one.ticks(*["killed"] * 5, rps=9 * ONE_REPLICA)
    assert growing[0] > 4, "half of what came is seen at once"
    assert growing[-1] == grown


async def test_a_load_that_falls_takes_no_replica_until_prometheus_is_back_for_a_window() -> None:
    one = await life()
    away = await one.ticks(*["killed"] * 3 * HOLD_TICKS, rps=ONE_REPLICA)
    assert set(away) == {4}
    assert one.demand == pytest.approx(ONE_REPLICA)
    back = await one.ticks(*["well"] * 12, rps=ONE_REPLICA)
    assert back[:2] == [4, 4]
    assert back[-1] == 1


async def test_pods_that_do_not_answer_are_silent() -> None:
    one = await life()
    await one.ticks("killed", "killed")
    for _ in range(3):
        one.serve(STEADY)
        one.cluster.scraper.values.pop("10.0.0.1:8002")
        await one.cluster.tick()
    assert one.told("MetricsAvailable")[2].endswith("(3 of 4)")
    assert one.cluster.replicas() == 4


async def test_where_no_pod_answers_the_load_is_unknown() -> None:
    one = await life()
    one.blocked = True
    assert set(await one.ticks(*["killed"] * HOLD_TICKS, rps=ONE_REPLICA)) == {4}
    assert one.demand is None
    assert one.told("MetricsAvailable") == ("False", "PrometheusUnreachable", str(DOWN))
    assert one.told("ScalingActive")[:2] == ("False", "MetricsUnavailable")
    assert one.outcome is not None
    assert one.outcome.scrapes.failed == {"Unreachable": 4}


async def test_while_prometheus_hangs_the_pods_are_read_beside_it() -> None:
    """What they told is 8 s old when the tick decides."""
    one = await life()
    clock, told = one.cluster.clock, list[int]()

    class Hanging(FakePrometheus):
        async def by_pod(self, promql: str) -> dict[Pod, float]:
            for _ in range(20):  # the pods answer meanwhile
                await asyncio.sleep(0)
            if promql == expression(BRAIN.queries[0]):
                told.append(len(one.cluster.scraper.asked))
                clock.seconds += 8.0 if len(told) > 1 else 0.0
            raise DOWN

    one.cluster.prometheus = Hanging()
    one.cluster.start_operator()
    await one.cluster.reconcile()
    for tick in range(4):
        assert await one.tick(what="killed") == 4
        clock.seconds -= 8.0 if tick > 0 else 0.0  # ticks begin 15 s after one another
    assert told == [0, 8, 12, 16], "first Prometheus, then the pods; from then on both at once"
    assert one.demand == pytest.approx(STEADY)


# Back


async def test_the_load_makes_no_step_when_prometheus_comes_back_with_half_a_window() -> None:
    one = await life()
    await one.ticks("killed", "killed", "killed")
    for _ in range(HOLD_TICKS):
        assert await one.tick() == 4
        assert one.demand == pytest.approx(STEADY)
    assert one.told("MetricsAvailable")[:2] == ("True", "MetricsComplete")
    assert one.read == 0


async def test_prometheus_counts_again_when_it_has_told_all_for_a_window() -> None:
    one = await life()
    await one.ticks("killed", "killed")
    reads = []
    for _ in range(6):
        await one.tick()
        reads.append(one.read)
    # Nothing at first, a third at the second tick: two ticks, which are a window, later no pod is read any more.
    assert reads == [4, 4, 4, 4, 0, 0]


async def test_a_pod_that_prometheus_never_tells_does_not_keep_it_from_counting() -> None:
    one = await life()
    await one.ticks("killed", "killed")
    window_ticks = int(longest_window_seconds(BRAIN.queries) / TICK_SECONDS)
    reads = []
    for _ in range(LONGEST_RETURN_WINDOWS * window_ticks + 4):
        one.serve(STEADY)
        one.cluster.prometheus.down = None
        one.cluster.load(ranker=STEADY)
        one.cluster.prometheus.samples["request_seconds"] = dict.fromkeys(one.cluster.pods, 0.01)
        for series in one.cluster.prometheus.samples.values():
            series.pop(next(iter(one.cluster.pods)), None)
        one.outcome = await one.cluster.tick()
        reads.append(one.read)
    assert reads == [4] * (LONGEST_RETURN_WINDOWS * window_ticks + 1) + [0] * 3


async def test_one_lost_tick_makes_no_step_either() -> None:
    one = await life()
    await one.tick(what="killed")
    for _ in range(6):
        assert await one.tick() == 4
        assert one.demand == pytest.approx(STEADY)


async def test_where_no_pod_answers_prometheus_counts_at_once_and_only_grows() -> None:
    one = await life()
    one.blocked = True
    await one.tick(what="killed")
    demands = []
    for _ in range(6):
        assert await one.tick() == 4
        demands.append(one.demand)
    assert demands[:4] == [None, pytest.approx(STEADY / 3), pytest.approx(STEADY * 2 / 3), pytest.approx(STEADY)]
    await one.ticks("cut", "well")
    assert await one.tick(9 * ONE_REPLICA) > 7


async def test_an_outage_after_an_outage_knows_nothing_of_the_first() -> None:
    one = await life()
    await one.ticks("killed", "killed", *["well"] * 8)
    assert one.read == 0
    await one.tick(what="killed")
    assert one.demand is None, "one reading is no rate"
    await one.tick(what="killed")
    assert one.demand == pytest.approx(STEADY)


whats = st.sampled_from(["well", "well", "cut", "killed"])


@settings(max_examples=5, deadline=None)
@given(st.lists(whats, min_size=1, max_size=25), st.booleans())
def test_no_outage_changes_replicas_under_a_steady_load(what: list[str], blocked: bool) -> None:
    async def main() -> None:
        one = await life()
        one.blocked = blocked
        before = "well"
        for now in what:
            assert await one.tick(what=now) == 4
            if not blocked and before != "well":
                assert one.demand == pytest.approx(STEADY), "known, and never in part"
            before = now
        assert set(await one.ticks(*["well"] * HOLD_TICKS)) == {4}

    run(main())


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 3.0, 6.0, 12.0]), whats, st.sampled_from([1, 2, HOLD_TICKS])),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
@example([(1.0, "killed", HOLD_TICKS)], False)
def test_nothing_shrinks_while_prometheus_is_away(events: list[tuple[float, str, int]], blocked: bool) -> None:
    async def main() -> None:
        one = await life()
        one.blocked = blocked
        for replicas, what, ticks in events:
            for _ in range(ticks):
                before = one.cluster.replicas()
                after = await one.tick(replicas * ONE_REPLICA, what)
                assert after >= before or what == "well"

    run(main())


def test_windows_are_those_of_the_queries() -> None:
    assert longest_window_seconds(BRAIN.queries) == 30.0
    assert longest_window_seconds([Query(Quantity.PENDING)]) == 0.0
    assert longest_window_seconds([]) == 0.0
    assert longest_window_seconds([Query(Quantity.PENDING), Query(Quantity.SUCCESS, Over.RATE, 60.0)]) == 60.0
