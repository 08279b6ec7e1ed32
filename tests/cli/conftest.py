"""A cluster to ask, and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from foretide.cli.main import main
from tests.cli import server as api


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs commands as a user of the cluster."""

    capture: pytest.CaptureFixture[str]
    kubeconfig: Path

    def __call__(self, *arguments: str, cluster: bool = True) -> Ended:
        self.capture.readouterr()
        code = main([*arguments, *(["--kubeconfig", str(self.kubeconfig)] if cluster else [])])
        captured = self.capture.readouterr()
        return Ended(code, captured.out, captured.err)


@pytest.fixture
def cluster() -> Iterator[api.ApiServer]:
    with api.serving() as server:
        yield server


@pytest.fixture
def run(
    cluster: api.ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return CommandLine(capsys, api.kubeconfig(tmp_path / "kubeconfig", cluster))
