"""Where the embedded cluster keeps things: three folders, and nothing anywhere else that outlives `down`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent

# Sockets, pid files, certificates, configuration files. Small: /run is often a tmpfs of a tenth of the memory.
RUN: Final = Path("/run/foretide")
# etcd, images, containers, kubelet, logs. Removed by `down`, and thrown away after a reboot (etcd runs without fsync).
STATE: Final = Path("/var/lib/foretide")

ADMIN_KUBECONFIG: Final = RUN / "admin.kubeconfig"
BIN: Final = RUN / "bin"
LOG: Final = STATE / "log"
CONTAINERD_SOCKET: Final = RUN / "containerd.sock"


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The one folder with everything that was downloaded or built; safe to delete at any time."""
    if chosen := environment.get("FORETIDE_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(base).expanduser() / "foretide").resolve()
