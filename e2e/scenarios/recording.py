"""Keeps every state that a kind of object goes through, so that a test can say what never happened in between."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from e2e.cluster import Cluster
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import condition
from foretide.adapters.resources import Object, Resource

LONGEST_SECONDS: Final = 7_200.0


@dataclass(frozen=True, slots=True)
class State:
    """One state of one object, and the moment (time.monotonic) at which the API server told it."""

    at_seconds: float
    obj: Object
    deleted: bool


class Recording:
    """A watch over the objects of one kind in a namespace, from before `with` to its end, without a gap."""

    def __init__(self, cluster: Cluster, api: Api, resource: Resource, *, namespace: str) -> None:
        path = resource.path(namespace=namespace)
        listed = json.loads(api.text(path))
        now = time.monotonic()
        self._states: Final = [State(now, obj, deleted=False) for obj in listed["items"]]
        self._broken: str | None = None
        self._stopping = False
        version = listed["metadata"]["resourceVersion"]
        context = [f"--context={cluster.context}"] if cluster.context else []
        self._kubectl: Final = subprocess.Popen(
            [
                cluster.bin / "kubectl",
                f"--kubeconfig={cluster.kubeconfig}",
                *context,
                "get",
                f"--raw={path}?watch=1&timeoutSeconds={LONGEST_SECONDS:.0f}&resourceVersion={version}",
            ],
            stdout=subprocess.PIPE,
            env=cluster.environment(),
            text=True,
        )
        self._reader: Final = threading.Thread(target=self._read, name=f"watch-{resource.plural}", daemon=True)

    def __enter__(self) -> Recording:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._kubectl.kill()
        self._kubectl.wait()
        self._reader.join()
        if self._kubectl.stdout is not None:
            self._kubectl.stdout.close()

    def of(self, name: str) -> list[State]:
        """The states of one object, the oldest first; AssertionError when the watch broke off."""
        assert self._broken is None, f"the recording broke off: {self._broken}"
        return [state for state in list(self._states) if state.obj["metadata"]["name"] == name]

    def numbers(self, name: str, *path: str) -> list[int]:
        """What the number at a path was in each state of the object (0 where it was absent), repetitions left out."""
        found: list[int] = []
        for state in self.of(name):
            value: Any = state.obj
            for key in path:
                value = value.get(key, {})
            number = int(value or 0)
            if not state.deleted and (not found or found[-1] != number):
                found.append(number)
        return found

    def statuses(self, name: str, condition_type: str) -> list[str]:
        """What a condition was in each state of the object, repetitions left out."""
        found: list[str] = []
        for state in self.of(name):
            status = str(condition(state.obj, condition_type).get("status"))
            if not state.deleted and (not found or found[-1] != status):
                found.append(status)
        return found

    def _read(self) -> None:
        for line in self._kubectl.stdout or ():
            event = json.loads(line)
            if event["type"] == "ERROR":
                self._broken = str(event["object"].get("message"))
                return
            self._states.append(State(time.monotonic(), event["object"], event["type"] == "DELETED"))
        if not self._stopping:
            self._broken = "kubectl ended by itself"
