"""Mounts below a folder, and deleting a folder without deleting what is mounted in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from .commands import run
from .errors import ClusterError, CommandFailed

MOUNT_TABLE: Final = Path("/proc/self/mountinfo")


def parse_mount_points(table: str) -> tuple[Path, ...]:
    """The mount points of a mountinfo table, in the order in which they were mounted."""
    points = []
    for line in table.splitlines():
        # The kernel writes a space in a path as \040, a backslash as \134 (proc(5)).
        raw = line.split(" ")[4]
        points.append(Path(raw.encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")))
    return tuple(points)


def below(*folders: Path) -> tuple[Path, ...]:
    """What is mounted below the folders, last mounted first; a folder that is a disk of its own stays mounted."""
    points = parse_mount_points(MOUNT_TABLE.read_text())
    return tuple(p for p in reversed(points) if any(folder in p.parents for folder in folders))


def unmount_below(*folders: Path) -> None:
    """Afterwards nothing is mounted below the folders; a busy mount is detached (its users are dead or dying)."""
    for _ in range(3):  # a mount can show what it covered only after it is gone
        for point in below(*folders):
            try:
                run(["umount", point])
            except CommandFailed:
                run(["umount", "--lazy", point])
    if left := below(*folders):
        raise ClusterError(f"{left[0]} is still mounted; unmount it by hand and run the command again.")


def remove_tree(folder: Path) -> None:
    """Deletes a folder after unmounting everything in it: debootstrap and the kubelet mount the host's things there."""
    unmount_below(folder)
    if not folder.exists():
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    if not folder.is_mount():
        folder.rmdir()
