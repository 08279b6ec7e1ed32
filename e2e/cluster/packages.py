"""The Debian packages of the node: installed if they are missing, never removed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import Final

from .commands import run
from .errors import ClusterError, CommandFailed
from .paths import cache_folder
from .progress import Progress

# Package -> a program of it, which is looked for where there is no dpkg.
PACKAGES: Final = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "mount": "mount",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "catatonit": "catatonit",
}
NETWORK_TROUBLE: Final = re.compile(
    r"Could not resolve|Could not connect|Failed to fetch|Temporary failure|Unable to locate package"
)


def missing_packages(listing: str, wanted: Iterable[str] = PACKAGES) -> tuple[str, ...]:
    """Those of the packages that a dpkg-query listing (`name status` a line) does not show as installed."""
    installed = {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}
    return tuple(name for name in wanted if name not in installed)


def install(progress: Progress, wanted: Mapping[str, str] = PACKAGES) -> None:
    """Every package is installed afterwards."""
    if shutil.which("dpkg-query") is None:
        _require_programs(wanted)
        return
    listing = run(
        ["sh", "-c", "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' \"$@\" 2>/dev/null || true", "sh", *wanted]
    )
    missing = missing_packages(listing, wanted)
    if not missing:
        return
    log = cache_folder() / "log" / "apt.log"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with progress.step(f"installing Debian packages: {' '.join(missing)}") as step:
        try:
            step.note("package lists")
            run(["apt-get", "update", "-q"], env=environment, log=log)
            step.note("download and set-up")
            words = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing]
            run(words, env=environment, log=log)
        except CommandFailed as error:
            if NETWORK_TROUBLE.search(error.output):
                raise ClusterError(
                    f"Debian packages cannot be downloaded (log: {log}): check the network and /etc/apt/sources.list, "
                    f"or install them by hand: {' '.join(missing)}."
                ) from error
            raise


def _require_programs(wanted: Mapping[str, str]) -> None:
    absent = sorted(name for name, program in wanted.items() if shutil.which(program) is None)
    if absent:
        raise ClusterError(
            f"This machine has no dpkg, and these programs are missing: {', '.join(absent)}; "
            "install them with its package manager, or use CLUSTER=kind or CLUSTER=current."
        )
