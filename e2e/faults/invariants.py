"""What holds in every test of the matrix, whatever is broken: judged by what the API server says was written.

I1 bounds, I2 rates, I3 nothing shrinks in the dark, I4 one writer a field, I5 quiet once nothing changes, I6 only ours,
and by uid. Each finding is a sentence with the write that broke the rule.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from e2e.faults.fleet.behaviour import Behaviour
from e2e.faults.stand.audit import Write
from e2e.scenarios.conditions import condition
from foretide.api import group

# Of decisions whose spec was changed meanwhile: a tick that began before may end so much later.
LATE_SECONDS: Final = 10.0
# A service that is deleted while it is written.
DELETED_SECONDS: Final = 2.0
# The chart's: spec.scaleDown.maxStep of a ScalingPolicy.
STEP_DOWN: Final = 0.2
KNOWN: Final = ("MetricsComplete", "PartialSeries")  # of a silent pod full load is assumed

Name = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the log does not tell."""

    user: str
    since: float  # what was written before is not judged
    tick_seconds: float
    hold_seconds: float  # the shortest that there is
    # (service, from, to) in which nobody could know the load.
    unknown: Sequence[tuple[Name, float, float]] = ()
    quiet: Sequence[tuple[float, float]] = ()  # in which nothing changed and all was told
    truth: Mapping[Name, Sequence[tuple[float, Behaviour]]] = field(default_factory=dict)


@dataclass(slots=True)
class _Scaled:
    """One change of a number by the operator."""

    write: Write
    service: Name
    before: int
    after: int


def broken(log: Iterable[Write], known: Circumstances) -> list[str]:
    """Every breach; an empty list is what a test wants."""
    done = [write for write in log if write.done and not write.dry]
    ours = [write for write in done if write.user == known.user]
    scaled = [change for change in _scaled(done, known.user) if change.write.at >= known.since]
    recent = [write for write in ours if write.at >= known.since]
    specs = _specs(done)
    return [
        *_bounds(scaled, specs),
        *_rates(scaled, specs, known),
        *_in_the_dark(scaled, specs, ours, known),
        *_writers(recent),
        *_not_quiet(ours, known),
        *_not_ours(recent, ours, done),
    ]


def _scaled(done: Sequence[Write], user: str) -> Iterator[_Scaled]:
    replicas: dict[Name, int] = {}
    services: dict[Name, str] = {}
    for write in done:
        if write.resource not in ("deployments", "deployments/scale"):
            continue
        name = write.namespace, write.name or write.answer.get("metadata", {}).get("name", "")
        if write.resource == "deployments" and (labels := write.answer.get("metadata", {}).get("labels")):
            services[name] = labels.get(group.SERVICE_LABEL, services.get(name, ""))
        after = write.answer.get("spec", {}).get("replicas", 0 if write.resource == "deployments/scale" else None)
        if write.verb == "delete" or after is None:
            replicas.pop(name, None)
            continue
        before = replicas.get(name)
        replicas[name] = after
        if write.user == user and write.resource == "deployments/scale" and before is not None:
            yield _Scaled(write, (name[0], services.get(name, name[1].rpartition("--")[0])), before, after)


