"""Reconcile: from any state, the same spec ends in the same children (level-based; events are only hints)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from foretide.adapters.clock import Clock
from foretide.adapters.errors import NAMESPACE_TERMINATING, AdapterError, Conflict, Rejected
from foretide.adapters.events import Events
from foretide.adapters.kubernetes import Kubernetes
from foretide.adapters.resources import DEPLOYMENT, INFERENCE_SERVICE, Object
from foretide.api import group
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.pause import is_paused
from foretide.api.problems import Problems
from foretide.api.reasons import Reason
from foretide.control import hardware_status, pods, serving_status, startup
from foretide.control.children import Children, ForeignChild, controlled_by
from foretide.control.hardware_status import Told
from foretide.control.last_words import LastWords
from foretide.control.places import is_new
from foretide.control.pods import Failure
from foretide.control.rendering import Rendering
from foretide.control.serving_status import Paused, Refused
from foretide.control.status_writer import StatusWriter
from foretide.control.world import Key, Served, ServedClass, World
from foretide.serving import naming, response_cache
from foretide.serving.backends import unfit
from foretide.serving.manifests import ServingSettings

_NO_IMAGE_VOLUMES: Final = (
    "spec.model.source.image: this cluster takes no image volumes; they need Kubernetes 1.35, or the feature gate "
    "ImageVolume of an earlier one. Use uri or persistentVolumeClaim instead"
)


class Reconciler:
    """Brings the children and the status of one service at a time to what its spec says."""

    def __init__(
        self, *, api: Kubernetes, events: Events, world: World, clock: Clock, settings: ServingSettings
    ) -> None:
        self._api: Final = api
        self._world: Final = world
        self._clock: Final = clock
        self._rendering: Final = Rendering(settings)
        self._children: Final = Children(api, world)
        self._status: Final = StatusWriter(api, events, world, manager=group.RECONCILE_MANAGER)
        self._last_words: Final = LastWords(api)
        # By hardware class, of which it was refused when it was last tried.
        self._refusals: dict[Key, Mapping[str, Rejected]] = {}

    async def reconcile(self, key: Key) -> None:
        """One pass over one service; raises the gateway's errors so that the work queue retries."""
        raw = self._world.services.get(key)
        if raw is None or "deletionTimestamp" in raw["metadata"]:
            # Nothing to undo: the garbage collector deletes the children, with or without an operator.
            self._world.served.pop(key, None)
            self._children.forget(key)
            self._rendering.forget(key)
            self._status.forget(key)
            self._refusals.pop(key, None)
            return
        retry: AdapterError | None = None
        try:
            outcome = await self._applied(key, raw)
            retry = next(iter(self._refusals.get(key, {}).values()), None)
        except Conflict:
            raise  # the object changed or went away between the read and the write: look again
        except Rejected as error:
            if error.reason == NAMESPACE_TERMINATING:
                raise  # the service goes with it: nothing to tell
            # A foreign child is tried again like the others: nobody watches objects without our labels, so their end
            # makes no event.
            outcome, retry = Refused(_reason(error), str(error)), error
            if isinstance(error, ForeignChild):
                self._world.served.pop(key, None)  # no tick may scale a Deployment that is not ours
        await self._tell(key, raw, outcome)
        if retry is not None:
            raise retry

    async def _applied(self, key: Key, raw: Object) -> InferenceService | Refused | Paused:
        """Applies the children; the service, or why it cannot be served, or is left alone."""
        service = self._rendering.service(key, raw)
        if isinstance(service, Problems):
            return Refused(Reason.INVALID_SPEC, service.message)
        served = Served(service, tuple(self._class(service, name) for name in service.hardware_classes))
        told = hardware_status.told(raw.get("status", {}))
        if is_paused(raw):
            return self._left_alone(key, raw, served)
        if not _usable(served):
            return _refused(served)
        wanted = self._wanted(key, served, told)
        if not any(self._world.child(key, DEPLOYMENT.kind, name) for name in wanted):
            self._world.served.pop(key, None)  # no tick decides on the one replica that a new Deployment starts with
        classes, found = [_usable(served)[name] for name in wanted], self._world.pods(key)
        budgets = {
            one.name: startup.budget_seconds(self._world.child(key, DEPLOYMENT.kind, name), found)
            for name, one in zip(wanted, classes, strict=True)
        }
        manifests = self._rendering.manifests(key, service, *classes, startup_seconds=budgets)
        if self._children.misses_any(key, manifests):
            await self._confirm(raw)
        self._refusals[key] = refusals = await self._children.apply(key, manifests)
        shown = {name: self._world.child(key, DEPLOYMENT.kind, name) for name in wanted}
        served = _accepted(_with_their_files(served, shown), refusals)
        usable = _usable(served)
        if not usable and refusals:
            raise next(iter(refusals.values()))
        if not usable:
            return _refused(served)
        live = {name: child for name, child in shown.items() if child is not None and name in usable}
        for name, deployment in live.items():
            await self._restore_replicas(served, raw, usable[name].name, deployment)
        self._world.served[key] = served
        if (
            live
            and live.keys() == usable.keys() & shown.keys()
            and told.keys() <= set(service.hardware_classes)  # what a class that left the list did is decided anew
            and self._is_whole(raw, list(live.values()))
            and not self._is_handing_over(key, served)
        ):
            await self._children.prune(key, service.uid, keep=manifests)
        return self._left_behind(key, served, refusals) or service

    async def _confirm(self, raw: Object) -> None:
        """That the service is there. With it go its children, and the watch may have missed that it went: who made them
        anew would fight the garbage collector until the next sweep. Raises Conflict: to look again."""
        metadata = raw["metadata"]
        live = await self._api.get(INFERENCE_SERVICE, namespace=metadata["namespace"], name=metadata["name"])
        is_there = live is not None and live["metadata"]["uid"] == metadata["uid"]
        if live is None or not is_there or "deletionTimestamp" in live["metadata"] or is_paused(live):
            self._world.seen(INFERENCE_SERVICE, live or raw, deleted=live is None)
            raise Conflict("the InferenceService was deleted or paused, and no event told so yet", reason="NotFound")

    def _left_alone(self, key: Key, raw: Object, served: Served) -> Paused:
        """What runs is still looked at, also by an operator that starts meanwhile."""
        self._refusals.pop(key, None)
        if any(self._world.child(key, DEPLOYMENT.kind, name) for name in _usable(served)):
            self._world.served[key] = served
        told = self._status.last(key, served.service.uid) or raw.get("status", {})
        seen = told.get("observedGeneration")
        return Paused(seen if isinstance(seen, int) else 0, serving_status.refusal(told))

    def _wanted(self, key: Key, served: Served, told: Mapping[str, Told]) -> list[str]:
        """The Deployments that there should be: of the usable classes those that have replicas, or are to have some by
        status, which is written before anybody acts. Where none is, the one of the first class.

        Not one for every class: a new Deployment starts with one pod, and nobody asked for it.
        """
        usable = [one for one in served.classes if one.hardware_class is not None]
        if not served.is_divided:
            return [usable[0].deployment]
        # Those are tried again at each pass, and nobody waits for them.
        refused = [one for one in usable if one.name in self._refusals.get(key, {})]
        others = [one for one in usable if one not in refused] or usable
        present = {one.deployment: self._world.child(key, DEPLOYMENT.kind, one.deployment) for one in others}
        due = [
            one.deployment
            for one in others
            if (one.name in told and told[one.name].replicas > 0)
            or _has_replicas(present[one.deployment])
            or _lacks_image(served, one, present[one.deployment])  # else it would be tried anew for ever
        ]
        chosen = due or [name for name, child in present.items() if child is not None] or [others[0].deployment]
        return list(dict.fromkeys([*chosen, *(one.deployment for one in refused)]))

    def _left_behind(self, key: Key, served: Served, refusals: Mapping[str, Rejected]) -> Refused | None:
        """Why pods of an earlier spec serve, where those of one class cannot be changed; others take over from them."""
        names = {one.name: one.deployment for one in served.classes}
        return next(
            (
                Refused(_reason(error), str(error))
                for of_class, error in refusals.items()
                if _has_replicas(self._world.child(key, DEPLOYMENT.kind, names[of_class]))
            ),
            None,
        )

    def _is_handing_over(self, key: Key, served: Served) -> bool:
        """Whether a listed class that cannot be used any more still serves; the tick brings it to zero."""
        gone = [one.deployment for one in served.classes if one.hardware_class is None]
        return any(_has_replicas(self._world.child(key, DEPLOYMENT.kind, name)) for name in gone)

    def _is_whole(self, raw: Object, deployments: Sequence[Object]) -> bool:
        """Whether all that these Deployments are counted on for is ready, and of the newest template.

        Of several classes the replicas that wait for room may do so for days. What is counted on may not be asked for
        yet: a class that has left the list serves until those that stay have its replicas, too.
        """
        states = [serving_status.rollout(deployment) for deployment in deployments]
        state = serving_status.together(states)
        counted = raw.get("status", {}).get("desiredReplicas")
        rolled_out = state.complete if len(states) == 1 else not state.replacing
        return rolled_out and state.ready >= (counted if isinstance(counted, int) else state.wanted)

    def _class(self, service: InferenceService, name: str) -> ServedClass:
        deployment, found = naming.deployment_name(service.name, name), self._hardware_class(service, name)
        if isinstance(found, Refused):
            return ServedClass(name, deployment, None, found.reason, found.message)
        if misfit := unfit(service.model_on(name), found) or response_cache.misfit(service, found):
            return ServedClass(name, deployment, None, Reason.HARDWARE_UNFIT, misfit)
        return ServedClass(name, deployment, found)

    def _hardware_class(self, service: InferenceService, name: str) -> HardwareClass | Refused:
        raw = self._world.hardware_classes.get(name)
        if raw is None:
            place = service.hardware_classes.index(name)
            known = ", ".join(sorted(self._world.hardware_classes)) or "none"
            return Refused(
                Reason.HARDWARE_CLASS_NOT_FOUND,
                f'spec.hardware.classes[{place}]: "{name}" is not a HardwareClass of this cluster (known: {known})',
            )
        parsed = self._rendering.hardware_class(name, raw)
        if isinstance(parsed, Problems):
            return Refused(Reason.HARDWARE_CLASS_INVALID, parsed.message)
        return parsed

    async def _restore_replicas(self, served: Served, raw: Object, of_class: str, deployment: Object) -> None:
        """A new Deployment starts with one replica; one that was deleted by hand had more, and status knows.

        Of generation 1 is a Deployment whose spec nobody has changed since it was made: also after a restart between
        its creation and this, it still waits for its replicas. The autoscaler's field manager writes the number, so
        that no later apply of ours can take it back.
        """
        if not is_new(deployment):
            return
        service, status = served.service, raw.get("status", {})
        told, remembered = hardware_status.told(status), status.get("desiredReplicas")
        if of_class in told and told[of_class].replicas > 0:
            remembered = told[of_class].replicas
        elif isinstance(remembered, int):  # it takes over from classes that cannot be used any more, from no other
            staying = {one.name for one in served.classes if one.hardware_class is not None} & told.keys()
            remembered = max(remembered - sum(told[name].counted for name in staying), 0)
        # The minimum only where nothing was decided before: to follow a spec that changed is the tick's business,
        # which knows of pauses and of other scalers. And once: of the first class, not of each.
        fewest = service.min_replicas if of_class == served.usable.name else 0
        replicas = min(remembered if isinstance(remembered, int) else fewest, service.max_replicas)
        key, name = Key(service.namespace, service.name), deployment["metadata"]["name"]
        if replicas != deployment["spec"].get("replicas", 1) and self._world.foreign_scaler(key, name) is None:
            version = await self._api.scale(deployment, replicas=replicas, manager=group.AUTOSCALE_MANAGER)
            self._world.scaled(key, deployment, replicas, version=version)

    async def _tell(self, key: Key, raw: Object, outcome: InferenceService | Refused | Paused) -> None:
        """Writes the reconcile loop's part of status."""
        metadata = raw["metadata"]
        generation = outcome.generation if isinstance(outcome, Paused) else metadata.get("generation", 0)
        state = self._fleet(key, metadata["uid"])
        refused = outcome.refused if isinstance(outcome, Paused) else outcome
        if isinstance(refused, Refused):
            current = serving_status.refused(
                refused, generation=generation, serving=state is not None and state.ready > 0
            )
        else:
            failing = await self._explained(key, pods.failures(self._world.pods(key)))
            deployments = self._world.deployments(key)
            current = serving_status.judged(
                state or serving_status.NOTHING_YET,
                failing,
                generation=generation,
                # With one class there is none that could carry what a pod that crashes does not.
                carried=len(deployments) > 1 and self._is_whole(raw, deployments),
            )
        before = self._status.last(key, metadata["uid"]) or raw.get("status", {})
        status = serving_status.status(
            serving_status.paused(current) if isinstance(outcome, Paused) else current,
            generation=generation,
            state=state,
            url=naming.url(key.name, key.namespace),
            previous=before,
            now=datetime.fromtimestamp(self._clock.now(), UTC),
        )
        if not self._status.is_told(key, metadata["uid"], status):
            await self._status.write(key, metadata["uid"], status)
            self._status.tell(key, metadata["uid"], status, before=before)

    def _fleet(self, key: Key, uid: str) -> serving_status.Rollout | None:
        """All pods of the service, also those of a hardware class that it is leaving; None while there are none."""
        served = self._world.deployments(key)
        retiring = [
            self._rollout(key, deployment)
            for deployment in self._world.children(key, DEPLOYMENT.kind)
            if controlled_by(deployment, uid) and not any(deployment is one for one in served)
        ]
        if not served and not retiring:
            return None
        states = [self._rollout(key, deployment) for deployment in served]
        state = serving_status.together(states) if states else serving_status.NOTHING_YET
        return serving_status.with_retiring(state, retiring)

    def _rollout(self, key: Key, deployment: Object) -> serving_status.Rollout:
        """For the moment in which the Deployment controller has not seen a change yet: where all pods run the newest
        template it is the number of replicas that changed, and a step of the autoscaler is no roll-out."""
        state, name = serving_status.rollout(deployment), deployment["metadata"]["name"]
        if state.observed:
            return state
        staying = [pod for pod in self._world.pods(key) if not pods.is_terminating(pod)]
        found = [pod for pod in staying if pods.deployment_of(pod) == name]
        scaled = bool(found) and all(pods.runs_newest(pod, deployment) for pod in found)
        return replace(state, observed=scaled)

    async def _explained(self, key: Key, failing: Sequence[Failure]) -> list[Failure]:
        """The failures, the newest crash in the words of who crashed."""
        if not failing or not failing[0].crashed:
            return list(failing)
        return [await self._last_words.of(key.namespace, failing[0]), *failing[1:]]


