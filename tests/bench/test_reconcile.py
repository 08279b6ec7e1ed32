"""The benchmark of bursts, without what it runs: objects, what is read of requests and metrics, and the table."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.reconcile import __main__ as command
from bench.reconcile import fleet
from bench.reconcile.burst import children_made, quantile, verbs
from bench.reconcile.kserve import programs
from bench.reconcile.kserve import run as kserve
from bench.reconcile.kserve.manager import Told
from bench.reconcile.kserve.run import KServeRun
from bench.reconcile.page import misses, table
from bench.reconcile.run import Run
from e2e.cluster import ClusterError
from e2e.scenarios import exposition
from foretide.api import group

OURS = Run(
    services=100,
    pods=100,
    seconds_until_children=6.0,
    seconds_until_ready=20.0,
    bare_loop_seconds=5.0,
    operator_cpu_ms_per_service=10.0,
    operator_memory_mib=150.0,
    requests_per_service=9.0,
    reconcile_p50_seconds=0.1,
    reconcile_p99_seconds=0.5,
    errors=0,
    churn_seconds=12.0,
    churn_cpu_ms_per_service=11.0,
    idle_seconds=60.0,
    idle_child_writes=0,
    idle_cpu_share=0.01,
    restart_seconds=9.0,
    restart_child_writes=0,
    children={
        "configmaps": 1.0,
        "deployments": 1.0,
        "poddisruptionbudgets": 1.0,
        "serviceaccounts": 1.0,
        "services": 1.0,
    },
)
THEIRS = KServeRun(
    version="v0.17.0",
    services=100,
    workers=1,
    seconds_until_children=60.0,
    seconds_until_ready=90.0,
    cpu_ms_per_service=30.0,
    memory_mib=90.0,
    requests_per_service=40.0,
    reconcile_p50_seconds=0.2,
    reconcile_p99_seconds=0.9,
    errors=3,
    children={"deployments": 1.0, "horizontalpodautoscalers": 1.0, "services": 1.0},
)
# As /metrics of a manager that is at rest has it.
METRICS = """\
# TYPE controller_runtime_active_workers gauge
controller_runtime_active_workers{controller="inferenceservice"} 0
controller_runtime_active_workers{controller="trainedmodel"} 1
# TYPE controller_runtime_max_concurrent_reconciles gauge
controller_runtime_max_concurrent_reconciles{controller="inferenceservice"} 1
# TYPE controller_runtime_reconcile_errors_total counter
controller_runtime_reconcile_errors_total{controller="inferenceservice"} 4
# TYPE controller_runtime_reconcile_total counter
controller_runtime_reconcile_total{controller="inferenceservice",result="error"} 4
controller_runtime_reconcile_total{controller="inferenceservice",result="success"} 96
controller_runtime_reconcile_total{controller="trainedmodel",result="success"} 7
# TYPE controller_runtime_reconcile_time_seconds histogram
controller_runtime_reconcile_time_seconds_bucket{controller="inferenceservice",le="0.5"} 50
controller_runtime_reconcile_time_seconds_bucket{controller="inferenceservice",le="1.0"} 100
controller_runtime_reconcile_time_seconds_bucket{controller="inferenceservice",le="+Inf"} 100
controller_runtime_reconcile_time_seconds_bucket{controller="trainedmodel",le="+Inf"} 7
# TYPE workqueue_depth gauge
workqueue_depth{controller="inferenceservice",name="inferenceservice"} 0
workqueue_depth{controller="trainedmodel",name="trainedmodel"} 2
"""


def request(verb: str, resource: str, code: int, subresource: str = "") -> dict[str, Any]:
    of = {"resource": resource, **({"subresource": subresource} if subresource else {})}
    return {"verb": verb, "requestURI": "/", "objectRef": of, "responseStatus": {"code": code}}


REQUESTS = [
    request("create", "deployments", 201),
    request("patch", "configmaps", 201),
    request("patch", "configmaps", 200),
    request("create", "services", 409),
    request("create", "events", 201),
    request("update", "inferenceservices", 200, "status"),
    {"verb": "get", "requestURI": "/api", "responseStatus": {"code": 200}},
]


def test_what_the_bare_loop_makes_is_of_nobody_with_its_pods() -> None:
    made = [json.loads(body) for _, body in fleet.children(fleet.service(1, "bare"))]
    pods = [one["spec"]["template"] for one in made if one["kind"] == "Deployment"]
    assert pods
    assert {one["metadata"]["labels"][group.MANAGED_BY_LABEL] for one in (*made, *pods)} == {"nobody"}


def test_requests_are_counted_by_what_they_are_of() -> None:
    asked = verbs(REQUESTS)
    assert asked["patch configmaps"] == 2
    assert asked["update inferenceservices status"] == 1
    assert asked["get /api"] == 1


def test_children_are_what_was_created_and_is_no_event() -> None:
    assert children_made(REQUESTS, 2) == {"configmaps": 0.5, "deployments": 0.5}


def test_a_quantile_is_that_of_its_own_histogram() -> None:
    series = {
        'a_bucket{le="1.0"}': 2.0,
        'a_bucket{le="3.0"}': 4.0,
        'a_bucket{le="+Inf"}': 4.0,
        'b_bucket{le="1.0"}': 9.0,
    }
    assert quantile(series, 'a_bucket{le="', 0.5) == 1.0
    assert quantile(series, 'a_bucket{le="', 0.75) == 2.0


def test_the_manager_tells_of_its_controller_of_services_alone() -> None:
    told = Told(exposition.read(METRICS))
    assert (told.workers, told.errors, told.reconciles, told.busy) == (1, 4, 100.0, False)
    assert math.isclose(told.quantile(0.99), 0.99)


@pytest.mark.parametrize(
    ("resting", "busy"),
    [
        ('controller_runtime_active_workers{controller="inferenceservice"} 0', "active_workers"),
        ('workqueue_depth{controller="inferenceservice",name="inferenceservice"} 0', "workqueue_depth"),
    ],
)
def test_a_manager_with_work_is_busy(resting: str, busy: str) -> None:
    assert busy in resting
    assert Told(exposition.read(METRICS.replace(resting, resting[:-1] + "1"))).busy


def test_a_manager_that_had_no_error_tells_of_none() -> None:
    lines = [line for line in METRICS.splitlines() if "errors_total" not in line]
    assert Told(exposition.read("\n".join(lines) + "\n")).errors == 0


def test_both_services_have_a_model_of_the_same_bucket_and_as_many_replicas() -> None:
    theirs, ours = kserve.service(7, "burst"), fleet.service(7, "burst")
    assert theirs["metadata"] == ours["metadata"]
    assert theirs["spec"]["predictor"]["model"]["storageUri"] == ours["spec"]["model"]["source"]["uri"]
    assert {name: theirs["spec"]["predictor"][name] for name in ("minReplicas", "maxReplicas")} == ours["spec"][
        "scaling"
    ]


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([], False),
        ([{"type": "PredictorReady", "status": "True"}], False),
        ([{"type": "Ready", "status": "Unknown"}], False),
        ([{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}], True),
    ],
)
def test_a_service_of_kserve_is_ready_when_its_condition_says_so(conditions: list[Any], ready: bool) -> None:
    assert kserve.is_ready({"status": {"conditions": conditions}}) is ready
    assert not kserve.is_ready({})


def test_settings_change_nothing_else_of_the_released_ones() -> None:
    released = {
        "kind": "ConfigMap",
        "data": {
            "ingress": '{"urlScheme": "http", "disableIngressCreation": false, "disableIstioVirtualHost": false}',
            "deploy": '{"defaultDeploymentMode": "Serverless"}',
            "logger": "{}",
        },
    }
    changed = programs.configured(released)
    assert changed["kind"] == "ConfigMap"
    assert changed["data"]["logger"] == "{}"
    assert json.loads(changed["data"]["deploy"]) == {"defaultDeploymentMode": "Standard"}
    assert json.loads(changed["data"]["ingress"]) == {
        "urlScheme": "http",
        "disableIngressCreation": True,
        "disableIstioVirtualHost": True,
    }


def test_the_release_is_that_of_go_mod() -> None:
    assert programs.version((programs.HERE / "go.mod").read_text()).startswith("v0.")
    with pytest.raises(ClusterError, match=r"go\.mod does not require"):
        programs.version("module foretide.dev/nothing\n")


def test_kserve_that_cannot_be_built_is_told_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(progress: object) -> None:
        raise ClusterError("Go modules cannot be downloaded: check the network.")

    monkeypatch.setattr(programs, "build", build)
    assert command._kserve() is None
    assert "Without KServe's controller: Go modules cannot be downloaded" in capsys.readouterr().err


def test_kserve_that_does_not_get_there_is_told_and_loses_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measure(count: int, built: programs.Built, *, say: object) -> KServeRun:
        raise TimeoutError("not done in 7200 s")

    monkeypatch.setattr(command, "measure_kserve", measure)
    told: list[str] = []
    assert command._beside(300, programs.Built(Path("manager"), Path("source"), "v0.17.0"), told.append) is None
    assert told == ["300 services on KServe v0.17.0: not done in 7200 s"]


def test_the_table_has_kserve_beside_the_run_of_as_many_services() -> None:
    lines = list(table([OURS, replace(OURS, services=3_000)], [THEIRS]))
    assert lines[0] == "| services | 100 | 100, KServe v0.17.0 | 3,000 | bar |"
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1:] for line in lines[2:]}
    assert rows["children a service"][:3] == ["5", "3", "5"]
    assert rows["operator CPU, ms a child"][:3] == ["2", "10", "2"]
    assert rows["seconds until a change of all is rolled out"][:3] == ["12", "—", "12"]
    assert {len(line.split(" | ")) for line in lines[:1] + lines[2:]} == {5}


def test_the_table_without_kserve_has_our_columns_alone() -> None:
    assert next(table([OURS])) == "| services | 100 | bar |"


def test_a_bar_is_of_our_runs_up_to_a_thousand_services() -> None:
    slow = replace(OURS, errors=2)
    assert not list(misses(OURS))
    assert list(misses(slow)) == ["100 services: errors: 2, the bar is 0"]
    assert not list(misses(replace(slow, services=3_000)))
