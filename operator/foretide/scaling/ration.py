"""Where services share a quota that is too small for what was decided: who gets how much of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foretide.scaling.arbitrate import NO_QUOTA, Claims, Lateness, grant
from foretide.scaling.arrays import Ints, total
from foretide.scaling.decision import Bound, Decisions, Quotas
from foretide.scaling.forecast.foresight import WEIGHTS, Foresight, Target


def ration(made: Decisions, quotas: Quotas, foresight: Foresight, *, may_shrink: bool = True) -> Decisions:
    """The decisions, none of them for more replicas; nobody gets more than was decided for it.

    Paused services keep what they have, and the others share what that leaves. They are served by priority, then where
    a replica saves the most of an error budget: 1 % late is all that an objective of 99 % allows, and a tenth of what
    90 % does, however many requests it is. A pinned number is a minimum: an order for that service, and none over the
    quota. Unknown never shrinks: where pods are silent, and everywhere unless `may_shrink`, what runs is kept as
    minimums are.

    A quota takes replicas that run at once, however many, during a roll-out, too. It is the order of the administrator,
    as a maximum is the user's, and while one service kept more than its part, another could not have its own.
    """
    if not len(quotas.limit):
        return made
    paused = made.bounds.paused
    theirs = paused & (quotas.group >= 0)
    taken = total(quotas.group[theirs], made.desired[theirs].astype(np.float64), length=len(quotas.limit))
    minimum = np.where(made.bounds.is_pinned, made.bounds.pinned, made.bounds.minimum)
    claims = Claims(
        group=np.where(paused, NO_QUOTA, quotas.group),
        priority=quotas.priority,
        desired=made.desired,
        minimum=minimum,
        running=made.fleet.replicas,
    )
    left = np.maximum(quotas.limit - taken.astype(np.int64), 0)
    worth = _lateness(made, foresight, minimum, may_shrink=may_shrink)
    granted = np.where(paused, made.desired, grant(claims, worth, quota=left))
    return replace(
        made,
        desired=granted,
        bound=np.where(granted < made.desired, int(Bound.QUOTA), made.bound),
        quota=quotas.of_each(),
    )


def _lateness(made: Decisions, foresight: Foresight, minimum: Ints, *, may_shrink: bool) -> Lateness:
    """Of what is foreseen, and never of less than is asked for now; of the latter where no forecast is trusted."""
    asked = made.load_rps[:, None]
    return Lateness(
        shares=WEIGHTS,
        soon_rps=np.maximum(foresight.points(Target.MEANWHILE), asked),
        ahead_rps=np.maximum(foresight.points(Target.AHEAD), asked),
        saturation_rps=made.capacity.saturation_rps,
        utilisation=made.capacity.utilisation,
        objective=made.capacity.objective,
        # Where pods are silent the demand is a lower bound: of 8 replicas with 7 silent, 4 went to a neighbour.
        known=made.seen.demand.known & (made.seen.silent == 0) & may_shrink,
        minimum=minimum,
        running=made.fleet.replicas,
        wanted=made.desired,
    )
