"""CLUSTER chooses: what is missing is said in one sentence, and kind gets the right calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.cluster.errors import ClusterError
from e2e.cluster.target import connect, image

RECORD = '#!/bin/sh\necho "$(basename $0) $*" >> {log}\n'
VERSION = '{{"serverVersion":{{"gitVersion":"v1.30.1"}}}}'
KUBECTL = RECORD + f"case \"$*\" in *current-context*) echo staging;; *version*) echo '{VERSION}';; esac\n"


class Machine:
    """A PATH with fake programs that record how they are called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        (folder / "bin").mkdir()
        self.environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "KUBECONFIG": str(folder / "config")}

    def program(self, name: str, script: str = RECORD) -> None:
        file = self.folder / "bin" / name
        file.write_text(script.format(log=self.log))
        file.chmod(0o755)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_unknown_cluster_is_named_with_what_there_is(machine: Machine) -> None:
    with pytest.raises(ClusterError, match=r"CLUSTER=minikube is unknown: use embedded, kind, current\."):
        connect({**machine.environment, "CLUSTER": "minikube"})


def test_kind_creates_its_cluster_and_loads_every_image(machine: Machine) -> None:
    machine.program("kind")
    machine.program("kubectl", KUBECTL)
    machine.program("helm")
    cluster = connect({**machine.environment, "CLUSTER": "kind"})
    assert machine.calls() == [
        "kind get clusters",
        "kind create cluster --name foretide",
        "kind load docker-image localhost/foretide/operator:dev --name foretide",
        "kind load docker-image localhost/foretide/tritonserver:2.51-cpu --name foretide",
        "kind load docker-image localhost/foretide/prometheus:3.10 --name foretide",
        "kind load docker-image localhost/foretide/alertmanager:0.31 --name foretide",
        "kubectl --context=kind-foretide version --output=json --request-timeout=10s",
    ]
    assert cluster.context == "kind-foretide"
    assert cluster.kubeconfig == machine.folder / "config"


def test_a_kind_cluster_that_is_there_is_used(machine: Machine) -> None:
    machine.program("kind", RECORD + '[ "$1" = get ] && echo foretide; true\n')
    machine.program("kubectl", KUBECTL)
    machine.program("helm")
    connect({**machine.environment, "CLUSTER": "kind"})
    assert not any("create" in call for call in machine.calls())


def test_without_kind_one_sentence_says_so(machine: Machine) -> None:
    with pytest.raises(ClusterError, match=r"There is no `kind` on PATH: install it from https://kind\.sigs\.k8s\.io"):
        connect({"PATH": str(machine.folder / "bin"), "CLUSTER": "kind"})


def test_current_uses_the_current_context_and_prints_its_name(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.program("kubectl", KUBECTL)
    machine.program("helm")
    cluster = connect({**machine.environment, "CLUSTER": "current"})
    assert cluster.context == "staging"
    assert "Using the cluster of context staging (Kubernetes v1.30.1)." in capsys.readouterr().err


def test_current_without_a_context(machine: Machine) -> None:
    machine.program("kubectl", "#!/bin/sh\necho error: current-context is not set >&2; exit 1\n")
    with pytest.raises(ClusterError, match="needs a current kubeconfig context and there is none"):
        connect({**machine.environment, "CLUSTER": "current"})


def test_current_that_does_not_answer(machine: Machine) -> None:
    script = '#!/bin/sh\ncase "$*" in *current*) echo staging;; *) echo "dial tcp: refused" >&2; exit 1;; esac\n'
    machine.program("kubectl", script)
    machine.program("helm")
    with pytest.raises(ClusterError, match=r"context staging does not answer \(dial tcp: refused\)"):
        connect({**machine.environment, "CLUSTER": "current"})


def test_images_come_from_the_users_registry_when_one_is_named() -> None:
    assert image("triton", {}) == "localhost/foretide/tritonserver:2.51-cpu"
    assert image("triton", {"IMAGE_REGISTRY": "ghcr.io/us/"}) == "ghcr.io/us/tritonserver:2.51-cpu"
