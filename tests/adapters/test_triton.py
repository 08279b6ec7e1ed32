"""Batch statistics of Triton, against a real HTTP server with real and broken answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from foretide.adapters import pod_http
from foretide.adapters.errors import Unavailable
from foretide.adapters.pod_http import PodHttp
from foretide.adapters.triton import BODY_LIMIT_BYTES, BatchCount, TritonHttp


def duration(count: Any, ns: Any) -> dict[str, Any]:
    return {"count": count, "ns": ns}


def batch(size: Any, count: Any = 10, ns: Any = 1_000_000) -> dict[str, Any]:
    return {
        "batch_size": size,
        "compute_input": duration(count, 1000),
        "compute_infer": duration(count, ns),
        "compute_output": duration(count, 2000),
    }


def statistics(*batches: Any) -> dict[str, Any]:
    """As Triton 2.51 answers, shortened."""
    model = {"name": "ranker", "version": "1", "last_inference": 0, "inference_count": 3, "execution_count": 2}
    return {"model_stats": [{**model, "inference_stats": {}, "batch_stats": list(batches), "memory_usage": []}]}


class Pod:
    """A Triton pod that gives one answer."""

    def __init__(self) -> None:
        self.body: str = ""
        self.status = 200
        self.delay_seconds = 0.0
        self.requests: list[tuple[str, str | None]] = []
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, request.headers.get("Connection")))
        await asyncio.sleep(self.delay_seconds)
        return web.Response(text=self.body, status=self.status, content_type="application/json")


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    pod, app = Pod(), web.Application()
    app.router.add_get("/{path:.*}", pod.handle)
    async with TestServer(app) as server:
        pod.address = f"127.0.0.1:{server.port}"
        yield pod


@pytest.fixture
async def triton() -> AsyncIterator[TritonHttp]:
    pods = PodHttp()
    yield TritonHttp(pods)
    await pods.close()


async def test_time_per_batch_size_is_read(triton: TritonHttp, pod: Pod) -> None:
    pod.body = json.dumps(statistics(batch(1, 10, 40_000_000), batch(8, 2, 20_000_000)))
    found = await triton.batch_counts(address=pod.address, model="ranker")
    assert found == (BatchCount(1, 10, 0.040003), BatchCount(8, 2, 0.020003))
    # an idle connection would count as busy when Triton is told to stop, and cost its whole exit timeout
    assert pod.requests == [("/v2/models/ranker/stats", "close")]


@pytest.mark.parametrize("answer", [statistics(), {"model_stats": []}, {"model_stats": [{"name": "ranker"}]}])
async def test_a_model_that_has_done_nothing_has_no_counts(triton: TritonHttp, pod: Pod, answer: Any) -> None:
    pod.body = json.dumps(answer)
    assert await triton.batch_counts(address=pod.address, model="ranker") == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "null",
        "[]",
        "7",
        '"x"',
        "{}",
        '{"model_stats": null}',
        '{"model_stats": 7}',
        '{"model_stats": ["x"]}',
        '{"model_stats": [null]}',
        '{"model_stats": [{"batch_stats": 7}]}',
        '{"model_stats": [{"batch_stats": null}]}',
        json.dumps(statistics("x")),
        json.dumps(statistics({"batch_size": 1})),
        json.dumps(statistics(batch("many"))),
        json.dumps(statistics(batch(2**40))),
        json.dumps(statistics(batch(-1))),
        json.dumps(statistics(batch(1, None))),
        json.dumps(statistics(batch(1, ns={}))),
        json.dumps(statistics(batch(1, 10**400))),
        json.dumps(statistics(batch(1, ns=10**400))),
        json.dumps(statistics(batch(1, ns=float("inf")))).replace("Infinity", "1e999"),
        "[" * 100_000,
    ],
    ids=lambda body: body[:60],
)
async def test_an_answer_that_is_not_understood_is_none(triton: TritonHttp, pod: Pod, body: str) -> None:
    pod.body = body
    with pytest.raises(Unavailable):
        await triton.batch_counts(address=pod.address, model="ranker")


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_a_refusal_is_none(triton: TritonHttp, pod: Pod, status: int) -> None:
    """400 is what Triton says of a model that it does not have, and 503 what a mesh says for it."""
    pod.status, pod.body = status, '{"error":"Request for unknown model"}'
    with pytest.raises(Unavailable):
        await triton.batch_counts(address=pod.address, model="ranker")


async def test_a_pod_that_hangs_is_given_up(triton: TritonHttp, pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_http, "REQUEST_TIMEOUT_SECONDS", 0.05)
    pod.delay_seconds = 0.2
    with pytest.raises(Unavailable) as raised:
        await triton.batch_counts(address=pod.address, model="ranker")
    assert raised.value.reason == "Timeout"


async def test_a_pod_that_is_gone_is_none(triton: TritonHttp) -> None:
    with pytest.raises(Unavailable):
        await triton.batch_counts(address="127.0.0.1:1", model="ranker")


async def test_the_name_of_a_model_stays_one_part_of_the_path(triton: TritonHttp, pod: Pod) -> None:
    pod.body = json.dumps(statistics())
    await triton.batch_counts(address=pod.address, model="a.b_c-d")
    assert pod.requests[0][0] == "/v2/models/a.b_c-d/stats"


async def test_a_hostile_answer_is_not_read_to_its_end(triton: TritonHttp, pod: Pod) -> None:
    pod.body = json.dumps(statistics(batch(1))) + " " * BODY_LIMIT_BYTES
    with pytest.raises(Unavailable) as raised:
        await triton.batch_counts(address=pod.address, model="ranker")
    assert raised.value.reason == "TooLarge"


async def test_every_batch_size_of_a_large_model_fits(triton: TritonHttp, pod: Pod) -> None:
    large = 2**63
    pod.body = json.dumps(statistics(*(batch(size, large, large) for size in range(1, 1025))))
    assert len(await triton.batch_counts(address=pod.address, model="ranker")) == 1024
