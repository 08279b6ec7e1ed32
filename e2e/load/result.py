"""What became of each request, as arrays."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2e.load.schedule import FloatArray

COLUMNS = ("planned_at", "sent_at", "latency_seconds", "outcome", "http_status", "answer")
MESSAGES_KEPT = 20  # distinct failure texts; each is cut to 160 characters


class Outcome(enum.IntEnum):
    """How a request ended; everything but OK is a failure."""

    OK = 0
    HTTP_STATUS = 1  # a whole answer with another status than 200
    NOT_CONNECTED = 2
    BROKEN = 3  # the connection ended before the answer did
    TIMED_OUT = 4
    NOT_SENT = 5  # too many were in flight already: the bound of the generator, not the server's word


class Check(enum.IntEnum):
    """Whether an answer was right."""

    NOT_CHECKED = -1
    WRONG = 0
    RIGHT = 1


@dataclass(frozen=True, slots=True)
class Result:
    """One row for each request, in the order of their planned times; NaN where a time does not exist."""

    started_at: float  # Unix time of second 0
    planned_at: FloatArray
    sent_at: FloatArray
    latency_seconds: FloatArray  # from the first SYN to the last byte; to the failure for those that failed
    outcome: NDArray[np.int8]
    http_status: NDArray[np.int16]
    answer: NDArray[np.int8]
    messages: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.planned_at)

    def where(self, chosen: NDArray[np.bool_]) -> Result:
        """Only the chosen rows."""
        arrays = {name: getattr(self, name)[chosen] for name in COLUMNS}
        return Result(started_at=self.started_at, **arrays)

    def save(self, path: Path) -> None:
        """Writes the arrays to an .npz file."""
        np.savez_compressed(path, **{entry.name: getattr(self, entry.name) for entry in fields(self)[:-1]})


@dataclass(frozen=True, slots=True)
class Row:
    """One request."""

    planned_at: float
    sent_at: float
    latency_seconds: float
    outcome: Outcome
    http_status: int = 0
    answer: Check = Check.NOT_CHECKED
    message: str = ""


def collect(rows: Sequence[Row], *, started_at: float) -> Result:
    """The rows as arrays."""
    ordered = sorted(rows, key=lambda row: row.planned_at)
    texts = Counter(row.message[:160] for row in ordered if row.message)
    return Result(
        started_at=started_at,
        planned_at=np.array([row.planned_at for row in ordered], dtype=np.float64),
        sent_at=np.array([row.sent_at for row in ordered], dtype=np.float64),
        latency_seconds=np.array([row.latency_seconds for row in ordered], dtype=np.float64),
        outcome=np.array([row.outcome for row in ordered], dtype=np.int8),
        http_status=np.array([row.http_status for row in ordered], dtype=np.int16),
        answer=np.array([row.answer for row in ordered], dtype=np.int8),
        messages=Counter(dict(texts.most_common(MESSAGES_KEPT))),
    )


def join(parts: Sequence[Result]) -> Result:
    """Parts of one run as one result."""
    if not parts:
        return collect([], started_at=float("nan"))
    order = np.argsort(np.concatenate([part.planned_at for part in parts]), kind="stable")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in COLUMNS}
    messages: Counter[str] = Counter()
    for part in parts:
        messages.update(part.messages)
    return Result(started_at=parts[0].started_at, messages=Counter(dict(messages.most_common(MESSAGES_KEPT))), **arrays)
