"""The client of Prometheus, against a real HTTP server that answers as badly as one can."""

from __future__ import annotations

import asyncio
import gzip
import logging
import math
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
import pytest

from foretide.adapters import prometheus as module
from foretide.adapters import prometheus_answer as answers
from foretide.adapters.errors import Rejected, Unavailable
from foretide.adapters.prometheus import Pod, PrometheusApi
from foretide.adapters.prometheus_access import Access
from foretide.adapters.prometheus_grid import Workload
from foretide.api.reasons import Reason
from tests.adapters.prometheus_server import ANSWERED_AT, Server, answering, matrix, serving, vector
from tests.control.fakes import FakeClock


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[PrometheusApi]:
    client = PrometheusApi(Access(url=server.url + "/"), FakeClock(ANSWERED_AT))
    yield client
    client.close()


@pytest.fixture
def hasty(client: PrometheusApi, monkeypatch: pytest.MonkeyPatch) -> PrometheusApi:
    """Gives up soon: only for servers that never answer in time."""
    monkeypatch.setattr(module, "QUERY_TIMEOUT_SECONDS", 0.2)
    return client


POD = {"namespace": "shop", "pod": "ranker-0"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-59.0, None),
        (59.0, None),
        (-604.0, "the clock of Prometheus is more than 10 min ahead of the operator's"),
        (3_600.0, "the clock of Prometheus is more than 60 min behind the operator's"),
    ],
)
async def test_a_clock_that_is_off_is_told_with_its_minutes(server: Server, seconds: float, words: str | None) -> None:
    """F14: what day it is nobody knows then, and a sample of ten minutes ago may look like one of now."""
    server.answer = answering(vector((POD, "1")))
    client = PrometheusApi(Access(url=server.url), FakeClock(ANSWERED_AT + seconds))
    try:
        if words is None:
            assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}
        else:
            with pytest.raises(Unavailable, match=words) as raised:
                await client.by_pod("up")
            assert raised.value.reason == Reason.CLOCK_SKEW
    finally:
        client.close()


async def test_samples_come_by_pod(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector((POD, "3.5"), ({"namespace": "bank", "pod": "ranker-0"}, "0")))
    assert await client.by_pod('sum by (namespace, pod) (rate(x{a="é"}[30s]))') == {
        Pod("shop", "ranker-0"): 3.5,
        Pod("bank", "ranker-0"): 0.0,
    }
    assert server.queries == ['sum by (namespace, pod) (rate(x{a="é"}[30s]))']


async def test_no_series_is_no_sample(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector())
    assert await client.by_pod("up") == {}


async def test_what_is_not_finite_is_handed_on_as_it_is(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector((POD, "NaN"), ({**POD, "pod": "b"}, "+Inf"), ({**POD, "pod": "c"}, "-Inf")))
    samples = await client.by_pod("up")
    assert math.isnan(samples[Pod("shop", "ranker-0")])
    assert (samples[Pod("shop", "b")], samples[Pod("shop", "c")]) == (math.inf, -math.inf)


async def test_series_of_others_are_passed_over(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(vector((POD, "1"), ({}, "9"), ({"namespace": "shop"}, "9"), ({"pod": "ranker-0"}, "9")))
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}


async def test_points_come_by_pod_and_by_the_number_in_a_label(server: Server, client: PrometheusApi) -> None:
    other = {"namespace": "bank", "pod": "ranker-0"}
    server.answer = answering(
        vector(
            ({**POD, "le": "33.3"}, "3"),
            ({**POD, "le": "+Inf"}, "NaN"),
            ({**other, "le": "100.0"}, "0"),
            # somebody else's: a target may write what it likes into its labels
            (POD, "9"),
            ({**POD, "le": "soon"}, "9"),
            ({**POD, "le": None}, "9"),
            ({**POD, "le": ["1"]}, "9"),
            ({"le": "1"}, "9"),
        )
    )
    found = await client.by_pod_and_number("sum by (namespace, pod, le) (x)", "le")
    mine = found[Pod("shop", "ranker-0")]
    assert found.keys() == {Pod("shop", "ranker-0"), Pod("bank", "ranker-0")}
    assert mine.keys() == {33.3, math.inf}
    assert mine[33.3] == 3.0
    assert math.isnan(mine[math.inf])
    assert found[Pod("bank", "ranker-0")] == {100.0: 0.0}


async def test_what_is_no_vector_is_refused_for_points_too(server: Server, client: PrometheusApi) -> None:
    server.answer = answering({"status": "success", "data": {"result": [{"metric": {**POD, "le": "1"}}]}})
    with pytest.raises(Rejected, match="not an instant vector"):
        await client.by_pod_and_number("x", "le")


