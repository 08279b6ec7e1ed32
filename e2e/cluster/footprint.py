"""Everything on this machine that a cluster could leave behind, as one value that can be compared."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from . import cgroups, iptables, network
from .mounts import MOUNT_TABLE, parse_mount_points
from .paths import RUN, STATE
from .processes import identify, is_marked, pids

# What runs in a cluster, by the names that the kernel knows (15 characters).
PROGRAMS: Final = frozenset(
    name[:15]
    for name in (
        *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns"),
        *("containerd", "containerd-shim-runc-v2", "runc", "catatonit", "prometheus", "alertmanager", "tritonserver"),
        *("triton_python_backend_stub", "buildah", "debootstrap"),
    )
)
FOLDERS: Final = (
    RUN,
    STATE,
    Path("/run/foretide.lock"),
    *(Path(p) for p in ("/run/netns", "/run/containerd", "/run/runc", "/run/containers", "/run/xtables.lock")),
    *(
        Path(p)
        for p in ("/var/lib/cni", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/containerd", "/var/lib/containers")
    ),
    *(Path(p) for p in ("/var/log/containers", "/var/log/pods", "/opt/containerd", "/opt/cni", "/etc/cni/net.d")),
    *(Path(p) for p in ("/usr/libexec/kubernetes", "/etc/kubernetes", "/var/run/kubernetes", "/var/lib/kube-proxy")),
)
TEMPORARY: Final = (Path(tempfile.gettempdir()), Path("/var/tmp"))
TEMPORARY_OURS: Final = ("foretide", "kube", "buildah", "storage", "debootstrap", "containerd", "apiserver", "helm")


@dataclass(frozen=True, slots=True)
class Footprint:
    """A snapshot; each field is a sorted list of what there is, with repetitions."""

    processes: tuple[str, ...]
    mounts: tuple[str, ...]
    links: tuple[str, ...]
    addresses: tuple[str, ...]
    routes: tuple[str, ...]
    rules: tuple[str, ...]
    namespaces: tuple[str, ...]
    cgroups: tuple[str, ...]
    settings: tuple[str, ...]
    files: tuple[str, ...]

    def added_since(self, before: Footprint) -> dict[str, tuple[str, ...]]:
        """What is there now and was not before, by field; empty if nothing is."""
        return _differences(before, self)

    def counts(self) -> dict[str, int]:
        return {field.name: len(getattr(self, field.name)) for field in fields(self)}


def take() -> Footprint:
    """What is on this machine now."""
    return Footprint(
        processes=_processes(),
        mounts=tuple(sorted(str(p) for p in parse_mount_points(MOUNT_TABLE.read_text()))),
        links=tuple(sorted(network.links())),
        addresses=tuple(sorted(network.addresses())),
        routes=tuple(sorted(network.routes())),
        rules=tuple(sorted(iptables.lines())),
        namespaces=_namespaces(),
        cgroups=tuple(sorted(str(p) for h in cgroups.hierarchies() for p in _subgroups(h))),
        settings=tuple(sorted(f"{name} = {value}" for name, value in network.settings().items())),
        files=_files(),
    )


def _differences(before: Footprint, after: Footprint) -> dict[str, tuple[str, ...]]:
    found = {}
    for field in fields(Footprint):
        more = Counter(getattr(after, field.name)) - Counter(getattr(before, field.name))
        if more:
            found[field.name] = tuple(sorted(more.elements()))
    return found


def _processes() -> tuple[str, ...]:
    """Processes by name: those that clusters run, those that we marked, zombies included."""
    found = []
    for pid in pids():
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            if name in PROGRAMS or (is_marked(pid) and identify(pid) and pid != os.getpid()):
                found.append(name)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return tuple(sorted(found))


def _namespaces() -> tuple[str, ...]:
    """Network namespaces that have a name, or in which some process lives."""
    named = {f"named {p.name}" for p in Path("/run/netns").glob("*")}
    lived_in = set()
    for pid in pids():
        try:
            lived_in.add(str(Path(f"/proc/{pid}/ns/net").readlink()))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return tuple(sorted(named | lived_in))


def _subgroups(hierarchy: Path) -> tuple[Path, ...]:
    names = (cgroups.NAME, "kubepods", "kubepods.slice", "k8s.io")
    return tuple(Path(folder) for name in names for folder, _, _ in os.walk(hierarchy / name))


def _files() -> tuple[str, ...]:
    ours = [p for folder in TEMPORARY for prefix in TEMPORARY_OURS for p in folder.glob(f"{prefix}*")]
    return tuple(sorted(str(p) for p in (*(f for f in FOLDERS if f.exists()), *ours)))
