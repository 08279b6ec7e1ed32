"""The operator as a user installs it, with the Helm chart; and ways to kill it, double it and look into it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from e2e.cluster import Cluster
from e2e.cluster.commands import run
from e2e.cluster.paths import CONTAINERD_SOCKET
from e2e.scenarios import exposition
from e2e.scenarios.api import NAMESPACE, Api, ApiRefused
from e2e.scenarios.conditions import condition
from e2e.scenarios.store import RCLONE
from e2e.scenarios.waiting import until
from foretide.adapters.resources import DEPLOYMENT, LEASE, POD, Object

CHART: Final = Path(__file__).resolve().parents[2] / "charts" / "foretide"
SYSTEM: Final = "foretide-system"
NAME: Final = "foretide-operator"
PORT: Final = 8080
# A killed leader cannot give its Lease back: its successor waits for the 15 s of the Lease, then takes over.
LEADS_WITHIN_SECONDS: Final = 45.0

CTR: Final = ("ctr", f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io")

# kopf's word for an answer that it asks for again: the API server says 429 while it takes in a definition.
RETRIED: Final = "failed; will retry"

TICKS: Final = "foretide_tick_duration_seconds_count"

Values = Mapping[str, object]


@dataclass(slots=True)
class Operator:
    """One installation; `logs` keeps what pods said that are gone."""

    cluster: Cluster
    api: Api
    image: str
    image_key: str
    logs: dict[str, str] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    expected_restarts: dict[str, int] = field(default_factory=dict)

    def know_the_past(self) -> None:
        """What its pods did before these tests began is not theirs: a machine that stood still costs them the Lease."""
        self.keep_logs()
        self.expected_restarts.update(self.restarts)

    def install(self, values: Values) -> None:
        """`helm upgrade --install`, and waits until the newest pod leads."""
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.api.apply(NAMESPACE, {"metadata": {"name": SYSTEM, "labels": restricted}})
        self.keep_logs()
        repository, _, tag = self.image.rpartition(":")
        all_values = {
            "image": {"repository": repository, "tag": tag},
            # The tag is the same for each build: without this a changed image would not reach the cluster.
            "podAnnotations": {"foretide.dev/image-key": self.image_key},
            "download": {"image": RCLONE},
            **values,
        }
        helm: list[str | Path] = [self.cluster.bin / "helm", "upgrade", "--install", "foretide", CHART]
        if self.cluster.context:
            helm.append(f"--kube-context={self.cluster.context}")
        helm += [f"--namespace={SYSTEM}", "--values=-", "--wait", "--timeout=120s"]
        run(helm, env=self.cluster.environment(), stdin=json.dumps(all_values))
        self.until_leading()

    def pods(self) -> list[Object]:
        """The operator's pods that were not told to leave."""
        found = self.api.select(POD, namespace=SYSTEM, labels="app.kubernetes.io/name=foretide")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def until_leading(self, *, within_seconds: float = LEADS_WITHIN_SECONDS) -> str:
        """Waits until a pod that lives holds the Lease and has done a tick, and returns its name."""

        def probe() -> str | None:
            names = [pod["metadata"]["name"] for pod in self.pods() if condition(pod, "Ready").get("status") == "True"]
            holder = self.lease_holder()
            series = self.metrics(holder) if holder in names else {}
            return holder if series.get("foretide_leader") == 1 and series.get(TICKS) else None

        return until("an operator leads", probe, within_seconds=within_seconds, shows=self.pods)

    def lease_holder(self) -> str:
        """Who the Lease names; empty when nobody."""
        lease = self.api.get(LEASE, NAME, namespace=SYSTEM) or {}
        return str(lease.get("spec", {}).get("holderIdentity", ""))

    def kill(self) -> None:
        """Ends every operator pod at once, as a node that loses power does: no SIGTERM, no Lease given back."""
        self.keep_logs()
        for pod in self.pods():
            self.api.delete(POD, pod["metadata"]["name"], namespace=SYSTEM, grace_seconds=0)

    def kill_one(self, name: str) -> None:
        """Ends one pod that way."""
        self.keep_logs()
        self.api.delete(POD, name, namespace=SYSTEM, grace_seconds=0)

    def crash(self) -> None:
        """Ends the leading process with SIGKILL; the kubelet starts the container again in the same pod.

        A forced deletion still gives a container two seconds after SIGTERM. This needs the node to be this machine.
        """
        self.keep_logs()
        leader = self.lease_holder()
        container = self._container(leader)
        run([*CTR, "task", "kill", "--signal=SIGKILL", container])
        self.expected_restarts[leader] = self.expected_restarts.get(leader, 0) + 1
        until(
            "the killed container is started again",
            lambda: self._container(leader) not in ("", container),
            within_seconds=30,
            shows=self.pods,
        )
        said = self.api.text(POD.path(namespace=SYSTEM, name=leader, subresource="log"), {"previous": "true"})
        self.logs[f"{leader}/{self.restarts[leader]}"] = said  # to the last line before its death

    @contextmanager
    def deaf_to(self, port: int) -> Iterator[None]:
        """What the operator sends to a port of any pod is lost inside `with`; the node must be this machine."""
        tasks = run([*CTR, "task", "ls"]).splitlines()
        container = self._container(self.lease_holder())
        (process,) = (line.split()[1] for line in tasks if line.split()[0] == container)
        rule = ["OUTPUT", "--protocol", "tcp", "--destination-port", str(port), "--jump", "DROP"]
        inside = ["nsenter", f"--target={process}", "--net", "iptables"]
        run([*inside, "--insert", *rule])
        try:
            yield
        finally:
            run([*inside, "--delete", *rule])

    def scale(self, replicas: int) -> None:
        """Sets the number of operator pods and waits until they are ready, or gone."""
        self.keep_logs()
        change = {"spec": {"replicas": replicas}}
        self.api.patch(DEPLOYMENT, NAME, change, namespace=SYSTEM, subresource="scale")

        def probe() -> bool:
            found = self.api.select(POD, namespace=SYSTEM, labels="app.kubernetes.io/name=foretide")
            ready = [pod for pod in found if condition(pod, "Ready").get("status") == "True"]
            return len(found) == len(ready) == replicas

        until(f"{replicas} operator pods", probe, within_seconds=60, shows=self.pods)

    def metrics(self, pod: str) -> dict[str, float]:
        """The operator's own series by `name` or `name{label="value",...}`; empty while it does not answer."""
        try:
            text = self.api.text(POD.path(namespace=SYSTEM, name=f"{pod}:{PORT}", subresource="proxy/metrics"))
        except ApiRefused:
            return {}
        return exposition.read(text)

    def metric(self, pod: str, name: str) -> float | None:
        """One of these series, or None."""
        return self.metrics(pod).get(name)

    def until_metric(self, name: str, holds: Callable[[float], bool], *, within_seconds: float) -> float:
        """Waits until a series of the leader satisfies a condition."""

        def probe() -> float | None:
            value = self.metric(self.lease_holder(), name)
            return value if value is not None and holds(value) else None

        return until(name, probe, within_seconds=within_seconds, shows=lambda: self.metrics(self.lease_holder()))

    def until_ticks(self, count: int) -> None:
        """Waits until the operator had so many chances to act."""
        before = self.metric(self.until_leading(), TICKS) or 0.0
        self.until_metric(TICKS, lambda now: now >= before + count, within_seconds=60)

    def keep_logs(self) -> None:
        """Copies what the pods have said and how often they restarted; a pod that goes takes both with it."""
        for pod in self.pods():
            name = pod["metadata"]["name"]
            restarts = sum(entry["restartCount"] for entry in pod["status"].get("containerStatuses", ()))
            self.restarts[name] = restarts
            try:
                log = self.api.text(POD.path(namespace=SYSTEM, name=name, subresource="log"))
            except ApiRefused:
                continue  # not started yet: it has said nothing
            self.logs[f"{name}/{restarts}"] = log

    def unexpected_restarts(self) -> dict[str, int]:
        """Containers that ended without a test ending them, by pod."""
        more = {pod: count - self.expected_restarts.get(pod, 0) for pod, count in self.restarts.items()}
        return {pod: count for pod, count in more.items() if count > 0}

    def _container(self, pod: str) -> str:
        """The ID of the running container of a pod; empty while there is none."""
        statuses = (self.api.get(POD, pod, namespace=SYSTEM) or {}).get("status", {}).get("containerStatuses", ())
        running = [entry for entry in statuses if "running" in entry["state"]]
        return str(running[0]["containerID"]).removeprefix("containerd://") if running else ""

    def faults(self) -> list[str]:
        """Log lines that tell of a fault of the operator itself, from all of its pods."""
        return [
            f"{pod}: {line}"
            for pod, log in self.logs.items()
            for line in log.splitlines()
            if RETRIED not in line
            and ('"levelname": "ERROR"' in line or '"levelname": "CRITICAL"' in line or "Traceback" in line)
        ]
