"""What the pods of a service say about it: how many serve, and why others do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from foretide.adapters.resources import Object
from foretide.api import group
from foretide.api.reasons import Reason
from foretide.serving.naming import CONTAINER, DOWNLOAD_CONTAINER

# Of the words of others in status: the kubelet's, rclone's, Triton's.
MESSAGE_LIMIT: Final = 600
# Once is an accident.
CRASHES: Final = 2
# Why a container waits that is not going to be created without a person's help: no image, or no configuration.
NO_IMAGE: Final = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
NOT_CREATED: Final = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# All that `_crash_reason` gives.
CRASH_REASONS: Final = (
    Reason.CONTAINER_CRASHED,
    Reason.OUT_OF_MEMORY,
    Reason.MODEL_LOAD_FAILED,
    Reason.DOWNLOAD_FAILED,
)
# SIGTERM, and SIGKILL where that did not do: how a container ends that a probe has given up.
KILLED: Final = (143, 137)
# From a node's choice until its kubelet has seen the pod.
SEEN_WITHIN_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a pod does not serve, in the words of the component that said so."""

    pod: str
    reason: Reason
    message: str
    restarts: int
    crashed: bool  # there is a log of a dead container to read
    container: str = CONTAINER
    downloaded: bool = False  # by one run of the init container, whose log tells whether there was anything


def is_ready(pod: Object) -> bool:
    """Whether the pod serves now (a terminating pod does not count: no new request should reach it)."""
    return not is_terminating(pod) and _condition(pod, "Ready").get("status") == "True"


def is_terminating(pod: Object) -> bool:
    """Whether the pod was told to leave."""
    return "deletionTimestamp" in pod["metadata"]


def ready_since(pod: Object) -> float | None:
    """Seconds since the epoch at which the pod became ready, or None when it is not."""
    ready = _condition(pod, "Ready")
    if is_terminating(pod) or ready.get("status") != "True":
        return None
    return seconds(ready["lastTransitionTime"])


def seconds(timestamp: str) -> float:
    """A Kubernetes timestamp in seconds since the epoch."""
    return datetime.fromisoformat(timestamp).timestamp()


def authority(pod: Object, port: int) -> str | None:
    """Host and port of the pod as a URL has them, an IPv6 address in brackets; None while it has no address.

    The operator connects to addresses of pods only. No pod has that of the operator's own host, or one that every host
    has; and whoever can write the status of a pod shall not make the operator ask them.
    """
    try:
        address = ip_address(pod.get("status", {}).get("podIP", ""))
    except ValueError:
        return None
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def deployment_of(pod: Object) -> str | None:
    """The Deployment whose ReplicaSet (`<deployment>-<digest>`) controls the pod; a label alone anybody could set."""
    owners = pod["metadata"].get("ownerReferences", ())
    names = [owner["name"] for owner in owners if owner.get("controller") and owner["kind"] == "ReplicaSet"]
    return names[0].rpartition("-")[0] if names else None


def runs_newest(pod: Object, deployment: Object) -> bool:
    """Whether the pod was made from the template that the Deployment has now."""
    made_from, template = (
        source["metadata"].get("annotations", {}).get(group.TEMPLATE_DIGEST_ANNOTATION)
        for source in (pod, deployment["spec"]["template"])
    )
    return made_from is not None and made_from == template


def unschedulable_since(pod: Object) -> float | None:
    """Seconds since the epoch at which the scheduler found no node with room for the pod; None where it did."""
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    return _since(scheduled)


def crashes_at_start(pod: Object) -> bool:
    """Whether Triton, or the download of the model, ended twice in the pod, which never was ready.

    One that served before is none: what runs out of memory under too high a load needs more replicas, and soon.
    """
    deaths = sum(one["restartCount"] + _is_down(one) for one in _needed(pod))
    return _unserved_since(pod) is not None and deaths >= CRASHES


def uncreated_since(pod: Object) -> float | None:
    """Seconds since the epoch at which a node was found for a pod that never was ready, and whose container cannot be
    created there; None for others."""
    stays = any(one["state"].get("waiting", {}).get("reason") in (*NO_IMAGE, *NOT_CREATED) for one in _needed(pod))
    return _unserved_since(pod) if stays else None


def load_cut_after(pod: Object) -> float:
    """Seconds for which Triton had loaded when it was killed in a pod that never was ready, for another reason than
    memory; 0 for all others."""
    if _unserved_since(pod) is None:
        return 0.0
    runs = _statuses(pod, "containerStatuses", CONTAINER)
    ends = [run["state"].get("terminated") or run.get("lastState", {}).get("terminated", {}) for run in runs]
    cut = [end for end in ends if end.get("exitCode") in KILLED and end.get("reason") != "OOMKilled"]
    return max(
        (
            seconds(end["finishedAt"]) - seconds(end["startedAt"])
            for end in cut
            if end.get("startedAt") and end.get("finishedAt")  # null where the kubelet has lost the container
        ),
        default=0.0,
    )


