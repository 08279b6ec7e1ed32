"""What pods say about a service, from statuses as the kubelet and the scheduler write them."""

from __future__ import annotations

from typing import Any

import pytest

from foretide.api.reasons import Reason
from foretide.control.pods import (
    Failure,
    authority,
    crashes_at_start,
    failures,
    is_ready,
    ready_since,
    seconds,
    uncreated_since,
    unschedulable_since,
)
from tests.control.objects import pod

NO_ROOM = (
    "0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: 0/1 nodes are available: "
    "1 No preemption victims found for incoming pod."
)
NO_CLAIM = 'persistentvolumeclaim "models" not found. preemption: not eligible due to preemptionPolicy=Never.'
BACK_OFF = (
    'Back-off pulling image "localhost/foretide/tritonserver:none": ErrImagePull: failed to pull and unpack image '
    '"localhost/foretide/tritonserver:none": failed to resolve reference'
)
LAST_LINES = (
    "2026-11-22T14:40:05Z E 31576 model_lifecycle.cc:642] \"failed to load 'bad' version 1: Internal: ValueError: "
    "weights of 'bad' are missing\\n\\nAt:\\n  /models/bad/1/model.py(3): initialize\\n\"\n"
    "error: creating server: Internal - failed to load all models\n"
)


def ended(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    times = {"startedAt": "2025-11-22T08:00:00Z", "finishedAt": "2025-11-22T08:00:20Z"}
    return {"terminated": {"exitCode": code, "reason": reason, "containerID": "containerd://0", **times, **more}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


CRASH_LOOP = waiting("CrashLoopBackOff", "back-off 40s restarting failed container=triton pod=ranker_shop(4f)")


def test_a_pod_without_a_node() -> None:
    scheduled = {"status": "False", "reason": "Unschedulable", "message": NO_ROOM}
    assert failures([pod("p", ready=False, scheduled=scheduled)]) == [
        Failure("p", Reason.UNSCHEDULABLE, NO_ROOM, 0, crashed=False)
    ]
    claim = {"status": "False", "reason": "Unschedulable", "message": NO_CLAIM}
    assert failures([pod("p", ready=False, scheduled=claim)])[0].message == NO_CLAIM


@pytest.mark.parametrize(
    ("state", "last", "restarts", "expected"),
    [
        (waiting("ErrImagePull", BACK_OFF), {}, 0, Failure("p", Reason.IMAGE_PULL_FAILED, BACK_OFF, 0, False)),
        (waiting("ImagePullBackOff", BACK_OFF), {}, 0, Failure("p", Reason.IMAGE_PULL_FAILED, BACK_OFF, 0, False)),
        (waiting("InvalidImageName", "x"), {}, 0, Failure("p", Reason.IMAGE_PULL_FAILED, "x", 0, False)),
        (waiting("ErrImageNeverPull", "x"), {}, 0, Failure("p", Reason.IMAGE_PULL_FAILED, "x", 0, False)),
        # Triton did not load the model
        (
            CRASH_LOOP,
            ended(1, message=LAST_LINES),
            3,
            Failure("p", Reason.MODEL_LOAD_FAILED, LAST_LINES, 3, True),
        ),
        (ended(1, message=LAST_LINES), {}, 0, Failure("p", Reason.MODEL_LOAD_FAILED, LAST_LINES, 0, True)),
        # it starts again and may fail again: the reason stays until it is ready
        (
            {"running": {"startedAt": "2025-11-22T08:01:00Z"}},
            ended(1, message=LAST_LINES),
            1,
            Failure("p", Reason.MODEL_LOAD_FAILED, LAST_LINES, 1, True),
        ),
        (
            CRASH_LOOP,
            ended(137, "OOMKilled"),
            2,
            Failure("p", Reason.OUT_OF_MEMORY, "Triton ended with exit code 137 (OOMKilled)", 2, True),
        ),
        (
            CRASH_LOOP,
            ended(139, "Error"),
            2,
            Failure("p", Reason.CONTAINER_CRASHED, "Triton ended with exit code 139 (Error)", 2, True),
        ),
        (
            waiting("CreateContainerConfigError", 'configmap "code" not found'),
            {},
            0,
            Failure("p", Reason.PODS_NOT_READY, 'configmap "code" not found', 0, False),
        ),
        # on its way
        (waiting("ContainerCreating"), {}, 0, None),
        (waiting("PodInitializing"), {}, 0, None),
        ({"running": {"startedAt": "2025-11-22T08:00:00Z"}}, {}, 0, None),
    ],
)
def test_a_container_that_does_not_serve(
    state: dict[str, Any], last: dict[str, Any], restarts: int, expected: Failure | None
) -> None:
    container = {"state": state, "lastState": last, "restartCount": restarts}
    found = failures([pod("p", ready=False, container=container)])
    assert found == ([] if expected is None else [expected])


INITIALIZING: dict[str, Any] = {"state": waiting("PodInitializing"), "lastState": {}, "restartCount": 0}
NO_SECRET = 'secret "models-read" not found'


@pytest.mark.parametrize(
    ("state", "last", "restarts", "expected"),
    [
        (
            CRASH_LOOP,
            ended(3, message="2026/11/28 20:05:44 NOTICE: Failed to copy: directory not found"),
            2,
            Failure(
                "p",
                Reason.DOWNLOAD_FAILED,
                "2026/11/28 20:05:44 NOTICE: Failed to copy: directory not found",
                2,
                True,
                "download",
            ),
        ),
        (
            ended(1),
            {},
            0,
            Failure("p", Reason.DOWNLOAD_FAILED, "The download ended with exit code 1 (Error)", 0, True, "download"),
        ),
        # it tries again, and may fail again
        (
            {"running": {"startedAt": "2025-11-22T08:01:00Z"}},
            ended(5),
            1,
            Failure("p", Reason.DOWNLOAD_FAILED, "The download ended with exit code 5 (Error)", 1, True, "download"),
        ),
        (
            CRASH_LOOP,
            ended(137, "OOMKilled"),
            1,
            Failure(
                "p", Reason.OUT_OF_MEMORY, "The download ended with exit code 137 (OOMKilled)", 1, True, "download"
            ),
        ),
        (
            waiting("CreateContainerConfigError", NO_SECRET),
            {},
            0,
            Failure("p", Reason.DOWNLOAD_FAILED, NO_SECRET, 0, False, "download"),
        ),
        (
            waiting("ErrImagePull", BACK_OFF),
            {},
            0,
            Failure("p", Reason.IMAGE_PULL_FAILED, BACK_OFF, 0, False, "download"),
        ),
        # on its way, or done in the end
        ({"running": {"startedAt": "2025-11-22T08:00:00Z"}}, {}, 0, None),
        (ended(0, "Completed"), ended(5), 3, None),
    ],
)
def test_a_download_that_fails_is_told_apart_from_a_load_that_does(
    state: dict[str, Any], last: dict[str, Any], restarts: int, expected: Failure | None
) -> None:
    download = {"state": state, "lastState": last, "restartCount": restarts}
    found = failures([pod("p", ready=False, container=INITIALIZING, download=download)])
    assert found == ([] if expected is None else [expected])


@pytest.mark.parametrize(("restarts", "downloaded"), [(0, True), (1, False)])
def test_a_load_that_fails_after_a_download_is_one_of_the_model(restarts: int, downloaded: bool) -> None:
    download = {"state": ended(0, "Completed"), "lastState": {}, "restartCount": restarts}
    crashed = {"state": CRASH_LOOP, "lastState": ended(1, message="x"), "restartCount": 1}
    (found,) = failures([pod("p", ready=False, container=crashed, download=download)])
    assert found == Failure("p", Reason.MODEL_LOAD_FAILED, "x", 1, True, "triton", downloaded)


def test_a_pod_whose_download_ends_twice_crashes_at_its_start_and_one_that_is_done_does_not() -> None:
    since: dict[str, Any] = {
        "since": "2025-11-22T07:59:03Z",
        "created": "2025-11-22T07:59:00Z",
        "container": INITIALIZING,
    }
    for state, restarts, expected in (
        (CRASH_LOOP, 2, True),
        (ended(1), 1, True),
        (ended(1), 0, False),
        (ended(0, "Completed"), 5, False),
    ):
        download = {"state": state, "lastState": {}, "restartCount": restarts}
        assert crashes_at_start(pod("p", ready=False, download=download, **since)) == expected
    download = {"state": waiting("CreateContainerConfigError", NO_SECRET), "lastState": {}, "restartCount": 0}
    assert uncreated_since(pod("p", ready=False, download=download, **since)) is not None


def test_a_pod_that_serves_or_leaves_is_no_failure() -> None:
    crashed = {"state": CRASH_LOOP, "lastState": ended(1), "restartCount": 1}
    assert failures([pod("ready", container=crashed)]) == []
    assert failures([pod("leaving", ready=False, terminating=True, container=crashed)]) == []


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_an_evicted_pod_is_no_failure(phase: str) -> None:
    """It stays in the list until somebody deletes it, long after another has taken its place."""
    container = {"state": ended(137), "lastState": {}, "restartCount": 0}
    evicted = pod("p", ready=False, container=container)
    evicted["status"] |= {"phase": phase, "reason": "Evicted"}
    assert failures([evicted]) == []


def test_a_pod_that_the_kubelet_has_not_seen_yet_is_no_failure() -> None:
    new = pod("new", ready=False)
    del new["status"]
    assert failures([new]) == []
    assert ready_since(new) is None


def test_the_newest_pod_comes_first() -> None:
    crashed = {"state": CRASH_LOOP, "lastState": ended(1, message="x"), "restartCount": 1}
    found = failures(
        [
            pod("old", ready=False, created="2025-11-22T07:00:00Z", container=crashed),
            pod("new", ready=False, created="2025-11-22T08:00:00Z", container=crashed),
            pod("older", ready=False, created="2025-11-22T06:00:00Z", container=crashed),
        ]
    )
    assert [failure.pod for failure in found] == ["new", "old", "older"]


def test_other_containers_of_a_pod_are_not_triton() -> None:
    container = {"name": "istio-proxy", "state": CRASH_LOOP, "lastState": ended(1), "restartCount": 1}
    assert failures([pod("p", ready=False, container=container)]) == []


def test_a_long_message_is_cut() -> None:
    scheduled = {"status": "False", "reason": "Unschedulable", "message": "x" * 10_000}
    assert len(failures([pod("p", ready=False, scheduled=scheduled)])[0].message) == 600


def test_a_leaving_pod_is_not_ready_although_its_condition_says_so() -> None:
    assert is_ready(pod("p"))
    assert not is_ready(pod("p", terminating=True))
    assert ready_since(pod("p", terminating=True)) is None
    assert ready_since(pod("p", since="2025-11-22T08:26:40Z")) == 1_763_800_000


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (pod("p", scheduled={"status": "False", "reason": "Unschedulable"}), True),
        (pod("p", scheduled={"status": "False", "reason": "SchedulingGated"}), False),
        (pod("p"), False),
        ({"metadata": {}}, False),
    ],
)
def test_since_when_no_node_has_room(shown: dict[str, Any], expected: bool) -> None:
    assert (unschedulable_since(shown) is not None) == expected


