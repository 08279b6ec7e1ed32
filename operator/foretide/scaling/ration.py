"""Where services share a quota that is too small for what was decided: who gets how much of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foretide.scaling.arbitrate import NO_QUOTA, Claims, Curves, grant
from foretide.scaling.arrays import total
from foretide.scaling.decision import Bound, Decisions, Quotas
from foretide.scaling.forecast.sight import Foresight, Target
from foretide.scaling.readings import Readings


def ration(made: Decisions, quotas: Quotas, foresight: Foresight) -> Decisions:
    """The decisions, none of them for more replicas; nobody gets more than was decided for it.

    Paused and pinned services keep what they have, and the others share what that leaves. They are served by priority,
    then where a replica saves the most of an error budget: 1 % late is all that an objective of 99 % allows, and a
    tenth of what 90 % does, however many requests it is.
    """
    if not len(quotas.limit):
        return made
    groups = len(quotas.limit)
    kept = made.bounds.paused | made.bounds.is_pinned
    theirs = kept & (quotas.group >= 0)
    taken = total(quotas.group[theirs], made.desired[theirs].astype(np.float64), length=groups)
    claims = Claims(
        group=np.where(kept, NO_QUOTA, quotas.group),
        priority=quotas.priority,
        desired=made.desired,
        minimum=made.bounds.minimum,
        running=made.fleet.replicas,
    )
    left = np.maximum(quotas.limit - taken.astype(np.int64), 0)
    granted = np.where(kept, made.desired, grant(claims, _curves(made, foresight), quota=left).granted)
    return replace(
        made,
        desired=granted,
        bound=np.where(granted < made.desired, int(Bound.QUOTA), made.bound),
        quota=quotas.of_each(),
    )


def _curves(made: Decisions, foresight: Foresight) -> Curves:
    """What is foreseen, and never less than is asked for now; the latter alone where no forecast is trusted."""
    asked = (made.seen.demand.value + made.backlog / made.settings.drain_seconds)[:, None]
    foreseen = np.where(foresight.trusted[:, None], foresight.demand_rps[:, Target.AHEAD], 0.0)
    demand = np.maximum(foreseen, asked)
    return Curves(
        levels=foresight.levels,
        demand_rps=Readings(value=demand, known=np.broadcast_to(made.seen.demand.known[:, None], demand.shape)),
        rate_rps=made.capacity.rate_rps,
        weight=1.0 / (1.0 - made.capacity.objective),
    )
