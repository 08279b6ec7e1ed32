"""The life of the embedded cluster: it leaves nothing behind, and it comes back from every kind of death.

Takes the running cluster down, so it runs last and apart from the other end-to-end tests:
`pytest e2e/test_cluster_teardown.py -m cluster_lifecycle`. Afterwards the cluster is down. Each test makes the state
that it begins with; in this order the fewest must be made (an `up` takes 25 s): first what needs a cluster, then the
machine without one, to which all later footprints are compared.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from e2e.cluster import Cluster, api, down, footprint, processes, teardown, up
from e2e.cluster.components import NAMES, NODE
from e2e.cluster.footprint import Footprint
from e2e.cluster.paths import REPOSITORY, RUN, STATE
from e2e.cluster.progress import Progress

pytestmark = [pytest.mark.cluster_lifecycle, pytest.mark.timeout(600)]

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "left-running", "namespace": "default"},
    "spec": {
        "terminationGracePeriodSeconds": 300,
        "containers": [
            {
                "name": "sleeper",
                "image": "localhost/foretide/tritonserver:2.51-cpu",
                "imagePullPolicy": "IfNotPresent",
                # Ignores SIGTERM and has a child, as an inference server with Python backends has.
                "command": ["sh", "-c", "trap '' TERM; sleep 3600 & wait; sleep 3600"],
                "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
            }
        ],
        "volumes": [{"name": "scratch", "emptyDir": {"medium": "Memory"}}],
    },
}


@pytest.fixture(scope="module")
def untouched() -> Iterator[Footprint]:
    """The machine without the cluster."""
    down(Progress(quiet=True))
    yield footprint.take()
    down(Progress(quiet=True))


def _start_a_pod(cluster: Cluster) -> None:
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    cluster.apply(POD)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/left-running", "--timeout=60s")


def _healthy() -> bool:
    return api.apiserver_ready() and api.node_ready(NODE) and api.dns_ready() and api.prometheus_ready()


def _leftovers(before: Footprint) -> dict[str, tuple[str, ...]]:
    """What was added; processes that are just ending get a moment."""
    deadline = time.monotonic() + 5
    while (found := footprint.take().added_since(before)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def test_a_second_up_finds_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    up()
    before = [processes.running(name) for name in NAMES]
    capsys.readouterr()
    up()
    assert "The cluster was up already" in capsys.readouterr().err
    assert [processes.running(name) for name in NAMES] == before


@pytest.mark.parametrize("victims", [*((name,) for name in NAMES), NAMES], ids=lambda names: "+".join(names)[:30])
def test_up_repairs_what_was_killed(victims: tuple[str, ...]) -> None:
    up()
    kept = {name: processes.running(name) for name in NAMES if name not in victims}
    for name in victims:
        found = processes.running(name)
        assert found is not None
        os.kill(found[0].pid, signal.SIGKILL)
    up()
    assert _healthy()
    assert {name: processes.running(name) for name in kept} == kept


def test_a_reboot_is_survived() -> None:
    """As far as it can be had without one: every process gone, the pid files of another boot, nothing mounted."""
    up()
    teardown.stop_processes()
    boot = processes.BOOT
    for file in (STATE / "boot_id", *RUN.glob("*.pid")):
        file.write_text(file.read_text().replace(boot.read_text().strip(), "00000000-0000-0000-0000-000000000000"))
    up()
    assert _healthy()


def test_up_goes_on_where_killed_ups_stopped(untouched: Footprint) -> None:
    for seconds in (2.0, 7.0):  # while the control plane starts, and the next one while the node does
        with subprocess.Popen([sys.executable, "-m", "e2e.cluster", "up"], cwd=REPOSITORY) as killed:
            time.sleep(seconds)
            killed.kill()
    up()
    assert _healthy()


def test_down_leaves_nothing_of_a_cluster_with_running_pods(untouched: Footprint) -> None:
    _start_a_pod(up())
    added = footprint.take().added_since(untouched)
    # That the snapshot sees a cluster at all: it would otherwise prove nothing by being equal afterwards.
    assert {"processes", "mounts", "links", "addresses", "routes", "rules", "namespaces", "cgroups", "files"} <= set(
        added
    )
    down(Progress())
    assert _leftovers(untouched) == {}


def test_down_leaves_nothing_of_a_cluster_whose_programs_are_dead(untouched: Footprint) -> None:
    _start_a_pod(up())
    for name in ("kube-apiserver", "etcd", "containerd", "kube-proxy"):
        found = processes.running(name)
        assert found is not None
        os.kill(found[0].pid, signal.SIGKILL)
    down(Progress())
    assert _leftovers(untouched) == {}


def test_down_twice_is_as_good_as_once(untouched: Footprint) -> None:
    down(Progress())
    assert _leftovers(untouched) == {}