ABOUT_THE_NAME = (
    "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
    '"nv_inference_request_success" (1:42)'
)


@pytest.mark.parametrize(
    "words",
    [
        {"infos": [ABOUT_THE_NAME]},
        {"warnings": [ABOUT_THE_NAME]},  # as Prometheus has it before `infos`, at each tick
        {"warnings": ["PromQL warning: quantile value should be between 0 and 1", ABOUT_THE_NAME]},
        {"warnings": []},
        {"warnings": None},
        {"isPartial": False},
    ],
    ids=str,
)
async def test_what_is_said_of_the_expression_leaves_the_answer_whole(
    server: Server, client: PrometheusApi, words: dict[str, Any]
) -> None:
    server.answer = answering({**vector((POD, "1")), **words})
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}


@pytest.mark.parametrize(
    "words",
    [
        {"warnings": ["No StoreAPIs matched for this query"]},
        {"warnings": [ABOUT_THE_NAME, "fetch series for store-3: secret connection refused"]},
        {"warnings": "text"},
        {"warnings": [{"a": 1}]},
        {"isPartial": True},
    ],
    ids=str,
)
async def test_an_answer_that_says_it_is_partial_is_none(
    server: Server, client: PrometheusApi, words: dict[str, Any]
) -> None:
    server.answer = answering({**vector((POD, "1")), **words})
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_PARTIAL
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "null",
        "[]",
        '"x"',
        '{"status":"success"',
        {"status": "error", "errorType": "execution", "error": "query timed out"},
        {"status": "success", "data": None},
        {"status": "success", "data": {"resultType": "vector"}},
        {"status": "success", "data": {"resultType": "vector", "result": None}},
        {"status": "success", "data": {"resultType": "scalar", "result": [1_763_800_000, "1"]}},
        {"status": "success", "data": {"resultType": "string", "result": "x"}},
        {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": POD, "values": [[1, "2"]]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": None, "value": [1, "2"]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": "namespace pod", "value": 1}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": POD, "value": [1]}]}},
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": POD, "value": {}}]}},
        vector((POD, "secret")),
        vector((POD, None)),
        vector((POD, [])),
        vector((POD, 10**400)),
        vector(({"namespace": ["shop"], "pod": "x"}, "1")),
        "[" * 100_000,
        '{"status": "success", "warnings": ' + "[" * 1_000 + "]" * 1_000 + "}",
        b"\xff\xfe\x00",
    ],
    ids=lambda body: str(body)[:60],
)
async def test_a_body_that_is_no_answer_is_malformed(
    server: Server, client: PrometheusApi, body: str | bytes | dict[str, Any]
) -> None:
    server.answer = answering(body)
    with pytest.raises(Rejected) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_MALFORMED
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refusal_is_rejected(server: Server, client: PrometheusApi, status: int) -> None:
    server.answer = answering({"status": "error", "errorType": "bad_data", "error": "secret " + "x" * 9000}, status)
    with pytest.raises(Rejected) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_REJECTED
    assert str(status) in str(raised.value)
    assert "secret" not in str(raised.value)  # an answer of another server never reaches a status


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_server_that_cannot_answer_now_is_asked_once_a_tick(
    server: Server, client: PrometheusApi, status: int
) -> None:
    server.answer = answering("<html>Bad Gateway</html>", status)
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_REJECTED
    assert str(raised.value) == f"HTTP Status Code {status}"
    assert server.queries == ["up"]


@pytest.mark.parametrize("status", [401, 403])
async def test_who_is_not_let_in_is_told_so(server: Server, client: PrometheusApi, status: int) -> None:
    server.answer = answering("secret", status)
    with pytest.raises(Rejected) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_UNAUTHORIZED
    assert str(raised.value) == f"HTTP Status Code {status}: the credentials are missing or refused"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(server: Server, client: PrometheusApi, status: int) -> None:
    """It might lead to another host, with our credentials, or out of TLS."""
    with serving() as other:
        other.answer = answering(vector((POD, "1")))
        server.answer = answering("", status, Location=f"{other.url}/api/v1/query")
        with pytest.raises(Rejected, match="a redirect, which is not followed") as raised:
            await client.by_pod("up")
        assert other.seen == []
    assert raised.value.reason == Reason.PROMETHEUS_REJECTED


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("100000", 300), ("9" * 40, 300), ("9" * 5000, 0), ("soon", 0), ("-5", 0), ("", 0), (None, 0)],
    ids=lambda each: str(each)[:20],
)
async def test_a_server_that_asks_for_silence_gets_it_for_five_minutes_at_most(
    server: Server, client: PrometheusApi, status: int, header: str | None, seconds: int
) -> None:
    server.answer = answering("", status, **({} if header is None else {"Retry_After": header}))
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_REJECTED
    assert raised.value.retry_after_seconds == seconds
    with pytest.raises(Unavailable) as again:
        await client.by_pod("up")
    assert again.value.reason == Reason.PROMETHEUS_REJECTED
    with pytest.raises(Unavailable):
        await client.history("up", start_seconds=0, end_seconds=60, step_seconds=60)
    # The past is asked for apart: a limit on it must not keep ticks from asking what is now, nor the reverse.
    assert len(server.queries) == (2 if seconds else 3)
    assert ("not to be asked for a while" in str(again.value)) == (seconds > 0)


