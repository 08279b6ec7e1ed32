"""The reconcile loop's part of status: what people and GitOps tools read in each situation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretide.api.conditions import Condition, ConditionType
from foretide.api.reasons import Reason
from foretide.api.status import InferenceServiceStatus
from foretide.control.pods import Failure
from foretide.control.serving_status import NOTHING_YET, Refused, Rollout, judged, refused, rollout, status

NOW = datetime(2025, 11, 22, 8, 26, 40, tzinfo=UTC)
CRASH = Failure("ranker-1", Reason.MODEL_LOAD_FAILED, "failed to load 'ranker'", 2, crashed=True)
NO_FILES = Failure("ranker-1", Reason.DOWNLOAD_FAILED, "directory not found", 2, crashed=True, container="download")
NO_SECRET = Failure("ranker-1", Reason.DOWNLOAD_FAILED, 'secret "x" not found', 0, crashed=False, container="download")
OOM = Failure("ranker-1", Reason.OUT_OF_MEMORY, "Triton ended with exit code 137 (OOMKilled)", 2, crashed=True)
PENDING = Failure("ranker-1", Reason.UNSCHEDULABLE, "0/1 nodes are available", 0, crashed=False)
NO_IMAGE = Failure("ranker-1", Reason.IMAGE_PULL_FAILED, "Back-off pulling image", 0, crashed=False)
QUOTA = 'pods "ranker-5c" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
POLICY = 'pods "ranker-5c" is forbidden: violates PodSecurity "restricted:latest"'


def state(wanted: int, ready: int, updated: int, existing: int, *, observed: bool = True, refusal: str = "") -> Rollout:
    return Rollout(wanted=wanted, ready=ready, updated=updated, existing=existing, observed=observed, refusal=refusal)


def table(conditions: tuple[Condition, ...]) -> dict[str, str]:
    """Type -> "Status Reason"."""
    return {condition.type.value: f"{condition.status} {condition.reason}" for condition in conditions}


@pytest.mark.parametrize(
    ("situation", "failing", "ready", "reconciling", "stalled", "loaded"),
    [
        (NOTHING_YET, [], "False Creating", "True Creating", "False NotStalled", "Unknown ModelLoading"),
        (state(2, 0, 0, 0), [], "False Creating", "True Creating", "False NotStalled", "Unknown ModelLoading"),
        (state(2, 0, 2, 2), [], "False PodsNotReady", "True PodsNotReady", "False NotStalled", "Unknown ModelLoading"),
        (state(2, 2, 2, 2), [], "True Available", "False UpToDate", "False NotStalled", "True ModelLoaded"),
        # the autoscaler adds replicas: nobody reconciles
        (
            state(5, 2, 2, 2),
            [],
            "True MinimumReplicasAvailable",
            "False UpToDate",
            "False NotStalled",
            "True ModelLoaded",
        ),
        (
            state(5, 2, 5, 5),
            [PENDING],
            "True MinimumReplicasAvailable",
            "False UpToDate",
            "False NotStalled",
            "True ModelLoaded",
        ),
        (
            state(5, 2, 2, 2, refusal=QUOTA),
            [],
            "True MinimumReplicasAvailable",
            "False UpToDate",
            "False NotStalled",
            "True ModelLoaded",
        ),
        # new pods replace old ones
        (
            state(2, 2, 1, 3),
            [],
            "True RolloutInProgress",
            "True RolloutInProgress",
            "False NotStalled",
            "True ModelLoaded",
        ),
        (
            state(2, 2, 2, 2, observed=False),
            [],
            "True RolloutInProgress",
            "True RolloutInProgress",
            "False NotStalled",
            "True ModelLoaded",
        ),
        (
            state(2, 2, 1, 3),
            [CRASH],
            "True ModelLoadFailed",
            "False UpToDate",
            "True ModelLoadFailed",
            "False ModelLoadFailed",
        ),
        # nothing serves
        (
            state(1, 0, 1, 1),
            [CRASH],
            "False ModelLoadFailed",
            "False UpToDate",
            "True ModelLoadFailed",
            "False ModelLoadFailed",
        ),
        (
            state(1, 0, 1, 1),
            [NO_FILES],
            "False DownloadFailed",
            "False UpToDate",
            "True DownloadFailed",
            "False DownloadFailed",
        ),
        (
            state(1, 0, 1, 1),
            [NO_SECRET],
            "False DownloadFailed",
            "True DownloadFailed",
            "False NotStalled",
            "False DownloadFailed",
        ),
        (
            state(1, 0, 1, 1),
            [OOM],
            "False OutOfMemory",
            "False UpToDate",
            "True OutOfMemory",
            "Unknown ModelLoading",
        ),
        (
            state(1, 0, 1, 1),
            [PENDING],
            "False Unschedulable",
            "True Unschedulable",
            "False NotStalled",
            "Unknown ModelLoading",
        ),
        (
            state(1, 0, 1, 1),
            [NO_IMAGE],
            "False ImagePullFailed",
            "True ImagePullFailed",
            "False NotStalled",
            "Unknown ModelLoading",
        ),
        (
            state(1, 0, 0, 0, refusal=QUOTA),
            [],
            "False QuotaExceeded",
            "True QuotaExceeded",
            "False NotStalled",
            "Unknown ModelLoading",
        ),
        (
            state(1, 0, 0, 0, refusal=POLICY),
            [],
            "False PodsRefused",
            "True PodsRefused",
            "False NotStalled",
            "Unknown ModelLoading",
        ),
    ],
)
def test_every_situation_has_its_conditions(
    situation: Rollout, failing: list[Failure], ready: str, reconciling: str, stalled: str, loaded: str
) -> None:
    assert table(judged(situation, failing, generation=3)) == {
        "Ready": ready,
        "Reconciling": reconciling,
        "Stalled": stalled,
        "ModelLoaded": loaded,
    }


def test_a_refused_spec_leaves_what_serves_ready() -> None:
    problem = Refused(Reason.INVALID_SPEC, "spec.slo: (missing) is required; add it")
    assert table(refused(problem, generation=3, serving=True)) == {
        "Ready": "True InvalidSpec",
        "Reconciling": "False UpToDate",
        "Stalled": "True InvalidSpec",
        "ModelLoaded": "True ModelLoaded",
    }
    assert table(refused(problem, generation=3, serving=False)) == {
        "Ready": "False InvalidSpec",
        "Reconciling": "False UpToDate",
        "Stalled": "True InvalidSpec",
        "ModelLoaded": "Unknown InvalidSpec",
    }


def test_the_message_names_the_pod_or_the_quota() -> None:
    messages = {c.type: c.message for c in judged(state(1, 0, 1, 1), [PENDING], generation=1)}
    assert messages[ConditionType.READY] == "pod ranker-1: 0/1 nodes are available"
    messages = {c.type: c.message for c in judged(state(5, 2, 2, 2, refusal=QUOTA), [], generation=1)}
    assert messages[ConditionType.READY] == f"2 of 5 replicas ready; {QUOTA}"


counts = st.integers(0, 4)
states = st.builds(
    Rollout,
    wanted=counts,
    ready=counts,
    updated=counts,
    existing=counts,
    observed=st.booleans(),
    refusal=st.sampled_from(["", QUOTA, POLICY]),
)
failures = st.lists(st.sampled_from([CRASH, OOM, PENDING, NO_IMAGE, NO_FILES, NO_SECRET]), max_size=2)


@given(states, failures, st.integers(0, 9))
def test_the_rules_of_kstatus_hold_in_any_situation(state: Rollout, failing: list[Failure], generation: int) -> None:
    conditions = judged(state, failing, generation=generation)
    told = {condition.type: condition.status.value for condition in conditions}
    assert not (told[ConditionType.RECONCILING] == told[ConditionType.STALLED] == "True")
    # what kstatus calls Current must serve, and what serves is Ready whatever else is wrong
    if told[ConditionType.RECONCILING] == told[ConditionType.STALLED] == "False":
        assert told[ConditionType.READY] == "True"
    if told[ConditionType.READY] == "True":
        assert state.ready > 0 or state.wanted == 0
    assert {condition.observed_generation for condition in conditions} == {generation}


@given(states, failures, st.booleans())
def test_the_status_is_one_that_the_schema_takes(state: Rollout, failing: list[Failure], seen: bool) -> None:
    long = [Failure(f.pod, f.reason, f.message * 1000, f.restarts, f.crashed) for f in failing]
    written = status(
        judged(state, long, generation=2),
        generation=2,
        state=state if seen else None,
        url="http://ranker.shop.svc:8000",
        previous={},
        now=NOW,
    )
    assert InferenceServiceStatus.model_validate(written, strict=False).observed_generation == 2
    assert ("replicas" in written) == seen


def test_an_unchanged_situation_gives_the_same_status_at_any_later_time() -> None:
    def at(hour: int, situation: Rollout, previous: dict[str, Any]) -> dict[str, Any]:
        conditions = judged(situation, [], generation=1)
        now = NOW.replace(hour=hour)
        return status(conditions, generation=1, state=situation, url="x", previous=previous, now=now)

    first = at(8, state(2, 2, 2, 2), {})
    assert at(9, state(2, 2, 2, 2), first) == first
    times = {c["type"]: c["lastTransitionTime"][11:13] for c in at(9, state(2, 0, 2, 2), first)["conditions"]}
    assert times == {"Ready": "09", "Reconciling": "09", "Stalled": "08", "ModelLoaded": "09"}


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        # just created: its controller has said nothing yet, and the API server's default is one replica
        ({"metadata": {"generation": 1}, "spec": {}}, state(1, 0, 0, 0, observed=False)),
        (
            {
                "metadata": {"generation": 4},
                "spec": {"replicas": 3},
                "status": {"observedGeneration": 4, "replicas": 4, "updatedReplicas": 2, "readyReplicas": 3},
            },
            state(3, 3, 2, 4),
        ),
        (
            {
                "metadata": {"generation": 4},
                "spec": {"replicas": 3},
                "status": {
                    "observedGeneration": 3,
                    "conditions": [
                        {"type": "Progressing", "status": "True", "message": "x"},
                        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA},
                    ],
                },
            },
            state(3, 0, 0, 0, observed=False, refusal=QUOTA),
        ),
    ],
)
def test_what_a_deployment_does_not_say_counts_as_no_pods(deployment: dict[str, Any], expected: Rollout) -> None:
    assert rollout(deployment) == expected
