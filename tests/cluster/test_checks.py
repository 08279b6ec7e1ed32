"""Each thing that is missing on a machine gives one sentence that names it and the fix."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.cluster import binaries, checks
from e2e.cluster.commands import MARK
from e2e.cluster.errors import ClusterError
from e2e.cluster.packages import missing_packages
from e2e.cluster.sockets import Listener, listeners, listening_inodes


def test_another_system_is_told_what_works_there() -> None:
    with pytest.raises(ClusterError, match=r"needs Linux \(this is darwin\): use CLUSTER=kind"):
        checks.machine("darwin", 0)


def test_an_ordinary_user_is_told_to_use_sudo() -> None:
    with pytest.raises(ClusterError, match=r"must run as root .*sudo"):
        checks.machine("linux", 1000)


def test_linux_and_root_are_enough() -> None:
    checks.machine("linux", 0)


def test_a_full_disk_is_named_with_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: os.terminal_size((0, 0)) and _Usage(3_200_000_000))
    with pytest.raises(ClusterError, match=rf"Only 3\.2 GB are free at {tmp_path} and the cluster needs 10 GB"):
        checks.disk(tmp_path / "not" / "yet" / "there")


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_taken_port_is_named_with_its_holder() -> None:
    strangers = [Listener(10250, 7, "kubelet"), Listener(6443, 4711, "haproxy")]
    with pytest.raises(
        ClusterError, match=r"Port 6443, which kube-apiserver needs, is held by haproxy \(process 4711\)"
    ):
        checks.taken(strangers)
    checks.taken([])


def test_any_port_that_is_asked_for_is_named_with_what_needs_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"Port {port}, which the registry needs, .* \(process {os.getpid()}\)"):
            checks.ports_free({port: "the registry"})


LISTENER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
memory = bytearray(400_000_000)
for page in range(0, len(memory), 4096):
    memory[page] = 1
print(server.getsockname()[1], flush=True)
input()
"""


def test_a_program_of_ours_that_was_just_killed_is_waited_for() -> None:
    """While the kernel unmaps its memory it has no environment any more that would say that it is ours."""
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={MARK: "daemon"}
    ) as killed:
        assert killed.stdout is not None
        port = int(killed.stdout.readline())
        killed.kill()
        checks.ports_free({port: "etcd"})
        assert not listeners(frozenset({port}))


def test_the_process_that_listens_on_a_port_is_found() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        found = listeners(frozenset({port}))
    assert [(f.port, f.pid) for f in found] == [(port, os.getpid())]


def test_only_listening_sockets_hold_a_port() -> None:
    table = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0
   1: 0100007F:192B 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0
"""
    assert listening_inodes(table, frozenset({6443})) == {"111": 6443}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go1.27rc1", (1, 27)),
        ("go2.0", (2, 0)),
        ("devel", (0, 0)),
    ],
)
def test_go_versions_are_understood(text: str, version: tuple[int, int]) -> None:
    assert binaries.parse_go_version(text) == version


def _fake_go(folder: Path, version: str) -> None:
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)


def test_an_old_go_is_named_with_where_to_get_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_go(tmp_path, "go1.21.4")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ClusterError, match=r"is version go1\.21\.4: install Go 1\.26 or newer from https://go\.dev/dl"):
        binaries.find_go(tmp_path)


def test_no_go_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(ClusterError, match=r"no `go` on PATH: install Go 1\.26"):
        binaries.find_go(tmp_path)


def test_go_keeps_its_caches_in_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_go(tmp_path, "go1.26.8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = binaries.find_go(tmp_path / "cache")
    assert found.environment["GOMODCACHE"] == str(tmp_path / "cache/go/mod")
    assert found.environment["GOCACHE"] == str(tmp_path / "cache/go/build")


def test_the_programs_are_told_the_version_of_kubernetes() -> None:
    flags = binaries.ldflags("require (\n\tk8s.io/kubernetes v1.35.4\n)")
    assert ".gitVersion=v1.35.4 " in flags
    assert ".gitMajor=1 " in flags
    assert flags.endswith(".gitMinor=35")


def test_what_dpkg_does_not_list_as_installed_is_missing() -> None:
    listing = "containerd installed\nrunc installed\niptables config-files\nmount installed\n"
    missing = missing_packages(listing)
    assert "iptables" in missing
    assert "buildah" in missing
    assert "containerd" not in missing
