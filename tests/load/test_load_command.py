"""`python -m e2e.load` as its user sees it."""

from pathlib import Path

import numpy as np
import pytest

from e2e.load.__main__ import main
from tests.load.server import serving


def test_a_load_that_is_answered_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body, output = tmp_path / "body", tmp_path / "result.npz"
    body.write_bytes(b"hello")
    with serving() as server:
        words = ["--url", server.url("/echo"), "--body", str(body), "--rate", "50", "--seconds", "0.5"]
        assert main([*words, "--output", str(output), "--header", "A: b"]) == 0
        assert server.connections > 5
    assert "0 failed" in capsys.readouterr().out
    with np.load(output) as saved:
        assert (saved["http_status"] == 200).all()


def test_a_load_with_failures_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        assert main(["--url", server.url("/refuse"), "--rate", "20", "--seconds", "0.3"]) == 1
    assert "503 too busy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--url", "http://example.com/", "--rate", "1"], "not a loopback address"),
        (["--url", "http://127.0.0.1:1/", "--trace", "no-such-file.csv"], "no-such-file.csv"),
        (["--url", "http://127.0.0.1:1/", "--rate", "100", "--seconds", "60", "--max-requests", "10"], "at most 10"),
        (["--url", "http://127.0.0.1:1/"], "--rate"),
    ],
)
def test_wrong_usage_is_one_sentence(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err
