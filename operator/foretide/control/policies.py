"""What ScalingPolicies, ModelProfiles and the quotas of HardwareClasses say of services, as the arrays of a tick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np

from foretide.adapters.resources import Object
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.modelprofile import ModelProfile
from foretide.api.problems import Problems
from foretide.api.reasons import Reason
from foretide.api.scalingpolicy import ScalingPolicy, ScalingPolicySpec
from foretide.control.world import Key, World
from foretide.scaling.arbitrate import NO_QUOTA
from foretide.scaling.arrays import Floats, Ints
from foretide.scaling.decision import Quotas
from foretide.scaling.tuning import Told, Tuning

USUAL: Final = ScalingPolicySpec()
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NoPolicy:
    """The policy that a service names cannot be followed: its replicas are left as they are.

    With the defaults in its place a policy that was Advisory, and is deleted, would let the operator act.
    """

    reason: Reason
    message: str


Policy = ScalingPolicySpec | NoPolicy


@dataclass(frozen=True, slots=True)
class Challenge:
    """The policy that a service's own one names to be tried in the shadow."""

    name: str
    spec: Policy
    compared: str | None  # both policies by uid and generation; None where there is no other


class Policies:
    """Parses each object once, however many ticks look at it."""

    def __init__(self, world: World) -> None:
        self._world: Final = world
        self._policies: Final = _Parsed(parse.scaling_policy)
        self._profiles: Final = _Parsed(parse.model_profile)

    def of(self, service: InferenceService) -> Policy:
        """The policy that the service names, or the defaults where it names none."""
        name = service.policy_name
        if name is None:
            return USUAL
        found = self._named(service.namespace, name)
        if found is None:
            return NoPolicy(
                Reason.POLICY_NOT_FOUND,
                f'spec.scaling.policyRef.name: "{name}" is not a ScalingPolicy of the namespace; replicas are held',
            )
        if isinstance(found, Problems):
            return NoPolicy(Reason.POLICY_INVALID, f"ScalingPolicy {name}: {found.message}; replicas are held")
        return found.spec

    def challenge(self, service: InferenceService) -> Challenge | None:
        """None where the service names no policy that can be followed, or that one no challenger."""
        champion = self._named(service.namespace, service.policy_name)
        if not isinstance(champion, ScalingPolicy) or champion.spec.challenger is None:
            return None
        name = champion.spec.challenger.policy_ref.name
        found = self._named(service.namespace, name)
        if found is None:
            message = f'spec.challenger.policyRef.name: "{name}" is not a ScalingPolicy of the namespace'
            return Challenge(name, NoPolicy(Reason.CHALLENGER_NOT_FOUND, message), None)
        if isinstance(found, Problems):
            message = f"ScalingPolicy {name}: {found.message}"
            return Challenge(name, NoPolicy(Reason.CHALLENGER_INVALID, message), None)
        compared = " ".join(f"{one.uid}/{one.generation}" for one in (champion, found))
        return Challenge(name, found.spec, compared)

    def _named(self, namespace: str, name: str | None) -> ScalingPolicy | Problems | None:
        return None if name is None else self._policies.of(Key(namespace, name), self._world.policies)

    def history_seconds(self, key: Key) -> float:
        """How much of the past is read of a service."""
        served = self._world.served.get(key)
        return (USUAL if served is None else _followed(self.of(served.service))).forecast.history_seconds

    def profiles(self) -> Mapping[tuple[Key, str], ModelProfile]:
        """By service and hardware class; of two for the same, the one whose name comes first. What breaks rules is
        passed over: it says nothing, and what it would say is learned."""
        self._policies.keep(self._world.policies)
        self._profiles.keep(self._world.profiles)
        found: dict[tuple[Key, str], ModelProfile] = {}
        for key in sorted(self._world.profiles, reverse=True):
            profile = self._profiles.of(key, self._world.profiles)
            if isinstance(profile, ModelProfile):
                found[Key(key.namespace, profile.spec.service), profile.spec.hardware_class] = profile
        return found


