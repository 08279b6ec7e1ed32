"""Programs that fail say why in one sentence; progress shows one line a step."""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

import pytest

from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError, CommandFailed
from e2e.cluster.progress import Progress


def test_the_output_of_a_program_is_returned() -> None:
    assert run(["/bin/cat"], stdin="a\nb\n") == "a\nb\n"


def test_a_failure_quotes_the_last_line() -> None:
    with pytest.raises(CommandFailed, match="no such thing") as caught:
        run(["/bin/sh", "-c", "echo first >&2; echo no such thing >&2; exit 3"])
    assert caught.value.output == "first\nno such thing"
    assert not caught.value.killed


def test_a_failure_without_a_word_gives_the_status() -> None:
    with pytest.raises(CommandFailed, match="exit status 3"):
        run(["/bin/sh", "-c", "exit 3"])


def test_a_program_that_was_killed_is_known_as_such() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["/bin/sh", "-c", "kill -9 $$"])
    assert caught.value.killed


def test_the_lines_of_a_long_build_go_to_a_log_and_are_seen(tmp_path: Path) -> None:
    seen: list[str] = []
    run([sys.executable, "-c", "print('a'); print('b')"], log=tmp_path / "log" / "build.log", on_line=seen.append)
    assert seen == ["a", "b"]
    assert (tmp_path / "log" / "build.log").read_text() == "a\nb\n"


def test_each_step_prints_one_line_with_its_seconds() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.step("making tea") as step:
        step.note("water boils")
    with pytest.raises(ValueError, match="cup"), progress.step("pouring"):
        raise ValueError("no cup")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].split() == ["ok", "0.0", "s", "making", "tea"]
    assert lines[1].split()[0] == "failed"


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ClusterError, match="The program `no-such-program` is missing on this machine"):
        run(["no-such-program"])


def test_a_long_step_gives_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("e2e.cluster.progress.QUIET_SECONDS", 0.0)
    stream = io.StringIO()
    with Progress(stream).step("compiling") as step:
        step.note("7 packages")
        deadline = time.monotonic() + 5
        while not stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "compiling (7 packages)" in stream.getvalue().splitlines()[0]
