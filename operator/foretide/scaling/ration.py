"""Where services share a quota that is too small for what was decided: who gets how much of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from foretide.scaling.arbitrate import NO_QUOTA, Claims, Lateness, grant
from foretide.scaling.arrays import Floats, total
from foretide.scaling.decision import Bound, Decisions, Quotas
from foretide.scaling.forecast.sight import POINTS, WEIGHTS, Foresight, Target
from foretide.scaling.normal import normal_score


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
    granted = np.where(kept, made.desired, grant(claims, _lateness(made, foresight), quota=left).granted)
    return replace(
        made,
        desired=granted,
        bound=np.where(granted < made.desired, int(Bound.QUOTA), made.bound),
        quota=quotas.of_each(),
    )


def _lateness(made: Decisions, foresight: Foresight) -> Lateness:
    """Of what is foreseen, and never of less than is asked for now; of the latter where no forecast is trusted."""
    asked = (made.seen.demand.value + made.backlog / made.settings.drain_seconds)[:, None]
    return Lateness(
        shares=WEIGHTS,
        soon_rps=np.maximum(_points(foresight, Target.MEANWHILE), asked),
        ahead_rps=np.maximum(_points(foresight, Target.AHEAD), asked),
        saturation_rps=made.capacity.rate_rps / made.capacity.utilisation,
        utilisation=made.capacity.utilisation,
        objective=made.capacity.objective,
        known=made.seen.demand.known,
        minimum=made.bounds.minimum,
        running=made.fleet.replicas,
        wanted=made.desired,
    )


def _points(foresight: Foresight, target: Target) -> Floats:
    """[services, points]; 0 where nothing is foreseen."""
    services = len(foresight.trust)
    found = [foresight.at(target, np.full(services, score)).value for score in normal_score(POINTS)]
    return np.stack(found, axis=1)
