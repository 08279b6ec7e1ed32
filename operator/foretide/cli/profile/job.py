"""The Job of a profile in the cluster: made, followed by its log, and deleted whatever happens."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from foretide.adapters.errors import AdapterError, Rejected, Unavailable
from foretide.adapters.kubernetes import KubernetesApi
from foretide.adapters.resources import JOB, POD, Object
from foretide.cli.exits import Exit, Stop
from foretide.cli.profile.starting import Hindrance, cold_start_seconds, generator_state, hindrance
from foretide.cli.profile.steps import Failed, Step, read
from foretide.control.last_words import LastWords
from foretide.control.pods import MESSAGE_LIMIT
from foretide.serving.profiling import GENERATOR

if TYPE_CHECKING:
    from foretide.serving.manifests import Manifest

EVERY_SECONDS: Final = 1.0
# A registry that fails once is asked again within seconds.
PATIENCE_SECONDS: Final = 20.0
SUFFIX_BYTES: Final = 3

Say = Callable[[str], None]


def suffix() -> str:
    """Of a name that nobody else has."""
    return secrets.token_hex(SUFFIX_BYTES)


@dataclass(frozen=True, slots=True)
class Result:
    """What a pod measured."""

    pod: str
    steps: tuple[Step, ...]
    cold_start_seconds: float | None  # from its creation until Triton answered


@asynccontextmanager
async def made(api: KubernetesApi, job: Manifest) -> AsyncIterator[str]:
    """The Job, by its name, inside `async with`; then it is deleted with its pod. Raises Stop, or Unavailable."""
    try:
        live = await api.create(job)
    except Rejected as error:
        if error.reason == "Forbidden":
            raise Stop(
                f"{error}; a profile needs a Job: ask for the role edit in the namespace", Exit.NO_ANSWER
            ) from error
        raise
    metadata = live["metadata"]
    try:
        yield str(metadata["name"])
    finally:
        # Whatever ended it, Ctrl-C included. Where this is lost the Job ends, and goes, by itself.
        same = {name: metadata[name] for name in ("namespace", "name", "uid")}  # its status has changed since
        await api.delete(JOB, {"metadata": same})


async def followed(
    api: KubernetesApi, *, namespace: str, job: str, start_seconds: float, say: Say, tell: Callable[[Step], None]
) -> Result:
    """Waits until the generator has ended; `tell` hears each step as it comes. Raises Stop, or AdapterError."""
    waiting, told = _Waiting(LastWords(api), start_seconds), 0
    while True:
        try:
            pod = await _pod(api, namespace, job)
            if pod is None:
                say("waiting for a pod")
                await _not_over(api, namespace, job)
                waiting.no_longer_than()
            elif "terminated" in generator_state(pod):
                steps = await _ended(api, namespace, str(pod["metadata"]["name"]))
                for step in steps[told:]:
                    tell(step)
                return Result(str(pod["metadata"]["name"]), steps, cold_start_seconds(pod))
            elif "running" in generator_state(pod):
                steps = await _steps(api, namespace, str(pod["metadata"]["name"]))
                for step in steps[told:]:
                    tell(step)
                told = max(told, len(steps))
            else:
                say(await waiting.on(pod))
            waiting.heard()
        except Unavailable as error:
            waiting.not_heard(error)
        await asyncio.sleep(EVERY_SECONDS)


class _Waiting:
    """How long it has been waited for, and why."""

    def __init__(self, words: LastWords, start_seconds: float) -> None:
        self._words: Final = words
        self._start_seconds: Final = start_seconds
        self._began: Final = time.monotonic()
        self._hindered: float | None = None  # since when it is of no use to wait
        self._silent: float | None = None  # since when the API server does not answer

    async def on(self, pod: Object) -> str:
        """What is to be said of a pod that starts. Raises Stop where nothing will come of it."""
        found = await hindrance(self._words, pod)
        if found is None or not found.stays:
            self._hindered = None
        else:
            self._hindered = self._hindered or time.monotonic()
            if time.monotonic() - self._hindered > PATIENCE_SECONDS:
                raise Stop(f"the pod of the profile does not start: {found.message}", Exit.FOUND)
        self.no_longer_than(found)
        return f"{pod['metadata']['name']} starts" + (f": {found.message}" if found else "")

    def no_longer_than(self, found: Hindrance | None = None) -> None:
        """Raises Stop when it was waited for long enough."""
        if time.monotonic() - self._began > self._start_seconds:
            why = f" ({found.message})" if found else ""
            raise Stop(
                f"the model did not load within {self._start_seconds:.0f} s{why}; --wait-seconds gives it longer",
                Exit.FOUND,
            )

    def heard(self) -> None:
        self._silent = None

    def not_heard(self, error: Unavailable) -> None:
        """Raises the error when there were nothing but errors for too long."""
        self._silent = self._silent or time.monotonic()
        if time.monotonic() - self._silent > PATIENCE_SECONDS:
            raise error


async def _pod(api: KubernetesApi, namespace: str, job: str) -> Object | None:
    found = await api.list(POD, namespace=namespace, label_selector=f"batch.kubernetes.io/job-name={job}")
    return found[0] if found else None


async def _not_over(api: KubernetesApi, namespace: str, job: str) -> None:
    """Raises Stop where the Job is over, and its pod gone."""
    live = await api.get(JOB, namespace=namespace, name=job)
    if live is None:
        raise Stop("somebody deleted the Job of the profile", Exit.FOUND)
    for one in live.get("status", {}).get("conditions", ()):
        if one["type"] == "Failed" and one["status"] == "True":
            raise Stop(f"the Job of the profile failed: {one.get('message', one.get('reason'))}", Exit.FOUND)


async def _steps(api: KubernetesApi, namespace: str, pod: str) -> tuple[Step, ...]:
    try:
        text = await api.logs(namespace=namespace, pod=pod, container=GENERATOR, previous=False)
    except AdapterError:
        return ()  # the kubelet is asked again in a second
    return tuple(step for one in text.splitlines() if (step := read(one)) is not None)


async def _ended(api: KubernetesApi, namespace: str, pod: str) -> tuple[Step, ...]:
    """All steps; a generator that ended without any says why, in words of Python."""
    text = await api.logs(namespace=namespace, pod=pod, container=GENERATOR, previous=False)
    steps = tuple(step for one in text.splitlines() if (step := read(one)) is not None)
    if not steps:
        last = (text.strip().splitlines() or ["its log is empty"])[-1]
        raise Stop(
            f"the generator of load did not run: {last[-MESSAGE_LIMIT:]}; is its image one of this release? --image "
            "names another",
            Exit.FOUND,
        )
    if (failure := next((step for step in steps if isinstance(step, Failed)), None)) is not None:
        raise Stop(failure.message, Exit.FOUND)
    return steps
