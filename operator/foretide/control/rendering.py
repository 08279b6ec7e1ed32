"""From what the cluster shows to manifests, each text read and rendered once: most events change neither.

Of a service come some twenty events while it starts, and reading and rendering took two thirds of the 2.6 ms that each
then cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from foretide.adapters.resources import Object
from foretide.api import parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.api.problems import Problems
from foretide.control.children import Manifests
from foretide.control.world import Key
from foretide.serving.manifests import ServingSettings, build


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


class Rendering:
    """Remembers what it made of each object, for as long as the object says the same."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings: Final = settings
        self._services: dict[Key, tuple[Object, InferenceService | Problems]] = {}
        self._classes: dict[str, tuple[Object, HardwareClass | Problems]] = {}
        self._rendered: dict[Key, _Rendered] = {}

    def service(self, key: Key, raw: Object) -> InferenceService | Problems:
        """The service as typed values."""
        known = self._services.get(key)
        if known is not None and _says_the_same(known[0], raw):
            return known[1]
        read = parse.inference_service(raw)
        self._services[key] = raw, read
        return read

    def hardware_class(self, name: str, raw: Object) -> HardwareClass | Problems:
        """The class as typed values."""
        known = self._classes.get(name)
        if known is not None and _says_the_same(known[0], raw):
            return known[1]
        read = parse.hardware_class(raw)
        self._classes[name] = raw, read
        return read

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
        self._services.pop(key, None)
        self._rendered.pop(key, None)


def _says_the_same(known: Object, raw: Object) -> bool:
    """Of one object, and of one spec: its status is another with each event."""
    if known is raw:
        return True
    before, now = known["metadata"], raw["metadata"]
    same = all(before.get(name) == now.get(name) for name in ("uid", "generation"))
    return same and known.get("spec") == raw.get("spec")
