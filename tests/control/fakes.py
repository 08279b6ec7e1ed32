"""Stand-ins for the outside: a small API server, Prometheus, Triton and its metrics, a clock and a list of events."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from foretide.adapters.errors import AdapterError, Conflict, Rejected, Unavailable
from foretide.adapters.kubernetes import Known, nothing_known
from foretide.adapters.prometheus import Pod, Points
from foretide.adapters.prometheus_grid import Grid, Workload
from foretide.adapters.promql import expression
from foretide.adapters.resources import Object, Resource
from foretide.adapters.trimmed import trimmed
from foretide.adapters.triton import BatchCount
from foretide.api.reasons import Reason
from foretide.scaling.brain import Brain
from foretide.scaling.parts import Part
from foretide.scaling.policy import Quantity
from foretide.scaling.settings import ScalingSettings

DOWN: Final = Unavailable("ConnectionRefusedError: connection refused", reason="PrometheusUnreachable")
# Nobody forecasts: these tests are of what the loops do with decisions, and those of the load alone are foreseeable.
BRAIN: Final = Brain(
    ScalingSettings(tick_seconds=15.0),
    without=frozenset({Part.GLOBAL_MODEL, Part.EXPERTS}),
)
# By what name tests know each of its queries.
QUESTIONS: Final = {expression(query): name for name, query in BRAIN.questions.items()}
API_DOWN: Final = Unavailable("connection refused", reason="ClientConnectorError")


@dataclass(frozen=True, slots=True)
class Write:
    """One write as the API server got it."""

    verb: str
    kind: str
    name: str
    manager: str
    body: Mapping[str, Any]

    @property
    def what(self) -> str:
        return f"{self.verb} {self.kind}"


@dataclass
class FakeKubernetes:
    """Objects by kind, namespace and name; every write is recorded, and the k-th call may fail."""

    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    fail: Callable[[int, str, str], AdapterError | None] = lambda call, verb, kind: None
    denied: dict[str, AdapterError] = field(default_factory=dict)  # by the name of what is applied
    lose: Callable[[int], AdapterError | None] = lambda call: None  # did what it was asked for, and the answer is lost
    written: Callable[[dict[str, Any]], None] = lambda obj: None  # the watch
    closed: set[str] = field(default_factory=set)  # namespaces without a Role of the operator
    listed: set[tuple[str, str | None]] = field(default_factory=set)  # kinds, and in which namespace
    log: str | AdapterError = ""
    logs_read: list[str] = field(default_factory=list)
    image_volumes: bool = True  # the gate ImageVolume
    calls: int = 0
    applied: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # fields of status, by uid and manager
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def apply(self, obj: Object, *, manager: str, subresource: str | None = None) -> Object:
        metadata, kind = obj["metadata"], obj["kind"]
        self._call("status" if subresource else "apply", kind, metadata["name"], manager, obj)
        known = self.objects.get((kind, metadata["namespace"], metadata["name"]))
        uid = None if known is None else known["metadata"].get("uid")
        if known is None and subresource:
            raise Rejected("not found", reason="NotFound")
        if metadata.get("uid", uid) != uid:
            raise Conflict("uid mismatch", reason="Conflict")
        metadata = dict(metadata)
        version = metadata.pop("resourceVersion", None)
        if version is not None and known is not None and version != known["metadata"].get("resourceVersion"):
            raise Conflict("the object has been modified", reason="Conflict")
        obj = {**obj, "metadata": metadata}
        if known is None:
            merged = {**copy.deepcopy(dict(obj)), "metadata": {**metadata, "uid": f"uid-{next(self._numbers)}"}}
            merged["metadata"]["generation"] = 1
        elif subresource:
            before, mine = dict(known.get("status", {})), self.applied.setdefault((str(uid), manager), set())
            for name in mine - obj["status"].keys() - {"conditions"}:
                before.pop(name, None)
            mine.update(obj["status"])
            merged = {**known, "status": _merged(before, obj["status"])}
        else:
            merged = {**known, **copy.deepcopy(dict(obj)), "metadata": {**known["metadata"], **metadata}}
            if "replicas" in known.get("spec", {}):
                merged["spec"]["replicas"] = known["spec"]["replicas"]
        if kind == "Deployment" and not self.image_volumes:
            pod = merged["spec"]["template"]["spec"]
            pod["volumes"] = [volume for volume in pod["volumes"] if "image" not in volume]
        return self._stored(merged)

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> Object | None:
        self._call("get", resource.kind, name, "", {})
        return copy.deepcopy(self.objects.get((resource.kind, namespace or "", name)))

    async def scale(self, deployment: Object, *, replicas: int, manager: str) -> str:
        metadata, present = deployment["metadata"], deployment["spec"].get("replicas", 1)
        self._call("scale", "Deployment", metadata["name"], manager, {"replicas": replicas})
        known = self.objects.get(("Deployment", metadata["namespace"], metadata["name"]))
        if known is None:
            raise Rejected("not found", reason="NotFound")
        found = known["metadata"]["uid"], known["spec"].get("replicas", 1)
        if found == (metadata["uid"], replicas) and replicas != present:
            return str(known["metadata"].get("resourceVersion", ""))  # it has the number already
        if found != (metadata["uid"], present):
            raise Conflict("not the Deployment that was decided on", reason="Conflict")
        version = known["metadata"].get("resourceVersion", "")
        if present == 0 and metadata.get("resourceVersion", "") != version:
            raise Conflict("not the resourceVersion that was decided on", reason="Conflict")
        version = str(int(version or 0) + 1)
        metadata = {**known["metadata"], "resourceVersion": version}
        self._stored({**known, "metadata": metadata, "spec": {**known["spec"], "replicas": replicas}})
        return version

    async def logs(self, *, namespace: str, pod: str, container: str, previous: bool) -> str:
        self._call("logs", "Pod", pod, "", {})
        self.logs_read.append(f"{pod} {container} previous={previous}")
        if isinstance(self.log, AdapterError):
            raise self.log
        return self.log

    async def list(
        self,
        resource: Resource,
        *,
        label_selector: str = "",
        namespace: str | None = None,
        known: Known = nothing_known,
    ) -> list[Object]:
        """As in a real list, the items do not say what kind they are."""
        self._call("list", resource.kind, "", "", {})
        if namespace in self.closed:
            raise Rejected(f"cannot list {resource.plural} in the namespace {namespace}", reason="Forbidden")
        self.listed.add((resource.kind, namespace))
        places = ("", namespace) if namespace else {place for _, place, _ in self.objects}
        found = [obj for (kind, place, _), obj in self.objects.items() if kind == resource.kind and place in places]
        untyped = [{name: value for name, value in obj.items() if name not in ("apiVersion", "kind")} for obj in found]
        return [trimmed(obj, known(obj)) for obj in untyped]

    async def delete(self, resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        name, uid = metadata["name"], metadata["uid"]
        self._call("delete", resource.kind, name, "by uid", {"uid": uid})
        place = resource.kind, metadata["namespace"], name
        if place in self.objects and self.objects[place]["metadata"].get("uid") != uid:
            raise Conflict("another of that name", reason="Conflict")
        self.objects.pop(place, None)

    async def erase_status(self, resource: Resource, obj: Object, fields: Iterable[str], *, manager: str) -> None:
        metadata, names = obj["metadata"], list(fields)
        self._call("erase", resource.kind, metadata["name"], "", {})
        known = self.objects[resource.kind, metadata["namespace"], metadata["name"]]
        self._stored({**known, "status": {name: one for name, one in known["status"].items() if name not in names}})

    async def replace(self, obj: Object) -> Object:
        raise NotImplementedError("of the Lease and of Events, which these tests have fakes of their own for")

    async def create(self, obj: Object) -> Object:
        raise NotImplementedError("of the Lease and of Events, which these tests have fakes of their own for")

    def _call(self, verb: str, kind: str, name: str, manager: str, body: Object) -> None:
        self.calls += 1
        if error := self.fail(self.calls, verb, kind) or (self.denied.get(name) if verb == "apply" else None):
            raise error
        if manager:
            self.writes.append(Write(verb, kind, name, manager, copy.deepcopy(dict(body))))

    def _stored(self, obj: dict[str, Any]) -> dict[str, Any]:
        known = self.objects.get((obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]))
        if known is not None and known.get("spec") != obj.get("spec"):
            metadata = obj["metadata"]
            obj = {**obj, "metadata": {**metadata, "generation": metadata.get("generation", 0) + 1}}
        self.objects[obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]] = obj
        self.written(copy.deepcopy(obj))
        if error := self.lose(self.calls):
            raise error
        return copy.deepcopy(obj)


def _merged(before: Mapping[str, Any], applied: Mapping[str, Any]) -> dict[str, Any]:
    """Server-side apply as far as two managers of one status need it: conditions are a map by type."""
    conditions = {c["type"]: c for c in (*before.get("conditions", ()), *applied.get("conditions", ()))}
    return {**before, **copy.deepcopy(dict(applied)), "conditions": list(conditions.values())}


@dataclass(frozen=True, slots=True)
class Range:
    """A range query."""

    promql: str
    start_seconds: float
    end_seconds: float
    step_seconds: float

    @property
    def steps(self) -> int:
        return round((self.end_seconds - self.start_seconds) / self.step_seconds) + 1


@dataclass(slots=True)
class FakePrometheus:
    """Samples by name of the query and pod; a query, or all of them, may fail."""

    samples: dict[str, dict[Pod, float]] = field(default_factory=dict)
    fail: dict[str, AdapterError] = field(default_factory=dict)
    down: AdapterError | None = None
    points: dict[str, dict[Pod, Points]] = field(default_factory=dict)  # by label: le in ms, quantile in microseconds
    queries: list[str] = field(default_factory=list)
    past: dict[str, dict[Workload, Callable[[float], float]]] = field(default_factory=dict)  # by expression, over time
    refuse: Callable[[Range], AdapterError | None] = lambda asked: None
    ranges: list[Range] = field(default_factory=list)

    async def by_pod(self, promql: str) -> Mapping[Pod, float]:
        self.queries.append(promql)
        if self.down is not None:
            raise self.down
        name = QUESTIONS[promql]
        if (error := self.fail.get(name)) is not None:
            raise error
        return self.samples.get(name, {})

    async def by_pod_and_number(self, promql: str, label: str) -> Mapping[Pod, Points]:
        self.queries.append(promql)
        error = self.down or self.fail.get(label)
        if error is not None:
            raise error
        return self.points.get(label, {})

    async def history(self, promql: str, *, start_seconds: float, end_seconds: float, step_seconds: float) -> Grid:
        asked = Range(promql, start_seconds, end_seconds, step_seconds)
        self.ranges.append(asked)
        if (error := self.down or self.refuse(asked)) is not None:
            raise error
        times = [start_seconds + step_seconds * step for step in range(asked.steps)]
        grid = Grid.empty(start_seconds=start_seconds, end_seconds=end_seconds, step_seconds=step_seconds)
        return grid.filled(
            [
                {"metric": workload._asdict() | {"workload": workload.name}, "values": [[t, rate(t)] for t in times]}
                for workload, rate in self.past.get(promql, {}).items()
            ]
        )


@dataclass(slots=True)
class FakeTriton:
    """Batch counts by address."""

    counts: dict[str, tuple[BatchCount, ...]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: AdapterError | None = None

    async def batch_counts(self, *, address: str, model: str) -> tuple[BatchCount, ...]:
        self.asked.append(address)
        if self.down is not None:
            raise self.down
        return self.counts.get(address, ())


@dataclass
class FakeScraper:
    """What pods tell by address; who is not in it does not answer."""

    values: dict[str, dict[Quantity, float]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    down: AdapterError | None = None

    async def scrape(self, *, address: str, model: str) -> Mapping[Quantity, float]:
        self.asked.append((address, model))
        if self.down is not None or address not in self.values:
            raise self.down or Unavailable("connection refused", reason="Unreachable")
        return dict(self.values[address])


@dataclass(slots=True)
class FakeClock:
    """Stands still until a test moves it."""

    seconds: float = 1_763_800_000.0

    def now(self) -> float:
        return self.seconds


@dataclass(slots=True)
class FakeEvents:
    """The reasons of all events, in order."""

    emitted: list[tuple[str, Reason, bool]] = field(default_factory=list)

    def emit(self, *, namespace: str, name: str, uid: str, reason: Reason, note: str, warning: bool) -> None:
        self.emitted.append((name, reason, warning))


def between_ticks() -> asyncio.Event:
    """Where no tick ever runs."""
    event = asyncio.Event()
    event.set()
    return event