async def test_silence_until_a_date(server: Server, client: PrometheusApi) -> None:
    server.answer = answering("", 503, Retry_After=formatdate(4e9, usegmt=True))
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.retry_after_seconds == 300


async def test_after_the_silence_it_is_asked_again(
    server: Server, client: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = answering("", 429, Retry_After="60")
    with pytest.raises(Unavailable):
        await client.by_pod("up")
    server.answer = answering(vector((POD, "1")))
    loop = asyncio.get_running_loop()
    later = loop.time() + 59.0
    monkeypatch.setattr(loop, "time", lambda: later)
    with pytest.raises(Unavailable):
        await client.by_pod("up")
    later += 1.5
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}


async def test_a_limit_on_distributions_is_none_on_the_load(server: Server, client: PrometheusApi) -> None:
    server.answer = answering("", 429, Retry_After="60")
    with pytest.raises(Unavailable):
        await client.by_pod_and_number("buckets", "le")
    server.answer = answering(vector((POD, "1")))
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}
    with pytest.raises(Unavailable):
        await client.by_pod_and_number("buckets", "le")


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_only_two_statuses_may_ask_for_silence(server: Server, client: PrometheusApi, status: int) -> None:
    server.answer = answering("", status, Retry_After="60")
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.retry_after_seconds == 0


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body that never ends."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65_536)


BOMB = answering(gzip.compress(b" " * (64 * 2**20), 9), Content_Encoding="gzip")


