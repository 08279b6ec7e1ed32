"""`profile`: the law and the rate of a known server are found; what cannot be measured is said; nothing is left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from foretide.adapters.errors import Rejected
from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, JOB, MODEL_PROFILE, POD, SERVICE_ACCOUNT
from foretide.adapters.triton import BatchCount
from foretide.adapters.triton_load import Input, Prepared, Served
from foretide.api import parse
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.cli.exits import Exit
from foretide.cli.profile import job as jobs
from foretide.cli.profile import request, steps
from foretide.cli.profile.law import Measured, measured, rate_found
from foretide.cli.profile.measure import CannotMeasure, Measurement
from foretide.cli.profile.report import EVIDENCE_ANNOTATION, Profile, bar, manifest
from foretide.cli.profile.steps import Closed, Doing, Failed, Open, Order, Step
from foretide.scaling.capacity.rate import BETWEEN_BATCHES_SECONDS
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer
from tests.control import objects
from tests.virtual_time import now_seconds
from tests.virtual_time import run as in_virtual_time

ORDER = Order(
    address="127.0.0.1:8000", model="ranker", max_batch=8, instances=1, slo_seconds=0.15, objective=0.99,
    open_seconds=30.0, limit_seconds=3_600.0,
)  # fmt: skip


class Batcher:
    """A server with a known law in virtual time: a free instance takes what waits, at most a full batch."""

    def __init__(
        self, *, per_item: float = 0.005, fixed: float = 0.02, largest: int = 8, instances: int = 1, served: int = 8
    ) -> None:
        self.per_item, self.fixed, self.largest, self.free = per_item, fixed, largest, instances
        self.told = Served((Input("X", "FP32", (4,)),), served, decoupled=False)
        self.waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.counts: dict[int, tuple[int, float]] = {}
        self.refusal: str | None = None

    async def served(self) -> Served:
        return self.told

    async def infer(self, request: Prepared) -> None:
        if self.refusal is not None:
            raise Rejected(self.refusal, reason="400")
        answered = asyncio.get_running_loop().create_future()
        self.waiting.append((request.inputs[0].shape()[0], answered))
        self._start()
        await answered

    async def batch_counts(self) -> tuple[BatchCount, ...]:
        return tuple(BatchCount(size, *counts) for size, counts in self.counts.items())

    def _start(self) -> None:
        while self.free and self.waiting:
            taken, size = [], 0
            while self.waiting and size + self.waiting[0][0] <= self.largest:
                items, answered = self.waiting.pop(0)
                taken.append(answered)
                size += items
            self.free -= 1
            seconds = self.fixed + self.per_item * size
            before = self.counts.get(size, (0, 0.0))
            self.counts[size] = (before[0] + 1, before[1] + seconds)
            loop = asyncio.get_running_loop()
            loop.call_later(seconds + BETWEEN_BATCHES_SECONDS, self._end, taken)

    def _end(self, taken: list[asyncio.Future[None]]) -> None:
        self.free += 1
        for answered in taken:
            if not answered.done():
                answered.set_result(None)
        self._start()


def measure(server: Batcher, order: Order = ORDER) -> tuple[list[Step], float]:
    """All steps, and how long they took."""
    found: list[Step] = []

    async def whole() -> float:
        await Measurement(server, order, found.append).run()
        return now_seconds()

    return found, in_virtual_time(whole())


def of_kind(found: list[Step], kind: Any) -> list[Any]:
    return [step for step in found if isinstance(step, kind)]


def law(found: list[Step], order: Order = ORDER) -> Measured:
    made = measured(
        of_kind(found, Closed), max_batch=order.max_batch, instances=order.instances,
        slo_seconds=order.slo_seconds, objective=order.objective,
    )  # fmt: skip
    assert made is not None
    return made


@pytest.mark.parametrize(("per_item", "fixed", "slo"), [(0.005, 0.02, 0.15), (0.01, 0.08, 0.4), (0.02, 0.001, 0.3)])
def test_law_and_rate_of_a_known_server_are_found_and_agree(per_item: float, fixed: float, slo: float) -> None:
    order = Order(**{**json.loads(ORDER.text()), "slo_seconds": slo})
    found, took = measure(Batcher(per_item=per_item, fixed=fixed), order)
    made = law(found, order)
    assert made.per_item_seconds == pytest.approx(per_item, rel=0.01)
    assert made.fixed_seconds == pytest.approx(fixed, rel=0.01, abs=1e-5)
    assert made.largest == 8
    rate = rate_found(of_kind(found, Open), slo_seconds=slo, objective=0.99)
    assert rate is not None
    assert rate == pytest.approx(made.rate, rel=0.10)  # the promise
    assert took < 10 * order.open_seconds + 60.0
    shares = [step.share for step in of_kind(found, Doing)]
    assert shares == sorted(shares)
    assert shares[-1] < 1.0


def test_batches_that_clients_cannot_fill_are_made_of_larger_requests() -> None:
    order = Order(**{**json.loads(ORDER.text()), "max_batch": 256, "slo_seconds": 10.0, "open_seconds": 2.0})
    found, _ = measure(Batcher(largest=256, served=256, per_item=0.01), order)
    made = law(found, order)
    assert made.largest == 256
    assert any(step.items > 1 for step in of_kind(found, Closed))


def test_a_model_without_a_batch_dimension_has_a_law_of_one() -> None:
    order = Order(**{**json.loads(ORDER.text()), "max_batch": 0})
    server = Batcher(largest=1)
    server.told = Served((Input("X", "FP32", (1, 4)),), 0, decoupled=False)
    found, _ = measure(server, order)
    assert law(found, order).largest == 1
    assert law(found, order).seconds(1) == pytest.approx(0.025, rel=0.01)


def test_an_slo_below_a_single_item_is_not_tried() -> None:
    order = Order(**{**json.loads(ORDER.text()), "slo_seconds": 0.02})
    found, _ = measure(Batcher(), order)
    assert not law(found, order).feasible
    assert not of_kind(found, Open)


@pytest.mark.parametrize(
    ("served", "refusal", "says"),
    [
        (Served((), 8, decoupled=True), None, "several answers"),
        (Served((Input("X", "FP32", (4,)),), 4, decoupled=False), None, "another version of the model"),
        (Served((Input("X", "FP32", (-1,)),), 8, decoupled=False), None, "--request FILE"),
        (Served((Input("T", "BYTES", (1,)),), 8, decoupled=False), None, "--request FILE"),
        (Served((Input("X", "FP32", (4,)),), 8, decoupled=False), "unexpected shape", "unexpected shape"),
    ],
)
def test_what_cannot_be_measured_is_said_to_be_so(served: Served, refusal: str | None, says: str) -> None:
    server = Batcher()
    server.told, server.refusal = served, refusal
    with pytest.raises(CannotMeasure, match=says):
        measure(server)


def test_a_model_that_is_too_slow_ends_at_the_limit() -> None:
    order = Order(**{**json.loads(ORDER.text()), "limit_seconds": 120.0})
    with pytest.raises(CannotMeasure, match="too slow"):
        measure(Batcher(fixed=30.0), order)


def opened(rate: float, late: int, *, sent: int = 1_000, lag: float = 0.0) -> Open:
    return Open(
        rate=rate, seconds=10.0, sent=sent, in_time=sent - late, failed=0, median_seconds=0.1, quantile_seconds=0.2,
        lag_seconds=lag,
    )  # fmt: skip


RATES = st.lists(st.tuples(st.floats(1.0, 1e3), st.integers(0, 1_000)), min_size=1, max_size=8)


@given(RATES)
def test_the_rate_found_lies_between_steps_that_enclose_it(points: list[tuple[float, int]]) -> None:
    found = [opened(rate, late) for rate, late in points]
    rate = rate_found(found, slo_seconds=0.15, objective=0.99)
    kept = [step.rate for step in found if step.kept_share >= 0.99]
    if rate is None:
        assert not kept or max(kept) == max(step.rate for step in found)
        return
    assert max(kept) <= rate <= min(step.rate for step in found if step.rate > max(kept))


def found_in(*found: Open) -> float | None:
    return rate_found(found, slo_seconds=0.15, objective=0.99)


def test_what_only_the_machine_made_late_does_not_count() -> None:
    contradicted = found_in(opened(34, 52), opened(38, 36), opened(43, 5), opened(48, 14), opened(53, 53))
    assert contradicted == pytest.approx(46.4, abs=0.1)
    assert found_in(opened(43, 5), opened(48, 14)) == contradicted
    disturbed = found_in(opened(80, 2), opened(100, 100, lag=0.1), opened(120, 90))
    assert disturbed == found_in(opened(80, 2), opened(120, 90))
    for enclosed_by_nothing in (
        (opened(50, 0, sent=40), opened(60, 0)),
        (opened(50, 0, sent=40), opened(60, 100)),
        (opened(50, 20), opened(60, 30)),
        (),
    ):
        assert found_in(*enclosed_by_nothing) is None


def test_steps_are_lines_and_other_lines_are_none() -> None:
    closed = Closed(clients=2, items=1, seconds=2.5, requests=80, batches=((1, 40.0, 1.0), (2, 20.0, 0.7)))
    for step in (Doing(what="x", share=0.5), closed, opened(80.0, 3), Failed(message="no\nanswer")):
        assert "\n" not in steps.line(step)
        assert steps.read(steps.line(step)) == step
    for text in ("", "W1128 libtorch", "{}", '{"step": "Open"}', '{"step": "Else"}', "[1]", "3"):
        assert steps.read(text) is None
    assert Order.read(ORDER.text()) == ORDER
    with pytest.raises(ValueError, match="not an order"):
        Order.read('{"speed": 1}')


def test_a_request_is_one_item() -> None:
    body = {"inputs": [{"name": "T", "shape": [1, 2], "datatype": "BYTES", "data": ["a", "bé"]}]}
    one = request.of_json(json.dumps(body), batching=True)
    assert one["T"].tolist() == [[b"a", "bé".encode()]]
    assert request.of_items(one, 3)["T"].shape == (3, 2)
    zeros = request.of_zeros([Input("X", "FP16", (2, 3))], batching=True)
    assert zeros["X"].shape == (1, 2, 3)
    assert zeros["X"].dtype == np.float16
    for text, says in (
        ("{", "not the body"),
        ('{"inputs": []}', "no input"),
        ('{"inputs": [{"name": "X", "shape": [2], "datatype": "FP32", "data": [1, 2]}]}', "give one item"),
        ('{"inputs": [{"name": "X", "shape": [1], "datatype": "FP31", "data": [1]}]}', "none of Triton's"),
        ('{"inputs": [{"name": "X", "shape": [3], "datatype": "FP32", "data": [1]}]}', "not the body"),
        (" " * 200_000, "at most"),
    ):
        with pytest.raises(request.NoRequest, match=says):
            request.of_json(text, batching=True)


SECONDS = st.floats(1e-6, 60.0)


@given(per_item=SECONDS, fixed=SECONDS, largest=st.integers(1, 4096), cold=st.none() | st.floats(0.0, 1e4))
def test_every_profile_keeps_the_rules_of_its_kind(
    per_item: float, fixed: float, largest: int, cold: float | None
) -> None:
    service = parse.inference_service(objects.service())
    assert isinstance(service, InferenceService)
    found = Measured(
        per_item_seconds=per_item, fixed_seconds=fixed, largest=largest, sizes=(), rate=1.0, saturation=2.0,
        feasible=True,
    )  # fmt: skip
    profile = Profile(
        service=service, hardware_class="gpu-t4", where="pod", image="i", measured_at="t", found=found, closed=(),
        opened=(), cold_start_seconds=cold,
    )  # fmt: skip
    made = parse.model_profile(manifest(profile, name="ranker-gpu-t4"))
    assert isinstance(made, ModelProfile), made
    assert made.spec.per_item_seconds == pytest.approx(per_item, rel=1e-3, abs=1e-6)
    assert made.spec.fixed_seconds == pytest.approx(fixed, rel=1e-3, abs=1e-6)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_bar_is_as_long_as_its_share_and_has_its_mark(share: float, mark: float) -> None:
    drawn = bar(share, mark)
    assert drawn.count("│") == 1
    assert len(drawn) <= 33


# --- in a cluster -------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(cluster: ApiServer, monkeypatch: pytest.MonkeyPatch) -> ApiServer:
    """The example service, reconciled, and an operator with an image."""
    monkeypatch.setattr(jobs, "EVERY_SECONDS", 0.01)
    operator = examples.operator()
    operator["spec"]["template"]["spec"]["containers"][0]["image"] = "operator:1"
    cluster.put(DEPLOYMENT, operator)
    cluster.put(HARDWARE_CLASS, objects.hardware_class())
    cluster.put(SERVICE_ACCOUNT, {"metadata": {"namespace": "shop", "name": "ranker-triton"}})
    cluster.services(examples.service(slo={"objective": "99", "latency": "150ms"}))
    return cluster


def generator(state: dict[str, Any]) -> dict[str, Any]:
    return {"name": "load", "state": state, "lastState": {}, "restartCount": 0}


def ran(shop: ApiServer, log: str, **changes: Any) -> None:
    """The kubelet: each Job gets a pod that has ended, with this log."""

    def created(job: dict[str, Any]) -> None:
        name = f"{job['metadata']['name']}-x7k2p"
        pod = objects.pod(name, owner={"kind": "Job", "name": job["metadata"]["name"], "controller": True})
        pod["metadata"]["labels"] = {"batch.kubernetes.io/job-name": job["metadata"]["name"]}
        initialized = {"type": "Initialized", "status": "True", "lastTransitionTime": "2025-11-22T07:59:14Z"}
        pod["status"]["conditions"].append(initialized)
        pod["status"]["containerStatuses"] = [generator({"terminated": {"exitCode": 0}})]
        pod["status"] |= changes
        shop.logs[POD.path(namespace="shop", name=name, subresource="log")] = log
        shop.put(POD, pod)

    shop.created = created


@pytest.fixture(scope="module")
def log() -> str:
    found, _ = measure(Batcher())
    return "some library says hello\n" + "".join(f"{steps.line(step)}\n" for step in found)


def jobs_left(shop: ApiServer) -> list[str]:
    return [path for path in shop.objects if "/jobs/" in path]


def test_a_profile_is_shown_and_nothing_but_the_job_is_written(shop: ApiServer, run: CommandLine, log: str) -> None:
    ran(shop, log)
    ended = run("profile", "ranker", "--class", "cpu-16")
    assert ended.code == Exit.OK, ended.err
    assert "Batch time: 20ms + 5ms per item, up to 8 items" in ended.out
    assert "Capacity of a replica: " in ended.out
    assert "99 % are in time up to " in ended.out
    assert "Cold start: 14s" in ended.out
    assert "not written: --apply does" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100
    assert {method for method, _, _ in shop.writes} == {"POST", "DELETE"}
    assert all(path.startswith(JOB.path(namespace="shop")) for _, path, _ in shop.writes)
    assert not jobs_left(shop)


def test_the_profile_as_an_object(shop: ApiServer, run: CommandLine, log: str) -> None:
    ran(shop, log)
    spec = {
        "service": "ranker",
        "hardwareClass": "cpu-16",
        "maxBatchSize": 2,
        "batchTime": {"perItem": "1s", "fixed": "1s"},
    }
    shop.put(MODEL_PROFILE, {"metadata": {"namespace": "shop", "name": "of-last-year"}, "spec": spec})
    ended = run("profile", "ranker", "--class", "cpu-16", "--apply", "-o", "yaml")
    assert ended.code == Exit.OK, ended.err
    made = parse.model_profile(yaml.safe_load(ended.out))
    assert isinstance(made, ModelProfile)
    assert made.name == "of-last-year"  # of two for the same the operator would take one
    assert (made.spec.per_item_seconds, made.spec.fixed_seconds) == pytest.approx((0.005, 0.02), rel=0.01)
    assert made.spec.cold_start_seconds == 14.0
    rests_on = json.loads(yaml.safe_load(ended.out)["metadata"]["annotations"][EVIDENCE_ANNOTATION])
    assert rests_on["itemsPerSecondMeasured"] == pytest.approx(rests_on["itemsPerSecond"], rel=0.1)
    (patch,) = [path for method, path, _ in shop.writes if method == "PATCH"]
    assert patch == MODEL_PROFILE.path(namespace="shop", name="of-last-year")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody", "--class", "cpu-16"), "there is no InferenceService nobody"),
        (("ranker", "--class", "tpu"), "there is no HardwareClass tpu; there are cpu-16"),
        (("ranker", "--class", "cpu-16", "--against", "nothing"), "there is no pod nothing"),
        (("ranker", "--class", "cpu-16", "--against", "serving"), "clients of ranker are sent to serving"),
        (("ranker", "--class", "cpu-16", "--against", "http://127.0.0.1:9"), "nobody here knows who else asks"),
        (("ranker", "--class", "cpu-16", "--against", "ftp://x"), "must be http://host:port"),
        (("ranker", "--class", "cpu-16", "--request", "/no/file"), "cannot be read"),
    ],
)
def test_a_mistake_is_a_sentence_and_loads_nothing(
    shop: ApiServer, run: CommandLine, arguments: tuple[str, ...], says: str
) -> None:
    shop.put(POD, objects.pod("serving", address="10.0.0.7"))
    ended = run("profile", *arguments)
    assert (ended.code, ended.out) == (Exit.MISTAKE, "")
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert shop.writes == []


def test_a_pod_of_production_only_when_told_to(shop: ApiServer, run: CommandLine, log: str) -> None:
    ran(shop, log)
    shop.put(POD, objects.pod("serving", address="10.0.0.7"))
    ended = run("profile", "ranker", "--class", "cpu-16", "--against", "serving", "--in-production", "-o", "yaml")
    assert ended.code == Exit.OK, ended.err
    assert "coldStart" not in yaml.safe_load(ended.out)["spec"]
    (job,) = [body for body in shop.bodies if body.get("kind") == "Job"]
    assert "initContainers" not in job["spec"]["template"]["spec"]
    (variable,) = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert Order.read(variable["value"]).address == "10.0.0.7:8000"


def test_a_server_that_does_not_answer_is_said_to_be_so(shop: ApiServer, run: CommandLine) -> None:
    ended = run(
        "profile", "ranker", "--class", "cpu-16", "--against", "http://127.0.0.1:9", "--in-production", "-n", "shop"
    )
    assert ended.code == Exit.NO_ANSWER
    assert "127.0.0.1:9" in ended.err


@pytest.mark.parametrize(
    ("log_text", "says"),
    [
        (
            "/usr/bin/python3: No module named foretide.cli.profile\n",
            "No module named foretide.cli.profile; is its image",
        ),
        (steps.line(Failed(message="input T takes BYTES")) + "\n", "input T takes BYTES"),
    ],
)
def test_a_generator_that_fails_says_why_and_nothing_is_left(
    shop: ApiServer, run: CommandLine, log_text: str, says: str
) -> None:
    ran(shop, log_text)
    ended = run("profile", "ranker", "--class", "cpu-16")
    assert (ended.code, ended.out) == (Exit.FOUND, "")
    assert says in ended.err
    assert not jobs_left(shop)


def test_a_model_that_does_not_load_is_told_in_tritons_words(
    shop: ApiServer, run: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.05)
    dead = {"terminated": {"exitCode": 1, "message": "error: creating server: Internal - failed to load all models"}}
    waits = {"waiting": {"reason": "CrashLoopBackOff"}}
    triton = {"name": "triton", "state": waits, "lastState": dead, "restartCount": 2}
    ran(
        shop,
        "",
        conditions=[{"type": "Ready", "status": "False", "lastTransitionTime": objects.SINCE}],
        containerStatuses=[generator({"waiting": {"reason": "PodInitializing"}})],
        initContainerStatuses=[triton],
    )
    ended = run("profile", "ranker", "--class", "cpu-16")
    assert ended.code == Exit.FOUND
    assert "ModelLoadFailed: creating server: Internal - failed to load all models" in ended.err
    assert not jobs_left(shop)


def test_who_may_not_make_a_job_is_told_what_to_ask_for(shop: ApiServer, run: CommandLine) -> None:
    shop.refuse = lambda method, path: 403 if method == "POST" else None
    ended = run("profile", "ranker", "--class", "cpu-16")
    assert ended.code == Exit.NO_ANSWER
    assert "ask for the role edit" in ended.err


def test_ctrl_c_leaves_no_job(shop: ApiServer, run: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "_pod", interrupted)
    ended = run("profile", "ranker", "--class", "cpu-16")
    assert ended.code == Exit.INTERRUPTED
    assert not jobs_left(shop)


def test_without_an_operator_an_image_must_be_named(shop: ApiServer, run: CommandLine, tmp_path: Path) -> None:
    del shop.objects[DEPLOYMENT.path(namespace="foretide-system", name="foretide-operator")]
    ended = run("profile", "ranker", "--class", "cpu-16")
    assert "--image: no operator is found" in ended.err
