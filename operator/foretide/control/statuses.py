"""The autoscale loop's part of the status of each service, after a tick has decided for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from foretide.adapters.resources import Object
from foretide.api.pause import is_paused
from foretide.control import challenge_status, class_reasons, hardware_status, scaling_status
from foretide.control.act import Untaken
from foretide.control.challenge_status import Verdict
from foretide.control.observe import NoMetrics
from foretide.control.places import Place
from foretide.control.scaling_conditions import Circumstances
from foretide.control.serving_status import rollout
from foretide.control.table import Row
from foretide.control.world import Key
from foretide.scaling.budget import Account
from foretide.scaling.decision import Decisions
from foretide.scaling.policy import Observation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statuses:
    """What they are made of."""

    made: Decisions
    account: Account  # of the error budgets of all services
    seen: Observation
    no_metrics: NoMetrics | None
    verdicts: Mapping[Key, Verdict]  # on the policies that are tried in the shadow
    now_seconds: float  # Unix time

    def of(
        self,
        index: int,
        row: Row,
        *,
        before: Mapping[str, Any],
        pods: Sequence[Object],
        places: Sequence[tuple[Place, int]],
        untaken: Untaken | None,
    ) -> dict[str, Any]:
        """Of the service in that row, whose status was `before`, without the memory. `places`: its classes and the row
        of each in `seen.classes`, none where it lists one class only; `untaken`: the number that /scale did not
        take."""
        hardware_class = row.served.hardware_class
        known = Circumstances(
            generation=row.served.service.generation,
            no_metrics=self.no_metrics,
            foreign_scaler=row.foreign_scaler,
            policy=row.policy,
            hardware_class=hardware_class,
            now=datetime.fromtimestamp(self.now_seconds, UTC),
            refusal=rollout(row.deployment).refusal,
            by_hand=row.by_hand,
            untaken=untaken,
            divided=row.hardware if row.places else (),
            paused=is_paused(row.raw),
            account=self.account,
        )
        verdict = self.verdicts.get(row.key)
        return {
            **scaling_status.status(self.made, index, known, before),
            "hardware": hardware_status.entries(class_reasons.states(self.made, self.seen, index, row, places, pods)),
            **challenge_status.told(verdict, hardware_class.spec.cost, before.get("challenger")),
        }
