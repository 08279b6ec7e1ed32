"""From what the cluster shows to manifests, each text read and rendered once: most events change neither.

Of a service come some twenty events while it starts, and reading and rendering took two thirds of the 2.6 ms that each
then cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from foretide.adapters.resources import Object
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.problems import Problems
from foretide.control.children import Manifests
from foretide.control.world import Key
from foretide.serving.manifests import ServingSettings, build

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Rendered:
    service: InferenceService
    classes: tuple[HardwareClass, ...]
    startup_seconds: Mapping[str, int]
    manifests: Manifests

    def is_of(
        self, service: InferenceService, classes: tuple[HardwareClass, ...], startup_seconds: Mapping[str, int]
    ) -> bool:
        """By identity: what says the same is the same object here, and to compare all fields takes longer."""
        same_classes = list(map(id, self.classes)) == list(map(id, classes))
        return self.service is service and same_classes and self.startup_seconds == startup_seconds


class _Reading(Generic[K, T]):
    """What a reader made of each object, for as long as the object says the same."""

    def __init__(self, read: Callable[[Object], T]) -> None:
        self._read: Final = read
        self._known: dict[K, tuple[Object, T]] = {}

    def of(self, key: K, raw: Object) -> T:
        known = self._known.get(key)
        if known is not None and _says_the_same(known[0], raw):
            return known[1]
        self._known[key] = raw, (made := self._read(raw))
        return made

    def forget(self, key: K) -> None:
        self._known.pop(key, None)


class Rendering:
    """Remembers what it made of each object, for as long as the object says the same."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings: Final = settings
        self._services: Final = _Reading[Key, InferenceService | Problems](parse.inference_service)
        self._classes: Final = _Reading[str, HardwareClass | Problems](parse.hardware_class)
        self._rendered: dict[Key, _Rendered] = {}

    def service(self, key: Key, raw: Object) -> InferenceService | Problems:
        """The service as typed values."""
        return self._services.of(key, raw)

    def hardware_class(self, name: str, raw: Object) -> HardwareClass | Problems:
        """The class as typed values."""
        return self._classes.of(name, raw)

    def manifests(
        self, key: Key, service: InferenceService, *classes: HardwareClass, startup_seconds: Mapping[str, int]
    ) -> Manifests:
        """The children as they should be, each with its digest."""
        known = self._rendered.get(key)
        if known is not None and known.is_of(service, classes, startup_seconds):
            return known.manifests
        made = Manifests.of(build(service, *classes, settings=self._settings, startup_seconds=startup_seconds))
        self._rendered[key] = _Rendered(service, classes, startup_seconds, made)
        return made

    def forget(self, key: Key) -> None:
        """Drops what was remembered of a deleted service."""
        self._services.forget(key)
        self._rendered.pop(key, None)


def _says_the_same(known: Object, raw: Object) -> bool:
    """Of one object, and of one spec: its status is another with each event."""
    if known is raw:
        return True
    before, now = known["metadata"], raw["metadata"]
    same = all(before.get(name) == now.get(name) for name in ("uid", "generation"))
    return same and known.get("spec") == raw.get("spec")
