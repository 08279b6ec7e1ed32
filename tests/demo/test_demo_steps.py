"""The demo's steps against a small stand-in for the cluster: what is applied, waited for and shown."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import yaml
from rich.console import Console

from e2e.cluster import Cluster
from e2e.demo import ending, example, foreseen, install, ready, volume, watch
from e2e.demo.__main__ import parse
from e2e.demo.first import Asked, NoAnswerError
from e2e.demo.foreseen import Foreseen
from e2e.demo.live import Screen, row
from e2e.demo.model import REPOSITORY
from e2e.demo.run import reachable, sensible_peak_rps
from e2e.demo.story import Story
from e2e.demo.target import CommandFailed, Object, Target
from e2e.demo.watch import Look, Watch, look
from e2e.load import Outcome, Plan, Result
from e2e.load import Target as Url
from e2e.load.result import Check, Row, collect
from foretide.api import parse as api
from foretide.api.problems import Problems


@dataclass
class FakeCluster:
    """Remembers what it was told; answers kubectl from a list."""

    answers: list[str | CommandFailed] = field(default_factory=list)
    applied: list[Any] = field(default_factory=list)
    commands: list[tuple[str, ...]] = field(default_factory=list)
    stdins: list[str | None] = field(default_factory=list)
    node_port_host: str = "127.0.0.1"

    def apply(self, *manifests: Object | Path) -> None:
        self.applied += [yaml.safe_load(m.read_text()) if isinstance(m, Path) else m for m in manifests]

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        self.commands.append(words)
        self.stdins.append(stdin)
        answer = self.answers.pop(0) if self.answers else ""
        if isinstance(answer, CommandFailed):
            raise answer
        return answer


def target(cluster: FakeCluster, *, embedded: bool = True) -> Target:
    return Target(cast(Cluster, cluster), embedded)


def service(*, ready: str = "True", generation: int = 1, observed: int = 1, **status: Any) -> Object:
    condition = {"type": "Ready", "status": ready, "reason": "Available", "message": "1 of 1 replicas ready"}
    known = {"observedGeneration": observed, "conditions": [condition], **status}
    return {"metadata": {"generation": generation}, "status": known}


def test_the_examples_are_valid_for_the_api() -> None:
    folder = REPOSITORY / "examples"
    documents = [
        document
        for path in sorted([*folder.glob("filetype/*.yaml"), *folder.glob("quickstart/*.yaml")])
        for document in yaml.safe_load_all(path.read_text())
    ]
    kinds: dict[str, Callable[[Object], object]] = {
        "InferenceService": api.inference_service,
        "HardwareClass": api.hardware_class,
        "ScalingPolicy": api.scaling_policy,
        "ModelProfile": api.model_profile,
    }
    ours = [document for document in documents if document["kind"] in kinds]
    assert len(ours) == 6
    for document in ours:
        assert not isinstance(kinds[document["kind"]](document), Problems)


def test_the_demos_service_takes_the_policy_and_the_profile_that_are_applied_with_it() -> None:
    named = ("inferenceservice", "scalingpolicy", "modelprofile", "hardwareclass")
    service, policy, profile, hardware = (example.load(example.FOLDER / f"{name}.yaml") for name in named)
    assert service["spec"]["scaling"]["policyRef"] == {"name": policy["metadata"]["name"]}
    assert profile["spec"]["service"] == service["metadata"]["name"]
    assert profile["spec"]["hardwareClass"] == hardware["metadata"]["name"]
    assert profile["spec"]["maxBatchSize"] == service["spec"]["model"]["maxBatchSize"]
    namespaces = {document["metadata"]["namespace"] for document in (service, policy, profile)}
    assert namespaces == {example.read().namespace}


def test_the_node_port_leads_to_the_service_of_the_example() -> None:
    port = example.load(example.FOLDER / "nodeport.yaml")
    wanted = example.read()
    assert port["spec"]["selector"] == {"foretide.dev/service": wanted.name}
    assert port["metadata"]["namespace"] == wanted.namespace
    assert wanted.infer_path == "/v2/models/filetype/infer"


def test_the_charts_schema_knows_the_demos_values() -> None:
    schema = json.loads((install.CHART / "values.schema.json").read_text())
    values = install.chart_values(target(FakeCluster()))
    for name, value in values.items():
        known = schema["properties"][name]
        if isinstance(value, dict) and "properties" in known:
            assert set(value) <= set(known["properties"])


def test_an_installation_that_was_killed_half_way_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []

    def helm(self: Target, *words: str, values: Object) -> None:
        calls.append(words)
        if len(calls) == 1:
            text = "another operation (install/upgrade/rollback) is in progress"
            raise CommandFailed("helm failed", f"Error: UPGRADE FAILED: {text}")

    monkeypatch.setattr(Target, "helm", helm)
    cluster = FakeCluster()
    install.operator(target(cluster))
    assert len(calls) == 2
    assert cluster.commands[0][:2] == ("delete", "secrets")


def test_any_other_failure_of_helm_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def helm(self: Target, *words: str, values: Object) -> None:
        raise CommandFailed("helm failed", "Error: no such chart")

    monkeypatch.setattr(Target, "helm", helm)
    with pytest.raises(CommandFailed):
        install.operator(target(FakeCluster()))


def test_the_hardware_class_gets_the_image_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_REGISTRY", "registry.example/team")
    cluster = FakeCluster()
    install.service(target(cluster), season_seconds=300.0)
    hardware = next(applied for applied in cluster.applied if applied["kind"] == "HardwareClass")
    assert hardware["spec"]["triton"]["image"] == "registry.example/team/tritonserver:2.51-cpu"
    kinds = ["HardwareClass", "ScalingPolicy", "ModelProfile", "InferenceService", "Service"]
    assert [applied["kind"] for applied in cluster.applied] == kinds
    assert cluster.applied[1]["spec"]["forecast"]["season"] == "5m"


def test_elsewhere_the_model_is_copied_through_a_restricted_pod() -> None:
    cluster, wanted = FakeCluster(), example.read()
    volume.by_copying(target(cluster, embedded=False), wanted)
    claim, pod = cluster.applied
    assert claim["metadata"] == {"name": wanted.claim, "namespace": wanted.namespace}
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    copying = cluster.commands[1]
    assert copying[0] == "exec"
    assert copying[-1] == wanted.path  # an argument, not a part of the script
    assert len(cluster.stdins[1] or "") > 1_000_000
    assert cluster.commands[2][:2] == ("delete", "pod/model-loader")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (service(), (True, "Available: 1 of 1 replicas ready")),
        (service(ready="False"), (False, "Available: 1 of 1 replicas ready")),
        (service(generation=2), (False, "the operator has not looked at it yet")),
        ({"metadata": {"generation": 1}}, (False, "the operator has not looked at it yet")),
    ],
)
def test_ready_means_ready_for_the_present_spec(found: Object, expected: tuple[bool, str]) -> None:
    assert ready.readiness(found) == expected


def test_waiting_says_what_it_waits_for_and_ends_when_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "LOOK_EVERY_SECONDS", 0.0)
    answers = ["", json.dumps(service(ready="False")), json.dumps(service())]
    notes: list[str] = []
    ready.wait(target(FakeCluster(answers=list(answers))), example.read(), note=notes.append)
    assert notes == ["Available: 1 of 1 replicas ready"]


def test_a_service_that_never_is_ready_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "DEADLINE_SECONDS", 0.0)
    away = CommandFailed("logs: container is waiting to start", "")
    cluster = FakeCluster(answers=["Ready=False ModelLoadFailed: no file model.onnx", "pod-1 Error", "BackOff", away])
    with pytest.raises(ready.NotReadyError) as caught:
        ready.wait(target(cluster), example.read(), note=print)
    for words in ("no file model.onnx", "pod-1 Error", "BackOff", "container is waiting to start"):
        assert words in str(caught.value)


def test_a_look_takes_the_last_decision_and_what_is_not_well() -> None:
    status: dict[str, Any] = {
        "readyReplicas": 2,
        "desiredReplicas": 3,
        "decisions": [
            {"time": "2026-11-22T10:00:05Z", "text": "older"},
            {"time": "2026-11-22T10:00:20Z", "text": "newest"},
            {"time": "2026-11-22T09:59:59Z", "text": "before"},
        ],
    }
    found = service(**status)
    found["status"]["conditions"].append({"type": "MetricsAvailable", "status": "False", "reason": "NoSeries"})
    seen = look(found, at=5.0, since="2026-11-22T10:00:00Z")
    assert seen == Look(5.0, 2, 3, "newest", {"MetricsAvailable": "NoSeries"})
    assert look(found, at=5.0, since="2026-11-22T11:00:00Z").decision == ""
    assert look({}, at=5.0, since="2026-11-22T10:00:00Z") == Look(5.0, 0, 0, "")


METRICS = """\
# TYPE foretide_last_tick_timestamp_seconds gauge
foretide_last_tick_timestamp_seconds 1000.5
# TYPE foretide_lead_time_seconds gauge
foretide_lead_time_seconds{namespace="foretide-demo",service="filetype"} 8.0
foretide_lead_time_seconds{namespace="shop",service="filetype"} 90.0
# TYPE foretide_capacity_items_per_second gauge
foretide_capacity_items_per_second{namespace="foretide-demo",service="filetype"} 15.5
# TYPE foretide_forecast_items_per_second gauge
foretide_forecast_items_per_second{namespace="foretide-demo",service="filetype",level="median"} 20.0
foretide_forecast_items_per_second{namespace="foretide-demo",service="filetype",level="provided"} 30.0
foretide_forecast_items_per_second{namespace="shop",service="filetype",level="provided"} 900.0
"""


def test_what_is_foreseen_is_this_services_and_for_a_lead_time_after_the_tick() -> None:
    seen = foreseen.read(METRICS, example.read())
    assert seen == Foreseen(1000.5, 8.0, 15.5, 20.0, 30.0)
    assert seen.at == 1008.5


def test_a_forecast_that_is_not_trusted_is_none_and_before_the_first_tick_there_is_nothing() -> None:
    lines = METRICS.splitlines(keepends=True)
    untrusted = "".join(line for line in lines if "forecast" not in line)
    assert foreseen.read(untrusted, example.read()) == Foreseen(1000.5, 8.0, 15.5, None, None)
    assert foreseen.read("".join(lines[:2]), example.read()) is None


@pytest.mark.parametrize("answer", [CommandFailed("services not found", ""), "<html>not metrics</html>"])
def test_the_watch_goes_on_when_the_operators_metrics_cannot_be_read(answer: str | CommandFailed) -> None:
    seen = Watch()
    assert watch.foresight(target(FakeCluster(answers=[answer])), example.read(), seen) is None
    assert seen.unforeseen == 1


def test_the_watch_asks_the_operator_through_the_api_server() -> None:
    cluster = FakeCluster(answers=[METRICS])
    assert watch.foresight(target(cluster), example.read(), Watch()) == Foreseen(1000.5, 8.0, 15.5, 20.0, 30.0)
    (words,) = cluster.commands
    assert words[:2] == ("get", "--raw")
    assert words[2].startswith(f"/api/v1/namespaces/{install.NAMESPACE}/services/")


def plan(*, rate: float = 10.0, seconds: float = 40.0) -> Plan:
    return Plan(target=Url("127.0.0.1", 1, "/"), arrivals=np.arange(0.0, seconds, 1.0 / rate), payloads=(b"x",))


def answered(given: Plan, *, until: float) -> Result:
    times = [float(at) for at in given.arrivals if at < until]
    return collect([Row(at, at, 0.02, Outcome.OK, 200, Check.RIGHT) for at in times], started_at=0.0)


def test_a_row_is_one_window_of_the_load() -> None:
    given = plan()
    looks = [Look(0.0, 1, 1, "old"), Look(9.0, 2, 3, "grown", {"MetricsAvailable": "NoSeries"})]
    shown = row(given, answered(given, until=12.0), looks, start=5.0, width=5.0, slo_seconds=0.1)
    assert shown.cells() == ("10 s", "10.0", "20 ms", "20 ms", "100.0%", "0", "2 / 3")
    assert shown.decision == "[MetricsAvailable: NoSeries] grown"


@pytest.mark.parametrize(("terminal", "lines"), [(False, 2), (True, 4)])
def test_the_screen_shows_each_window_once_its_answers_are_in(terminal: bool, lines: int) -> None:
    out, given = io.StringIO(), plan()
    console = Console(file=out, force_terminal=terminal, width=150, height=40)
    with Screen(console, given, 0.1, "the load") as screen:
        for elapsed in (3.0, 10.4, 15.6, 20.6):
            result = answered(given, until=elapsed)
            screen.show(result, [Look(0.0, 1, 2, "why it grew")], elapsed_seconds=elapsed)
    assert len(screen.rows) == lines
    assert "why it grew" in out.getvalue()
    assert "asked/s" in out.getvalue()


def story(**changes: Any) -> Story:
    result = collect([Row(0.0, 0.0, 0.02, Outcome.OK, 200, Check.RIGHT)], started_at=0.0)
    return Story(**{"shell_line": "export KUBECONFIG=k", "first": [Asked((0,), result)], "result": result, **changes})


def tell(given: Story, folder: Path) -> tuple[int, str]:
    out = io.StringIO()
    return ending.tell(given, example.read(), folder, Console(file=out, width=150)), out.getvalue()


def test_the_ending_of_a_good_run(tmp_path: Path) -> None:
    status, text = tell(story(), tmp_path)
    assert status == 0
    assert "make cluster-down" in text
    assert "kubectl -n foretide-demo get infer,pods" in text
    assert (tmp_path / "demo.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "summary.json").read_text())["requests"] == 2


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (Row(1.0, 1.0, 0.1, Outcome.OK, 200, Check.WRONG), 1),
        (Row(1.0, 1.0, 0.1, Outcome.NOT_CONNECTED, message="refused"), 1),
        (Row(1.0, 1.0, 0.1, Outcome.HTTP_STATUS, 500, message="500"), 1),
        (Row(1.0, float("nan"), float("nan"), Outcome.NOT_SENT, message="too many"), 1),
        (Row(1.0, 1.0, 0.1, Outcome.HTTP_STATUS, 503, message="503 Request timeout expired"), 0),
    ],
)
def test_a_wrong_answer_or_a_lost_request_ends_badly(tmp_path: Path, last: Row, status: int) -> None:
    result = collect([Row(0.0, 0.0, 0.02, Outcome.OK, 200, Check.RIGHT), last], started_at=0.0)
    found, _ = tell(story(result=result), tmp_path)
    assert found == status
    failed = json.loads((tmp_path / "summary.json").read_text())["failed_requests"]
    assert failed == int(last.outcome != Outcome.OK)


def two_days() -> Result:
    times = np.arange(0.0, 480.0, 0.25).tolist()
    return collect([Row(at, at, 0.02, Outcome.OK, 200, Check.RIGHT) for at in times], started_at=0.0)


def test_the_last_line_of_the_summary_compares_the_two_days(tmp_path: Path) -> None:
    looks = [Look(float(at), 1 if at < 300 else 2, 2, "") for at in range(0, 480, 2)]
    _, text = tell(story(result=two_days(), looks=looks, season_seconds=240.0), tmp_path)
    rows, _ = text.split("1920 requests", maxsplit=1)
    assert rows.index("replica-seconds of each day") < rows.index("the two days")
    assert "day 2, foreseen: 100.00% in time" in rows
    told = json.loads((tmp_path / "summary.json").read_text())["days"]
    assert [day["replica_seconds"] for day in told] == [240.0, 60.0 + 2 * 180.0]
    _, without = tell(story(result=two_days(), looks=looks), tmp_path)
    assert "the two days" not in without


def test_an_interrupted_demo_writes_what_it_has_and_ends_as_shells_expect(tmp_path: Path) -> None:
    status, text = tell(story(interrupted=True), tmp_path)
    assert (status, (tmp_path / "summary.json").exists()) == (130, True)
    assert "Stopped; the cluster is still there" in text
    early, words = tell(Story(interrupted=True), tmp_path / "early")
    assert early == 130
    assert "before the cluster was there" in words


def test_nothing_answered_is_no_success(tmp_path: Path) -> None:
    status, _ = tell(story(first=[], result=None), tmp_path)
    assert status == 1


def test_files_of_an_earlier_run_are_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    ending.forget(tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_a_cluster_elsewhere_gets_no_load() -> None:
    with pytest.raises(NoAnswerError, match=r"the service is ready, but 203\.0\.113\.9 is not a loopback address"):
        reachable("http://203.0.113.9:30080/v2")


def test_the_peak_needs_four_replicas_but_never_the_whole_machine() -> None:
    many = sensible_peak_rps(0.008, replica_cores=0.4, machine_cores=64)
    assert many == pytest.approx(4 * 0.6 * 0.4 / (0.008 * 1.25))
    few = sensible_peak_rps(0.008, replica_cores=0.4, machine_cores=1)
    assert few == pytest.approx(0.45 / (0.008 * 1.25))


@pytest.mark.parametrize(
    "words", [["--trace", "no-such-file"], ["--seconds", "1"], ["--peak-rps", "0"], ["--peak-rps", "5000"], ["--what"]]
)
def test_wrong_options_end_before_anything_is_started(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(words)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_options() -> None:
    options = parse(["--seconds", "60", "--peak-rps", "20", "--no-load"])
    assert (options.seconds, options.peak_rps, options.load) == (60.0, 20.0, False)