def _unserved_since(pod: Object) -> float | None:
    """Seconds since the epoch at which a node was found for a pod that never was ready; None for others."""
    ready = _condition(pod, "Ready")
    unready_since, placed_at = _since(ready), _since(_condition(pod, "PodScheduled"))
    if ready.get("status") != "False" or unready_since is None or placed_at is None:
        return None
    # The kubelet says "not ready" when it first sees the pod, and again only after it was ready.
    return placed_at if unready_since <= placed_at + SEEN_WITHIN_SECONDS else None


def _needed(pod: Object) -> list[Mapping[str, Any]]:
    """The states of the containers that must run before the pod serves: the download until it is done, and Triton.

    None before the kubelet has told them.
    """
    download = [one for one in _statuses(pod, "initContainerStatuses", DOWNLOAD_CONTAINER) if not _is_done(one)]
    return [*download, *_statuses(pod, "containerStatuses", CONTAINER)]


def _statuses(pod: Object, kind: str, name: str) -> list[Mapping[str, Any]]:
    return [one for one in pod.get("status", {}).get(kind, ()) if one["name"] == name]


def _is_done(container: Mapping[str, Any]) -> bool:
    ended: Mapping[str, Any] = container["state"].get("terminated", {})
    return ended.get("exitCode") == 0


def _is_downloaded_at_once(pod: Object) -> bool:
    """Whether the download is done and never ran before: a later run finds the files of an earlier one."""
    runs = _statuses(pod, "initContainerStatuses", DOWNLOAD_CONTAINER)
    return any(_is_done(run) and not run["restartCount"] for run in runs)


def _is_down(container: Mapping[str, Any]) -> bool:
    """Whether it ended and was not started again since, which `restartCount` has not counted yet.

    The kubelet shows the end as the state of now, and a few seconds later, while it backs off, as the last one.
    """
    state = container["state"]
    return "terminated" in state or ("waiting" in state and "terminated" in container.get("lastState", {}))


def failures(pods: Iterable[Object]) -> list[Failure]:
    """The failing pods, the newest first: they run the newest template."""
    newest_first = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    found = (_failure(pod) for pod in newest_first if is_wanted(pod) and not is_ready(pod))
    return [failure for failure in found if failure is not None]


def is_wanted(pod: Object) -> bool:
    """An evicted pod stays in the list as Failed until somebody deletes it, long after another has replaced it."""
    return not is_terminating(pod) and pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")


def _failure(pod: Object) -> Failure | None:
    name = pod["metadata"]["name"]
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        return Failure(name, Reason.UNSCHEDULABLE, _cut(scheduled.get("message", "")), 0, crashed=False)
    for container in _needed(pod):
        if (found := _container_failure(name, container)) is not None:
            return replace(found, downloaded=_is_downloaded_at_once(pod))
    return None


def _container_failure(pod: str, container: Mapping[str, Any]) -> Failure | None:
    waiting: Mapping[str, Any] = container["state"].get("waiting", {})
    ended: Mapping[str, Any] = container["state"].get("terminated") or container["lastState"].get("terminated", {})
    name, restarts = container["name"], container["restartCount"]
    downloads = name == DOWNLOAD_CONTAINER

    def failure(reason: Reason, text: str, *, crashed: bool = False) -> Failure:
        return Failure(pod, reason, text, restarts, crashed, name)

    if waiting.get("reason") in NO_IMAGE:
        return failure(Reason.IMAGE_PULL_FAILED, _cut(waiting.get("message", "")))
    if ended:
        who = "The download" if downloads else "Triton"
        text = ended.get("message") or f"{who} ended with exit code {ended.get('exitCode')} ({ended.get('reason')})"
        return failure(_crash_reason(ended, downloads=downloads), text, crashed=True)
    if waiting.get("reason") in NOT_CREATED:
        # For want of a ConfigMap, or of the Secret or a key of it.
        return failure(Reason.DOWNLOAD_FAILED if downloads else Reason.PODS_NOT_READY, _cut(waiting.get("message", "")))
    return None


def _condition(pod: Object, kind: str) -> Mapping[str, Any]:
    # A plain loop: of 20,000 pods it is asked for in each tick, and a generator takes twice the time.
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == kind:
            found: Mapping[str, Any] = condition
            return found
    return {}


def _since(condition: Mapping[str, Any]) -> float | None:
    """When the condition turned last; its time may be left out."""
    time = condition.get("lastTransitionTime")
    return seconds(time) if time else None


def _cut(message: str) -> str:
    return message[:MESSAGE_LIMIT]


def _crash_reason(ended: Mapping[str, Any], *, downloads: bool) -> Reason:
    """Triton ends with exit code 1 when a model does not load, and with no other."""
    if ended.get("reason") == "OOMKilled":
        return Reason.OUT_OF_MEMORY
    if downloads:
        return Reason.DOWNLOAD_FAILED
    return Reason.MODEL_LOAD_FAILED if ended.get("exitCode") == 1 else Reason.CONTAINER_CRASHED
