"""Every request is accounted for, whatever the server does, and the schedule never waits for the server."""

import socket
from collections.abc import Iterator

import numpy as np
import pytest

from e2e.load import Answer, Outcome, Plan, Result, Target, request, run
from e2e.load.result import Check
from tests.load.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def send(
    url: str, *, count: int = 20, seconds: float = 0.2, timeout: float = 5.0, in_flight: int = 512, body: bytes = b""
) -> Result:
    target = Target.parse(url)
    return run(
        Plan(
            target=target,
            arrivals=np.linspace(0.0, seconds, count),
            payloads=(request(target, body),),
            timeout_seconds=timeout,
            max_in_flight=in_flight,
        )
    )


def test_each_request_has_its_own_connection_and_is_answered(server: Server) -> None:
    result = send(server.url("/ok"), count=200)
    assert len(result) == 200
    assert (result.outcome == Outcome.OK).all()
    assert (result.http_status == 200).all()
    assert (result.latency_seconds > 0.0).all()
    assert server.connections == 200


def test_a_slow_server_does_not_slow_the_schedule(server: Server) -> None:
    result = send(server.url("/slow"), count=20, seconds=0.5)
    # One after the other they would take 8 s; sent on time they overlap.
    assert (result.latency_seconds >= 0.39).all()
    assert result.sent_at.max() < 2.0
    assert (result.sent_at >= result.planned_at).all()


def test_time_outs_are_counted_with_the_time_they_took(server: Server) -> None:
    result = send(server.url("/silent"), count=5, timeout=0.3)
    assert (result.outcome == Outcome.TIMED_OUT).all()
    assert (result.latency_seconds >= 0.29).all()  # uvloop counts whole milliseconds
    assert result.messages == {"no answer within 0.3 s": 5}


def test_another_status_is_a_failure_with_its_text(server: Server) -> None:
    result = send(server.url("/refuse"), count=3)
    assert (result.outcome == Outcome.HTTP_STATUS).all()
    assert (result.http_status == 503).all()
    assert result.messages == {"503 too busy": 3}


@pytest.mark.parametrize("path", ["/cut", "/headless"])
def test_half_an_answer_is_no_answer(server: Server, path: str) -> None:
    result = send(server.url(path), count=3)
    assert (result.outcome == Outcome.BROKEN).all()
    assert result.messages.total() == 3


def test_a_closed_port_is_told_from_everything_else() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = send(f"http://127.0.0.1:{free.getsockname()[1]}/", count=4)
    assert (result.outcome == Outcome.NOT_CONNECTED).all()
    assert (result.http_status == 0).all()


def test_beyond_the_bound_requests_are_counted_and_not_sent(server: Server) -> None:
    result = send(server.url("/slow"), count=10, seconds=0.05, in_flight=4)
    assert (result.outcome == Outcome.NOT_SENT).sum() == 6
    assert (result.outcome == Outcome.OK).sum() == 4
    assert np.isnan(result.sent_at[result.outcome == Outcome.NOT_SENT]).all()
    assert server.connections == 4


def test_answers_are_checked_against_their_own_payload(server: Server) -> None:
    target = Target.parse(server.url("/echo"))
    bodies = (b"one", b"two", b"three")

    def right(payload: int, answer: Answer) -> bool:
        return answer.body == bodies[payload] and answer.body != b"two"

    payloads = tuple(request(target, body) for body in bodies)
    result = run(Plan(target=target, arrivals=np.linspace(0.0, 0.05, 6), payloads=payloads, check=right))
    assert result.answer.tolist() == [Check.RIGHT, Check.WRONG, Check.RIGHT] * 2


def test_what_failed_is_not_checked(server: Server) -> None:
    target = Target.parse(server.url("/refuse"))
    plan = Plan(target=target, arrivals=np.zeros(2), payloads=(request(target),), check=lambda payload, answer: True)
    assert (run(plan).answer == Check.NOT_CHECKED).all()


@pytest.mark.parametrize(
    ("arrivals", "complaint"),
    [(np.zeros(11), "11 requests planned, at most 10"), (np.array([61.0]), "lasts 61 s, at most 60 s")],
)
def test_a_plan_beyond_its_bounds_is_refused(
    arrivals: np.ndarray[tuple[int], np.dtype[np.float64]], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Plan(target=Target("127.0.0.1", 1, "/"), arrivals=arrivals, payloads=(b"x",), max_requests=10, max_seconds=60.0)


def test_a_plan_without_payload_is_refused() -> None:
    with pytest.raises(ValueError, match="payload"):
        Plan(target=Target("127.0.0.1", 1, "/"), arrivals=np.zeros(1), payloads=())
