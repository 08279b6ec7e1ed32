"""The three states in which a service can be, each as a consistent Ready, Reconciling and Stalled."""

from foretide.api.conditions import Condition, ConditionStatus, ConditionType
from foretide.api.reasons import Reason

Summary = tuple[Condition, Condition, Condition]


def settled(message: str, *, generation: int, reason: Reason = Reason.AVAILABLE) -> Summary:
    """Ready, and nothing is changing."""
    return (
        Condition(ConditionType.READY, ConditionStatus.TRUE, reason, message, generation),
        _not_reconciling(generation),
        _not_stalled(generation),
    )


def progressing(reason: Reason, message: str, *, generation: int, ready: ConditionStatus) -> Summary:
    """On the way, and no person is needed; `ready` says whether the service answers meanwhile."""
    return (
        Condition(ConditionType.READY, ready, reason, message, generation),
        Condition(ConditionType.RECONCILING, ConditionStatus.TRUE, reason, message, generation),
        _not_stalled(generation),
    )


def stalled(
    reason: Reason, message: str, *, generation: int, ready: ConditionStatus = ConditionStatus.FALSE
) -> Summary:
    """Blocked until a person acts; `ready` is True where older pods still answer."""
    return (
        Condition(ConditionType.READY, ready, reason, message, generation),
        _not_reconciling(generation),
        Condition(ConditionType.STALLED, ConditionStatus.TRUE, reason, message, generation),
    )


def _not_reconciling(generation: int) -> Condition:
    message = "Nothing is being changed."
    return Condition(ConditionType.RECONCILING, ConditionStatus.FALSE, Reason.UP_TO_DATE, message, generation)


def _not_stalled(generation: int) -> Condition:
    message = "Nothing blocks progress."
    return Condition(ConditionType.STALLED, ConditionStatus.FALSE, Reason.NOT_STALLED, message, generation)
