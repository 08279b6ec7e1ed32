"""Finds the line of rclone's log that says why a model was not downloaded, and leaves out what may be secret."""

from __future__ import annotations

import re
from typing import Final

from foretide.control.pods import MESSAGE_LIMIT

# `2026/11/28 20:16:50 ERROR : weights.bin: Failed to copy: ...`; NOTICE and CRITICAL have their colon without a space.
_LINE: Final = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?P<level>[A-Z]+) *: (?P<message>.+)$", re.MULTILINE)
_TOLD: Final = ("ERROR", "NOTICE", "CRITICAL")
_FAILED: Final = re.compile("Failed to |failed to |error reading |corrupted ")
# These repeat another line with less in it.
_SUMMARY: Final = re.compile(r"Attempt \d+/\d+ |Cancelling sync |Fatal error received|Can't retry ")
_NOTHING: Final = "There was nothing to transfer"
# A signature in the query of a URL (Azure's SAS), a password before its host, and numbers that say nothing to a reader.
_QUERY: Final = re.compile(r"(?P<url>\w+://[^\s?\"']*)\?[^\s\"']*")
_USER: Final = re.compile(r"(?<=://)[^\s/@\"']*@")
_NOISE: Final = re.compile(r"(RequestID|HostID): [^,\s]*, ")


def download_failure(text: str) -> str | None:
    """The last error that names a file or a folder, else rclone's last word; None without either."""
    lines = [match["message"] for match in _LINE.finditer(text) if match["level"] in _TOLD]
    causes = [line for line in lines if _FAILED.search(line) and not _SUMMARY.match(line)]
    named = [line for line in causes if not line.startswith("Failed to ")]
    last = (named or causes or lines)[-1:]
    return without_secrets(last[0])[:MESSAGE_LIMIT] if last else None


def found_nothing(text: str) -> bool:
    """Whether the download ended well and had nothing to do: where it looked there is no file."""
    return _NOTHING in text


def without_secrets(message: str) -> str:
    """What rclone said, in one line that anybody may read."""
    message = _QUERY.sub(r"\g<url>", message)
    message = _USER.sub("", message)
    return " ".join(_NOISE.sub("", message).split())
