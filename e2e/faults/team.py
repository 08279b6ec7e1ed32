"""A namespace of a test in the stand, its services, and the end of the test: quiet, and no invariant broken."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from e2e.faults import invariants
from e2e.faults.fleet import Behaviour
from e2e.faults.stand.operator import HOLD_SECONDS, TICK_SECONDS
from e2e.faults.stand.stand import Stand
from e2e.installed import OPERATOR_USER
from e2e.scenarios import sleeper
from e2e.scenarios.api import NAMESPACE
from e2e.scenarios.conditions import holds
from e2e.scenarios.service import Service
from foretide.adapters.resources import CONFIG_MAP, INFERENCE_SERVICE, SCALING_POLICY, Object

# A trusted forecast holds for three and a half ticks.
LEAST_HOLD_SECONDS: Final = 3.5 * TICK_SECONDS
QUIET_SECONDS: Final = 4.0
SETTLES_WITHIN_SECONDS: Final = 60.0
# A pod serves 10/s, and some 7 of them within the SLO.
BATCH_SECONDS: Final = 0.1
FOUR_PODS_RPS: Final = 23.0
ONE_POD_RPS: Final = 2.0
REACTIVE: Final = "reactive"


@dataclass(slots=True)
class Team:
    """One namespace."""

    stand: Stand
    namespace: str
    began: float
    since: float
    said: int  # by the operator until then
    unknown: list[tuple[invariants.Name, float, float]] = field(default_factory=list)

    @classmethod
    def move_in(cls, stand: Stand, purpose: str) -> Team:
        """Makes the namespace, with the test model in it."""
        name = f"{purpose[:40].lower().replace('_', '-').strip('-')}-{secrets.token_hex(2)}"
        since = time.time()
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        stand.api.create(NAMESPACE, {"metadata": {"name": name, "labels": restricted}})
        # What a forecast makes of loads that no user has is no fault; tests of forecasts ask for the default.
        policy = {"metadata": {"name": REACTIVE, "namespace": name}, "spec": {"forecast": {"mode": "Reactive"}}}
        stand.api.apply(SCALING_POLICY, policy)
        stand.api.apply(CONFIG_MAP, {"metadata": {"name": "sleeper", "namespace": name}, "data": sleeper.files()})
        return cls(stand, name, since, since, stand.operator.said)

    def begin(self) -> None:
        """Another test, which answers for itself alone."""
        self.since, self.said = time.time(), self.stand.operator.said
        self.unknown.clear()

    def serve(self, name: str = "ranker", *, rate_rps: float = 0.0, foresees: bool = False, **scaling: Any) -> Service:
        """A service under this load, with an SLO of a second; does not wait for anything."""
        behaviour = self.stand.fleet.behaviour(self.namespace, name)
        self.behave(name, **{**_differences(behaviour), "rate_rps": rate_rps})
        milliseconds = self.stand.fleet.behaviour(self.namespace, name).batch_seconds * 1e3
        metadata = {"name": name, "namespace": self.namespace}
        given = {"minReplicas": 1, "maxReplicas": 8} | ({} if foresees else {"policyRef": {"name": REACTIVE}})
        spec = sleeper.spec(milliseconds=milliseconds, latency="1s", **given | scaling)
        self.stand.api.apply(INFERENCE_SERVICE, {"metadata": metadata, "spec": spec})
        return Service(self.stand.api, self.namespace, name, sleeper.HARDWARE_CLASS, "127.0.0.1", 0)

    def serve_four(self, name: str = "ranker", **scaling: Any) -> Service:
        """A service whose load needs four replicas, which it has, and which is wholly seen."""
        service = self.serve(name, rate_rps=FOUR_PODS_RPS, **scaling)
        self.until_four(service)
        return service

    def until_four(self, service: Service) -> None:
        """Waits until it has its four replicas and all is known of them."""

        def settled(live: Object) -> bool:
            ready = live.get("status", {}).get("readyReplicas", 0)
            return ready == service.replicas() == 4 and holds(live, "MetricsAvailable", "True", "MetricsComplete")

        service.until("four replicas that are seen", settled, within_seconds=120)

    def behave(self, service: str, **changes: Any) -> None:
        """Its pods are otherwise from now on."""
        self.stand.fleet.change(self.namespace, service, **changes)

    @contextmanager
    def in_the_dark(self, service: Service) -> Iterator[int]:
        """Inside `with` nobody can know its load: it must not shrink. Yields its replicas of before."""
        before, start = service.replicas(), time.time()
        yield before
        self.unknown.append(((self.namespace, service.name), start, time.time()))
        assert service.replicas() >= before, f"{service.name} shrank in the dark: {service.story()}"

    def until_told(
        self, service: Service, kind: str, status: str, reason: str, *, within_seconds: float = 15
    ) -> Object:
        """Waits for a condition; shows what there was instead."""
        return service.until(
            f"{kind} is {status}: {reason}",
            lambda live: holds(live, kind, status, reason),
            within_seconds=within_seconds,
        )

    def stays(self, what: str, probe: Callable[[], bool], *, seconds: float) -> None:
        """Looks again and again for so long; AssertionError as soon as it is otherwise."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert probe(), f"{what}: no more"
            time.sleep(0.25)

    def settle(self, *services: Service) -> None:
        """Heals everything; waits until each service is served as before, then looks on as nothing changes."""
        self.stand.heal()
        for service in services:
            behaviour = self.stand.fleet.behaviour(self.namespace, service.name)
            self.stand.fleet.behave(
                self.namespace,
                service.name,
                Behaviour(rate_rps=behaviour.rate_rps, batch_seconds=behaviour.batch_seconds),
            )
        deadline = time.monotonic() + SETTLES_WITHIN_SECONDS
        while True:
            start = time.time()
            time.sleep(QUIET_SECONDS)
            end = time.time()
            moved = [
                write
                for write in self._log(since=start)
                if write.resource != "inferenceservices/status"  # by anybody: pods start and go for some time
            ]
            # Status may be of before: new pods are not seen as soon as they are there.
            unknown = [service for service in services if not holds(service.live(), "MetricsAvailable", "True")]
            if not moved and not unknown:
                break
            assert time.monotonic() < deadline, (
                f"I5: it does not come to rest: {moved[-5:]}, {[one.story() for one in unknown]}"
            )
        self.check(quiet=[(start, end)])

    def check(self, *, quiet: list[tuple[float, float]] | None = None) -> None:
        """No invariant is broken since the test began, and the operator has no fault of its own."""
        found = self.broken(quiet=quiet)
        assert not found, "invariants are broken:\n" + "\n".join(found)
        faults = self.stand.operator.faults(since=self.said)
        assert not faults, "the operator logged faults:\n" + "\n".join(faults)

    def broken(self, *, quiet: list[tuple[float, float]] | None = None) -> list[str]:
        """Every invariant that is broken since the test began."""
        known = invariants.Circumstances(
            user=OPERATOR_USER,
            since=self.since,
            tick_seconds=TICK_SECONDS,
            hold_seconds=min(HOLD_SECONDS, LEAST_HOLD_SECONDS),
            unknown=self.unknown,
            quiet=quiet or [],
            truth=self.stand.fleet.truth,
        )
        return invariants.broken(self._log(since=self.began), known)

    def move_out(self) -> None:
        """Starts the deletion of everything; its pods go at once."""
        for namespace, name in [*self.stand.fleet.truth]:
            if namespace == self.namespace:
                self.stand.fleet.behave(namespace, name, Behaviour())
        self.stand.api.delete(NAMESPACE, self.namespace)

    def _log(self, *, since: float) -> list[Any]:
        return [write for write in self.stand.audit.writes(since=since) if write.namespace == self.namespace]


def _differences(behaviour: Behaviour) -> dict[str, Any]:
    return {name: value for name, value in behaviour.to_json().items() if value != getattr(Behaviour(), name)}