def _usable(served: Served) -> dict[str, HardwareClass]:
    """The classes of which replicas can be made, by the name of the Deployment."""
    return {one.deployment: one.hardware_class for one in served.classes if one.hardware_class is not None}


def _refused(served: Served) -> Refused:
    """Where no class is usable."""
    first = served.classes[0]
    return Refused(first.reason or Reason.HARDWARE_CLASS_NOT_FOUND, first.message)


def _with_their_files(served: Served, shown: Mapping[str, Object | None]) -> Served:
    """With the classes as unusable whose Deployments were applied, and lack the model."""
    return replace(
        served,
        classes=tuple(
            ServedClass(one.name, one.deployment, None, Reason.IMAGE_VOLUMES_UNAVAILABLE, _NO_IMAGE_VOLUMES)
            if one.hardware_class is not None and _lacks_image(served, one, shown.get(one.deployment))
            else one
            for one in served.classes
        ),
    )


def _accepted(served: Served, refusals: Mapping[str, Rejected]) -> Served:
    """With the classes as unusable of which the API server refuses what is made for them."""
    return replace(
        served,
        classes=tuple(
            ServedClass(one.name, one.deployment, None, _reason(refusals[one.name]), str(refusals[one.name]))
            if one.hardware_class is not None and one.name in refusals
            else one
            for one in served.classes
        ),
    )


def _reason(error: Rejected) -> Reason:
    """Our word for a refusal."""
    if isinstance(error, ForeignChild):
        return Reason.FOREIGN_CHILD
    return Reason.FORBIDDEN if error.reason == "Forbidden" else Reason.CHILD_REFUSED


def _lacks_image(served: Served, one: ServedClass, deployment: Object | None) -> bool:
    """An API server whose gate is closed does not refuse an image volume: it drops it and its mounts without a word."""
    if deployment is None or served.service.model_on(one.name).source.image is None:
        return False
    return not any("image" in volume for volume in deployment["spec"]["template"]["spec"].get("volumes", ()))


def _has_replicas(deployment: Object | None) -> bool:
    """Whether any is asked for, or there."""
    if deployment is None:
        return False
    state = serving_status.rollout(deployment)
    return state.wanted > 0 or state.existing > 0
