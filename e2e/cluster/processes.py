"""Long-running programs of the cluster: started once, found again by pid and start time, stopped for certain."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .artefacts import key_of
from .commands import MARK
from .errors import ClusterError
from .paths import LOG, RUN

BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
POLL_SECONDS: Final = 0.05
STARTING_SECONDS: Final = 5.0
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    MARK: "daemon",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of one boot. A pid alone comes round again; with its start time (ticks since boot) it does not."""

    pid: int
    start: int
    boot: str

    def alive(self) -> bool:
        return self == identify(self.pid)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program to keep running. It is restarted when its arguments or the content of its `inputs` change."""

    name: str
    argv: tuple[str, ...]
    inputs: tuple[Path, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM

    def key(self) -> str:
        return key_of(*self.argv, *self.inputs)


def parse_stat(text: str) -> tuple[str, int]:
    """State and start time from /proc/PID/stat, whose second field, the name, may hold spaces and brackets."""
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def identify(pid: int) -> Identity | None:
    """The process that has this pid now; None if there is none, or only a dead one that nobody has waited for."""
    try:
        state, start = parse_stat(Path(f"/proc/{pid}/stat").read_text())
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The first thread of a killed program is a zombie while others still end; only then can it be waited for.
    if state in "ZX" and threads <= 1:
        with suppress(ChildProcessError):  # ours to wait for, if this very Python process started it
            os.waitpid(pid, os.WNOHANG)
        return None
    return Identity(pid, start, BOOT.read_text().strip())


def is_marked(pid: int) -> bool:
    """Whether a process was started for the cluster, by its environment."""
    try:
        return f"{MARK}=".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def is_ending(pid: int) -> bool:
    """Whether a process was killed and is not yet gone. It loses its memory first, and with it what it was called with
    and the mark of the cluster, and its files afterwards (0.1 s for a kube-apiserver)."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True


def pids() -> Iterator[int]:
    """Every process there is right now."""
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def marked() -> tuple[int, ...]:
    """Every living process that was started for the cluster, other than this one."""
    return tuple(pid for pid in pids() if pid != os.getpid() and is_marked(pid) and identify(pid))


def running(name: str, run: Path = RUN) -> tuple[Identity, str] | None:
    """The living process of a daemon and the key it was started with."""
    try:
        saved = json.loads((run / f"{name}.pid").read_text())
        identity = Identity(saved["pid"], saved["start"], saved["boot"])
    except (FileNotFoundError, ValueError, KeyError):
        return None  # never started, or killed while the file was being written
    return (identity, saved["key"]) if identity.alive() else None


def ensure(daemon: Daemon, run: Path = RUN, log: Path = LOG) -> bool:
    """The daemon runs afterwards, with these arguments; True if it had to be started."""
    found = running(daemon.name, run)
    if found and found[1] == daemon.key():
        return False
    if found:
        stop([found[0].pid], daemon.stop_signal)
    log.mkdir(parents=True, exist_ok=True)
    pid = os.posix_spawn(
        daemon.argv[0],
        daemon.argv,
        ENVIRONMENT,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log / f"{daemon.name}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,  # Ctrl-C in the terminal of `up` is not for it
    )
    # posix_spawn lets us go on a moment before the program has its environment, by which `down` would find it.
    deadline = time.monotonic() + STARTING_SECONDS
    while (identity := identify(pid)) is not None and not is_marked(pid) and time.monotonic() < deadline:
        time.sleep(0.001)
    if identity is not None:
        saved = {"pid": pid, "start": identity.start, "boot": identity.boot, "key": daemon.key()}
        unfinished = run / f".{daemon.name}.pid"
        unfinished.write_text(json.dumps(saved))
        unfinished.rename(run / f"{daemon.name}.pid")
    return True


def wait_for(daemon: str, ready: Callable[[], bool], *, seconds: float, run: Path = RUN, log: Path = LOG) -> None:
    """Returns when `ready`; raises with the last line of its log if the daemon dies first or the time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        alive = running(daemon, run) is not None
        if not alive or time.monotonic() > deadline:
            file = log / f"{daemon}.log"
            lines = file.read_text(errors="replace").splitlines() if file.exists() else []
            what = "is not ready" if alive else "ended"
            last = lines[-1] if lines else "it printed nothing"
            raise ClusterError(
                f"{daemon} {what}: {last} (log: {file}); run `up` again, or `down` first to start afresh."
            )
        time.sleep(POLL_SECONDS)


def stop(processes: Iterable[int], first: signal.Signals = signal.SIGTERM, *, grace_seconds: float = 5.0) -> None:
    """None of the processes lives afterwards: a signal, then SIGKILL for those that are still there."""
    left = {pid: found for pid in processes if (found := identify(pid))}
    for send, seconds in ((first, grace_seconds), (signal.SIGKILL, 10.0)):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, send)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            left = {pid: found for pid, found in left.items() if found.alive()}
        if not left:
            return
    raise ClusterError(
        f"Process {next(iter(left))} does not end after SIGKILL; see what it waits for in /proc/PID/stack."
    )
