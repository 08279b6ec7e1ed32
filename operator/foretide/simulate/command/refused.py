"""What is wrong with a command, in one sentence."""

from __future__ import annotations

from foretide.api.problems import Problem, shown


class Refused(Exception):
    """An input that cannot be used: field, value, rule and fix."""

    def __init__(self, field: str, value: object, rule: str, fix: str) -> None:
        super().__init__(Problem(field, shown(value), rule, fix).sentence)
