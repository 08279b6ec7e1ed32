"""The memory of one service as text for its status, and back; garbage is lost memory, never an error.

Lost memory is a restart: the hold starts anew with the present replicas, so nothing shrinks early.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from foretide.api.status import MAX_MEMORY_BYTES
from foretide.scaling import lead_time
from foretide.scaling.budget import WINDOWS_SECONDS, Spending
from foretide.scaling.capacity.evidence import (
    CLASS_STARTS,
    LONGEST_SECONDS,
    REMEMBERED_EXECUTIONS,
    SHORTEST_SECONDS,
    Evidence,
    aged,
)
from foretide.scaling.capacity.rate import LEAST_KAPPA, MOST_KAPPA
from foretide.scaling.learned import Learned
from foretide.scaling.memory import Memory
from foretide.scaling.risk import LEAST_SHIFT
from foretide.scaling.window import SLOTS, Window

VERSION: Final = 5
MOST_REPLICAS: Final = 2**31 - 1
# Wall clocks from 1970 to the year 5138: more is no time.
MOST_SECONDS: Final = 1e11
# 1e9 a second, for the longest window.
MOST_REQUESTS: Final = 1e16
# A day's discount of a hundred budgets an hour is 2,400 of them.
MOST_BUDGET_HOURS: Final = 1e4


@dataclass(frozen=True, slots=True)
class Lost:
    """There was text, and it is no memory of this service."""

    reason: str


@dataclass(frozen=True, slots=True)
class OfClass:
    """What is to be remembered of one of several hardware classes of a service."""

    name: str
    model: str
    learned: Learned
    row: int


def encode(memory: Memory, row: int, *, uid: str, model: str, classes: Sequence[OfClass] = ()) -> str:
    """One row as compact JSON, a few hundred bytes, and as much for each of several classes. `uid` is the object's;
    `model` names all that batch times depend on (model, version, backend, image, hardware class)."""
    window, spending = memory.window, memory.spending
    document: dict[str, object] = {
        "v": VERSION,
        "uid": _digest(uid),
        "items": _short(memory.items_per_request[row]),
        **_encoded(memory, row, model),
        "saved": _short(memory.risk.saved[row]),
        "foreseen": _short(memory.risk.foreseen_hours[row]),
        "late": _short(memory.risk.late_hours[row]),
        "spent": [[_short(one) for one in sums[row]] for sums in (spending.asked, spending.late, spending.measured)],
    }
    if classes:
        document["classes"] = {_digest(one.name): _encoded(one.learned, one.row, one.model) for one in classes}
    if window.started[row]:
        document["seen"] = round(float(window.last_seen_seconds[row]), 3)
        document["hold"] = float(window.hold_seconds[row])
        document["slot"] = int(window.slot[row])
        document["peaks"] = window.peaks[row].tolist()
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _encoded(learned: Memory | Learned, row: int, model: str) -> dict[str, object]:
    """What is learned of replicas of one kind."""
    evidence = learned.evidence
    return {
        "model": _digest(model),
        "kappa": _short(learned.kappa[row]),
        "starts": [[_short(seconds) for seconds in kind] for kind in lead_time.starts(learned.lead_times, row)],
        "batches": [
            [index, *(_long(column[row, index]) for column in (evidence.executions, evidence.items, evidence.seconds))]
            for index in np.flatnonzero(evidence.executions[row]).tolist()
        ],
    }


def decode(text: str, *, uid: str, model: str) -> Memory | Lost:
    """The memory (one row) that `encode` wrote for this very object. The object of another uid inherits nothing;
    another model keeps the hold, and of the batch times as much as gives way to the first new ones."""
    document = _document(text, uid)
    if isinstance(document, Lost):
        return document
    try:
        window = _window(document) if "seen" in document else Window.fresh(1)
        items = _number(document.get("items"), 1.0, 1e6)
        learned = _decoded(document, model)
        # A release that narrows a range must not lose the whole memory, and the hold with it.
        saved = np.clip(_number(document.get("saved"), -1e3, 0.0), LEAST_SHIFT, 0.0)
        foreseen, late = (_number(document.get(name), 0.0, MOST_BUDGET_HOURS) for name in ("foreseen", "late"))
        spending = _spending(document.get("spent"))
    except _Unsound as unsound:
        return Lost(f"unsound: {unsound}")
    fresh = Memory.fresh(1)
    return replace(
        fresh,
        window=window,
        items_per_request=np.array([items]),
        evidence=learned.evidence,
        kappa=learned.kappa,
        lead_times=learned.lead_times,
        spending=spending,
        risk=replace(
            fresh.risk, saved=np.array([saved]), foreseen_hours=np.array([foreseen]), late_hours=np.array([late])
        ),
    )


def decode_class(text: str, name: str, *, uid: str, model: str) -> Learned | Lost:
    """What was remembered of the hardware class of this name (one row), under the same conditions."""
    document = _document(text, uid)
    if isinstance(document, Lost):
        return document
    classes = document.get("classes")
    found = classes.get(_digest(name)) if isinstance(classes, dict) else None
    if not isinstance(found, dict):
        return Lost("of other hardware classes")
    try:
        return _decoded(found, model)
    except _Unsound as unsound:
        return Lost(f"unsound: {unsound}")


def _document(text: str, uid: str) -> dict[str, object] | Lost:
    if len(text) > MAX_MEMORY_BYTES:
        return Lost(f"longer than {MAX_MEMORY_BYTES} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Lost("not JSON")
    if not isinstance(document, dict) or document.get("v") != VERSION:
        return Lost(f"not of version {VERSION}")
    if document.get("uid") != _digest(uid):
        return Lost("of another object")
    return document


def _decoded(document: dict[str, object], model: str) -> Learned:
    evidence = _evidence(document.get("batches"))
    kappa = np.clip(_number(document.get("kappa"), 0.0, 1e3), LEAST_KAPPA, MOST_KAPPA)
    return Learned(
        evidence=evidence if document.get("model") == _digest(model) else aged(evidence),
        kappa=np.array([kappa]),
        lead_times=lead_time.remembered(_starts(document.get("starts"))),
    )


class _Unsound(Exception):
    """A value that `encode` never writes."""


def _window(document: dict[str, object]) -> Window:
    peaks = _list(document.get("peaks"), SLOTS)
    return Window(
        started=np.array([True]),
        last_seen_seconds=np.array([_number(document.get("seen"), 0.0, MOST_SECONDS)]),
        hold_seconds=np.array([_number(document.get("hold"), 0.0, MOST_SECONDS)]),
        slot=np.array([int(_number(document.get("slot"), 0, MOST_SECONDS))]),
        peaks=np.array([[int(_number(peak, 0, MOST_REPLICAS)) for peak in peaks]], dtype=np.int64),
    )


def _evidence(batches: object) -> Evidence:
    evidence = Evidence.none(1)
    if not isinstance(batches, list) or len(batches) > len(CLASS_STARTS):
        raise _Unsound("batches")
    for batch in batches:
        index, executions, items, seconds = _list(batch, 4)
        column = int(_number(index, 0, len(CLASS_STARTS) - 1))
        count = _number(executions, 0.999, REMEMBERED_EXECUTIONS * 1.001)
        evidence.executions[0, column] = count
        # Rounding to six digits may move a mean out of its range by a little.
        evidence.items[0, column] = _number(items, 0.999 * count * CLASS_STARTS[column], 1.001e12 * count)
        evidence.seconds[0, column] = _number(
            seconds, 0.999 * count * SHORTEST_SECONDS, 1.001 * count * LONGEST_SECONDS
        )
    return evidence


def _spending(sums: object) -> Spending:
    windows = len(WINDOWS_SECONDS) + 1
    asked, late, measured = (
        np.array([[_number(one, 0.0, MOST_REQUESTS) for one in _list(column, length)]])
        for column, length in zip(_list(sums, 3), (windows, windows, 2), strict=True)
    )
    return replace(Spending.fresh(1), asked=asked, late=np.minimum(late, asked), measured=measured)


def _starts(kinds: object) -> list[list[float]]:
    found = [kind if isinstance(kind, list) else [] for kind in _list(kinds, lead_time.KINDS)]
    if any(len(kind) > lead_time.REMEMBERED for kind in found):
        raise _Unsound("starts")
    shortest, longest = lead_time.SHORTEST_SECONDS, lead_time.LONGEST_SECONDS
    return [[_number(seconds, 0.999 * shortest, 1.001 * longest) for seconds in kind] for kind in found]


def _list(value: object, length: int) -> list[object]:
    if not isinstance(value, list) or len(value) != length:
        raise _Unsound(f"{value!r:.40} is not a list of {length}")
    return value


def _number(value: object, low: float, high: float) -> float:
    # bool is an int to Python; NaN fails both comparisons; an int of 4,000 digits compares without overflow.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _Unsound(f"{value!r:.40} is not a number from {low:g} to {high:g}")
    return float(value)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _short(value: np.float64) -> float:
    return float(f"{value:.6g}")


def _long(value: np.float64) -> float:
    """For sums that a regression takes differences of: of six digits, a fixed time of 84 ms came back 0.13 ms off."""
    return float(f"{value:.10g}")