def _specs(done: Sequence[Write]) -> dict[Name, list[tuple[float, dict[str, Any]]]]:
    """spec.scaling of each service, from when on."""
    found: dict[Name, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    for write in done:
        if write.resource.startswith("inferenceservices") and "spec" in write.answer:
            scaling = write.answer["spec"].get("scaling", {})
            since = found[write.namespace, write.answer["metadata"]["name"]]
            if not since or since[-1][1] != scaling:
                since.append((write.at, scaling))
    return found


def _in_force(specs: Sequence[tuple[float, dict[str, Any]]], since: float, until: float) -> list[dict[str, Any]]:
    """Those that held at some time in between."""
    ends = [*(at for at, _ in specs[1:]), math.inf]
    return [scaling for (at, scaling), end in zip(specs, ends, strict=False) if at <= until and end > since]


def _bounds(scaled: Iterable[_Scaled], specs: Mapping[Name, Sequence[tuple[float, dict[str, Any]]]]) -> Iterator[str]:
    for change in scaled:
        found = _in_force(specs.get(change.service, ()), change.write.at - LATE_SECONDS, change.write.at)
        if found and not any(_allows(scaling, change.after) for scaling in found):
            yield f"I1 bounds: {change.before} -> {change.after} with {found}: {change.write}"


def _allows(scaling: Mapping[str, Any], replicas: int) -> bool:
    if "replicas" in scaling:
        return bool(replicas == scaling["replicas"])
    return bool(scaling.get("minReplicas", 1) <= replicas <= scaling.get("maxReplicas", math.inf))


def _is_ordered(change: _Scaled, specs: Mapping[Name, Sequence[tuple[float, dict[str, Any]]]]) -> bool:
    """Whether a person wants the number: a pin, or bounds that leave no other."""
    found = _in_force(specs.get(change.service, ()), change.write.at - LATE_SECONDS, change.write.at)
    return any(
        scaling.get("replicas") == change.after
        or change.before > scaling.get("maxReplicas", math.inf)
        or (change.before < scaling.get("minReplicas", 1) and change.after == scaling.get("minReplicas", 1))
        for scaling in found
    )


def _rates(
    scaled: Sequence[_Scaled], specs: Mapping[Name, Sequence[tuple[float, dict[str, Any]]]], known: Circumstances
) -> Iterator[str]:
    by_service: dict[Name, list[_Scaled]] = defaultdict(list)
    for change in scaled:
        if not _is_ordered(change, specs):
            by_service[change.service].append(change)
    for changes in by_service.values():
        yield from _steps(changes, known.tick_seconds)
        yield from _early(changes, known.hold_seconds)


def _steps(changes: Sequence[_Scaled], tick_seconds: float) -> Iterator[str]:
    """Steps down that are too large, or too close to one another."""
    down = [change for change in changes if change.after < change.before]
    for change in down:
        if change.before - change.after > max(1, math.ceil(change.before * STEP_DOWN)):
            yield f"I2 rates: {change.before} -> {change.after} in one step: {change.write}"
    for earlier, later in pairwise(down):
        seconds = later.write.at - earlier.write.at
        if seconds < tick_seconds / 2:
            yield f"I2 rates: two steps down within {seconds:.2f} s: {later.write}"


def _early(changes: Sequence[_Scaled], hold_seconds: float) -> Iterator[str]:
    """Steps below a number that was needed within the hold."""
    for place, later in enumerate(changes):
        for earlier in changes[:place]:
            seconds, grew = later.write.at - earlier.write.at, earlier.after > earlier.before
            if grew and later.after < min(earlier.after, later.before) and seconds < hold_seconds:
                yield f"I2 rates: {later.after} {seconds:.1f} s after a need of {earlier.after}: {later.write}"


def _in_the_dark(
    scaled: Iterable[_Scaled],
    specs: Mapping[Name, Sequence[tuple[float, dict[str, Any]]]],
    ours: Sequence[Write],
    known: Circumstances,
) -> Iterator[str]:
    told_of: dict[Name, list[Write]] = defaultdict(list)
    for write in ours:
        if write.resource == "inferenceservices/status":
            told_of[write.namespace, write.answer.get("metadata", {}).get("name")].append(write)
    for change in scaled:
        if change.after >= change.before or _is_ordered(change, specs):
            continue
        at, step = change.write.at, f"{change.before} -> {change.after}"
        for service, start, end in known.unknown:
            if service == change.service and start <= at <= end:
                yield f"I3 unknown: {step} while nobody could know the load: {change.write}"
        told = _told(told_of[change.service], at)
        if told and (told.get("status"), told.get("reason")) != ("True", KNOWN[0]) and told["reason"] not in KNOWN:
            yield f"I3 unknown: {step} although status says {told['reason']}: {change.write}"
        least = _least_need(known.truth.get(change.service, ()), at - known.hold_seconds, at)
        if change.after < least:
            yield f"I3 unknown: {step} although the load needed {least} all the time: {change.write}"


def _told(statuses: Sequence[Write], at: float) -> dict[str, Any]:
    """MetricsAvailable, as the status of the service told it last before."""
    place = bisect_right(statuses, at, key=lambda write: write.at)
    return dict(condition(statuses[place - 1].answer, "MetricsAvailable")) if place else {}


def _least_need(truth: Sequence[tuple[float, Behaviour]], since: float, until: float) -> int:
    """Replicas without which the load, at its lowest in that time, would not be served: at full use of each."""
    ends = [*(at for at, _ in truth[1:]), math.inf]
    held = [each for (at, each), end in zip(truth, ends, strict=False) if at <= until and end > since]
    return min((math.ceil(each.rate_rps * each.batch_seconds - 1e-9) for each in held), default=0)


def _writers(ours: Iterable[Write]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for write in ours:
        manager = parse_qs(urlsplit(write.event["requestURI"]).query).get("fieldManager", [""])[0]
        if write.resource == "inferenceservices":
            yield f"I4 writer: the spec of a service is its owner's: {write}"
        if write.resource == "deployments" and write.verb == "patch" and "replicas" in write.body.get("spec", {}):
            yield f"I4 writer: spec.replicas is claimed with the rest: {write}"
        if write.resource == "deployments/scale" and manager != group.AUTOSCALE_MANAGER:
            yield f"I4 writer: /scale by {manager}: {write}"
        if write.resource == "inferenceservices/status":
            for name in _fields(write.body.get("status", {})):
                if owners.setdefault(name, manager) != manager:
                    yield f"I4 writer: status {name} by {manager} and {owners[name]}: {write}"


def _fields(status: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in status if name not in ("conditions", "observedGeneration"))
    yield from (f"condition {each['type']}" for each in status.get("conditions", ()))


def _not_quiet(ours: Sequence[Write], known: Circumstances) -> Iterator[str]:
    for start, end in known.quiet:
        found = [write for write in ours if start <= write.at <= end]
        statuses: dict[Name, int] = defaultdict(int)
        for write in found:
            if write.resource != "inferenceservices/status":
                yield f"I5 quiet: nothing had changed: {write}"
            statuses[write.namespace, write.name] += 1
        most = math.ceil((end - start) / known.tick_seconds)
        yield from (
            f"I5 quiet: {count} writes of the status of {service} in {end - start:.0f} s"
            for service, count in statuses.items()
            if count > most
        )


def _not_ours(recent: Sequence[Write], ours: Sequence[Write], done: Sequence[Write]) -> Iterator[str]:
    made = {
        metadata["uid"]
        for write in ours
        if "uid" in (metadata := write.answer.get("metadata", {})) and not write.resource.startswith("inference")
    }
    for write in recent:
        if write.verb in ("delete", "deletecollection"):
            uid = write.body.get("preconditions", {}).get("uid")
            if write.verb != "delete" or uid is None:
                yield f"I6 only ours: a deletion without a uid: {write}"
            elif write.resource == "deployments" and uid not in made:
                yield f"I6 only ours: {uid} was never made by us: {write}"
    gone = {
        (write.namespace, write.name): write.at
        for write in done
        if write.resource == "inferenceservices" and write.verb == "delete"
    }
    born = [one.at for one in done if one.resource == "inferenceservices" and "spec" in one.answer]
    for write in recent:
        service = write.namespace, write.name.rpartition("--")[0] or write.name
        if write.verb == "delete" or write.at <= gone.get(service, math.inf) + DELETED_SECONDS:
            continue
        if not any(gone[service] < at <= write.at for at in born):
            yield f"I6 only ours: the service is deleted: {write}"
