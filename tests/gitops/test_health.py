"""What GitOps tools say of a service through its life: never that it is up while a roll-out is under way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from foretide.api.group import PAUSED_ANNOTATION
from foretide.control import serving_status
from foretide.control.serving_status import Rollout
from tests.gitops.health import ARGO_CD, argo_cd, flux, kstatus

# Recorded by e2e/exhaustive/test_gitops.py: every state of a service and of its Deployments on a real API server.
LIFE: list[dict[str, Any]] = json.loads((Path(__file__).parent / "life.json").read_text())
IDS = [f"{number}-{moment['step']}" for number, moment in enumerate(LIFE)]


@pytest.mark.parametrize("moment", LIFE, ids=IDS)
def test_all_say_the_same(moment: dict[str, Any]) -> None:
    service = moment["service"]
    # Without a status kstatus takes any object for Current; the other two wait, and so should whoever can.
    expected = kstatus(service) if "status" in service else "InProgress"
    assert argo_cd(service)[0] == ARGO_CD[expected]
    assert expected == "Terminating" or flux(service) == expected


@pytest.mark.parametrize("moment", LIFE, ids=IDS)
def test_no_service_is_healthy_while_pods_are_replaced(moment: dict[str, Any]) -> None:
    if moment["replacing"]:
        assert argo_cd(moment["service"])[0] != "Healthy"
        assert flux(moment["service"]) != "Current"


def test_the_life_has_every_state() -> None:
    assert {argo_cd(moment["service"])[0] for moment in LIFE} == {"Progressing", "Healthy", "Degraded"}
    assert {moment["replacing"] for moment in LIFE} == {True, False}


def test_a_person_is_told_why() -> None:
    degraded = [argo_cd(moment["service"])[1] for moment in LIFE if argo_cd(moment["service"])[0] == "Degraded"]
    assert any("spec.hardware.classes[0]" in message for message in degraded)


def test_of_an_object_without_status_and_of_one_that_goes() -> None:
    new = {"metadata": {"generation": 1}}
    assert argo_cd(new) == ("Progressing", "Waiting for the operator")
    assert flux(new) == "InProgress"
    gone = {**LIFE[-1]["service"]}
    gone["metadata"] = {**gone["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert argo_cd(gone) == ("Progressing", "Being deleted")


def test_a_paused_service_is_suspended_and_flux_waits_for_a_spec_that_is_not_in_force() -> None:
    held = serving_status.paused(serving_status.judged(Rollout(3, 3, 3, 3, True, ""), [], generation=4))
    status = {"observedGeneration": 4, "conditions": [condition.as_json() for condition in held]}
    annotations = {PAUSED_ANNOTATION: "true"}
    paused = {"metadata": {"generation": 4, "annotations": annotations}, "status": status}
    changed = {"metadata": {"generation": 5, "annotations": annotations}, "status": status}
    resumed = {"metadata": {"generation": 5}, "status": status}
    assert [argo_cd(each)[0] for each in (paused, changed)] == ["Suspended", "Suspended"]
    assert PAUSED_ANNOTATION in argo_cd(paused)[1]
    assert argo_cd(resumed)[0] == "Progressing"
    assert [kstatus(each) for each in (paused, changed)] == ["Current", "InProgress"]
    assert [flux(each) for each in (paused, changed)] == ["Current", "InProgress"]
