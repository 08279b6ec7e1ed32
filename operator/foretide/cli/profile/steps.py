"""What is to be measured, and what was: the words between the plugin and the generator, as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

# A generator of another release may measure otherwise.
WORDS: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure."""

    address: str  # host:port of Triton's HTTP API
    model: str
    max_batch: int  # in items; 0 without a batch dimension
    instances: int  # of the model in one replica
    slo_seconds: float
    objective: float
    open_seconds: float  # of each step of the open loop
    limit_seconds: float  # for everything
    request: str = ""  # body of a request with one item; empty: zeros
    words: int = WORDS

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Order:
        """Raises ValueError for what is none."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not an order of this release: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """What is measured now."""

    what: str
    share: float  # of the whole that is done, roughly


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """So many clients, each of which waits for its answer before it sends the next request."""

    clients: int
    items: int  # of one request
    seconds: float
    requests: int
    batches: tuple[tuple[int, float, float], ...]  # items, executions, and the seconds of these together

    @property
    def items_per_second(self) -> float:
        return self.requests * self.items / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Single items at random times (Poisson), however slow the answers are."""

    rate: float  # items a second
    seconds: float
    sent: int
    in_time: int
    failed: int
    median_seconds: float
    quantile_seconds: float  # at the objective; both of those that were answered
    lag_seconds: float  # that 99 % were sent late by, at most: what the generator could not do

    @property
    def kept_share(self) -> float:
        return self.in_time / self.sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why nothing more is measured."""

    message: str


Step = Doing | Closed | Open | Failed
_KINDS: Final[dict[str, type[Doing] | type[Closed] | type[Open] | type[Failed]]] = {
    kind.__name__: kind for kind in (Doing, Closed, Open, Failed)
}


def line(step: Step) -> str:
    """One line."""
    return json.dumps({"step": type(step).__name__, **asdict(step)})


def read(text: str) -> Step | None:
    """The step of a line; None for a line that is none: a log may hold anything."""
    try:
        told: dict[str, Any] = json.loads(text)
        kind = _KINDS[told.pop("step")]
        if kind is Closed:
            told["batches"] = tuple((int(size), float(n), float(s)) for size, n, s in told["batches"])
        return kind(**told)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
