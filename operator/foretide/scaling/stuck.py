"""Replicas that do not start, and how many are asked for meanwhile.

More of the same are no cure: a fleet whose new pods crashed was grown to its maximum for them (k8s#87199), and one
without room was asked for ever more of it (k8s#76187). So growth goes one step beyond what runs, and no further until
that starts, too. What was asked for stays asked for: pods that wait are what a cluster autoscaler adds nodes for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from foretide.scaling.decision import Bound, Decisions, Hindrance, Stuck

BOUNDS: Final[dict[Hindrance, Bound]] = {cause: cause.bound for cause in Hindrance if cause is not Hindrance.NONE}


def restrain(made: Decisions, stuck: Stuck | None) -> Decisions:
    """The decisions, none of them for more than `stuck.most`; a minimum and a pinned number are orders, and hold.

    It takes nothing away that is there, so it neither shrinks a fleet nor makes one flap: with the pods that start it
    lets go by itself.
    """
    if stuck is None:
        return made
    bounds = made.bounds
    most = np.maximum(stuck.most(made.fleet.replicas), bounds.minimum)
    cut = (stuck.cause != Hindrance.NONE) & (made.desired > most) & ~bounds.paused & ~bounds.is_pinned
    names = np.select([stuck.cause == cause for cause in BOUNDS], [int(bound) for bound in BOUNDS.values()])
    return replace(
        made,
        desired=np.where(cut, most, made.desired),
        bound=np.where(cut, names, made.bound),
        stuck=stuck,
    )
