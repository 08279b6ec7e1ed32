"""Wrong specs are refused by a real apiserver with a sentence that names field, value and rule, and right ones pass.

The table is the one that parse() is held to, so the two judge alike.
"""

import json
import re
import subprocess
from typing import Any

import pytest

from e2e.cluster import Cluster
from tests.api import specs


def created(cluster: Cluster, raw: specs.Raw) -> subprocess.CompletedProcess[str]:
    """The apiserver's judgement of one new object, without keeping it."""
    command = [str(cluster.bin / "kubectl"), "create", "--dry-run=server", "-o=json", "-f=-"]
    if cluster.context:
        command.append(f"--context={cluster.context}")
    environment = cluster.environment()
    return subprocess.run(
        command, input=json.dumps(raw), capture_output=True, text=True, timeout=20, check=False, env=environment
    )


@pytest.mark.parametrize("raw", specs.FULLEST, ids=lambda raw: raw["kind"])
def test_objects_with_every_field_are_accepted(cluster: Cluster, raw: specs.Raw) -> None:
    answer = created(cluster, raw)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("uri", specs.RIGHT_URIS)
def test_uris_of_every_scheme_are_accepted(cluster: Cluster, uri: str) -> None:
    answer = created(cluster, specs.fetching_service(uri))
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("raw", specs.SMALLEST, ids=lambda raw: raw["kind"])
def test_objects_with_as_few_fields_as_may_be_are_accepted(cluster: Cluster, raw: specs.Raw) -> None:
    answer = created(cluster, raw)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("wrong", specs.WRONG, ids=str)
def test_wrong_objects_are_refused_with_field_value_and_rule(cluster: Cluster, wrong: specs.Wrong) -> None:
    answer = created(cluster, wrong.raw)
    assert answer.returncode != 0, f"accepted: {answer.stdout}"
    said = re.sub(
        r"\[([a-z]+)\]", r".\1", answer.stderr
    )  # it writes limits[memory] and limits.memory for the same field
    assert wrong.field_name in said
    assert (wrong.server or wrong.rule) in said
    if not wrong.server and "\N{REPLACEMENT CHARACTER}" not in wrong.shown_value:  # `message` has no value in it
        assert wrong.shown_value in said


def test_defaults_are_those_of_the_models(cluster: Cluster) -> None:
    answer: dict[str, Any] = json.loads(created(cluster, specs.smallest_service()).stdout)
    assert answer["spec"]["scaling"] == {"minReplicas": 1, "maxReplicas": 10, "paused": False}
    assert answer["spec"]["slo"]["window"] == "28d"
    assert answer["spec"]["model"] == {
        "backend": "python",
        "source": {"configMap": {"name": "code"}},
        "version": "1",
        "parameters": {},
        "warmup": False,
    }
    assert answer["spec"]["batching"] == {"mode": "Auto"}
    assert answer["spec"]["hardware"]["choose"] == "InOrder"
    answer = json.loads(created(cluster, specs.smallest_hardware_class()).stdout)
    assert answer["spec"]["resources"] == {"requests": {}, "limits": {}}
    assert answer["spec"]["triton"]["instances"] == "1"
    answer = json.loads(created(cluster, specs.smallest_scaling_policy()).stdout)
    assert answer["spec"] == {
        "mode": "Active",
        "forecast": {"mode": "Auto", "history": "14d", "risk": "FromErrorBudget"},
        "scaleUp": {},
        "scaleDown": {"hold": "Auto", "maxStep": "20%"},
        "metricsFailure": {"hold": "30m", "then": "Hold"},
        "priority": 0,
    }


def test_null_is_the_default_where_there_is_one(cluster: Cluster) -> None:
    raw = specs.changed(specs.service(), ("spec", "scaling", "minReplicas"), None)
    assert json.loads(created(cluster, raw).stdout)["spec"]["scaling"]["minReplicas"] == 1


def test_the_api_has_its_short_names_and_no_scale_of_its_own(cluster: Cluster) -> None:
    found = json.loads(cluster.kubectl("get", "--raw", "/apis/foretide.dev/v1alpha1"))
    resources = {resource["name"]: resource for resource in found["resources"]}
    assert resources["inferenceservices"]["shortNames"] == ["infer"]
    assert resources["hardwareclasses"]["shortNames"] == ["hwc"]
    assert resources["scalingpolicies"]["shortNames"] == ["scp"]
    assert resources["modelprofiles"]["shortNames"] == ["mprof"]
    kinds = {"inferenceservices", "hardwareclasses", "scalingpolicies", "modelprofiles"}
    assert set(resources) == {*kinds, "inferenceservices/status"}
