"""One life of the operator: all that a process of it remembers, from its first list to its death."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from e2e.exhaustive.stage import Event, Stage
from foretide.adapters.clock import Clock
from foretide.adapters.errors import AdapterError
from foretide.adapters.kubernetes import Known, KubernetesApi, nothing_known
from foretide.adapters.pod_http import PodHttp
from foretide.adapters.prometheus import PrometheusApi
from foretide.adapters.prometheus_access import Access
from foretide.adapters.resources import DEPLOYMENT, Object, Resource, resource_of
from foretide.adapters.scrape import ScrapeHttp
from foretide.adapters.triton import TritonHttp
from foretide.api.reasons import Reason
from foretide.app.watching import WATCHED
from foretide.control.autoscale import Autoscaler, Ports
from foretide.control.backfill import Backfill
from foretide.control.policies import Policies
from foretide.control.reconcile import Reconciler
from foretide.control.world import Key, World
from foretide.scaling.brain import Brain
from foretide.scaling.parts import Part
from foretide.scaling.settings import ScalingSettings
from foretide.serving.manifests import ServingSettings

NO_PROMETHEUS: Final = "http://127.0.0.1:1"
TICK_SECONDS: Final = 15.0


class Killed(BaseException):
    """The process is no more; nothing of it catches this and goes on."""


@dataclass(frozen=True, slots=True)
class Death:
    """At which write of a run (from 1), and on which side of it."""

    write: int
    after: bool


@dataclass(frozen=True, slots=True)
class Write:
    """One write that came to the API server, and whether it changed anything that lasts."""

    verb: str
    what: str
    changed: bool


@dataclass(slots=True)
class Time(Clock):
    """Moves by a tick at each tick."""

    seconds: float

    def now(self) -> float:
        return self.seconds


@dataclass(slots=True)
class Diary:
    """The writes of all lives of a run."""

    writes: list[Write] = field(default_factory=list)

    def changes(self) -> list[str]:
        """Those that changed something."""
        return sorted(f"{each.verb} {each.what}" for each in self.writes if each.changed)

    def child_changes(self) -> list[str]:
        """The same without those of status."""
        return [each for each in self.changes() if not each.startswith("status ")]


@dataclass(slots=True)
class Mortal:
    """The gateway of one life: it numbers the writes, tells the watch of them, and may die of one."""

    api: KubernetesApi
    stage: Stage
    diary: Diary
    death: Death | None
    dead: bool = False

    async def apply(self, obj: Object, *, manager: str, subresource: str | None = None) -> Object:
        resource, name = resource_of(obj), obj["metadata"]["name"]
        before = self.stage.look(resource, name)
        self._begins()
        answer = await self.api.apply(obj, manager=manager, subresource=subresource)
        verb = "status" if subresource else "make" if before is None else "apply"
        self._ends(verb, resource, name, before, answer)
        return answer

    async def erase_status(self, resource: Resource, obj: Object, fields: Iterable[str], *, manager: str) -> None:
        raise NotImplementedError("of what others wrote, which is nothing here")

    async def scale(self, deployment: Object, *, replicas: int, manager: str) -> str:
        name = deployment["metadata"]["name"]
        before = self.stage.look(DEPLOYMENT, name)
        self._begins()
        version = await self.api.scale(deployment, replicas=replicas, manager=manager)
        self._ends("scale", DEPLOYMENT, name, before, self.stage.look(DEPLOYMENT, name))
        return version

    async def delete(self, resource: Resource, obj: Object) -> None:
        name = obj["metadata"]["name"]
        before = self.stage.look(resource, name)
        self._begins()
        await self.api.delete(resource, obj)
        self._ends("delete", resource, name, before, None)

    async def create(self, obj: Object) -> Object:
        raise NotImplementedError("of Events and of the Lease, which these lives do not need")

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
        self._lives()
        return await self.api.get(resource, namespace=namespace, name=name)

    async def list(
        self,
        resource: Resource,
        *,
        label_selector: str = "",
        namespace: str | None = None,
        known: Known = nothing_known,
    ) -> list[Object]:
        self._lives()
        return await self.api.list(resource, label_selector=label_selector, namespace=namespace, known=known)

    async def logs(self, *, namespace: str, pod: str, container: str, previous: bool) -> str:
        self._lives()
        return await self.api.logs(namespace=namespace, pod=pod, container=container, previous=previous)

    async def replace(self, obj: Object) -> Object:
        raise NotImplementedError("of the Lease, which these lives do not need")

    def _lives(self) -> None:
        if self.dead:
            raise Killed

    def _begins(self) -> None:
        self._lives()
        self._may_die(after=False)

    def _may_die(self, *, after: bool) -> None:
        # Before a write its number is one more than those that are written.
        number = len(self.diary.writes) + (0 if after else 1)
        if self.death == Death(number, after):
            self.dead = True
            raise Killed

    def _ends(self, verb: str, resource: Resource, name: str, before: Object | None, after: Object | None) -> None:
        changed = _version(before) != _version(after)
        if changed and verb == "status" and before is not None and after is not None:
            # A decision that was remembered and not acted on is decided anew, and has the time of that.
            changed = self.stage.lasting(before).get("status") != self.stage.lasting(after)["status"]
        self.diary.writes.append(Write(verb, f"{resource.kind} {name}", changed))
        if after is not None and _version(before) != _version(after):
            self.stage.tell(resource, after)
        elif after is None and before is not None:
            self.stage.tell(resource, before, deleted=True)
        self._may_die(after=True)


class Silent:
    """No Events: each is posted once at most, beside all else, and lost with its process."""

    def emit(self, *, namespace: str, name: str, uid: str, reason: Reason, note: str, warning: bool) -> None:
        pass


class Life:
    """What one process remembers and does."""

    def __init__(self, api: KubernetesApi, stage: Stage, diary: Diary, time: Time, death: Death | None = None) -> None:
        self._stage, self._time = stage, time
        self.gateway = Mortal(api, stage, diary, death)
        self._world = world = World()
        silent = Silent()
        prometheus = PrometheusApi(Access(url=NO_PROMETHEUS), time)
        settings = ScalingSettings(tick_seconds=TICK_SECONDS)
        # What they foresee is not what is written here twice or not at all, and takes most of a tick.
        brain = Brain(settings, without=frozenset({Part.GLOBAL_MODEL, Part.EXPERTS}))
        policies, pods = Policies(world), PodHttp()
        backfill = Backfill(
            prometheus,
            world,
            time,
            rate_window_seconds=settings.rate_window_seconds,
            history_seconds=policies.history_seconds,
        )
        ports = Ports(self.gateway, prometheus, TritonHttp(pods), ScrapeHttp(pods), silent, time)
        self._reconciler = Reconciler(
            api=self.gateway, events=silent, world=world, clock=time, settings=ServingSettings()
        )
        self._autoscaler = Autoscaler(ports, world, brain, backfill, policies)
        self._due: set[Key] = set()

    @property
    def is_dead(self) -> bool:
        return self.gateway.dead

    @property
    def is_done(self) -> bool:
        """Whether it has nothing to try again."""
        return not self._due

    def sweep(self, shown: Mapping[Resource, Sequence[Object]] | None = None) -> None:
        """Takes in the lists of all kinds: those of now, or older ones."""
        for resource in WATCHED:
            listed = self._stage.list(resource) if shown is None else shown.get(resource, ())
            self._due |= self._world.replace(resource, listed)

    async def live(self, told: Sequence[Event]) -> None:
        """Takes the events in, reconciles what they concern and what failed before, and ticks."""
        for event in told:
            self._due |= self._world.seen(event.resource, event.obj, deleted=event.deleted)
        try:
            for key in sorted(self._due):
                self._due.discard(key)
                try:
                    await self._reconciler.reconcile(key)
                except AdapterError:
                    self._due.add(key)
            self._time.seconds += TICK_SECONDS
            await self._autoscaler.tick()
        except Killed:
            pass  # `is_dead` says so


def _version(obj: Object | None) -> str | None:
    return None if obj is None else str(obj["metadata"]["resourceVersion"])
