"""What the cluster does to a machine, as far as that can be seen without one: mounts, cgroups, the lock, footprints."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cluster import cgroups, footprint, mounts
from e2e.cluster.errors import ClusterError
from e2e.cluster.lock import exclusive

EMPTY = footprint.Footprint(*((),) * 10)


def test_mount_points_with_spaces_are_read_as_the_kernel_writes_them() -> None:
    table = "36 35 0:5 / /proc rw - proc proc rw\n37 35 0:6 / /mnt/a\\040b rw shared:1 - tmpfs tmpfs rw\n"
    assert mounts.parse_mount_points(table) == (Path("/proc"), Path("/mnt/a b"))


def test_only_what_is_below_a_folder_is_unmounted_the_last_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    points = ("/", "/run/foretide", "/run/foretide/a", "/run/foretide/a/b", "/run/foretide-other")
    table.write_text("".join(f"1 1 0:5 / {point} rw - tmpfs tmpfs rw\n" for point in points))
    monkeypatch.setattr(mounts, "MOUNT_TABLE", table)
    assert mounts.below(Path("/run/foretide")) == (Path("/run/foretide/a/b"), Path("/run/foretide/a"))


def test_a_folder_goes_with_everything_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    mounts.remove_tree(tmp_path / "a")
    mounts.remove_tree(tmp_path / "never there")
    assert list(tmp_path.iterdir()) == []


def test_each_hierarchy_of_cgroup_v1_gets_our_group(tmp_path: Path) -> None:
    for controller in ("memory", "pids"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()
    cgroups.ensure(tmp_path)
    assert (tmp_path / "memory" / "foretide").is_dir()
    assert (tmp_path / "pids" / "foretide").is_dir()


def test_cgroup_v2_has_one_group_with_the_controllers_there_are(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids rdma\n")
    (tmp_path / "cgroup.subtree_control").touch()
    (tmp_path / "foretide").mkdir()
    (tmp_path / "foretide" / "cgroup.subtree_control").touch()
    cgroups.ensure(tmp_path)
    assert (tmp_path / "foretide" / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_groups_are_removed_children_first(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "foretide" / "kubepods" / "burstable").mkdir(parents=True)
    cgroups.remove(tmp_path)
    assert not (tmp_path / "foretide").exists()


def test_processes_of_groups_are_counted_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").write_text("7\n8\n")
    assert cgroups.processes([tmp_path / "a", tmp_path / "b", tmp_path / "gone"]) == {7, 8}


def test_a_second_command_says_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with exclusive(said.append, lock):
            order.append("second")

    with exclusive(said.append, lock):
        other = threading.Thread(target=second)
        other.start()
        deadline = time.monotonic() + 5
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
        order.append("first")
    other.join(5)
    assert order == ["first", "second"]
    assert said == [f"Another cluster command (process {os.getpid()}) is at work; waiting for it to end."]
    assert not lock.exists()


def test_a_lock_file_of_a_killed_command_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999")
    with exclusive(_unexpected, tmp_path / "lock"):
        pass


def _unexpected(line: str) -> None:
    raise ClusterError(line)


def test_a_footprint_tells_what_was_added_with_repetitions() -> None:
    before = replace(EMPTY, mounts=("/proc",), processes=("containerd",))
    after = replace(EMPTY, mounts=("/proc", "/run/foretide/a"), processes=("containerd", "containerd"))
    assert after.added_since(before) == {"mounts": ("/run/foretide/a",), "processes": ("containerd",)}
    assert before.added_since(before) == {}


def test_a_footprint_does_not_count_what_went_away() -> None:
    assert EMPTY.added_since(replace(EMPTY, links=("eth0",))) == {}
