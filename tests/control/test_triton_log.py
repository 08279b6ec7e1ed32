"""The one line that says why a model did not load, from logs of Triton 2.51."""

from __future__ import annotations

import pytest

from foretide.control.pods import MESSAGE_LIMIT
from foretide.control.triton_log import load_failure

NOISE = (
    '2026-11-22T14:40:04Z W 31576 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory"\n'
    '2026-11-22T14:40:04Z E 31576 server.cc:241] "CudaDriverHelper has not been initialized."\n'
    '2026-11-22T14:40:04Z I 31576 cuda_memory_manager.cc:117] "CUDA memory pool disabled"\n'
)
RAISED = (
    "2026-11-22T14:40:05Z E 31576 model_lifecycle.cc:642] \"failed to load 'bad' version 1: Internal: ValueError: "
    "weights of 'bad' are missing\\n\\nAt:\\n  /models/bad/1/model.py(3): initialize\\n\"\n"
)
NOT_READ = (
    "2026-11-22T14:40:26Z E 31648 model_repository_manager.cc:1460] \"Poll failed for model directory 'bad': "
    'failed to read text proto from /models/bad/config.pbtxt"\n'
)
LAST = "error: creating server: Internal - failed to load all models\n"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            NOISE + RAISED + LAST,
            "failed to load 'bad' version 1: Internal: ValueError: weights of 'bad' are missing",
        ),
        (
            NOISE + NOT_READ + LAST,
            "Poll failed for model directory 'bad': failed to read text proto from /models/bad/config.pbtxt",
        ),
        (
            RAISED.replace("weights of 'bad' are missing", 'no licence for \\"GPU\\"'),
            "failed to load 'bad' version 1: Internal: ValueError: no licence for \"GPU\"",
        ),
        # the kubelet keeps the end of a log only, and it may begin anywhere
        (RAISED[20:] + NOT_READ + LAST, NOT_READ.split('"')[1]),
        (NOISE + LAST, "creating server: Internal - failed to load all models"),
        (NOISE, "CudaDriverHelper has not been initialized."),
        ("", None),
        ('2026-11-22T14:40:04Z I 1 server.cc:1] "failed to load nothing"\n', None),
        ("Segmentation fault\n", None),
    ],
)
def test_the_cause_is_found_among_other_lines(log: str, expected: str | None) -> None:
    assert load_failure(log) == expected


def test_of_several_failures_the_last_is_told() -> None:
    earlier = RAISED.replace("weights", "labels")
    assert "weights" in str(load_failure(earlier + RAISED + LAST))


def test_the_message_is_one_line_and_short() -> None:
    message = load_failure(RAISED.replace("missing", "missing" * 1000))
    assert message is not None
    assert len(message) == MESSAGE_LIMIT
    assert load_failure(RAISED) == " ".join(str(load_failure(RAISED)).split())


def test_a_hostile_log_costs_no_time() -> None:
    assert load_failure("2026 E 1 x] " + '"' * 60_000) is not None
    assert load_failure("E " * 30_000) is None
