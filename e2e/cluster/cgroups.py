"""The cgroup below which every pod runs: made before the kubelet starts, and everything in it ended by `down`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from .errors import ClusterError
from .processes import stop

NAME: Final = "foretide"
ROOT: Final = Path("/sys/fs/cgroup")
# All pods together compete with each single process of the host: at the default weight a build beside them left a pod
# that asked for 10m less than 40 requests/s of 8 ms. v1 and v2 have their own scales (defaults 1024 and 100).
WEIGHTS: Final = {"cpu.shares": "16384", "cpu.weight": "1600"}
V2_CONTROLLERS: Final = ("cpu", "cpuset", "memory", "pids", "hugetlb", "io")


def hierarchies(root: Path = ROOT) -> tuple[Path, ...]:
    """The root of each cgroup hierarchy: one with cgroup v2, one per controller with v1."""
    if (root / "cgroup.controllers").exists():
        return (root,)
    return tuple(sorted(p for p in root.iterdir() if (p / "cgroup.procs").exists() and not p.is_symlink()))


def ensure(root: Path = ROOT) -> None:
    """The kubelet refuses to start if its root cgroup is missing in one hierarchy."""
    for hierarchy in hierarchies(root):
        (hierarchy / NAME).mkdir(exist_ok=True)
        available = hierarchy / "cgroup.controllers"
        if available.exists():
            wanted = set(V2_CONTROLLERS) & set(available.read_text().split())
            for level in (hierarchy, hierarchy / NAME):
                (level / "cgroup.subtree_control").write_text(" ".join(f"+{c}" for c in sorted(wanted)))
        for name, weight in WEIGHTS.items():
            if (knob := hierarchy / NAME / name).exists():
                knob.write_text(weight)


def groups(root: Path = ROOT) -> tuple[Path, ...]:
    """Our cgroups of all hierarchies, children before parents."""
    tops = [h / NAME for h in hierarchies(root) if (h / NAME).is_dir()] if root.is_dir() else []
    return tuple(Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False))


def processes(folders: Iterable[Path]) -> set[int]:
    """The processes in the cgroups."""
    pids: set[int] = set()
    for folder in folders:
        try:
            pids |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
        except (FileNotFoundError, OSError):
            continue  # the group went away with its last process
    return pids


def remove(root: Path = ROOT) -> None:
    """Ends every process in our cgroups and removes them."""
    for _ in range(50):
        folders = groups(root)
        if not folders:
            return
        if pids := processes(folders):
            stop(pids, grace_seconds=1.0)
        for folder in folders:
            try:
                folder.rmdir()
            except OSError:
                time.sleep(0.1)  # a process that is just ending still counts
    raise ClusterError(f"The cgroup {groups(root)[0]} cannot be removed; see which processes its cgroup.procs names.")
