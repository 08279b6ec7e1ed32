"""At most one command at a time changes the cluster of this machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = Path("/run/foretide.lock")


@contextmanager
def exclusive(say: Callable[[str], None], path: Path = LOCK) -> Iterator[None]:
    """Holds the machine's cluster lock; waits for another holder and says so. The file is there only while held."""
    descriptor = _acquired(say, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquired(say: Callable[[str], None], path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode().strip() or "unknown"
            say(f"Another cluster command (process {holder}) is at work; waiting for it to end.")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # The holder before us removed the file when it was done: a lock on a removed file excludes nobody.
        if _same(descriptor, path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor
        os.close(descriptor)


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
