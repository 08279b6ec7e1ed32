"""What a peer answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from foretide.scaling.arrays import Ints

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeerAnswer(Generic[M]):
    """Replicas, memory, and the rule that decided as a row of `rules`."""

    desired: Ints
    memory: M
    rule: Ints
    rules: tuple[str, ...]

    def reason(self, service: int) -> str:
        """The rule that decided, in one CamelCase word."""
        return self.rules[int(self.rule[service])]
