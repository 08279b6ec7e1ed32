"""What status tells of a policy that is tried in the shadow, and what a restart takes up from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from foretide.api.conditions import MAX_MESSAGE_LENGTH, rfc3339
from foretide.api.cost import Cost
from foretide.api.reasons import Reason
from foretide.control.numbers import HOUR_SECONDS, number, plain
from foretide.scaling.journal import MOST_REPLICAS
from foretide.scaling.shadow import Side, Tally

# Told anew once a tenth of the time was added, and within the hour: 4 writes in the first hour, then 1 an hour; and a
# restart loses no more than that.
TOLD_SHARE, LEAST_HOURS, MOST_HOURS = 0.1, 0.25, 1.0
# A sum above it was edited by hand: all services of the largest clusters are asked for less in a lifetime.
ABSURD: Final = 1e15
# All late is told as a little more than all, at most.
ROUNDED: Final = 1.0 + 1e-6


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one challenger stands."""

    policy: str
    compared: str | None  # both policies by uid and generation; None where there is no other
    reason: Reason | None  # why nothing is compared now
    message: str
    replicas: int | None = None
    tally: Tally | None = None  # of one row; None where nothing was compared

    @property
    def late_share(self) -> Mapping[Side, float] | None:
        """Of all that was asked; None before anything was."""
        if self.tally is None or self.tally.asked[0] <= 0.0:
            return None
        return {side: float(self.tally.late[0, side] / self.tally.asked[0]) for side in Side}


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a restart goes on with."""

    replicas: int
    tally: Tally


def told(verdict: Verdict | None, cost: Cost | None, previous: object) -> dict[str, Any]:
    """The field `challenger` of a status; empty without a challenger. `previous` is what was told last."""
    if verdict is None:
        return {}
    before = previous if isinstance(previous, Mapping) else {}
    stated: dict[str, Any] = {"policy": verdict.policy}
    if verdict.reason is not None:
        stated |= {"reason": verdict.reason.value, "message": verdict.message[:MAX_MESSAGE_LENGTH]}
    if verdict.compared is not None:
        stated["compared"] = verdict.compared
    same = before.get("compared") == verdict.compared
    if verdict.tally is None:
        kept = {name: value for name, value in before.items() if name not in ("reason", "message")}
        return {"challenger": {**kept, **stated} if same and verdict.compared is not None else stated}
    stated["since"] = rfc3339(datetime.fromtimestamp(float(verdict.tally.since_seconds[0]), UTC))
    hours = verdict.tally.judged_seconds[0] / HOUR_SECONDS
    passed = hours - number(before.get("hours"))
    if (
        same
        and 0.0 <= passed < min(max(TOLD_SHARE * hours, LEAST_HOURS), MOST_HOURS)
        and all(before.get(name) == stated.get(name) for name in ("policy", "reason", "message", "since"))
    ):
        return {"challenger": dict(before)}
    late = verdict.late_share
    return {
        "challenger": {
            **stated,
            "hours": _sum(hours),
            "inferences": _sum(verdict.tally.asked[0]),
            "replicas": verdict.replicas,
            "score": _score(verdict.tally, late, Side.CHALLENGER, cost),
            "championScore": _score(verdict.tally, late, Side.CHAMPION, cost),
        }
    }


def _score(tally: Tally, late: Mapping[Side, float] | None, side: Side, cost: Cost | None) -> dict[str, str]:
    hours, replica_hours = tally.judged_seconds[0] / HOUR_SECONDS, tally.replica_seconds[0, side] / HOUR_SECONDS
    score = {"late": _sum(tally.late[0, side]), "replicaHours": _sum(replica_hours)}
    if late is not None:
        score["attainment"] = f"{100.0 * (1.0 - late[side]):.3f}"
    if cost is not None and hours > 0.0:
        score["costPerHour"] = _sum(replica_hours / hours * cost.amount_per_hour, digits=4)
    return score


def resumed(told: object, compared: str | None, *, now_seconds: float) -> Resumed | None:
    """What the status of the same two policies tells; None where it does not, or was edited into what cannot be."""
    if compared is None or not isinstance(told, Mapping) or told.get("compared") != compared:
        return None
    scores = [score for name in ("championScore", "score") if isinstance(score := told.get(name), Mapping)]
    if len(scores) < len(Side):
        return None
    late, replica_hours = ([number(score.get(name)) for score in scores] for name in ("late", "replicaHours"))
    since, hours, asked, replicas = (
        _moment(told.get("since")),
        *(number(told.get(name)) for name in ("hours", "inferences", "replicas")),
    )
    sums = np.array([hours, asked, replicas, *late, *replica_hours])
    if not ((sums >= 0.0) & (sums <= ABSURD)).all() or max(late) > ROUNDED * asked or replicas > MOST_REPLICAS:
        return None
    # Nothing is compared before it began: half a minute for clocks that differ.
    if not since <= now_seconds or hours * HOUR_SECONDS > now_seconds - since + 30.0:
        return None
    tally = Tally(
        since_seconds=np.array([since]),
        judged_seconds=np.array([hours * HOUR_SECONDS]),
        asked=np.array([asked]),
        late=np.minimum([late], asked),
        replica_seconds=np.array([replica_hours]) * HOUR_SECONDS,
    )
    return Resumed(int(replicas), tally)


def _sum(amount: float, *, digits: int = 7) -> str:
    """So many digits and no exponent, of any amount up to 1e15; a whole number has all of its own."""
    if not 0.0 < amount <= ABSURD:
        return "0" if amount <= 0.0 else f"{ABSURD:.0f}"
    places = min(max(digits - 1 - math.floor(math.log10(amount)), 0), 9)
    return plain(amount, places=places)


def _moment(text: object) -> float:
    """Unix time of RFC 3339; NaN where it is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return math.nan
    return found.timestamp() if found.tzinfo is not None else math.nan
