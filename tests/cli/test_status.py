"""`status`: what status tells, readable in any width, and never a zero for what is not known."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, datetime

import pytest
import yaml
from rich.console import Console

from foretide.adapters.kubernetes import PAGE_SIZE
from foretide.adapters.resources import INFERENCE_SERVICE
from foretide.cli.exits import Exit
from foretide.cli.output import clean
from foretide.cli.service import read
from foretide.cli.status_shown import Seen, fleet
from tests.cli import examples
from tests.cli.conftest import CommandLine
from tests.cli.server import ApiServer
from tests.control import objects


def test_one_screen_of_one_service(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(examples.service())
    ended = run("status", "ranker")
    assert ended.code == Exit.OK
    lines = {line.split("   ")[0].strip(): line for line in ended.out.splitlines()}
    assert "3 ready of 4, 4 wanted, bounds 1-20, on cpu-16" in lines["replicas"]
    assert "99 % within 100ms" in lines["SLO"]
    assert "99.62%, told by Summary" in lines["attained"]
    assert "62% left; burns at 0.4 over 5m, 1.2 over 1h" in lines["error budget"]
    assert "18 items/s asked, 34 foreseen in 42s (quantile 0.99); at the last change, 8m ago" in lines["load"]
    assert "10 items/s within the SLO" in lines["a replica"]
    assert "12s (half of 9 starts), 42s (nine of ten)" in lines["cold start"]
    assert "1.06 USD an hour" in lines["cost"]
    assert "2 -> 4: 18.0 items/s asked" in lines["8m ago"]


def test_a_fleet_is_one_line_each_and_says_what_is_wrong(cluster: ApiServer, run: CommandLine) -> None:
    spent = {"type": "SLOMet", "status": "False", "reason": "SLOBudgetSpent", "message": "spent"}
    burnt = examples.service("burnt")
    others = [one for one in burnt["status"]["conditions"] if one["type"] != "SLOMet"]
    burnt["status"]["conditions"] = [*others, spent | {"lastTransitionTime": objects.SINCE}]
    cluster.services(
        examples.service(), burnt, objects.service("new"), examples.service("elsewhere", namespace="other")
    )
    ended = run("status")
    header, *rows = [line.split() for line in ended.out.splitlines()[:-1]]
    assert header[:4] == ["NAMESPACE", "NAME", "STATE", "READY"]
    assert [row[1:4] for row in rows] == [
        ["burnt", "SLOBudgetSpent", "3/4"],
        ["new", "NotSeen", "?/?"],
        ["ranker", "OK", "3/4"],
    ]
    assert len(run("status", "-A").out.splitlines()) == 6
    assert ended.out.splitlines()[-1].startswith("LOAD and FORECAST are of the last change")
    assert run("status", "-n", "other").out.splitlines()[1].split()[:2] == ["other", "elsewhere"]
    # a user without rights in other namespaces is never refused for looking into all of them
    assert ("GET", INFERENCE_SERVICE.path(namespace="shop"), {"limit": str(PAGE_SIZE)}) in (cluster.requests)


def test_json_has_numbers_and_null_for_what_is_not_known(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(examples.service(), objects.service("new"))
    found = {one["name"]: one for one in json.loads(run("status", "-o", "json").out)["items"]}
    assert found["ranker"]["load"]["itemsPerSecond"] == 18.0
    assert found["ranker"]["slo"]["burnRates"] == {"5m": 0.4, "1h": 1.2}
    assert found["ranker"]["replicas"] == {
        "ready": 3, "existing": 4, "desired": 4, "min": 1, "max": 20, "pinned": None,
    }  # fmt: skip
    assert found["new"]["load"]["itemsPerSecond"] is None
    assert found["new"]["replicas"]["ready"] is None
    assert yaml.safe_load(run("status", "ranker", "-o", "yaml").out) == found["ranker"]


def test_several_hardware_classes_are_told_each_with_its_reason(cluster: ApiServer, run: CommandLine) -> None:
    divided = examples.service()
    divided["spec"]["hardware"]["classes"] = ["gpu-t4", "cpu-16", "cpu-4"]
    divided["status"]["hardware"] = [
        {"class": "gpu-t4", "replicas": 1, "counted": 1, "ready": 1, "reason": "QuotaReached", "message": "quota is 1"},
        {"class": "cpu-16", "replicas": 3, "counted": 3, "ready": 2, "reason": "Enough", "message": "the rest"},
        {"class": "cpu-4", "replicas": 0, "counted": 0, "ready": 0, "reason": "Unneeded", "message": "not needed"},
    ]
    cluster.services(divided)
    out = run("status", "ranker").out
    assert "on gpu-t4+cpu-16" in out
    assert "gpu-t4   1 ready of 1: quota is 1" in out
    assert "cpu-16   2 ready of 3: the rest" in out
    told = json.loads(run("status", "ranker", "-o", "json").out)["hardware"]
    assert [(one["class"], one["replicas"], one["costPerHour"]) for one in told] == [
        ("gpu-t4", 1, None), ("cpu-16", 3, None), ("cpu-4", 0, None),
    ]  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_narrow_terminal_keeps_the_columns_that_matter(width: int) -> None:
    written = io.StringIO()
    Console(width=width, file=written).print(
        fleet(Seen((read(examples.service()),), {}), width=width, now=datetime.now(UTC))
    )
    text = written.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "ranker" in text
    assert "BUDGET" in text
    assert ("not shown for want of width" in text.replace("\n", " ")) == (width < 100)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("status", "nobody"), Exit.MISTAKE, "there is no InferenceService nobody in namespace shop"),
        (("status", "a", "-A"), Exit.MISTAKE, "leave out -A"),
        (("status", "-A", "-n", "x"), Exit.MISTAKE, "excludes -n x"),
        (("status", "--watch", "-o", "json"), Exit.MISTAKE, "-o json is printed once"),
        (("status", "-o", "xml"), Exit.MISTAKE, "'xml' is not one of"),
        (("status", "--context", "none"), Exit.NO_ANSWER, "name one with --kubeconfig"),
        (("status", "--context", "gone"), Exit.NO_ANSWER, "is the cluster reachable from here?"),
    ],
)
def test_a_mistake_is_a_sentence_and_a_code(
    cluster: ApiServer, run: CommandLine, arguments: tuple[str, ...], code: Exit, says: str
) -> None:
    ended = run(*arguments)
    assert ended.code == code
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert not ended.out


def test_who_may_not_look_is_told_what_to_ask_for(cluster: ApiServer, run: CommandLine) -> None:
    cluster.refuse = lambda method, path: 403
    ended = run("status")
    assert ended.code == Exit.NO_ANSWER
    assert "foretide-view" in ended.err


def test_what_a_newer_operator_tells_is_passed_over(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(examples.service(status={"weather": "fine"}))
    assert json.loads(run("status", "ranker", "-o", "json").out)["slo"]["attainmentPercent"] == 99.62


def test_a_status_that_is_none_is_said_to_be_so(cluster: ApiServer, run: CommandLine) -> None:
    cluster.services(examples.service(status={"replicas": "many"}))
    assert json.loads(run("status", "ranker", "-o", "json").out)["state"] == "NotUnderstood"


def test_a_thousand_services_are_listed_in_pages_within_two_seconds(cluster: ApiServer, run: CommandLine) -> None:
    example = examples.service()
    for number in range(1_000):
        cluster.services({**example, "metadata": {**example["metadata"], "name": f"s{number}"}})
    run("status", "s1")  # imports
    began = time.process_time()
    ended = run("status", "-A")
    assert time.process_time() - began < 2.0
    assert len(ended.out.splitlines()) == 1_002
    assert sum(path == INFERENCE_SERVICE.path() for _, path, _ in cluster.requests) == 1_000 / PAGE_SIZE
    assert cluster.writes == []


def test_what_a_cluster_says_does_not_command_the_terminal() -> None:
    assert clean("\x1b[31mred\x07").plain == "�[31mred�"