class _Parsed(Generic[T]):
    """The last object of each name, as it was understood."""

    def __init__(self, parsed: Callable[[Object], T]) -> None:
        self._parsed: Final = parsed
        self._known: dict[Key, tuple[Object, T]] = {}

    def keep(self, raws: Mapping[Key, Object]) -> None:
        """Forgets what is gone."""
        for key in self._known.keys() - raws.keys():
            del self._known[key]

    def of(self, key: Key, raws: Mapping[Key, Object]) -> T | None:
        raw = raws.get(key)
        if raw is None:
            return None
        known = self._known.get(key)
        if known is None or known[0] is not raw:
            known = self._known[key] = (raw, self._parsed(raw))
        return known[1]


def _followed(policy: Policy) -> ScalingPolicySpec:
    """The defaults where there is no policy to follow."""
    return USUAL if isinstance(policy, NoPolicy) else policy


def tuning(policies: Sequence[Policy]) -> Tuning:
    """One row per service; the defaults where there is no policy to follow."""
    specs = [_followed(policy) for policy in policies]
    return Tuning(
        forecasts=np.array([spec.forecast.mode == "Auto" for spec in specs], dtype=np.bool_),
        quantile=_floats(spec.forecast.quantile for spec in specs),
        season_seconds=_floats(spec.forecast.season_seconds for spec in specs),
        hold_seconds=_floats(spec.scale_down.hold_seconds for spec in specs),
        step_up=np.nan_to_num(_floats(spec.scale_up.max_step_fraction for spec in specs), nan=np.inf),
        step_down=_floats(spec.scale_down.max_step_fraction for spec in specs),
        blind_seconds=_floats(spec.metrics_failure.hold_seconds for spec in specs),
        grows_blind=np.array([spec.metrics_failure.then == "Grow" for spec in specs], dtype=np.bool_),
        advisory=np.array([is_advisory(policy) for policy in policies], dtype=np.bool_),
    )


def is_advisory(policy: Policy) -> bool:
    """Whether decisions are told and not done."""
    return _followed(policy).mode == "Advisory"


def told(profiles: Sequence[ModelProfile | None]) -> Told:
    """One row per service; unknown without a profile."""
    specs = [None if profile is None else profile.spec for profile in profiles]
    return Told(
        per_item_seconds=_floats(None if spec is None else spec.per_item_seconds for spec in specs),
        fixed_seconds=_floats(None if spec is None else spec.fixed_seconds for spec in specs),
        largest=_floats(None if spec is None else spec.max_batch_size for spec in specs),
        cold_start_seconds=_floats(None if spec is None else spec.cold_start_seconds for spec in specs),
    )


def quotas(classes: Sequence[HardwareClass | None], policies: Sequence[Policy], replicas: Ints) -> Quotas:
    """One group for each class that has a quota, one row for each of `classes`; `replicas` are there now.

    A service that is only advised keeps what it has: the others share what that leaves.
    """
    limits = {
        one.name: one.spec.quota.max_replicas for one in classes if one is not None and one.spec.quota is not None
    }
    if not limits:
        return Quotas.none()
    groups = {name: place for place, name in enumerate(sorted(limits))}
    advisory = np.array([is_advisory(policy) for policy in policies], dtype=np.bool_)
    group = np.array([NO_QUOTA if one is None else groups.get(one.name, NO_QUOTA) for one in classes], dtype=np.int64)
    kept = np.array([replicas[advisory & (group == place)].sum() for place in groups.values()], dtype=np.int64)
    return Quotas(
        group=np.where(advisory, NO_QUOTA, group),
        priority=np.array([_followed(policy).priority for policy in policies], dtype=np.int64),
        limit=np.maximum(np.array([limits[name] for name in groups], dtype=np.int64) - kept, 0),
    )


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
