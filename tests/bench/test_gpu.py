"""The GPU benchmark without a GPU: what is rendered, and what the operator's readers make of a server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from bench.gpu.__main__ import INSTANCES, MAX_BATCH, MODEL, SLO_SECONDS, TOKENS, config, main
from bench.gpu.imagined import Gpu
from bench.gpu.known import Known
from bench.gpu.replica import Replica
from e2e.local_triton import Server

METRICS = """nv_inference_request_success{{model="encoder",version="1"}} {requests}
nv_inference_request_duration_us{{model="encoder",version="1"}} {microseconds}
"""


@pytest.mark.parametrize(("instances", "count"), list(zip(INSTANCES, (1, 2, 4), strict=True)))
@pytest.mark.parametrize("tokens", TOKENS)
def test_instances_are_on_a_gpu_and_refuse_what_waits_long(instances: str, count: int, tokens: int) -> None:
    found = text_format.Parse(config(instances, tokens), ModelConfig())
    assert [(group.kind, group.count) for group in found.instance_group] == [(ModelInstanceGroup.KIND_GPU, count)]
    timeout_us = found.dynamic_batching.default_queue_policy.default_timeout_microseconds
    assert timeout_us == (1e6 * SLO_SECONDS / 2 if count > 1 else 0)
    assert list(found.input[0].dims) == [tokens]


@pytest.fixture
def triton() -> Iterator[tuple[Server, dict[str, int]]]:
    """A server that ran as many batches of 1 as of 8, and how many."""
    ran = {"batches": 0}

    class Triton(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            count = ran["batches"]
            if self.path == "/metrics":
                text = METRICS.format(requests=9 * count, microseconds=9 * count * 30_000)
            else:
                rows = [_row(1, count, 0.010), _row(8, count, 0.024)]
                text = json.dumps({"model_stats": [{"batch_stats": rows}]})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Triton) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Server(server.server_port, server.server_port, Path("log")), ran
        server.shutdown()
        thread.join()


def test_a_replica_is_known_as_the_operator_knows_it(triton: tuple[Server, dict[str, int]]) -> None:
    server, ran = triton
    replica = Replica(server, MODEL, Known(MAX_BATCH, 1, SLO_SECONDS))
    before = replica.known.rate_rps
    ran["batches"] = 50
    replica.look(seconds=9.0)
    assert replica.known.law.per_item_seconds[0] == pytest.approx(0.002)
    assert replica.known.law.fixed_seconds[0] == pytest.approx(0.008)
    assert replica.known.rate_rps > 2 * before
    first = replica.known.kappa[0]
    assert first > 1.0, "30 ms are more than the table has of 50 requests/s"
    replica.look(seconds=9.0)
    assert replica.known.kappa[0] == first, "nothing was sent"


def test_instances_take_turns_on_an_imagined_gpu() -> None:
    """Two batches of 4 at once: each is launched in 10 ms, and the GPU takes 40 ms for one after the other."""
    gpu = Gpu(launch_seconds=0.010, item_seconds=0.010, instances=2, max_batch=4, slo_seconds=1.0)
    latency, batches = gpu.run(np.array([0.0, *np.full(8, 0.001)]))
    assert [size for size, _ in batches] == [1, 4, 4]
    assert [seconds for _, seconds in batches] == pytest.approx([0.010, 0.049, 0.078])
    assert latency[0] == pytest.approx(0.010)


def test_what_waited_for_half_of_the_slo_is_refused_by_two_instances_and_not_by_one() -> None:
    crowd = np.zeros(40)
    one, two = (Gpu(0.010, 0.010, instances, max_batch=4, slo_seconds=0.1).run(crowd)[0] for instances in (1, 2))
    assert np.isfinite(one).all()
    assert 0 < np.isfinite(two).sum() < len(crowd)


def test_one_instance_on_a_gpu_keeps_the_slo_at_what_it_is_counted_on_for() -> None:
    """By the line through all of its batches alone it was counted on for more, and 94 % were in time."""
    rate, in_time = Gpu(launch_seconds=0.009, item_seconds=0.00265, instances=1).counted_on()
    assert in_time > 0.988, "99 %, to two of a thousand"
    assert rate > 250.0


def test_a_folder_without_a_server_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--triton", str(tmp_path)])
    assert "there is no bin/tritonserver in it" in capsys.readouterr().err


def _row(size: int, count: int, seconds: float) -> dict[str, object]:
    spent = {"count": count, "ns": round(count * seconds * 1e9)}
    nothing = {"count": count, "ns": 0}
    return {"batch_size": size, "compute_infer": spent, "compute_input": nothing, "compute_output": nothing}
