"""Replicas that somebody else sets: told once, brought back, and left alone where it becomes a fight.

A number is somebody else's when the Deployment's spec has changed since the operator looked at it or wrote to it, when
it is none that the operator left there, and when managedFields (where they are told) do not name the operator as who
set it. A roll-out changes the spec and not the number; an event from before our own write has an older generation.

A number that the load agrees with is no fight, however often it is set: what counts are changes that were reverted.

A restart forgets how often it happened, and finds in status what was left: the last decision and the number wanted.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from foretide.adapters.resources import Object
from foretide.api import conditions, group
from foretide.api.conditions import ConditionType
from foretide.api.durations import format_seconds
from foretide.api.reasons import Reason
from foretide.control.world import Key

# That many changes in one direction within an hour, all but the last of which were reverted, are no accident, and
# neither side would win.
CONTESTS: Final = 3
CONTEST_SECONDS: Final = 3_600.0
# Then replicas are left alone until nobody has changed them for so long.
QUIET_SECONDS: Final = 1_800.0
NEVER: Final = -1  # older than any generation


@dataclass(frozen=True, slots=True)
class Stand:
    """What the operator makes of what others did."""

    reason: Reason | None = None  # why replicas are left alone, if they are
    message: str = ""
    change: str = ""  # what somebody did since the last look, in a sentence


FREE: Final = Stand()
OFF: Final = Stand(
    Reason.SCALED_TO_ZERO, "the Deployment was scaled to 0: the service is off until somebody scales it up again"
)


@dataclass(slots=True)
class _Known:
    """A Deployment as it was left."""

    uid: str
    generation: int
    number: int  # that it was left with
    ours: frozenset[int]  # numbers that need nobody else to explain them
    off: bool = False  # somebody else left it at 0
    standing: tuple[float, bool] | None = None  # the last change of others, not reverted: when, and whether it grew
    reverted: list[tuple[float, bool]] = field(default_factory=list)
    contested_at: float | None = None  # the last change of a fight

    def note(self, now_seconds: float, *, grew: bool) -> None:
        """Somebody changed the number."""
        self.standing = (now_seconds, grew)
        self.reverted = [one for one in self.reverted if now_seconds - one[0] < CONTEST_SECONDS]
        if self.contested_at is not None or sum(way == grew for _, way in self.reverted) >= CONTESTS - 1:
            self.contested_at = now_seconds

    def answer(self, *, grew: bool) -> None:
        """The operator changed the number."""
        if self.standing is not None and self.standing[1] != grew:
            self.reverted.append(self.standing)
        self.standing = None

    def is_contested(self, now_seconds: float) -> bool:
        """Whether somebody fights for the number; it ends by itself."""
        if self.contested_at is not None and now_seconds - self.contested_at >= QUIET_SECONDS:
            self.trust()
        return self.contested_at is not None

    def trust(self) -> None:
        """Nobody fights."""
        self.standing, self.reverted, self.contested_at = None, [], None


class ByHand:
    """Remembers how each Deployment was left at the last tick."""

    def __init__(self) -> None:
        self._known: dict[Key, _Known] = {}

    def keep(self, keys: Container[Key]) -> None:
        """Forgets all other services."""
        self._known = {key: known for key, known in self._known.items() if key in keys}

    def look(self, key: Key, deployment: Object, status: Mapping[str, Any], *, now_seconds: float, acts: bool) -> Stand:
        """What happened since the last look; `acts` is false where the number is not the operator's to change.

        `status` is of use at the first look of a process.
        """
        metadata, replicas = deployment["metadata"], deployment["spec"].get("replicas", 1)
        generation = metadata.get("generation", 0)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _restarted(deployment, status, now_seconds=now_seconds)
        elif known.uid != metadata["uid"]:  # made anew: what happened to the other is over
            # What was off comes back with the number that it had.
            known = self._known[key] = replace(_met(deployment, status), off=known.off)
        before, was_off = known.number, known.off
        changed = generation > known.generation and replicas not in known.ours
        changed = changed and group.AUTOSCALE_MANAGER not in _setters(deployment)
        is_set_off = generation > known.generation and _is_set_to_zero(deployment, known)
        known.off = replicas == 0 and (was_off or is_set_off)
        if generation > known.generation:
            # At the first look of a process the view may be older than what the one before wrote.
            explained = known.ours if known.generation < 0 else frozenset()
            known.generation, known.number, known.ours = generation, replicas, explained | {replicas}
        if not acts:
            known.trust()
            return FREE
        if known.off:
            return OFF
        change = ""
        if changed and not was_off:  # else it is on again
            known.note(now_seconds, grew=replicas > before)
            who = ", ".join(filter(None, _setters(deployment))) or "somebody else"
            change = f"{who} scaled the Deployment from {before} to {replicas}"
        if not known.is_contested(now_seconds):
            return Stand(change=change)
        message = (
            f"somebody else set the number of replicas {CONTESTS} times within {format_seconds(CONTEST_SECONDS)} "
            f"against the load; it is left alone until nobody has for {format_seconds(QUIET_SECONDS)}"
        )
        return Stand(Reason.MANUAL_SCALE_CONTESTED, message, change)

    def wrote(self, key: Key, replicas: int, *, done: bool) -> None:
        """The operator wrote the number; where the answer is lost or was no, either number may be there."""
        known = self._known.get(key)
        if known is not None:
            if done:
                known.answer(grew=replicas > known.number)
            known.ours = frozenset({replicas}) if done else known.ours | {replicas}
            known.number = replicas if done else known.number


def _restarted(deployment: Object, status: Mapping[str, Any], *, now_seconds: float) -> _Known:
    """As the process before left it, by the status that it wrote."""
    active = conditions.read(status).get(ConditionType.SCALING_ACTIVE)
    reason = active.reason if active is not None else None
    metadata, wanted = deployment["metadata"], status.get("desiredReplicas")
    if not isinstance(wanted, int) or metadata.get("generation", 0) <= 1:
        known = _met(deployment, status)
    else:
        # Status comes first: a process that died before its /scale left the number of before, or an earlier one, where
        # it decided on a view that was old. That 0 is wanted says nothing: it is also told where others left it there.
        known = _Known(metadata["uid"], NEVER, wanted, _told(status) | {wanted} - {0})
    known.off = reason is Reason.SCALED_TO_ZERO
    if reason is Reason.MANUAL_SCALE_CONTESTED:
        known.contested_at = now_seconds
    return known


def _met(deployment: Object, status: Mapping[str, Any]) -> _Known:
    """A Deployment as it is met for the first time: its number is taken as it is, but for a 0 that nothing explains."""
    replicas = deployment["spec"].get("replicas", 1)
    ours = frozenset({replicas}) - {0} | _told(status) & {0}
    return _Known(deployment["metadata"]["uid"], NEVER, replicas, ours)


def _is_set_to_zero(deployment: Object, known: _Known) -> bool:
    """By others: a quota may leave a service nothing. Who set it is the better witness, where it is told."""
    setters = _setters(deployment)
    return group.AUTOSCALE_MANAGER not in setters if setters else 0 not in known.ours


def _told(status: Mapping[str, Any]) -> frozenset[int]:
    """The numbers that the operator decided on, and those that it found then."""
    numbers = (number for one in _decisions(status) for number in (one.get("from"), one.get("to")))
    return frozenset(number for number in numbers if isinstance(number, int))


def _decisions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those that status tells; what is none is passed over."""
    decisions = status.get("decisions")
    return [one for one in decisions if isinstance(one, Mapping)] if isinstance(decisions, list) else []


def _setters(deployment: Object) -> list[str]:
    """The field managers that own spec.replicas, as far as they are known."""
    return [entry["manager"] for entry in deployment["metadata"].get("managedFields", ())]
