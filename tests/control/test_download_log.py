"""The one line that says why a model was not downloaded, from logs of rclone 1.76."""

from __future__ import annotations

import pytest

from foretide.control.download_log import download_failure, found_nothing
from foretide.control.pods import MESSAGE_LIMIT

STATS = "2026/11/28 20:05:13 INFO  :           0 B / 0 B, -, 0 B/s, ETA -\n"
FORBIDDEN = (
    "operation error S3: HeadObject, https response error StatusCode: 403, RequestID: B1494F4C2F5F2D96, "
    "HostID: QjE0OTRGNEMyRjVGMkQ5NkIxNDk0RjRDMkY1RjJEOTZCMTQ5NA==, api error Forbidden: Forbidden"
)
WRONG_KEY = (
    f"2026/11/28 20:05:13 ERROR : Attempt 1/2 failed with 1 errors and: {FORBIDDEN}\n{STATS}"
    f"2026/11/28 20:05:18 ERROR : Attempt 2/2 failed with 1 errors and: {FORBIDDEN}\n{STATS}"
    f"2026/11/28 20:05:18 NOTICE: Failed to copy: {FORBIDDEN}\n"
)
NO_BUCKET = (
    "2026/11/28 20:05:39 ERROR : S3 bucket missing path ranker/3: error reading source root directory: directory not "
    "found\n2026/11/28 20:05:39 ERROR : Attempt 2/2 failed with 1 errors and: directory not found\n"
    f"{STATS}2026/11/28 20:05:44 NOTICE: Failed to copy: directory not found\n"
)
TOO_LARGE = (
    "2026/11/28 20:05:44 INFO  : model.py: Copied (new)\n"
    "2026/11/28 20:05:44 NOTICE: sub/weights.bin.74ac3182.partial: Removing partially written file on error: max "
    "transfer limit reached as set by --max-transfer\n"
    "2026/11/28 20:05:44 ERROR : sub/weights.bin: Failed to copy: max transfer limit reached as set by --max-transfer\n"
    "2026/11/28 20:05:44 ERROR : Cancelling sync due to fatal error: max transfer limit reached as set by "
    "--max-transfer\n"
    "2026/11/28 20:05:44 ERROR : Fatal error received - not attempting retries\n"
    "2026/11/28 20:05:44 NOTICE: Failed to copy: max transfer limit reached as set by --max-transfer\n"
)
AWAY = (
    "2026/11/28 20:16:50 ERROR : weights.bin: Failed to copy: failed to open source object: operation error S3: "
    "GetObject, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , HostID: , "
    'request send failed, Get "http://127.0.0.1:9000/models/weights.bin?x-id=GetObject": dial tcp 127.0.0.1:9000: '
    "connect: connection refused\n"
    "2026/11/28 20:16:50 ERROR : Attempt 1/2 failed with 1 errors and: failed to open source object: operation error\n"
)
NOTHING = "2026/11/28 20:16:28 INFO  : There was nothing to transfer\n" + STATS


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (
            WRONG_KEY,
            "Failed to copy: operation error S3: HeadObject, https response error StatusCode: 403, "
            "api error Forbidden: Forbidden",
        ),
        (NO_BUCKET, "S3 bucket missing path ranker/3: error reading source root directory: directory not found"),
        (TOO_LARGE, "sub/weights.bin: Failed to copy: max transfer limit reached as set by --max-transfer"),
        (
            AWAY,
            "weights.bin: Failed to copy: failed to open source object: operation error S3: GetObject, exceeded "
            "maximum number of attempts, 3, https response error StatusCode: 0, request send failed, Get "
            '"http://127.0.0.1:9000/models/weights.bin": dial tcp 127.0.0.1:9000: connect: connection refused',
        ),
        # the kubelet keeps the end of a log only, and it may begin anywhere
        (WRONG_KEY[200:] + NO_BUCKET, NO_BUCKET.partition("\n")[0].partition("ERROR : ")[2]),
        (
            '2026/11/28 20:00:00 CRITICAL: Failed to create file system for "source:a": no account\n',
            'Failed to create file system for "source:a": no account',
        ),
        ("2026/11/28 20:00:00 NOTICE: something new\n", "something new"),
        (STATS, None),
        ("", None),
        ("exec /usr/bin/rclone: no such file or directory\n", None),
    ],
)
def test_the_cause_is_found_among_other_lines(log: str, expected: str | None) -> None:
    assert download_failure(log) == expected


@pytest.mark.parametrize(
    "secret",
    [
        'Get "https://acct.blob.core.windows.net/models/a?sv=2022&sig=hunter2%3D": dial tcp: lookup failed',
        "Get https://me:hunter2@models.example.com/a?x=hunter2: EOF",
        "parse https://hunter2@models.example.com: invalid",
    ],
)
def test_signatures_and_passwords_in_urls_are_left_out(secret: str) -> None:
    message = download_failure(f"2026/11/28 20:00:00 ERROR : a: Failed to copy: {secret}\n")
    assert message is not None
    assert "hunter2" not in message
    assert message.startswith("a: Failed to copy: ")


def test_the_message_is_one_line_and_short() -> None:
    message = download_failure("2026/11/28 20:00:00 ERROR : a: Failed to copy: " + "x \t" * 10_000 + "\n")
    assert message is not None
    assert len(message) == MESSAGE_LIMIT
    assert "\t" not in message


def test_a_hostile_log_costs_no_time() -> None:
    for text in ("://" * 20_000, "https://" + "a@" * 30_000, "x://?" * 12_000, "RequestID: " * 6_000):
        assert download_failure(f"2026/11/28 20:00:00 ERROR : a: Failed to copy: {text}\n") is not None


def test_a_download_that_found_nothing_says_so() -> None:
    assert found_nothing(NOTHING)
    assert not found_nothing(NO_BUCKET)
