"""Both commands of the benchmark say what is wrong, and that what is done is kept."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from bench.scaling import __main__ as scaling
from bench.scaling import fidelity
from bench.scaling.fidelity import cells
from bench.scaling.plan import FULL, Plan
from bench.scaling.split import read_split
from bench.scaling.store import Store
from foretide.simulate.command.processes import WorkerLost
from foretide.simulate.command.refused import Refused
from foretide.simulate.policies import POLICIES
from foretide.simulate.traces import TraceError


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
        (OSError("no space left"), 1, "no space left"),
        (Refused("--traces", "here", "has no trace 'x'", "there are y"), 2, "there are y"),
        (TraceError([]), 2, ""),
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


@pytest.mark.parametrize("command", [scaling, fidelity], ids=["scaling", "fidelity"])
def test_what_ends_it_from_outside_ends_it_as_ctrl_c_does(
    command: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(command, "_run", lambda given: signal.raise_signal(signal.SIGTERM))
    try:
        assert command.main([]) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "the finished cells are kept" in capsys.readouterr().err


def entry(**fields: str) -> str:
    known = {"trace": "wave", "series": "a", "split": "choose", "reason": "a wave", **fields}
    return "[[series]]\n" + "".join(f'{name} = "{value}"\n' for name, value in known.items())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must list series"),
        ("[[series", "must list series"),
        (entry(split="both"), "must list series"),
        (entry(trace="tide"), "has no trace 'tide'; there are wave"),
        (entry(series="b"), "has no series 'b' in wave; there are a"),
        (entry(), "must have series that choose and series that judge"),
    ],
)
def test_a_list_of_series_that_cannot_be_used_is_refused(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wave.csv").write_text("t_s,a\n" + "".join(f"{60 * minute},5\n" for minute in range(60)))
    file = tmp_path / "mine.toml"
    file.write_text(text)
    given = ["--traces", str(tmp_path), "--series", str(file), "--out", str(tmp_path / "out"), "--quick"]
    assert scaling.main(given) == 2
    assert words in capsys.readouterr().err


def test_series_of_an_unknown_folder_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "wave.csv").write_text("t_s,a,b\n" + "".join(f"{60 * minute},5,9\n" for minute in range(60)))
    file = tmp_path / "mine.toml"
    file.write_text(entry() + entry(series="b", split="judge"))
    assert [one.name for one in read_split(file, tmp_path)] == ["wave/a", "wave/b"]


def test_a_cell_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (cell,) = list(cells(Plan(FULL, read_split(), (POLICIES["static"],)), (2,)))[:1]
    (tmp_path / f"static-{cell.key}.json.gz").write_bytes(b"")
    with pytest.raises(Refused, match=r"static-.*\.json\.gz.*delete it in"):
        Store(tmp_path, workers=1).performed([cell], "some")
