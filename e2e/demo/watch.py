"""Looks at the InferenceService every two seconds, and at what the operator foresees of it every four, in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from e2e.demo import foreseen
from e2e.demo.example import Example
from e2e.demo.foreseen import Foreseen
from e2e.demo.target import CommandFailed, Object, Target

LOOK_EVERY_SECONDS = 2.0
LOOKS_A_FORECAST = 2  # a tick of the operator takes five seconds here


@dataclass(frozen=True, slots=True)
class Look:
    """The service at one moment."""

    at: float  # Unix time
    ready: int
    desired: int
    decision: str  # of the autoscaler's last decision: its sentence
    conditions: dict[str, str] = field(default_factory=dict)  # type -> reason, where not as it should be
    foreseen: Foreseen | None = None  # where it was asked for and told


@dataclass(slots=True)
class Watch:
    """All looks so far; the newest is last."""

    looks: list[Look] = field(default_factory=list)
    missed: int = 0  # times the API server did not answer
    unforeseen: int = 0  # times the operator did not


@contextmanager
def watching(target: Target, wanted: Example) -> Iterator[Watch]:
    """A watch that goes on in the background until the end of the block."""
    seen, stop = Watch(), threading.Event()
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # the API server's spelling, which sorts as it is

    def go_on() -> None:
        while not stop.wait(LOOK_EVERY_SECONDS):
            try:
                found = target.get("inferenceservice", wanted.name, wanted.namespace)
            except CommandFailed:
                seen.missed += 1
                continue
            if found is None:
                continue
            fresh = look(found, at=time.time(), since=since)
            if len(seen.looks) % LOOKS_A_FORECAST == 0:
                fresh = replace(fresh, foreseen=foresight(target, wanted, seen))
            seen.looks.append(fresh)

    thread = threading.Thread(target=go_on, name="watch", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def foresight(target: Target, wanted: Example, seen: Watch) -> Foreseen | None:
    """What the operator foresees; None, and a note, when it cannot be asked: the demo goes on without."""
    try:
        return foreseen.fetch(target, wanted)
    except (CommandFailed, ValueError, KeyError):
        seen.unforeseen += 1
        return None


def look(service: Object, *, at: float, since: str) -> Look:
    """What the status says; decisions from before `since` belong to another story."""
    status = service.get("status", {})
    decisions = [entry for entry in status.get("decisions", []) if entry["time"] >= since]
    ready = int(status.get("readyReplicas", 0))
    return Look(
        at=at,
        ready=ready,
        desired=int(status.get("desiredReplicas", ready)),
        decision=max(decisions, key=lambda entry: str(entry["time"]))["text"] if decisions else "",
        conditions={
            entry["type"]: entry["reason"]
            for entry in status.get("conditions", [])
            if entry["type"] in ("Ready", "MetricsAvailable", "ScalingActive") and entry["status"] != "True"
        },
    )
