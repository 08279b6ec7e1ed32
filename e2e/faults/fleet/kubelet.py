"""What a kubelet does as the API server sees it: pods become ready, fail to, and go."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from e2e.faults.fleet.behaviour import Behaviour, Start
from e2e.faults.fleet.triton import Counters
from foretide.api import group

NODE: Final = "stand"
SETTLED_SECONDS: Final = 0.3
Key = tuple[str, str]


class Pod:
    """One pod that a node was found for."""

    def __init__(self, obj: Mapping[str, Any], address: str) -> None:
        metadata = obj["metadata"]
        self.namespace: Final[str] = metadata["namespace"]
        self.name: Final[str] = metadata["name"]
        self.key: Final[Key] = (self.namespace, metadata["labels"].get(group.SERVICE_LABEL, ""))
        self.address: Final = address
        self.container: Final[str] = obj["spec"]["containers"][0]["name"]
        self.image: Final[str] = obj["spec"]["containers"][0]["image"]
        self.ready = False
        self.leaving = False
        self.restarts = 0
        # One status after the other: of a pod that was restarted as it got ready the API server was told first that it
        # is, then that it is not.
        self.told: Final = asyncio.Lock()
        self.started_at = _now()
        self.counters = Counters(model=self.key[1], version="1", at=time.time())


class Kubelet:
    """Follows the pods of the stand's node; `opened` and `closed` are told which of them listen."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        network: str,
        behaviour: Callable[[Key], Behaviour],
        opened: Callable[[Pod], Awaitable[None]],
        closed: Callable[[Pod], None],
    ) -> None:
        self._session: Final = session
        self._network: Final = network
        self._behaviour: Final = behaviour
        self._opened: Final = opened
        self._closed: Final = closed
        self.pods: dict[str, Pod] = {}  # by uid
        self._tasks: set[asyncio.Task[None]] = set()
        self._addresses = 0

    async def run(self) -> None:
        """Registers the node and follows its pods, over the API server's deaths too."""
        while True:
            with suppress(aiohttp.ClientError, OSError, ValueError, KeyError, TimeoutError):
                await self._register()
                async for event in self._events():
                    self._seen(event["type"], event["object"])
            await asyncio.sleep(SETTLED_SECONDS)

    def restart(self, pod: Pod) -> None:
        """Its Triton ended and was started again at once."""
        pod.restarts += 1
        pod.counters.restart()
        self._do(self._tell(pod))

    async def _register(self) -> None:
        plenty = {"cpu": "1000", "memory": "1000Gi", "pods": "1000", "ephemeral-storage": "1000Gi"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        await self._request("POST", "/api/v1/nodes", node, fine=(409,))
        ready = {"type": "Ready", "status": "True", "reason": "Stand", "message": "", "lastTransitionTime": _now()}
        status = {"status": {"capacity": plenty, "allocatable": plenty, "conditions": [ready]}}
        await self._request("PATCH", f"/api/v1/nodes/{NODE}/status", status)
        await self._request("PATCH", f"/api/v1/nodes/{NODE}", {"spec": {"taints": None}})  # that of a new node

    async def _events(self) -> AsyncIterator[dict[str, Any]]:
        path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{NODE}"
        async with self._session.get(path) as answer:
            listed = await answer.json()
        there = {pod["metadata"]["uid"] for pod in listed["items"]}
        for uid in [uid for uid in self.pods if uid not in there]:
            self._gone(uid)
        for pod in listed["items"]:
            yield {"type": "ADDED", "object": pod}
        version = listed["metadata"]["resourceVersion"]
        async with self._session.get(f"{path}&watch=true&resourceVersion={version}") as answer:
            async for line in answer.content:
                yield json.loads(line)

    def _seen(self, kind: str, obj: Mapping[str, Any]) -> None:
        uid = obj["metadata"]["uid"]
        if kind == "DELETED":
            self._gone(uid)
            return
        if uid not in self.pods:
            self.pods[uid] = pod = Pod(obj, self._free_address())
            self._do(self._start(pod))
        if "deletionTimestamp" in obj["metadata"] and not self.pods[uid].leaving:
            self._do(self._leave(self.pods[uid]))

    def _free_address(self) -> str:
        """The one after the last; those of pods that are there are passed over."""
        taken = {pod.address for pod in self.pods.values()}
        while True:
            self._addresses += 1
            address = f"{self._network}.{self._addresses % 250 + 1}"
            if address not in taken:
                return address

    def _gone(self, uid: str) -> None:
        if (pod := self.pods.pop(uid, None)) is not None:
            pod.ready = False
            self._closed(pod)

    async def _start(self, pod: Pod) -> None:
        start = self._behaviour(pod.key).start
        if start is Start.NO_IMAGE:
            words = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{pod.image}"'}
            await self._tell(pod, state={"waiting": words})
            return
        await self._tell(pod)
        while start is Start.CRASH and not pod.leaving:
            await asyncio.sleep(SETTLED_SECONDS)
            ended = {"exitCode": 1, "reason": "Error", "message": "", "startedAt": _now(), "finishedAt": _now()}
            pod.restarts += 1
            back_off = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}
            await self._tell(pod, state={"waiting": back_off}, last={"terminated": ended})
            await asyncio.sleep(min(2.0**pod.restarts, 10.0))
        while not pod.leaving:
            await asyncio.sleep(self._behaviour(pod.key).start_seconds)
            if self._behaviour(pod.key).start is Start.READY:
                pod.counters.at = time.time()
                await self._opened(pod)
                pod.ready = not pod.leaving
                await self._tell(pod)
                return

    async def _leave(self, pod: Pod) -> None:
        pod.leaving, pod.ready = True, False
        told_at, uid = time.monotonic(), next((uid for uid, one in self.pods.items() if one is pod), "")
        while uid in self.pods and time.monotonic() - told_at < self._behaviour(pod.key).leave_seconds:  # noqa: ASYNC110 - a test may change it
            await asyncio.sleep(0.1)
        self._closed(pod)
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
        await self._request("DELETE", path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}, fine=(404, 409))

    async def _tell(
        self, pod: Pod, *, state: Mapping[str, Any] | None = None, last: Mapping[str, Any] | None = None
    ) -> None:
        async with pod.told:
            path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status"
            await self._request("PATCH", path, {"status": _status(pod, state, last)}, strategic=True, fine=(404,))

    async def _request(
        self, method: str, path: str, body: Mapping[str, Any], *, strategic: bool = False, fine: tuple[int, ...] = ()
    ) -> None:
        kind = "application/json"
        if method == "PATCH":
            kind = "application/strategic-merge-patch+json" if strategic else "application/merge-patch+json"
        async with self._session.request(method, path, json=body, headers={"Content-Type": kind}) as answer:
            if answer.status >= 400 and answer.status not in fine:
                print(method, path, answer.status, await answer.text(), flush=True)

    def _do(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            print(repr(error), flush=True)


def _status(pod: Pod, state: Mapping[str, Any] | None, last: Mapping[str, Any] | None) -> dict[str, Any]:
    container = {
        "name": pod.container,
        "image": pod.image,
        "imageID": pod.image,
        "ready": pod.ready,
        "restartCount": pod.restarts,
        "state": dict(state or {"running": {"startedAt": pod.started_at}}),
        "lastState": dict(last or {}),
    }
    since = _now() if pod.ready else pod.started_at
    conditions = [
        {"type": kind, "status": str(pod.ready), "lastTransitionTime": since} for kind in ("Ready", "ContainersReady")
    ]
    conditions.append({"type": "Initialized", "status": "True", "lastTransitionTime": pod.started_at})
    return {
        "phase": "Running" if state is None else "Pending",
        "podIP": pod.address,
        "podIPs": [{"ip": pod.address}],
        "startTime": pod.started_at,
        "conditions": conditions,
        "containerStatuses": [container],
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