@pytest.mark.parametrize(
    ("restarts", "ended_again", "unready_since", "expected"),
    [
        (1, False, "2025-11-22T07:59:03Z", False),
        (1, True, "2025-11-22T07:59:03Z", True),
        (2, False, "2025-11-22T07:59:03Z", True),
        (9, True, "2025-11-22T08:30:00Z", False),  # it served until then
    ],
)
def test_a_pod_that_crashes_at_its_start_is_one_that_never_served(
    restarts: int, ended_again: bool, unready_since: str, expected: bool
) -> None:
    state = {"terminated": {"exitCode": 1}} if ended_again else {"running": {}}
    container = {"state": state, "restartCount": restarts}
    shown = pod("p", ready=False, since=unready_since, created="2025-11-22T07:59:00Z", container=container)
    assert crashes_at_start(shown) == expected


def test_timestamps_are_seconds_since_the_epoch() -> None:
    assert seconds("2025-11-22T08:26:40Z") == 1_763_800_000
    assert seconds("2025-11-22T08:26:40.250000Z") == 1_763_800_000.25


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", "10.1.2.3:8002"),
        ("fd00::7", "[fd00::7]:8002"),
        ("", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("0.0.0.0", None),
        ("169.254.169.254", None),
        ("fe80::1", None),
        ("224.0.0.1", None),
        ("metadata.internal", None),
        ("10.1.2.3:80/x?", None),
    ],
)
def test_the_operator_connects_to_addresses_of_pods_only(address: str, expected: str | None) -> None:
    assert authority({"metadata": {}, "status": {"podIP": address}}, 8002) == expected


def test_a_pod_without_a_status_has_no_address() -> None:
    assert authority({"metadata": {}}, 8002) is None
