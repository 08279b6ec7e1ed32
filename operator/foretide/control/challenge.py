"""The policies that are tried in the shadow: which services have one, and what is remembered of it between ticks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from foretide.api.reasons import Reason
from foretide.api.scalingpolicy import ScalingPolicySpec
from foretide.control.by_hand import Stand
from foretide.control.challenge_status import Verdict, resumed
from foretide.control.policies import Challenge, tuning
from foretide.control.world import Key
from foretide.scaling import rows
from foretide.scaling.arrays import Ints
from foretide.scaling.brain import Brain
from foretide.scaling.decision import Decisions
from foretide.scaling.memory import Memory
from foretide.scaling.policy import Observation
from foretide.scaling.shadow import Shadow, Tally, judge

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contest:
    """One service whose policy names a challenger."""

    row: int  # among the services of the tick
    key: Key
    uid: str
    challenge: Challenge
    foreign_scaler: str | None
    by_hand: Stand
    told: object  # status.challenger, as the API server shows it


@dataclass(frozen=True, slots=True)
class _Whose:
    """Of another service, or of other policies, nothing is taken over."""

    key: Key
    uid: str
    compared: str | None


class Challenges:
    """Keeps the memory of all challengers between ticks."""

    def __init__(self, brain: Brain) -> None:
        self._brain: Final = brain
        self._shadow = Shadow.none()
        self._rows: dict[_Whose, int] = {}

    def judge(
        self, contests: Sequence[Contest], seen: Observation, memory: Memory, made: Decisions
    ) -> dict[Key, Verdict]:
        """What is to be told of each challenger. `memory` is what `made` was decided with; neither is changed, and a
        fault here is told and harms nobody."""
        try:
            return self._judged(contests, seen, memory, made)
        except Exception:
            log.exception("a fault of the operator in comparing policies; what they decide goes on")
            reason = Reason.CHALLENGER_FAULT
            return {
                one.key: Verdict(one.challenge.name, one.challenge.compared, reason=reason, message=reason.meaning)
                for one in contests
            }

    def _judged(
        self, contests: Sequence[Contest], seen: Observation, memory: Memory, made: Decisions
    ) -> dict[Key, Verdict]:
        followed, specs = [], []
        verdicts = {}
        for one in contests:
            spec = one.challenge.spec
            if isinstance(spec, ScalingPolicySpec):
                followed.append(one)
                specs.append(spec)
            else:
                verdicts[one.key] = Verdict(one.challenge.name, None, reason=spec.reason, message=spec.message)
        if followed:
            challenged = np.array([one.row for one in followed], dtype=np.int64)
            shadow = judge(
                self._brain,
                seen,
                memory,
                made,
                self._recalled(followed, challenged, seen, memory),
                challenged=challenged,
                tuning=tuning(specs),
            )
        else:
            shadow = Shadow.none()
        self._shadow = shadow
        self._rows = {_whose(one): row for row, one in enumerate(followed)}
        for row, one in enumerate(followed):
            reason, message = _unscored(one, made)
            verdicts[one.key] = Verdict(
                one.challenge.name,
                one.challenge.compared,
                reason=reason,
                message=message,
                replicas=int(shadow.replicas[row]),
                tally=rows.take(shadow.tally, np.array([row])),
            )
        return verdicts

    def _recalled(self, contests: Sequence[Contest], challenged: Ints, seen: Observation, memory: Memory) -> Shadow:
        """One row per contest, in order: of the last tick, else begun, with the sums of its status if it has some."""
        found = [self._rows.get(_whose(one), -1) for one in contests]
        if found == list(range(len(self._shadow))):
            return self._shadow
        new = [place for place, row in enumerate(found) if row < 0]
        for number, place in enumerate(new):
            found[place] = len(self._shadow) + number
        begun = self._begun([contests[place] for place in new], challenged[new], seen, memory)
        return rows.take(Shadow.concatenate([self._shadow, begun]), np.array(found, dtype=np.int64))

    def _begun(self, contests: Sequence[Contest], challenged: Ints, seen: Observation, memory: Memory) -> Shadow:
        really = seen.fleet.replicas[challenged]
        replicas, tallies = really.copy(), [Tally.begun(0, now_seconds=seen.now_seconds)]
        for place, one in enumerate(contests):
            before = resumed(one.told, one.challenge.compared, now_seconds=seen.now_seconds)
            if before is None:
                tallies.append(Tally.begun(1, now_seconds=seen.now_seconds))
            else:
                tallies.append(before.tally)
                replicas[place] = np.clip(before.replicas, seen.bounds.minimum[one.row], seen.bounds.maximum[one.row])
        return Shadow.begun(memory.take(challenged), replicas, really=really, tally=rows.concatenate(tallies))


def _whose(contest: Contest) -> _Whose:
    return _Whose(contest.key, contest.uid, contest.challenge.compared)


def _unscored(contest: Contest, made: Decisions) -> tuple[Reason | None, str]:
    """Why time goes by without being compared; the load that is not known for a while is told by the conditions."""
    if contest.foreign_scaler is not None:
        return Reason.FOREIGN_SCALER, f"HorizontalPodAutoscaler {contest.foreign_scaler} targets the Deployment"
    if contest.by_hand.reason is not None:
        return contest.by_hand.reason, contest.by_hand.message
    if made.bounds.paused[contest.row]:
        return Reason.SCALING_PAUSED, Reason.SCALING_PAUSED.meaning
    if made.bounds.is_pinned[contest.row]:
        return Reason.REPLICAS_PINNED, "spec.scaling.replicas pins the number of replicas"
    if not made.capacity.known[contest.row]:
        return Reason.SLO_UNKNOWN, "no batch has been measured yet, so nobody can tell what is late"
    return None, ""
