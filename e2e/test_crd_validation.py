"""Wrong specs are refused by a real apiserver with a sentence that names field, value and rule, and right ones pass.

The table is the one that parse() is held to, so the two judge alike.
"""

import json
import re
import subprocess
from typing import Any, Protocol

import pytest

from tests.api import specs


class Cluster(Protocol):
    """What these tests need of the fixture `cluster`."""

    @property
    def kubeconfig(self) -> object: ...


def created(cluster: Cluster, raw: specs.Raw, *, strict: bool = True) -> subprocess.CompletedProcess[str]:
    """The apiserver's judgement of one new object, without keeping it."""
    command = ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "create", "--dry-run=server", "-o=json", "-f=-"]
    command.append(f"--validate={'strict' if strict else 'ignore'}")
    return subprocess.run(command, input=json.dumps(raw), capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize(
    "raw",
    [specs.service(), specs.smallest_service(), specs.hardware_class(), specs.smallest_hardware_class()],
    ids=["service", "smallest-service", "class", "smallest-class"],
)
def test_right_objects_are_accepted(cluster: Cluster, raw: specs.Raw) -> None:
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
    if not wrong.server and "\n" not in str(wrong.value):
        assert wrong.shown_value in said


def test_defaults_are_those_of_the_models(cluster: Cluster) -> None:
    answer: dict[str, Any] = json.loads(created(cluster, specs.smallest_service()).stdout)
    assert answer["spec"]["scaling"] == {"minReplicas": 1, "maxReplicas": 10, "paused": False}
    assert answer["spec"]["model"] == {
        "backend": "python",
        "source": {"configMap": {"name": "code"}},
        "version": "1",
        "maxBatchSize": 1,
        "parameters": {},
    }
    answer = json.loads(created(cluster, specs.smallest_hardware_class()).stdout)
    assert answer["spec"]["resources"] == {"requests": {}, "limits": {}}
    assert answer["spec"]["triton"]["instances"] == 1


def test_null_is_the_default_where_there_is_one(cluster: Cluster) -> None:
    raw = specs.changed(specs.service(), ("spec", "scaling", "minReplicas"), None)
    assert json.loads(created(cluster, raw).stdout)["spec"]["scaling"]["minReplicas"] == 1


def test_kubectl_shows_the_columns_of_the_api(cluster: Cluster) -> None:
    command = ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "get", "--raw"]
    group = subprocess.run(
        [*command, "/apis/foretide.dev/v1alpha1"], capture_output=True, text=True, timeout=20, check=True
    )
    resources = {resource["name"]: resource for resource in json.loads(group.stdout)["resources"]}
    assert resources["inferenceservices"]["shortNames"] == ["infer"]
    assert resources["hardwareclasses"]["shortNames"] == ["hwc"]
    assert "inferenceservices/status" in resources
    assert "inferenceservices/scale" not in resources
