"""The whole control layer over fakes: watch events come at once, and pods are ready as soon as they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from foretide.adapters.prometheus import Pod
from foretide.adapters.resources import DEPLOYMENT, POD, resource_of
from foretide.control.autoscale import Autoscaler, Ports
from foretide.control.backfill import Backfill
from foretide.control.outcome import Outcome
from foretide.control.policies import Policies
from foretide.control.reconcile import Reconciler
from foretide.control.world import Key, World
from foretide.scaling.brain import Brain
from foretide.serving.manifests import ServingSettings
from foretide.serving.naming import deployment_name
from tests.control import objects
from tests.control.fakes import (
    BRAIN,
    FakeClock,
    FakeEvents,
    FakeKubernetes,
    FakePrometheus,
    FakeScraper,
    FakeTriton,
    Write,
)

TICK_SECONDS: Final = BRAIN.tick_seconds
QUANTITIES: Final = (
    "success_rps",
    "failure_rps",
    "inference_rps",
    "pending",
    "pending_growth_rps",
    "short_failure_rps",
    "short_pending_growth_rps",
)


def key(name: str = "ranker", namespace: str = objects.NAMESPACE) -> Key:
    return Key(namespace, name)


def _waits(pod: Mapping[str, Any] | None) -> bool:
    """Whether it has no node."""
    return pod is not None and pod["status"]["conditions"][0]["status"] == "False"


class Cluster:
    """One cluster and one operator in it."""

    def __init__(self, *raw: Mapping[str, Any], brain: Brain = BRAIN) -> None:
        self.brain = brain
        self.kubernetes = FakeKubernetes()
        self.prometheus = FakePrometheus()
        self.triton = FakeTriton()
        self.scraper = FakeScraper()
        self.clock = FakeClock()
        self.events = FakeEvents()
        self.start_operator()
        for obj in raw:
            self.add(obj)

    def start_operator(self) -> None:
        """A new process: it knows what the API server shows, and nothing else."""
        self.world = World()
        for obj in self.kubernetes.objects.values():
            self.world.seen(resource_of(obj), obj)
        for pod in getattr(self, "pods", {}).values():
            self.world.seen(POD, pod)
        self.kubernetes.written = self.seen
        self.reconciler = Reconciler(
            api=self.kubernetes,
            events=self.events,
            world=self.world,
            clock=self.clock,
            settings=ServingSettings(drain_seconds=5),
        )
        ports = Ports(
            kubernetes=self.kubernetes,
            events=self.events,
            prometheus=self.prometheus,
            triton=self.triton,
            scraper=self.scraper,
            clock=self.clock,
        )
        policies = Policies(self.world)
        self.backfill = Backfill(
            self.prometheus,
            self.world,
            self.clock,
            rate_window_seconds=30.0,
            history_seconds=policies.history_seconds,
        )
        self.autoscaler = Autoscaler(ports, self.world, self.brain, self.backfill, policies)

    def seen(self, obj: Mapping[str, Any]) -> None:
        """A watch event."""
        self.world.seen(resource_of(obj), obj)

    def add(self, obj: Mapping[str, Any]) -> None:
        """Somebody else writes an object."""
        metadata = obj["metadata"]
        self.kubernetes.objects[obj["kind"], metadata.get("namespace", ""), metadata["name"]] = dict(obj)
        self.seen(obj)

    def remove(self, kind: str, name: str, namespace: str = objects.NAMESPACE) -> None:
        """Somebody else deletes an object."""
        gone = self.kubernetes.objects.pop((kind, namespace, name))
        self.world.seen(resource_of(gone), gone, deleted=True)

    def object(self, kind: str, name: str, namespace: str = objects.NAMESPACE) -> dict[str, Any]:
        return self.kubernetes.objects[kind, namespace, name]

    async def reconcile(self, name: str = "ranker", namespace: str = objects.NAMESPACE) -> None:
        await self.reconciler.reconcile(key(name, namespace))

    async def serve(self, *raw: Mapping[str, Any], replicas: int | None = None) -> None:
        """Services that are up and running with that many replicas."""
        for obj in raw:
            self.add(obj)
            name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
            await self.reconcile(name, namespace)
            if replicas is not None:
                self.resize(name, replicas, namespace)
        self.settle()
        for obj in raw:
            await self.reconcile(obj["metadata"]["name"], obj["metadata"]["namespace"])
        self.kubernetes.writes.clear()

    def deployment(self, name: str = "ranker", namespace: str = objects.NAMESPACE) -> dict[str, Any]:
        return self.object("Deployment", deployment_name(name, "cpu-16"), namespace)

    def resize(self, name: str, replicas: int, namespace: str = objects.NAMESPACE) -> None:
        deployment = self.deployment(name, namespace)
        metadata = {**deployment["metadata"], "generation": deployment["metadata"]["generation"] + 1}
        self.add({**deployment, "metadata": metadata, "spec": {**deployment["spec"], "replicas": replicas}})

    def replicas(self, name: str = "ranker", namespace: str = objects.NAMESPACE) -> int:
        wanted: int = self.deployment(name, namespace)["spec"].get("replicas", 1)
        return wanted

    def settle(self, **room: int) -> None:
        """The rest of the cluster does its work: every wanted replica is a ready pod, of a hardware class (its name
        with `_` for `-`) that has room for so many; the others wait."""
        before = getattr(self, "pods", {})
        self.pods: dict[Pod, dict[str, Any]] = {}
        for (kind, namespace, name), obj in list(self.kubernetes.objects.items()):
            if kind != DEPLOYMENT.kind:
                continue
            labels = obj["metadata"]["labels"]
            service, hardware_class = labels["foretide.dev/service"], labels["foretide.dev/hardware-class"]
            wanted = obj["spec"].get("replicas", 1)
            ready = min(wanted, room.get(hardware_class.replace("-", "_"), wanted))
            self.add(objects.running(obj, ready=ready))
            for number in range(wanted):
                pod = Pod(namespace, f"{name}-{number}")
                address = f"10.0.{len(self.pods) // 250}.{len(self.pods) % 250}"
                if number >= ready:
                    waits = {**objects.NO_ROOM, "lastTransitionTime": self._since()}
                    self.pods[pod] = objects.pod(
                        pod.name,
                        service=service,
                        namespace=namespace,
                        ready=False,
                        scheduled=before[pod]["status"]["conditions"][0] if _waits(before.get(pod)) else waits,
                        template=obj["spec"]["template"],
                        owner=objects.replica_set(service, hardware_class=hardware_class),
                    )
                elif (known := before.get(pod)) is not None and not _waits(known):
                    self.pods[pod] = known
                else:
                    self.pods[pod] = objects.pod(
                        pod.name,
                        service=service,
                        namespace=namespace,
                        address=address,
                        template=obj["spec"]["template"],
                        owner=objects.replica_set(service, hardware_class=hardware_class),
                    )
                self.world.seen(POD, self.pods[pod])
        for pod in before.keys() - self.pods.keys():
            self.world.seen(POD, before[pod], deleted=True)

    def load(self, **rps: float | None) -> None:
        """Requests a second of each service, spread evenly over its pods; None is a service without series."""
        samples = self.prometheus.samples
        for quantity in (*QUANTITIES, "sample_age_seconds"):
            samples.setdefault(quantity, {})
        for service, total in rps.items():
            prefix = f"{service}--"
            mine = [
                pod for pod, shown in self.pods.items() if pod.name.startswith(prefix) and shown["status"].get("podIP")
            ]
            share = None if total is None else total / max(1, len(mine))
            per_pod = {"success_rps": share, "inference_rps": share, "sample_age_seconds": 2.0}
            for quantity, series in samples.items():
                for gone in [pod for pod in series if pod.name.startswith(prefix)]:
                    del series[gone]
                if share is not None:
                    series.update(dict.fromkeys(mine, per_pod.get(quantity) or 0.0))

    def _since(self) -> str:
        return datetime.fromtimestamp(self.clock.seconds, UTC).isoformat()

    async def tick(self, *, seconds: float = TICK_SECONDS) -> Outcome:
        self.clock.seconds += seconds
        return await self.autoscaler.tick()

    async def live(self, ticks: int, **rps: float | None) -> list[int]:
        """Ticks under a load, with a cluster that obeys; the replicas of `ranker` after each."""
        found = []
        for _ in range(ticks):
            self.load(**rps)
            await self.tick()
            self.settle()
            found.append(self.replicas())
        return found

    def status(self, name: str = "ranker", namespace: str = objects.NAMESPACE) -> dict[str, Any]:
        status: dict[str, Any] = self.object("InferenceService", name, namespace)["status"]
        return status

    def condition(self, kind: str, name: str = "ranker", namespace: str = objects.NAMESPACE) -> tuple[str, str]:
        """Status and reason of a condition."""
        found = {entry["type"]: entry for entry in self.status(name, namespace)["conditions"]}
        return found[kind]["status"], found[kind]["reason"]

    def written(self, verb: str) -> list[Write]:
        return [write for write in self.kubernetes.writes if write.verb == verb]
