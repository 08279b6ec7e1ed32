"""The two words an adapter may say about a failed call.

AdapterError
 ├─ Unavailable   the other side could not answer now: try again later
 └─ Rejected      the other side understood and refused: trying the same again is useless
     └─ Conflict  somebody else owns what was to be written
"""

from __future__ import annotations

from typing import Final

# Enough to name the field and the rule; short enough that no secret in an error body reaches a status or a log.
MESSAGE_LIMIT: Final = 256
# The reason of a Rejected where nothing can be made any more, for the namespace is being deleted.
NAMESPACE_TERMINATING: Final = "NamespaceTerminating"
# The reason of an Unavailable where nothing was sent, for another operator may lead.
LEASE_LOST: Final = "LeaseLost"


class AdapterError(Exception):
    """A call to another system failed; `reason` is the other side's own machine-readable word."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message[:MESSAGE_LIMIT])
        self.reason = reason


class Unavailable(AdapterError):
    """No answer now: connection refused, time-out, 429 or 5xx.

    `retry_after_seconds` is how long the other side asks to be left alone; 0 where it does not say.
    """

    def __init__(self, message: str, *, reason: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class Rejected(AdapterError):
    """A definite no: 4xx; `reason` is for example Forbidden, Invalid or NotFound."""


class Conflict(Rejected):
    """409: the object changed or belongs to somebody else."""
