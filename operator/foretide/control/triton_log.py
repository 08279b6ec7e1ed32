"""Finds the one line of Triton's log that says why a model did not load."""

from __future__ import annotations

import re
from typing import Final

from foretide.control.pods import MESSAGE_LIMIT

# --log-format=ISO8601: `2026-11-22T14:40:05Z E 31576 model_lifecycle.cc:642] "failed to load 'bad' version 1: ..."`
_ERROR_LINE: Final = re.compile(r'^\S+ E \d+ \S+\] "?(?P<message>.*?)"?$', re.MULTILINE)
_LAST_WORD: Final = re.compile(r"^error: (?P<message>.+)$", re.MULTILINE)
# These name the model and the cause; other error lines are about the machine ("CudaDriverHelper has not been ...").
_CAUSES: Final = ("failed to load", "Poll failed")


def load_failure(text: str) -> str | None:
    """The message of the last line about a failed load, or of Triton's last error; None without either."""
    errors = [match["message"] for match in _ERROR_LINE.finditer(text)]
    causes = [message for message in errors if message.startswith(_CAUSES)]
    last_words = [match["message"] for match in _LAST_WORD.finditer(text)]
    for messages in (causes, last_words, errors):
        if messages:
            return _one_line(messages[-1])
    return None


def _one_line(message: str) -> str:
    """Triton escapes line breaks as backslash-n; the Python traceback after the message is cut."""
    message = message.partition("\\n\\nAt:\\n")[0]
    message = message.replace('\\"', '"')
    return re.sub(r"(\\n|\s)+", " ", message).strip()[:MESSAGE_LIMIT]
