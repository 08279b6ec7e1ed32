"""Metrics straight from pods, against a real HTTP server with what a real Triton says, and with what none would."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters import pod_http
from foretide.adapters.errors import Unavailable
from foretide.adapters.pod_http import PodHttp
from foretide.adapters.promql import expression
from foretide.adapters.scrape import BODY_LIMIT_BYTES, LINE_LIMIT, TEXT_LIMIT, ScrapeHttp, quantities
from foretide.adapters.triton_metrics import METRICS
from foretide.scaling.policy import Quantity, Query

# Triton 2.51, a minute after it answered 6 requests and let 19 time out in its queue: all summaries are "Nan" by then.
RECORDED: Final = (Path(__file__).parent / "triton_2.51_metrics.txt").read_text()
EXPECTED: Final = {
    Quantity.SUCCESS: 6.0,
    Quantity.FAILURE: 19.0,
    Quantity.INFERENCE: 6.0,
    Quantity.EXECUTION: 3.0,
    Quantity.PENDING: 0.0,
    Quantity.REQUEST_SECONDS: 0.642985,
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pod:
    """A metrics port that gives one answer."""

    def __init__(self) -> None:
        self.answer: Answer = self.whole
        self.body: bytes = RECORDED.encode()
        self.status = 200
        self.headers: dict[str, str] = {}
        self.delay_seconds = 0.0
        self.requests: list[web.Request] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.answer(request)

    async def whole(self, _: web.Request) -> web.StreamResponse:
        await asyncio.sleep(self.delay_seconds)
        return web.Response(body=self.body, status=self.status, headers=self.headers)


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    pod, app = Pod(), web.Application()
    app.router.add_get("/{path:.*}", pod.handle)
    async with TestServer(app) as server:
        pod.address = f"127.0.0.1:{server.port}"
        yield pod


@pytest.fixture
async def scraper() -> AsyncIterator[ScrapeHttp]:
    pods = PodHttp()
    yield ScrapeHttp(pods)
    await pods.close()


async def refused(scraper: ScrapeHttp, pod: Pod) -> str:
    """The reason for which there is no answer."""
    with pytest.raises(Unavailable) as raised:
        await scraper.scrape(address=pod.address, model="ranker")
    return raised.value.reason


# What is read


async def test_what_a_real_triton_says_is_read(scraper: ScrapeHttp, pod: Pod) -> None:
    assert "Nan" in RECORDED
    assert await scraper.scrape(address=pod.address, model="ranker") == EXPECTED


async def test_each_call_is_one_plain_request_on_a_connection_of_its_own(scraper: ScrapeHttp, pod: Pod) -> None:
    for _ in range(2):
        await scraper.scrape(address=pod.address, model="ranker")
    assert [request.path for request in pod.requests] == ["/metrics", "/metrics"]
    assert {request.headers["Connection"] for request in pod.requests} == {"close"}
    assert {request.headers["Accept-Encoding"] for request in pod.requests} == {"identity"}
    assert len({id(request.protocol) for request in pod.requests}) == 2


async def test_an_address_of_ipv6_is_asked(scraper: ScrapeHttp) -> None:
    pod, app = Pod(), web.Application()
    app.router.add_get("/metrics", pod.handle)
    async with TestServer(app, host="::1") as server:
        assert await scraper.scrape(address=f"[::1]:{server.port}", model="ranker") == EXPECTED


async def test_a_proxy_of_the_environment_is_not_used(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    pods = PodHttp()
    assert await ScrapeHttp(pods).scrape(address=pod.address, model="ranker") == EXPECTED
    await pods.close()


def test_versions_reasons_and_gpus_of_a_model_add_up() -> None:
    gpus = [f'nv_inference_count{{gpu_uuid="GPU-{gpu}",model="ranker",version="1"}} {gpu}' for gpu in (1, 2, 4)]
    versions = [f'nv_inference_request_success{{model="ranker",version="{n}"}} {10 * n}' for n in (1, 2)]
    reasons = [
        f'nv_inference_request_failure{{model="ranker",reason="{reason}",version="1"}} {count}'
        for reason, count in (("REJECTED", 7), ("CANCELED", 1), ("BACKEND", 0), ("OTHER", 2))
    ]
    assert quantities("\n".join(gpus + versions + reasons), model="ranker") == {
        Quantity.INFERENCE: 7.0,
        Quantity.SUCCESS: 30.0,
        Quantity.FAILURE: 10.0,
    }


def test_a_series_told_twice_counts_once_the_larger() -> None:
    """As `max by (...)` in PromQL has it: metric_tags add labels that tell nothing apart."""
    lines = [f'nv_inference_count{{model="ranker",version="1",_tag="{tag}"}} {value}' for tag, value in ("a5", "b3")]
    assert quantities("\n".join(lines), model="ranker") == {Quantity.INFERENCE: 5.0}


def test_other_models_of_the_pod_do_not_count() -> None:
    text = RECORDED + RECORDED.replace('"ranker"', '"tokenizer"').replace("} 6", "} 600")
    assert quantities(text, model="ranker") == EXPECTED
    assert quantities(text, model="rank") == {}


@pytest.mark.parametrize("quantity", METRICS)
def test_what_is_absent_is_absent_and_never_zero(quantity: Quantity) -> None:
    kept = [line for line in RECORDED.splitlines() if not line.startswith(METRICS[quantity].name + "{")]
    assert quantities("\n".join(kept), model="ranker") == {q: v for q, v in EXPECTED.items() if q is not quantity}


@pytest.mark.parametrize("value", ["Nan", "NaN", "+Inf", "-Inf", "inf", "1e999"])
def test_one_series_that_is_not_finite_makes_its_quantity_unknown(value: str) -> None:
    """The others of it would read as less load."""
    text = RECORDED.replace('reason="REJECTED",version="1"} 19', f'reason="REJECTED",version="1"}} {value}')
    found = quantities(text, model="ranker")
    assert found == {q: v for q, v in EXPECTED.items() if q is not Quantity.FAILURE}


def test_values_that_are_too_large_together_are_unknown() -> None:
    lines = [f'nv_inference_count{{model="ranker",version="{version}"}} 1e308' for version in range(9)]
    assert quantities("\n".join(lines), model="ranker") == {}


def test_a_metric_whose_name_only_begins_like_ours_is_another() -> None:
    assert quantities('nv_inference_count_total{model="ranker"} 5', model="ranker") == {}


def test_every_quantity_is_read_by_the_name_that_promql_asks_for() -> None:
    for quantity, metric in METRICS.items():
        assert f"({metric.name})" in expression(Query(quantity))
        assert quantities(f'{metric.name}{{model="m"}} {metric.per_unit}', model="m") == {quantity: 1.0}


# What is not


@pytest.mark.parametrize("status", [204, 301, 302, 400, 404, 500, 503])
async def test_a_status_but_200_is_no_answer(scraper: ScrapeHttp, pod: Pod, status: int) -> None:
    pod.status, pod.headers = status, {"Location": f"http://{pod.address}/elsewhere"}
    assert await refused(scraper, pod) == "Refused"
    assert len(pod.requests) == 1, "no redirect is followed"


async def test_a_pod_that_hangs_is_given_up(scraper: ScrapeHttp, pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_http, "REQUEST_TIMEOUT_SECONDS", 0.05)
    pod.delay_seconds = 0.2
    assert await refused(scraper, pod) == "Timeout"


async def test_a_pod_that_sends_a_byte_now_and_then_is_given_up(
    scraper: ScrapeHttp, pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_http, "REQUEST_TIMEOUT_SECONDS", 0.1)

    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(50):
            await answer.write(b"#")
            await asyncio.sleep(0.02)
        return answer

    pod.answer = drip
    assert await refused(scraper, pod) == "Timeout"


async def test_a_pod_that_is_gone_is_unreachable(scraper: ScrapeHttp, pod: Pod) -> None:
    pod.address = "127.0.0.1:1"
    assert await refused(scraper, pod) == "Unreachable"


@pytest.mark.parametrize("address", ["", "[::1", "nobody.invalid:8002", "\x00:1"])
async def test_what_is_no_address_is_unreachable(scraper: ScrapeHttp, pod: Pod, address: str) -> None:
    pod.address = address
    assert await refused(scraper, pod) == "Unreachable"


async def test_a_connection_that_breaks_is_unreachable(scraper: ScrapeHttp, pod: Pod) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(RECORDED[:500].encode())
        assert request.transport is not None
        request.transport.close()
        return answer

    pod.answer = cut
    assert await refused(scraper, pod) == "Unreachable"


async def test_a_body_over_the_limit_is_not_read_on(scraper: ScrapeHttp, pod: Pod) -> None:
    pod.body = RECORDED.encode() + b"#" * BODY_LIMIT_BYTES
    assert await refused(scraper, pod) == "TooLarge"


async def test_a_compressed_answer_is_not_unpacked(scraper: ScrapeHttp, pod: Pod) -> None:
    """Two megabytes of it could be two gigabytes."""
    pod.body, pod.headers = gzip.compress(RECORDED.encode()), {"Content-Encoding": "gzip"}
    assert await refused(scraper, pod) == "Malformed"


SERIES: Final = 'nv_inference_count{model="ranker",version="%d"} 1\n'


@pytest.mark.parametrize(
    "body",
    [
        "".join(SERIES % version for version in range(TEXT_LIMIT // 40)),
        'nv_inference_count{model="ranker",x="' + '\\"' * LINE_LIMIT + '"} 1',
    ],
    ids=["series", "line"],
)
async def test_more_of_our_series_than_a_model_can_have_are_not_parsed(
    scraper: ScrapeHttp, pod: Pod, body: str
) -> None:
    pod.body = body.encode()
    assert await refused(scraper, pod) == "TooLarge"


@pytest.mark.parametrize(
    "body",
    [
        b"nv_inference_count{",
        b"nv_inference_count{}",
        b"nv_inference_count ",
        b'nv_inference_count{model="ranker"} many',
        b'nv_inference_count{model="ranker"}',
        b'nv_inference_count{model="ranker",model="ranker"} 1',
        b"nv_inference_count{model=ranker} 1",
        b'nv_inference_count{="} 1',
        b'nv_inference_count{model="ranker"} 1' + b"0" * 400,
        b'nv_inference_count{model="\xff"} 1',
    ],
    ids=str,
)
async def test_text_that_is_not_understood_is_no_answer(scraper: ScrapeHttp, pod: Pod, body: bytes) -> None:
    pod.body = body
    assert await refused(scraper, pod) == "Malformed"


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"# HELP x", b"nv_other 1\n\xe2\x80\xa8nv_inference_count 1"])
async def test_text_of_something_else_tells_nothing(scraper: ScrapeHttp, pod: Pod, body: bytes) -> None:
    pod.body = body
    assert await scraper.scrape(address=pod.address, model="ranker") == {}


pieces = st.sampled_from([metric.name for metric in METRICS.values()]) | st.sampled_from(
    ["{", "}", '"', "=", ",", " ", "\t", "\n", "\\", "#", "model", "ranker", "Nan", "-1", "1e309", "_", "0x1", "TYPE"]
)


@given(st.lists(pieces | st.text(max_size=3), max_size=30).map("".join))
def test_whatever_a_pod_says_it_is_numbers_or_an_error_that_is_expected(text: str) -> None:
    try:
        found = quantities(text, model="ranker")
    except (ValueError, LookupError, OverflowError):
        return
    assert all(abs(value) < float("inf") for value in found.values())
