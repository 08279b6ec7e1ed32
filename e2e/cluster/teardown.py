"""`down`: nothing of the cluster is left on the machine but its cache, whatever state the cluster was in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

from . import cgroups, iptables, mounts, network, processes
from .buildah import remove_blob_cache
from .commands import MARK
from .components import NAMES
from .paths import RUN, STATE, cache_folder
from .progress import Progress

# Folders of the host that the kubelet, the CNI library and containerd's shims write into, whatever one configures.
POD_LOG_LINKS: Final = Path("/var/log/containers")
CNI_RESULTS: Final = Path("/var/lib/cni/results")
DEVICE_PLUGINS: Final = Path("/var/lib/kubelet/device-plugins")
SHIM_SOCKETS: Final = Path("/run/containerd/s")
SANDBOXES: Final = STATE / "containerd/io.containerd.grpc.v1.cri/sandboxes"
TASKS: Final = RUN / "containerd/io.containerd.runtime.v2.task"


def remove(progress: Progress) -> None:
    """Stops what `up` started and removes what it made; a second `down` finds nothing to do."""
    with progress.step("stopping the control plane, the node and every pod"):
        stop_processes()
    with progress.step("removing mounts, network devices, rules and cgroups"):
        sockets = _shim_sockets()
        mounts.unmount_below(RUN, STATE, *_build_folders())
        iptables.remove()
        network.remove()
    with progress.step("removing files"):
        for socket in sockets:
            socket.unlink(missing_ok=True)
        _remove_traces()
        mounts.remove_tree(STATE)
        mounts.remove_tree(RUN)


def discard_builds() -> None:
    """Ends builds that a killed command left running. Called by the holder of the lock, so none of them is wanted."""
    strays = [pid for pid in processes.marked() if _role(pid) == b"build"]
    processes.stop(strays, grace_seconds=1.0)
    mounts.unmount_below(*_build_folders())


def stop_processes() -> None:
    """No process of the cluster lives afterwards: neither a program of `up` nor one in a pod."""
    # The kubelet first, or it starts pods again; containerd last, since without it nobody reaps the shims' children.
    _stop_daemons("kubelet")
    _stop_daemons(*(name for name in NAMES if name not in ("kubelet", "containerd")))
    cgroups.remove()
    processes.stop(
        (pid for pid in processes.marked() if _program(pid).startswith("containerd-shim")), grace_seconds=1.0
    )
    _stop_daemons("containerd")
    # What no pid file names: builds of a killed `up`, daemons started just before it could write one.
    processes.stop(processes.marked(), grace_seconds=1.0)
    cgroups.remove()


def _stop_daemons(*names: str) -> None:
    found = (processes.running(name) for name in names)
    processes.stop([identity.pid for identity, _ in filter(None, found)], grace_seconds=2.0)


def _shim_sockets() -> list[Path]:
    """A shim listens outside of containerd's folders; the file `address` of each task says where."""
    found = []
    for file in TASKS.glob("*/*/address"):
        socket = Path(file.read_text().strip().removeprefix("unix://"))
        if socket.is_relative_to(SHIM_SOCKETS):
            found.append(socket)
    return found


def _remove_traces() -> None:
    remove_blob_cache()
    for link in POD_LOG_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(STATE):
            link.unlink()
    sandboxes = {folder.name for folder in SANDBOXES.glob("*")}
    for result in CNI_RESULTS.glob("*-*-*"):
        if result.name.split("-")[-2] in sandboxes:
            result.unlink()
    (DEVICE_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    folders = (POD_LOG_LINKS, CNI_RESULTS, DEVICE_PLUGINS, SHIM_SOCKETS)
    for folder in (*folders, *(f.parent for f in folders[1:])):
        with suppress(OSError):  # not there, or somebody else has something in it
            folder.rmdir()


def _build_folders() -> tuple[Path, ...]:
    return (cache_folder() / "artefacts", cache_folder() / "buildah", cache_folder() / "tmp")


def _role(pid: int) -> bytes:
    prefix = f"{MARK}=".encode()
    with suppress(FileNotFoundError, ProcessLookupError):
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return next((v.removeprefix(prefix) for v in variables if v.startswith(prefix)), b"")
    return b""


def _program(pid: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
