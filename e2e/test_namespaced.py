"""An operator of two namespaces: it serves them, leaves every other alone, and outlives the end of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from e2e import local_control_plane
from e2e.exhaustive.run import CLASSES, SPEC, hardware_class
from e2e.exhaustive.stage import NAME
from e2e.installed import install, operator_token
from e2e.local_control_plane import ControlPlane
from e2e.local_operator import LocalOperator, operating
from e2e.scenarios.api import NAMESPACE, Api
from e2e.scenarios.conditions import holds
from e2e.scenarios.waiting import until
from foretide.adapters.resources import CHILDREN, DEPLOYMENT, HARDWARE_CLASS, INFERENCE_SERVICE

pytestmark = pytest.mark.timeout(500)

WATCHED: Final = ("shop", "search")
FOREIGN: Final = "foreign"
WAIT_SECONDS: Final = 120.0
TICK_SECONDS: Final = 2
SWEEP_SECONDS: Final = 5


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """The chart as it is installed for two of three namespaces, and pods that are Ready."""
    with local_control_plane.running(tmp_path, nodes=1) as plane:
        named = [{"metadata": {"name": name}} for name in (*WATCHED, FOREIGN)]
        plane.cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", **each} for each in named))
        install(plane.cluster, f"--set=watchNamespaces={{{','.join(WATCHED)}}}")
        yield plane


@pytest.fixture
def api(plane: ControlPlane) -> Iterator[Api]:
    """Everybody but the operator."""
    api = Api(plane.cluster)
    yield api
    api.close()


@pytest.fixture
def operator(plane: ControlPlane, api: Api) -> Iterator[LocalOperator]:
    """With the rights and the namespaces of the chart."""
    with operating(
        plane,
        operator_token(api),
        prometheus_url="http://127.0.0.1:1",
        tick_seconds=TICK_SECONDS,
        sweep_seconds=SWEEP_SECONDS,
        watch_namespaces=" ".join(WATCHED),
    ) as one:
        one.start()
        one.until_leading()
        yield one


def test_two_namespaces_are_served_and_a_third_is_left_alone(
    plane: ControlPlane, api: Api, operator: LocalOperator
) -> None:
    api.apply(HARDWARE_CLASS, hardware_class(CLASSES[0]))
    for namespace in (FOREIGN, *WATCHED):
        api.create(INFERENCE_SERVICE, {"metadata": {"name": NAME, "namespace": namespace}, "spec": SPEC})
    for namespace in WATCHED:
        until(f"{namespace} is up", partial(_is_ready, api, namespace), within_seconds=WAIT_SECONDS)
    api.patch(INFERENCE_SERVICE, NAME, {"spec": {"scaling": {"replicas": 3}}}, namespace=FOREIGN)
    changed = _service(api, FOREIGN)
    ticks = _ticks(operator)
    until("more sweeps and ticks", lambda: _ticks(operator) >= ticks + 6, within_seconds=WAIT_SECONDS)

    assert _service(api, FOREIGN) == changed
    assert "status" not in changed
    for resource in CHILDREN:
        assert api.select(resource, namespace=FOREIGN, labels="app.kubernetes.io/managed-by=foretide") == []
    # Not only nothing written: never asked for. What is of no namespace are the classes.
    assert {where for _, where in _asked(plane)} == {None, "foretide-system", *WATCHED}
    assert {what for what, where in _asked(plane) if where is None} == {"hardwareclasses"}
    assert _refusals(plane) == []


def test_the_end_of_one_namespace_is_not_that_of_the_other(
    plane: ControlPlane, api: Api, operator: LocalOperator
) -> None:
    """With the namespace goes the operator's Role in it: what is not served any more must not end the rest."""
    gone, kept = WATCHED
    api.apply(HARDWARE_CLASS, hardware_class(CLASSES[0]))
    api.create(INFERENCE_SERVICE, {"metadata": {"name": NAME, "namespace": kept}, "spec": SPEC})
    until(f"{kept} is up", lambda: _is_ready(api, kept), within_seconds=WAIT_SECONDS)
    api.delete(NAMESPACE, gone)
    until("it ends by itself", lambda: _exit_code(operator) is not None, within_seconds=WAIT_SECONDS)
    assert _exit_code(operator) == 0, operator.log()
    operator.start()
    operator.until_leading()
    assert f"namespace {gone} is left out" in operator.log()
    api.patch(INFERENCE_SERVICE, NAME, {"spec": {"scaling": {"replicas": 3}}}, namespace=kept)
    until("the other is served", lambda: _replicas(api, kept) == 3, within_seconds=WAIT_SECONDS)

    until(f"{gone} is gone", lambda: api.get(NAMESPACE, gone) is None, within_seconds=WAIT_SECONDS)
    plane.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": gone}})
    install(plane.cluster, f"--set=watchNamespaces={{{','.join(WATCHED)}}}")
    until("it sees that it came back", lambda: _exit_code(operator) == 0, within_seconds=WAIT_SECONDS)
    operator.start()
    operator.until_leading()
    api.create(INFERENCE_SERVICE, {"metadata": {"name": NAME, "namespace": gone}, "spec": SPEC})
    until(f"{gone} is up again", lambda: _is_ready(api, gone), within_seconds=WAIT_SECONDS)


def _service(api: Api, namespace: str) -> dict[str, Any]:
    return dict(api.get(INFERENCE_SERVICE, NAME, namespace=namespace) or {})


def _is_ready(api: Api, namespace: str) -> bool:
    return holds(_service(api, namespace), "Ready")


def _replicas(api: Api, namespace: str) -> int:
    (deployment,) = api.select(DEPLOYMENT, namespace=namespace)
    return int(deployment["spec"]["replicas"])


def _ticks(operator: LocalOperator) -> float:
    return operator.metrics().get("foretide_tick_duration_seconds_count", 0.0)


def _exit_code(operator: LocalOperator) -> int | None:
    return None if operator.process is None else operator.process.poll()


def _asked(plane: ControlPlane) -> set[tuple[str, str | None]]:
    """Kinds and where, of every request of the operator for objects."""
    of = [request["objectRef"] for request in plane.audited() if "objectRef" in request]
    return {(each["resource"], each.get("namespace")) for each in of}


def _refusals(plane: ControlPlane) -> list[Any]:
    return [each for each in plane.audited() if each.get("responseStatus", {}).get("code") in (401, 403)]
