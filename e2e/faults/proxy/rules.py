"""Which requests are hurt, and how: plain values that travel as JSON."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What happens to a request."""

    DELAY = "delay"  # `seconds` before it is forwarded
    ANSWER = "answer"  # nothing is forwarded: `status`, `headers` and `body` are the answer
    DROP = "drop"  # the connection ends, nothing is forwarded
    LATE = "late"  # forwarded, and the answer is kept for `seconds`
    LOSE = "lose"  # forwarded, and then the connection ends: what was asked for is done, and nobody is told
    TRUNCATE = "truncate"  # the first `bytes` of the answer, and then the end of the connection; in a stream of a line
    REWRITE = "rewrite"  # the answer, which is JSON, as `transform` makes it of the true one
    REPLAY = "replay"  # the answer to the same question of before the rule was made; the true one where there is none
    TRICKLE = "trickle"  # headers, and then a byte a second
    HUGE = "huge"  # `bytes` of an answer that never closes its first string
    BOMB = "bomb"  # the same, compressed a thousandfold
    FREEZE = "freeze"  # a stream stays open and tells nothing more
    SWALLOW = "swallow"  # every second line of a stream is left out
    GARBLE = "garble"  # a line of garbage in the stream, and then its end in the middle of a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault, and the requests that it is for."""

    fault: Fault
    method: str = ".*"  # regular expressions, over the whole of it
    path: str = ".*"  # with the query
    body: str = ".*"  # of the request; PromQL is here
    skip: int = 0  # matching requests that pass before
    times: int = 1_000_000  # and how many are hurt then
    share: float = 1.0  # of them, by chance
    seed: int = 0
    seconds: float = 0.0
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""  # of the answer
    bytes: int = 0
    transform: str = ""
    number: float = 0.0  # for the transform

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Rule:
        return cls(**{**found, "fault": Fault(found["fault"])})


class Active:
    """A rule at work: it counts."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.matched = 0
        self.hurt = 0
        self._random = random.Random(rule.seed)

    def hits(self, method: str, path: str, body: str) -> bool:
        """Whether this request is one of those that are hurt."""
        rule = self.rule
        for pattern, text in ((rule.method, method), (rule.path, path), (rule.body, body)):
            if re.fullmatch(pattern, text, re.DOTALL) is None:
                return False
        self.matched += 1
        if self.matched <= rule.skip or self.hurt >= rule.times or self._random.random() >= rule.share:
            return False
        self.hurt += 1
        return True
