"""`plan`: what is wrong with its place, what would change by the API server's dry run, feasibility and cost."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from foretide.adapters.resources import DEPLOYMENT, HARDWARE_CLASS, MODEL_PROFILE, SERVICE, resource_of
from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.cli.exits import Exit
from foretide.cli.known import UNTOLD, Source
from foretide.cli.plan import planned, shown
from foretide.cli.plan.feasibility import feasibility
from foretide.cli.plan.files import read
from foretide.serving.download import DownloadSettings
from foretide.serving.manifests import ServingSettings, build
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer
from tests.control import objects

PRICE = {"perHour": "0.50", "currency": "EUR"}


def profile(**changes: Any) -> dict[str, Any]:
    spec = {
        "service": "ranker",
        "hardwareClass": "cpu-16",
        "batchTime": {"perItem": "4ms", "fixed": "10ms"},
        "maxBatchSize": 8,
    }
    metadata = {"name": "ranker-cpu", "namespace": "shop"}
    return {"apiVersion": group.API_VERSION, "kind": "ModelProfile", "metadata": metadata, "spec": {**spec, **changes}}


def written(tmp_path: Path, *raws: dict[str, Any]) -> str:
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(raws, sort_keys=False))
    return str(file)


def new_service(**changes: Any) -> dict[str, Any]:
    raw = objects.service(**changes)
    return {**raw, "metadata": {"name": raw["metadata"]["name"]}}


def plan(run: CommandLine, *arguments: str, cluster: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("plan", *arguments, "-o", "json", cluster=cluster).out)
    return found


def offline(run: CommandLine, *arguments: str) -> dict[str, Any]:
    return plan(run, *arguments, "--offline", cluster=False)


def test_broken_rules_have_their_file_line_and_column(tmp_path: Path, run: CommandLine) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n"
        "apiVersion: foretide.dev/v1alpha1\nkind: InferenceService\nmetadata: {name: ranker}\n"
        "spec:\n  model: {backend: python, source: {configMap: {name: code}}}\n"
        "  hardware: {classes: [cpu-16]}\n  slo:\n    objective: 99\n    latency: 100ms\n"
        "  scaling:\n    maxReplicas: -1\n"
        "---\nkind: [\n"
    )
    ended = run("plan", "-f", str(file), "--offline", cluster=False)
    assert ended.code == Exit.FOUND
    assert "bad.yaml:18:" in ended.out  # no YAML from there on: nothing of the file is planned
    file.write_text(file.read_text().partition("---\nkind: [")[0])
    found = offline(run, "-f", str(file))
    places = {(one["line"], one["column"]): one["message"] for one in found["wrong"]}
    assert "spec.slo.objective" in places[12, 16]
    assert "put it in quotes" in places[12, 16]
    assert "spec.scaling.maxReplicas" in places[15, 18]
    assert found["passedOver"] == ["Namespace/shop"]


def test_a_kind_of_ours_that_is_none_is_not_passed_over(tmp_path: Path, run: CommandLine) -> None:
    found = offline(run, "-f", written(tmp_path, {**new_service(), "kind": "InferenceSrevice"}))
    assert "is not of foretide.dev/v1alpha1; its kinds are" in found["wrong"][0]["message"]


def test_replicas_and_cost_at_each_load(tmp_path: Path, run: CommandLine) -> None:
    file = written(tmp_path, new_service(), objects.hardware_class(cost=PRICE), {**profile()})
    arguments = ("-f", file, "-n", "shop", "--load", "50,200")
    found = offline(run, *arguments)
    (row,) = found["services"][0]["classes"]
    rate = row["itemsPerSecondPerReplica"]
    assert (row["source"], row["feasible"], row["chosen"]) == ("profile", True, True)
    for load, told in zip((50.0, 200.0), row["loads"], strict=True):
        assert told["replicas"] == math.ceil(load / rate)
        assert told["costPerHour"] == pytest.approx(0.5 * told["replicas"])
    assert found["costPerHour"] == {"EUR": row["loads"][1]["costPerHour"]}
    dearest = row["loads"][1]["costPerHour"]
    assert run("plan", *arguments, "--offline", "--fail-over-cost", f"{dearest}", cluster=False).code == Exit.OK
    dear = run("plan", *arguments, "--offline", "--fail-over-cost", f"{dearest - 0.01}", cluster=False)
    assert dear.code == Exit.FOUND
    assert "EUR an hour is more than" in dear.out


def test_a_terminal_of_80_columns_shows_replicas_and_cost_whole(tmp_path: Path) -> None:
    hardware = objects.hardware_class(cost=PRICE, quota={"maxReplicas": 3})
    files = read([("-", Path(written(tmp_path, new_service(), hardware, profile())).read_text())], namespace="shop")
    out = io.StringIO()
    Console(width=80, file=out).print(shown.terminal(planned.offline(files, (5000.0,), ""), [], width=80))
    text = out.getvalue()
    assert re.search(r" 5000 +3 of \d+ needed +1\.5 EUR$", text, re.MULTILINE)
    assert "not shown for want of width: BY" in text


def test_an_slo_that_nothing_keeps_and_a_load_beyond_the_bounds(tmp_path: Path, run: CommandLine) -> None:
    slow = profile(batchTime={"perItem": "4ms", "fixed": "1500ms"})
    impossible = offline(run, "-f", written(tmp_path, new_service(), objects.hardware_class(), slow), "-n", "shop")
    assert "a single item takes 1.5s on cpu-16, the SLO is 100ms" in impossible["faults"][0]
    file = written(tmp_path, new_service(), objects.hardware_class(quota={"maxReplicas": 3}), profile())
    much = offline(run, "-f", file, "-n", "shop", "--load", "5000")
    assert "and no more than 3 may run" in much["faults"][0]
    crowd = offline(run, "-f", file, "-n", "shop", "--load", "2000000")
    assert "2000000 items/s need" in crowd["faults"][0]
    unknown = offline(run, "-f", written(tmp_path, new_service(), objects.hardware_class()), "--load", "5000")
    assert unknown["services"][0]["classes"][0]["feasible"] is None
    assert unknown["faults"] == []
    lost = offline(run, "-f", written(tmp_path, new_service(scaling={"policyRef": {"name": "web"}})))
    assert [fault.partition(": ")[2].split()[:4] for fault in lost["faults"]] == [
        ["there", "is", "no", "HardwareClass"],
        ["there", "is", "no", "ScalingPolicy"],
    ]


def test_a_new_service_and_its_children_are_created_by_a_dry_run_only(
    tmp_path: Path, cluster: ApiServer, run: CommandLine
) -> None:
    cluster.put(HARDWARE_CLASS, objects.hardware_class())
    cluster.put(MODEL_PROFILE, profile())
    found = plan(run, "-f", written(tmp_path, new_service()))
    assert [(one["kind"], one["action"]) for one in found["objects"]] == [("InferenceService", "create")]
    children = found["services"][0]["children"]
    assert {one["action"] for one in children} == {"create"}
    assert {one["kind"] for one in children} == {
        "ServiceAccount", "ConfigMap", "Service", "PodDisruptionBudget", "Deployment",
    }  # fmt: skip
    assert found["services"][0]["classes"][0]["source"] == "profile"
    assert cluster.writes == []
    assert {query["dryRun"] for method, _, query in cluster.requests if method == "PATCH"} == {"All"}


@pytest.fixture
def living(cluster: ApiServer) -> ApiServer:
    cluster.put(HARDWARE_CLASS, objects.hardware_class())
    cluster.services(objects.service())
    for raw in objects.manifests():
        cluster.put(resource_of(raw), raw)
    return cluster


def test_what_lives_already_is_unchanged(tmp_path: Path, living: ApiServer, run: CommandLine) -> None:
    found = plan(run, "-f", written(tmp_path, new_service()))
    changes = [*found["objects"], *found["services"][0]["children"]]
    assert {one["action"] for one in changes} == {"unchanged"}
    assert found["faults"] == []


def test_what_lives_is_unchanged_by_the_settings_that_the_operator_has(
    tmp_path: Path, cluster: ApiServer, run: CommandLine
) -> None:
    mirrored = DownloadSettings(
        image="mirror.example.com/rclone:1", flags=("--bwlimit=1M", "--verbose"), size_limit="5Gi"
    )
    variables = {
        "FORETIDE_DRAIN_SECONDS": "7",
        "FORETIDE_DOWNLOAD_IMAGE": mirrored.image,
        "FORETIDE_DOWNLOAD_FLAGS": " ".join(mirrored.flags),
        "FORETIDE_DOWNLOAD_SIZE_LIMIT": mirrored.size_limit,
    }
    raw = objects.service(model={"backend": "python", "source": {"uri": "s3://models/ranker/3"}})
    service, hardware = parse.inference_service(raw), parse.hardware_class(objects.hardware_class())
    assert isinstance(service, InferenceService)
    assert isinstance(hardware, HardwareClass)
    cluster.put(DEPLOYMENT, examples.operator(**variables))
    cluster.put(HARDWARE_CLASS, objects.hardware_class())
    cluster.services(raw)
    for child in build(service, hardware, settings=ServingSettings(drain_seconds=7, download=mirrored)):
        cluster.put(resource_of(child), {**child})
    found = plan(run, "-f", written(tmp_path, {**raw, "metadata": {"name": "ranker"}}))
    assert {one["action"] for one in found["services"][0]["children"]} == {"unchanged"}


def test_a_change_is_shown_line_by_line_and_says_that_pods_are_replaced(
    tmp_path: Path, living: ApiServer, run: CommandLine
) -> None:
    slower = new_service(slo={"objective": "99", "latency": "250ms"})
    found = plan(run, "-f", written(tmp_path, slower))
    assert "+    latency: 250ms" in found["objects"][0]["diff"]
    assert "-    latency: 100ms" in found["objects"][0]["diff"]
    children = {one["kind"]: one for one in found["services"][0]["children"]}
    assert children["Service"]["action"] == "unchanged"
    bigger = new_service(model={"backend": "python", "source": {"configMap": {"name": "code"}}, "maxBatchSize": 16})
    children = {one["kind"]: one for one in plan(run, "-f", written(tmp_path, bigger))["services"][0]["children"]}
    assert (children["ConfigMap"]["action"], children["Deployment"]["action"]) == ("create", "change")
    assert "new pods replace the old ones" in children["Deployment"]["note"]


def test_somebody_elses_child_and_a_refusal_speak_against_it(
    tmp_path: Path, living: ApiServer, run: CommandLine
) -> None:
    theirs = living.objects[SERVICE.path(namespace="shop", name="ranker")]
    theirs["metadata"]["ownerReferences"] = []
    ended = run("plan", "-f", written(tmp_path, new_service()))
    assert ended.code == Exit.FOUND
    assert "Service/ranker: exists, and belongs to somebody else" in ended.out


def test_who_may_not_patch_children_still_learns_what_differs(
    tmp_path: Path, living: ApiServer, run: CommandLine
) -> None:
    living.refuse = lambda method, path: 403 if method == "PATCH" and "/apps/" in path else None
    living.objects[DEPLOYMENT.path(namespace="shop", name=objects.DEPLOYMENT)]["spec"]["minReadySeconds"] = 99
    found = plan(run, "-f", written(tmp_path, new_service()))
    (child,) = [one for one in found["services"][0]["children"] if one["kind"] == "Deployment"]
    assert "no dry run: you may not patch it" in child["note"]


def test_markdown_for_a_pull_request(tmp_path: Path, living: ApiServer, run: CommandLine) -> None:
    file = written(tmp_path, new_service(slo={"objective": "99", "latency": "250ms"}), profile())
    ended = run("plan", "-f", file, "--load", "50", "-o", "markdown")
    assert ended.code == Exit.OK
    assert "| `InferenceService/ranker` | change |  |" in ended.out
    assert "| `ModelProfile/ranker-cpu` | create |" in ended.out
    assert "````diff" in ended.out
    assert "| cpu-16 (chosen) | can be kept | profile |" in ended.out


def test_stdin_and_what_cannot_be_read(
    tmp_path: Path, run: CommandLine, monkeypatch: pytest.MonkeyPatch, cluster: ApiServer
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump(new_service())))
    assert offline(run, "-f", "-")["services"][0]["name"] == "ranker"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    for arguments, says in (
        (("-f", "-"), "is empty"),
        (("-f", str(tmp_path / "none.yaml")), "none.yaml cannot be read (No such file or directory); name"),
        (("-f", str(tmp_path)), "has no file that ends in"),
        (("-f", "-", "--load", "fast"), "write it like 50,200"),
        (("-f", "-", "--load", "nan"), "write it like 50,200"),
        (("-f", "-", "--fail-over-cost", "3"), "say for which with --load"),
    ):
        ended = run("plan", *arguments)
        assert (ended.code, ended.out) == (Exit.MISTAKE, "")
        assert says in ended.err
    # a cluster that was named must answer; in a pull request without one the files alone are judged
    file = written(tmp_path, new_service())
    assert run("plan", "-f", file, "--context", "gone").code == Exit.NO_ANSWER
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere")
    assert "there is no such file" in plan(run, "-f", file, cluster=False)["note"]


def several(classes: list[str], **quotas: int) -> list[dict[str, Any]]:
    """A service that lists them, each with a price of its own and the same model profile."""
    prices = {"cpu-16": "0.50", "gpu-t4": "2.00", "tiny": "0.10"}
    raws = [new_service(hardware={"classes": classes})]
    for name in classes:
        quota = {"quota": {"maxReplicas": quotas[name.replace("-", "_")]}} if name.replace("-", "_") in quotas else {}
        raws.append(objects.hardware_class(name, cost={"perHour": prices[name], "currency": "EUR"}, **quota))
    return raws


def of_class(name: str, per_item: str) -> dict[str, Any]:
    raw = profile(hardwareClass=name, batchTime={"perItem": per_item, "fixed": "10ms"})
    return {**raw, "metadata": {**raw["metadata"], "name": name}}


def test_what_one_class_cannot_carry_the_next_one_does(tmp_path: Path, run: CommandLine) -> None:
    raws = several(["cpu-16", "gpu-t4"], cpu_16=2)
    file = written(tmp_path, *raws, of_class("cpu-16", "4ms"), of_class("gpu-t4", "2ms"))
    arguments = ("-f", file, "-n", "shop", "--load", "100,700")
    found = offline(run, *arguments)
    (service,) = found["services"]
    slow, fast = (one["itemsPerSecondPerReplica"] for one in service["classes"])
    assert slow < fast
    small, large = service["fleets"]
    assert small["replicas"] == {"cpu-16": math.ceil(100 / slow)}
    # Every pod gets the same share of the load, so each does what the slowest can.
    together = math.ceil(700 / slow)
    assert sum(large["replicas"].values()) in (together, math.ceil(700 / fast))
    assert large["replicas"].get("cpu-16", 0) <= 2
    assert large["kept"]
    prices = {"cpu-16": 0.5, "gpu-t4": 2.0}
    cost = sum(prices[name] * count for name, count in large["replicas"].items())
    assert found["costPerHour"] == large["costPerHour"] == {"EUR": pytest.approx(cost)}
    assert [one["chosen"] for one in service["classes"]] == [True, True]
    assert found["faults"] == []
    shown = run("plan", *arguments, "--offline", "-o", "markdown", cluster=False).out
    assert "| together |  |  |  | 100 |" in shown
    bounded = several(["cpu-16", "gpu-t4"], cpu_16=1, gpu_t4=1)
    file = written(tmp_path, *bounded, of_class("cpu-16", "4ms"), of_class("gpu-t4", "2ms"))
    (fault,) = offline(run, "-f", file, "-n", "shop", "--load", "700")["faults"]
    assert "700 items/s are more than the replicas that may run carry" in fault


def test_a_class_that_cannot_keep_the_slo_takes_nothing_beside_one_that_can(tmp_path: Path, run: CommandLine) -> None:
    file = written(tmp_path, *several(["tiny", "cpu-16"]), of_class("tiny", "200ms"), of_class("cpu-16", "4ms"))
    found = offline(run, "-f", file, "-n", "shop", "--load", "50")
    tiny, usual = found["services"][0]["classes"]
    assert (tiny["feasible"], tiny["chosen"], usual["chosen"]) == (False, False, True)
    assert list(found["services"][0]["fleets"][0]["replicas"]) == ["cpu-16"]
    assert found["faults"] == []
    file = written(tmp_path, *several(["tiny", "cpu-16"]), of_class("tiny", "200ms"), of_class("cpu-16", "300ms"))
    (fault, *_) = offline(run, "-f", file, "-n", "shop")["faults"]
    assert "a single item takes 210ms on tiny and 310ms on cpu-16, the SLO is 100ms" in fault


@given(
    per_item=st.floats(0.1, 100.0), fixed=st.floats(0.1, 100.0), load=st.floats(0.1, 1e5), latency=st.floats(1.0, 1e3)
)
def test_more_load_never_needs_fewer_replicas_and_slower_never_carries_more(
    per_item: float, fixed: float, load: float, latency: float
) -> None:
    one = parse.inference_service(objects.service(slo={"objective": "99", "latency": f"{latency:.3f}ms"}))
    where = parse.hardware_class(objects.hardware_class(cost=PRICE))
    law = {"perItem": f"{per_item:.3f}ms", "fixed": f"{fixed:.3f}ms"}
    slower = {**law, "fixed": f"{2 * fixed:.3f}ms"}
    fast, slow = (parse.model_profile(profile(batchTime=each)) for each in (law, slower))
    assert isinstance(one, InferenceService)
    assert isinstance(where, HardwareClass)
    assert isinstance(fast, ModelProfile)
    assert isinstance(slow, ModelProfile)
    found = feasibility(one, where, profile=fast, told=UNTOLD, loads=[load, 2 * load])
    less, more = found.loads
    assert less.needed <= more.needed
    assert (found.source, less.cost_per_hour) == (Source.PROFILE, 0.5 * less.replicas)
    worse = feasibility(one, where, profile=slow, told=UNTOLD, loads=[load])
    if worse.feasible:  # beyond the SLO less is spent on what cannot be kept
        assert worse.per_replica <= found.per_replica * 1.001
