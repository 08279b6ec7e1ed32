"""What must be true of this machine before anything is changed on it; each failure is one sentence with the fix."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from .errors import ClusterError
from .processes import is_ending, is_marked
from .sockets import Listener, listeners

DISK_BYTES: Final = 10 * 10**9
DYING_SECONDS: Final = 5.0
PORTS: Final[Mapping[int, str]] = {
    6443: "kube-apiserver",
    2379: "etcd",
    2380: "etcd",
    10250: "kubelet",
    30090: "Prometheus",
}


def machine(platform: str = sys.platform, user: int | None = None) -> None:
    """Raises unless this is Linux and we are root."""
    if not platform.startswith("linux"):
        raise ClusterError(
            f"The embedded cluster needs Linux (this is {platform}): use CLUSTER=kind or CLUSTER=current."
        )
    if (os.geteuid() if user is None else user) != 0:
        raise ClusterError(
            "The embedded cluster must run as root (it mounts, makes network devices and cgroups): "
            "run the command with sudo, or use CLUSTER=kind or CLUSTER=current."
        )


def disk(*folders: Path) -> None:
    """Raises unless there is room where the folders are or will be."""
    for folder in folders:
        existing = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(existing).free
        if free < DISK_BYTES:
            raise ClusterError(
                f"Only {free / 1e9:.1f} GB are free at {existing} and the cluster needs {DISK_BYTES / 1e9:.0f} GB: "
                "free some, or set FORETIDE_CACHE to a folder on another disk."
            )


def ports_free(needed_by: Mapping[int, str] = PORTS) -> None:
    """Raises if one of the ports is held by a process that is not ours. One that was killed a moment ago holds its
    sockets until the kernel has taken its memory away, and is waited for."""
    deadline = time.monotonic() + DYING_SECONDS
    while True:
        strangers = [found for found in listeners(frozenset(needed_by)) if not is_marked(found.pid)]
        if not any(is_ending(found.pid) for found in strangers) or time.monotonic() > deadline:
            return taken(strangers, needed_by)
        time.sleep(0.1)


def taken(strangers: Iterable[Listener], needed_by: Mapping[int, str] = PORTS) -> None:
    """Raises with the first of the listeners: the port, who holds it, and what needs it."""
    for found in sorted(strangers, key=lambda listener: listener.port):
        raise ClusterError(
            f"Port {found.port}, which {needed_by[found.port]} needs, is held by {found.program} "
            f"(process {found.pid}): stop it, or use CLUSTER=current if it is a cluster of yours."
        )