@pytest.mark.parametrize("answer", [endless, BOMB], ids=["endless", "bomb"])
async def test_an_answer_that_is_too_large_is_cut_off_in_flat_memory(
    server: Server, client: PrometheusApi, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    limit = 2**20
    monkeypatch.setattr(module, "QUERY_TIMEOUT_SECONDS", 10.0)
    monkeypatch.setattr(answers, "ANSWER_LIMIT_BYTES", limit)
    server.answer = answer
    tracemalloc.start()
    try:
        with pytest.raises(Rejected) as raised:
            await client.by_pod("up")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert raised.value.reason == Reason.PROMETHEUS_TOO_LARGE
    assert "1,048,576 bytes" in str(raised.value)
    assert peak < 4 * limit


async def test_an_answer_of_just_the_limit_is_read(
    server: Server, client: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'
    monkeypatch.setattr(answers, "ANSWER_LIMIT_BYTES", 65_536)
    server.answer = answering(body.ljust(65_536))
    assert await client.by_pod("up") == {}
    server.answer = answering(body.ljust(65_537))
    with pytest.raises(Rejected):
        await client.by_pod("up")


async def test_a_body_that_is_not_what_its_encoding_says_is_malformed(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(b"not gzip at all", Content_Encoding="gzip")
    with pytest.raises(Rejected) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_MALFORMED


async def test_a_server_that_does_not_speak_http_is_not_quoted(server: Server, client: PrometheusApi) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-secret\r\n")

    server.answer = answer
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE
    assert "secret" not in str(raised.value)


async def test_nobody_listens(server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = PrometheusApi(Access(url=f"http://127.0.0.1:{unused.getsockname()[1]}"))
        with pytest.raises(Unavailable) as raised:
            await client.by_pod("up")
        client.close()
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE
    assert "Connection refused" in str(raised.value)


async def test_a_name_that_does_not_exist_is_unreachable(server: Server) -> None:
    client = PrometheusApi(Access(url="http://prometheus.invalid:9090"))
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    client.close()
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE


async def test_a_connection_that_breaks_is_unreachable(server: Server, client: PrometheusApi) -> None:
    server.answer = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE


async def test_a_body_that_is_cut_off_is_unreachable(server: Server, client: PrometheusApi) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"status"')
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    server.answer = answer
    with pytest.raises(Unavailable) as raised:
        await client.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_UNREACHABLE


async def test_a_server_that_hangs_is_given_up(server: Server, hasty: PrometheusApi) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        server.leave.wait(5)

    server.answer = answer
    with pytest.raises(Unavailable) as raised:
        await hasty.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_TIMEOUT


async def test_a_server_that_sends_a_byte_now_and_then_is_given_up(server: Server, hasty: PrometheusApi) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not server.leave.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    server.answer = answer
    with pytest.raises(Unavailable) as raised:
        await hasty.by_pod("up")
    assert raised.value.reason == Reason.PROMETHEUS_TIMEOUT


async def test_a_proxy_of_the_environment_is_not_used(
    server: Server, client: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.answer = answering(vector((POD, "1")))
    assert await client.by_pod("up") == {Pod("shop", "ranker-0"): 1.0}


START = 1_763_800_020.0
WORKLOAD = {"namespace": "shop", "workload": "ranker--cpu-16"}
RANKER = Workload("shop", "ranker--cpu-16")


async def test_answers_that_come_together_are_read_one_after_the_other(
    server: Server, client: PrometheusApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of 20,000 pods are 14 MiB of objects each."""
    server.answer, reading, most = answering(vector((POD, "1"))), 0, 0

    def samples(answer: Any) -> dict[Pod, float]:
        nonlocal reading, most
        reading, most = reading + 1, max(most, reading + 1)
        time.sleep(0.01)
        reading -= 1
        return real(answer)

    real = module.samples
    monkeypatch.setattr(module, "samples", samples)
    answered = await asyncio.gather(*(client.by_pod("up") for _ in range(8)))
    assert answered == 8 * [{Pod("shop", "ranker-0"): 1.0}]
    assert most == 1


async def test_a_range_is_a_grid_with_gaps(server: Server, client: PrometheusApi) -> None:
    server.answer = answering(
        matrix((WORKLOAD, [[START, "1.5"], [START + 120, "NaN"], [START + 180, "4"]]), ({"namespace": "shop"}, []))
    )
    found = await client.history("x", start_seconds=START, end_seconds=START + 180, step_seconds=60)
    assert dict(found.rows) == {RANKER: 0}
    np.testing.assert_array_equal(found.of([RANKER]), [[1.5, np.nan, np.nan, 4.0]])
    (form,) = server.forms
    expected = {"query": "x", "start": f"{START:.0f}", "end": f"{START + 180:.0f}", "step": "60"}
    assert {name: value for name, (value,) in form.items()} == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answering({**matrix(), "warnings": ["store-3 is away"]}), Reason.PROMETHEUS_PARTIAL),
        (answering(vector((WORKLOAD, "1"))), Reason.PROMETHEUS_MALFORMED),
        (answering("", 403), Reason.PROMETHEUS_UNAUTHORIZED),
        (answering("", 422), Reason.PROMETHEUS_REJECTED),
        (answering(" " * 70_000), Reason.PROMETHEUS_TOO_LARGE),
    ],
    ids=lambda each: str(each)[:25],
)
async def test_a_range_fails_as_an_instant_does(
    server: Server, client: PrometheusApi, monkeypatch: pytest.MonkeyPatch, answer: Any, reason: Reason
) -> None:
    monkeypatch.setattr(answers, "ANSWER_LIMIT_BYTES", 65_536)
    server.answer = answer
    with pytest.raises((Unavailable, Rejected)) as raised:
        await client.history("x", start_seconds=START, end_seconds=START + 60, step_seconds=60)
    assert raised.value.reason == reason


async def test_no_instant_waits_for_a_range(server: Server, client: PrometheusApi) -> None:
    """Ten ranges hang; there is one of them at the server at a time, and instants are answered beside it."""

    asked = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "query_range" in handler.path:
            asked.set()
            server.leave.wait(5)
        else:
            answering(vector((POD, "1")))(handler)

    server.answer = answer
    ranges = [
        asyncio.create_task(client.history("slow", start_seconds=START, end_seconds=START, step_seconds=60))
        for _ in range(10)
    ]
    found = await asyncio.gather(*(client.by_pod("up") for _ in range(8)))
    assert found == [{Pod("shop", "ranker-0"): 1.0}] * 8
    await asyncio.to_thread(asked.wait, 5)
    assert server.queries.count("slow") == 1
    assert not any(task.done() for task in ranges)
    for task in ranges:
        task.cancel()
    await asyncio.gather(*ranges, return_exceptions=True)


async def test_a_refusal_is_in_the_log_with_its_words(
    server: Server, client: PrometheusApi, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = answering({"status": "error", "error": "too many samples" + "x" * 9000}, 422)
    with caplog.at_level(logging.WARNING), pytest.raises(Rejected):
        await client.by_pod("up")
    assert "too many samples" in caplog.text
    assert len(caplog.text) < 600
