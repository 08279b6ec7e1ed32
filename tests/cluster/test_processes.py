"""Processes: found again by more than their pid, and stopped for certain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.cluster.errors import ClusterError
from e2e.cluster.processes import Daemon, Identity, ensure, identify, is_marked, parse_stat, running, stop, wait_for

SLEEP = ("/bin/sleep", "60")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for file in tmp_path.glob("*.pid"):
        if found := running(file.stem, tmp_path):
            stop([found[0].pid], signal.SIGKILL)


def test_the_start_time_is_found_behind_a_name_with_spaces_and_brackets() -> None:
    stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10 18446744073709551615"
    assert parse_stat(stat) == ("S", 987654)


def test_a_daemon_is_started_once(folder: Path) -> None:
    daemon = Daemon("sleeper", SLEEP)
    assert ensure(daemon, folder, folder)
    first = running("sleeper", folder)
    assert not ensure(daemon, folder, folder)
    assert running("sleeper", folder) == first
    assert first is not None
    assert is_marked(first[0].pid)


def test_a_daemon_with_other_arguments_takes_the_place_of_the_old_one(folder: Path) -> None:
    ensure(Daemon("sleeper", SLEEP), folder, folder)
    before = running("sleeper", folder)
    assert ensure(Daemon("sleeper", ("/bin/sleep", "61")), folder, folder)
    after = running("sleeper", folder)
    assert before is not None
    assert after is not None
    assert before[0] != after[0]
    assert identify(before[0].pid) is None


def test_a_daemon_is_restarted_when_its_configuration_changes(folder: Path) -> None:
    config = folder / "config"
    config.write_text("a")
    daemon = Daemon("sleeper", SLEEP, (config,))
    ensure(daemon, folder, folder)
    config.write_text("b")
    assert ensure(daemon, folder, folder)


def test_a_pid_that_came_round_again_is_not_taken_for_ours(folder: Path) -> None:
    own = identify(os.getpid())
    assert own is not None
    stranger = {"pid": own.pid, "start": own.start - 1, "boot": own.boot, "key": "k"}
    (folder / "sleeper.pid").write_text(json.dumps(stranger))
    assert running("sleeper", folder) is None
    (folder / "sleeper.pid").write_text(json.dumps({**stranger, "start": own.start, "boot": "another boot"}))
    assert running("sleeper", folder) is None


@pytest.mark.parametrize("content", ["", "{", "{}"])
def test_a_pid_file_that_was_cut_short_means_not_running(folder: Path, content: str) -> None:
    (folder / "sleeper.pid").write_text(content)
    assert running("sleeper", folder) is None


def test_stop_ends_a_process_that_ignores_the_signal() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        started = time.monotonic()
        stop([stubborn.pid], grace_seconds=0.2)
        assert identify(stubborn.pid) is None
        assert time.monotonic() - started >= 0.2


def test_a_dead_process_that_nobody_waited_for_is_not_alive() -> None:
    with subprocess.Popen(["/bin/true"]) as child:
        time.sleep(0.2)
        assert not Identity(child.pid, 0, "").alive()
        assert identify(child.pid) is None


def test_waiting_for_a_daemon_that_ends_quotes_its_last_line(folder: Path) -> None:
    ensure(Daemon("broken", ("/bin/sh", "-c", "echo no such option >&2; exit 1")), folder, folder)
    with pytest.raises(ClusterError, match=r"broken ended: no such option .*broken\.log"):
        wait_for("broken", lambda: False, seconds=10, run=folder, log=folder)
