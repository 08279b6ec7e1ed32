"""The one exception that a user of the embedded cluster sees: one sentence that says what is wrong and what to do."""

from __future__ import annotations


class ClusterError(Exception):
    """Something outside our hands is missing or failed; the message is one sentence with the fix."""


class CommandFailed(ClusterError):
    """A program that we ran ended with an error; `output` is the end of what it printed."""

    def __init__(self, sentence: str, output: str, *, killed: bool = False) -> None:
        super().__init__(sentence)
        self.output = output
        self.killed = killed
