"""Servers that a test starts as processes of this machine: the ports that they get, what they cost, and their end."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now; held together, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def peak_memory_mib(process: subprocess.Popen[bytes]) -> float:
    """The most memory that it ever had resident."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time so far, of all its threads."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stop(process: subprocess.Popen[bytes], *, grace_seconds: float) -> None:
    """SIGTERM, and SIGKILL to who does not end by then; returns when it has ended."""
    process.terminate()
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
