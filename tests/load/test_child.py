"""The load from a child process: the same accounting, and no process left behind."""

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

from e2e.load import Outcome, Plan, Target, request, start
from e2e.scenarios.traffic import Traffic
from tests.load.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def plan(url: str, *, count: int, seconds: float, timeout: float = 5.0) -> Plan:
    target = Target.parse(url)
    arrivals = np.linspace(0.0, seconds, count)
    return Plan(target=target, arrivals=arrivals, payloads=(request(target),), timeout_seconds=timeout)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_whole_result_comes_back_in_parts(server: Server) -> None:
    with start(plan(server.url("/ok"), count=100, seconds=1.0)) as running:
        seen = 0
        while not running.done:
            seen += len(running.poll(timeout_seconds=0.2))
        result = running.result()
    assert seen == len(result) == 100
    assert (result.outcome == Outcome.OK).all()
    assert (np.diff(result.planned_at) >= 0.0).all()
    assert abs(result.started_at - time.time()) < 30.0
    assert not alive(running.process.pid or 0)


def test_stopped_early_it_waits_for_what_is_in_flight(server: Server) -> None:
    with start(plan(server.url("/slow"), count=600, seconds=20.0)) as running:
        while not len(running.poll(timeout_seconds=0.1)):
            pass
        running.stop()
        result = running.result()
    assert 0 < len(result) < 600
    assert (result.outcome == Outcome.OK).all()


def test_leaving_the_block_ends_the_process(server: Server) -> None:
    with start(plan(server.url("/ok"), count=600, seconds=20.0)) as running:
        running.poll(timeout_seconds=5.0)
    assert not alive(running.process.pid or 0)


def test_a_child_that_dies_is_an_error_and_not_a_short_result(server: Server) -> None:
    with start(plan(server.url("/ok"), count=600, seconds=20.0)) as running:
        running.poll(timeout_seconds=5.0)
        os.kill(running.process.pid or 0, signal.SIGKILL)
        with pytest.raises(RuntimeError, match=r"ended early \(exit code -9\)"):
            running.result()


def test_traffic_says_so_as_well(server: Server) -> None:
    """Its thread takes the results: what was sent before the end seemed to be the whole load, and all of it in time."""
    with Traffic(plan(server.url("/ok"), count=600, seconds=20.0)) as traffic:
        traffic.until_sent(1)
        os.kill(traffic._running.process.pid or 0, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="ended early"):
            traffic.whole()
