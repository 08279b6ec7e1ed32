"""Servers that a test starts as processes of this machine: the ports that they get, and their end."""

from __future__ import annotations

import socket
import subprocess


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


def stop(process: subprocess.Popen[bytes], *, grace_seconds: float) -> None:
    """SIGTERM, and SIGKILL to who does not end by then; returns when it has ended."""
    process.terminate()
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
