"""How a command ends: the exit codes, which are part of the interface, and the sentence for a mistake."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; scripts may rely on them."""

    short: str
    meaning: str

    def __new__(cls, value: int, short: str = "", meaning: str = "") -> Exit:
        member = int.__new__(cls, value)
        member._value_ = value
        member.short, member.meaning = short, meaning
        return member

    OK = 0, "done, all is well", "Done; nothing has to be looked at."
    FOUND = (
        1,
        "done, something must be looked at",
        "Done, and something must be looked at: a check failed, a rule is broken, a threshold is exceeded.",
    )
    MISTAKE = (
        2,
        "not done: an option, a file or a name cannot be used",
        "Not done: an option, a file or a name cannot be used. The sentence on stderr says which, and why.",
    )
    NO_ANSWER = (
        3,
        "not done: no answer from the cluster or Prometheus",
        "Not done: the cluster or Prometheus cannot be reached, or refuses.",
    )
    WARNED = (
        4,
        "done, something is doubtful (doctor)",
        "Done; nothing failed, but something is doubtful or could not be checked (doctor).",
    )
    INTERRUPTED = 130, "ended by Ctrl-C", "Ended by Ctrl-C."


class Stop(Exception):
    """Ends a command with a sentence for a person, and no stack trace."""

    def __init__(self, message: str, code: Exit = Exit.MISTAKE) -> None:
        super().__init__(message)
        self.code = code
