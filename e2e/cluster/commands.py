"""Runs other programs: output kept for the error sentence, all stopped when one of several parallel ones fails."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from .errors import ClusterError, CommandFailed

# Daemons and long builds carry this variable, so that `down` finds them all, even after a kill -9 of `up`.
MARK: Final = "FORETIDE_CLUSTER_PROCESS"
TAIL_LINES: Final = 40

_running: set[subprocess.Popen[str]] = set()
_guard = threading.Lock()


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    failure: str | None = None,
) -> str:
    """Runs a program to its end and returns what it printed; raises CommandFailed with the last line it printed.

    With `log` or `on_line` both streams are read line by line (long builds), else the standard output is returned.
    """
    words = [str(word) for word in argv]
    streamed = log is not None or on_line is not None
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**(os.environ if env is None else env), **({MARK: "build"} if streamed else {})},
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if streamed else subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise ClusterError(f"The program `{words[0]}` is missing on this machine: install it and try again.") from error
    with _guard:
        _running.add(process)
    try:
        if streamed:
            output, problems = _stream(process, log, on_line), ""
        else:
            output, problems = process.communicate(stdin)
        code = process.wait()
    finally:
        with _guard:
            _running.discard(process)
        if process.poll() is None:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if code != 0:
        text = (problems or output).strip()
        last = text.splitlines()[-1] if text else f"exit status {code}"
        where = f" (log: {log})" if log else ""
        what = failure or f"The command `{' '.join(words[:4])}` failed"
        raise CommandFailed(f"{what}: {last}{where}", text, killed=code < 0)
    return output


def succeeds(argv: Sequence[str | Path]) -> bool:
    """Whether a program ends with status 0; what it prints is not wanted."""
    return subprocess.run([str(w) for w in argv], capture_output=True, check=False).returncode == 0


def stop_all() -> None:
    """Ends every program that `run` still waits for: another step has failed."""
    with _guard:
        for process in _running:
            process.kill()


def _stream(process: subprocess.Popen[str], log: Path | None, on_line: Callable[[str], None] | None) -> str:
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
    with Path(log or os.devnull).open("w", encoding="utf-8") as copy:
        for line in process.stdout or ():
            tail.append(line)
            copy.write(line)
            copy.flush()
            if on_line is not None:
                on_line(line.rstrip())
    return "".join(tail)
