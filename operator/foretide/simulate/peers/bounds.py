"""What every peer does alike: the orders of the user, the range checks of knobs, the names of rules."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeVar

import numpy as np

from foretide.scaling.arrays import Bools, Floats, Ints
from foretide.scaling.decision import Bounds
from foretide.scaling.policy import Observation
from foretide.simulate.peers.answer import PeerAnswer

M = TypeVar("M")

# Far above any maximum and far below what an int64 holds; a ratio of a broken reading ends here.
MOST_REPLICAS: Final = 1e9


def between(replicas: Ints, bounds: Bounds) -> Ints:
    """As many, but not below the minimum and not above the maximum, which wins where they contradict."""
    return np.minimum(np.maximum(replicas, bounds.minimum), bounds.maximum)


def ordered(bounds: Bounds) -> Bools:
    """Services whose number the user has fixed: a peer decides nothing there."""
    return bounds.paused | bounds.is_pinned


def labels(rules: type[IntEnum]) -> tuple[str, ...]:
    """The names of the rules in one CamelCase word each, in the order of their numbers."""
    return tuple(member.name.title().replace("_", "") for member in rules)


def answer(*, desired: Ints, rule: Ints, rules: tuple[str, ...], memory: M, seen: Observation) -> PeerAnswer[M]:
    """The answer, after the user's orders: paused stays as it is, else pinned is that number."""
    bounds = seen.bounds
    return PeerAnswer(
        desired=np.where(bounds.paused, seen.fleet.replicas, np.where(bounds.is_pinned, bounds.pinned, desired)),
        memory=memory,
        rule=np.where(bounds.paused, len(rules), np.where(bounds.is_pinned, len(rules) + 1, rule)),
        rules=(*rules, "Paused", "Pinned"),
    )


def due(ran_at_seconds: Floats, *, every_seconds: float, tick_seconds: float, now_seconds: float) -> Bools:
    """Services whose slower loop runs at this tick: it has never run, or its period is over within half a tick.

    Half a tick, so that ticks which come a little early do not make a loop of 30 s run every 45 s.
    """
    return now_seconds - ran_at_seconds >= every_seconds - tick_seconds / 2.0


def whole_replicas(ratio: Floats) -> Ints:
    """The next whole number of replicas; nan is none, infinity the most there can be."""
    return np.ceil(np.clip(np.nan_to_num(ratio, posinf=MOST_REPLICAS), 0.0, MOST_REPLICAS)).astype(np.int64)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuses a knob outside of [low, high], with its name, value and range."""
    if not low <= value <= high:
        raise ValueError(f"{name} must be within [{low}, {high}], not {value}")
