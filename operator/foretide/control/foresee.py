"""A forecast that fails takes nothing but itself along: the load of now decides, and the log says what failed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from foretide.scaling.brain import Foresee
from foretide.scaling.forecast.foresight import Foresight, Target, Trust
from foretide.scaling.forecast.model import GlobalModel
from foretide.scaling.forecast.sight import Outlook, Sight, look
from foretide.scaling.parts import NOTHING, Part
from foretide.scaling.readings import Readings

log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Guarded:
    """A `Foresee`; what it guards is a model that a library runs, over numbers from anywhere."""

    inner: Foresee = look
    _said: str = field(default="", init=False)

    def __call__(
        self,
        sight: Sight,
        model: GlobalModel,
        demand: Readings,
        outlook: Outlook,
        *,
        now_seconds: float,
        without: frozenset[Part] = NOTHING,
    ) -> tuple[Sight, Foresight]:
        """What `inner` says; where it raises nothing is foreseen (Trust.MISSED), and the load of now is remembered."""
        try:
            found = self.inner(sight, model, demand, outlook, now_seconds=now_seconds, without=without)
        except Exception as error:
            if (said := repr(error)) != self._said:  # once, and not at each tick
                self._said = said
                log.exception("the forecast failed; the load of now decides")
            remembered = replace(sight, history=sight.history.append(demand, now_seconds=now_seconds))
            return remembered, _nothing(len(sight), model)
        self._said = ""
        return found


def _nothing(services: int, model: GlobalModel) -> Foresight:
    return Foresight(
        levels=model.levels,
        demand_rps=np.zeros((services, len(Target), len(model.levels))),
        trust=np.full(services, Trust.MISSED),
    )
