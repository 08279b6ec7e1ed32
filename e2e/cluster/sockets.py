"""Who listens on a TCP port of this machine, read from /proc."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .processes import pids

LISTENING: Final = "0A"


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens on a port; pid 0 if it is not to be seen."""

    port: int
    pid: int
    program: str


def listening_inodes(table: str, ports: frozenset[int]) -> dict[str, int]:
    """Socket inode -> port, for the listening sockets of a /proc/net/tcp table that use one of the ports."""
    found = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        port = int(fields[1].rpartition(":")[2], 16)
        if fields[3] == LISTENING and port in ports:
            found[fields[9]] = port
    return found


def listeners(ports: frozenset[int]) -> tuple[Listener, ...]:
    """The processes that listen on one of the ports, on any address."""
    inodes: dict[str, int] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            inodes |= listening_inodes(Path(table).read_text(), ports)
    if not inodes:
        return ()
    found = {}
    for pid, inode in _open_sockets():
        if inode in inodes:
            with suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
                found[inode] = Listener(inodes[inode], pid, Path(f"/proc/{pid}/comm").read_text().strip())
    return tuple(found.get(inode, Listener(port, 0, "unknown")) for inode, port in inodes.items())


def _open_sockets() -> Iterator[tuple[int, str]]:
    for pid in pids():
        try:
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    yield pid, target[8:-1]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is not ours to look at
