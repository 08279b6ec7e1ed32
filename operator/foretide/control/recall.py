"""The memory of all services between ticks, and after a restart from their status."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService
from foretide.control.world import Key, Served
from foretide.scaling.capacity import kappa
from foretide.scaling.capacity.evidence import aged
from foretide.scaling.journal import Lost, decode
from foretide.scaling.memory import Memory
from foretide.scaling.rows import take
from foretide.scaling.window import Window

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose memory it is: an object by its uid, and all that its batch times depend on."""

    key: Key
    uid: str
    model: str


def identity(key: Key, served: Served) -> Identity:
    """Of its first usable hardware class."""
    return Identity(key, served.service.uid, model_of(served.service, served.hardware_class))


def model_of(service: InferenceService, hardware_class: HardwareClass) -> str:
    """A new version, image, parameter or CPU limit makes batches faster or slower: their times are learned anew."""
    model = service.model_on(hardware_class.name)
    parts = (
        hardware_class.name,
        hardware_class.spec.triton,
        hardware_class.spec.resources,
        model.backend,
        model.version,
        model.source,
        model.parameters,
        model.file_name,
        model.precision,
    )
    return json.dumps(parts, sort_keys=True, default=_plain)


def _plain(part: BaseModel) -> dict[str, Any]:
    """Without defaults: a field that a later release adds must not make every model look like a new one."""
    return part.model_dump(mode="json", exclude_defaults=True)


class Recall:
    """The rows of the last tick, by service."""

    def __init__(self) -> None:
        self._memory = Memory.fresh(0)
        self._rows: dict[Key, tuple[Identity, int]] = {}

    def recall(self, identities: Sequence[Identity], statuses: Sequence[Mapping[str, Any]]) -> Memory:
        """One row per identity, in order: of the last tick, else of its status, else fresh."""
        new: list[Memory] = []
        rows, length = [], len(self._memory)
        for wanted, status in zip(identities, statuses, strict=True):
            known, row = self._rows.get(wanted.key, (None, -1))
            if known != wanted:
                same = known is not None and known.uid == wanted.uid
                new.append(
                    _of_another_model(take(self._memory, np.array([row])))
                    if same
                    else _restarted(_decoded(status.get("memory"), wanted))
                )
                row, length = length, length + 1
            rows.append(row)
        # The new ones first: each that is put to the others by itself would be another copy of them.
        all_rows = [self._memory, Memory.concatenate(new)] if new else [self._memory]
        return Memory.concatenate(all_rows, np.array(rows, dtype=np.int64))

    def keep(self, identities: Sequence[Identity], memory: Memory) -> None:
        """The rows after the decisions of this tick."""
        self._memory = memory
        self._rows = {wanted.key: (wanted, row) for row, wanted in enumerate(identities)}


def _of_another_model(memory: Memory) -> Memory:
    """The same object with a new version, image or limit: its batch times are learned anew. Its demand stays."""
    return replace(memory, evidence=aged(memory.evidence), kappa=kappa.fresh(len(memory)))


def _decoded(text: object, wanted: Identity) -> Memory:
    if not isinstance(text, str):
        return Memory.fresh(1)
    memory = decode(text, uid=wanted.uid, model=wanted.model)
    if isinstance(memory, Lost):
        log.info("memory of %s/%s is lost: %s", wanted.key.namespace, wanted.key.name, memory.reason)
        return Memory.fresh(1)
    return memory


def _restarted(memory: Memory) -> Memory:
    """What a status keeps over a restart: all but the hold, which starts anew with the present replicas.

    Status is written when a decision changes something, so its hold is old: a peak that came after a step 12 -> 11
    would be forgotten, and a restart would shrink 11 -> 8 -> 6 where the running operator stays at 10.
    """
    return replace(memory, window=Window.fresh(len(memory)))
