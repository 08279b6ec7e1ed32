"""Both commands of the benchmark say what is wrong, and that what is done is kept."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from bench.scaling import __main__ as scaling
from bench.scaling import fidelity
from foretide.simulate.command.processes import WorkerLost


@pytest.mark.parametrize("command", [scaling.main, fidelity.main], ids=["scaling", "fidelity"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seeds", "0"], "--seeds must be from 1 to 20, not 0"),
        (["--seeds", "21"], "--seeds must be from 1 to 20, not 21"),
        (["--workers", "0"], "--workers must be 1 or more, not 0"),
    ],
)
def test_numbers_out_of_range_are_refused_in_a_sentence(
    command: Callable[[list[str]], int], arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "the same command goes on from there"),
        (WorkerLost("a process was killed"), 1, "killed"),
    ],
)
@pytest.mark.parametrize("command", [scaling, fidelity], ids=["scaling", "fidelity"])
def test_what_ends_a_run_is_told_in_a_sentence(
    command: ModuleType,
    error: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def killed(given: object) -> int:
        raise error

    monkeypatch.setattr(command, "_run", killed)
    assert command.main([]) == status
    assert words in capsys.readouterr().err
