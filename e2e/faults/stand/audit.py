"""The audit log of an API server: who wrote what, with which body, and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

# Bodies of what the operator decides on and writes; of all other writes the names. Nothing of what is only read.
POLICY: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "None", "resources": [{"group": "coordination.k8s.io"}, {"group": "events.k8s.io"}]},
        {
            "level": "None",
            "resources": [{"group": "", "resources": ["events", "pods/status", "serviceaccounts/token"]}],
        },
        {"level": "RequestResponse", "resources": [{"group": "foretide.dev"}, {"group": "apps"}]},
        {"level": "Request", "verbs": ["delete", "deletecollection"]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True)
class Write:
    """One request that was to change something, and its answer."""

    event: dict[str, Any]

    @cached_property
    def at(self) -> float:
        """When it was answered (Unix time)."""
        return datetime.fromisoformat(self.event["stageTimestamp"]).timestamp()

    @property
    def user(self) -> str:
        return str(self.event["user"]["username"])

    @property
    def verb(self) -> str:
        return str(self.event["verb"])

    @property
    def done(self) -> bool:
        """Whether the API server did it."""
        return bool(self.event["responseStatus"]["code"] < 300)

    @property
    def dry(self) -> bool:
        """Whether it only asked what would become of it."""
        return "dryRun=" in str(self.event["requestURI"])

    @property
    def resource(self) -> str:
        """Its plural, with the subresource: deployments/scale."""
        ref = self.event.get("objectRef", {})
        subresource = ref.get("subresource")
        return f"{ref.get('resource')}/{subresource}" if subresource else str(ref.get("resource"))

    @property
    def namespace(self) -> str:
        return str(self.event.get("objectRef", {}).get("namespace", ""))

    @property
    def name(self) -> str:
        return str(self.event.get("objectRef", {}).get("name", ""))

    @property
    def body(self) -> dict[str, Any]:
        """What was sent."""
        found = self.event.get("requestObject")
        return found if isinstance(found, dict) else {}

    @property
    def answer(self) -> dict[str, Any]:
        """What the object is afterwards."""
        found = self.event.get("responseObject")
        return found if isinstance(found, dict) else {}

    def __repr__(self) -> str:
        code = self.event["responseStatus"]["code"]
        at = self.event["stageTimestamp"]
        return f"{at} {self.user} {self.verb} {self.resource} {self.namespace}/{self.name} -> {code}"


class AuditLog:
    """The log of one API server, read as it grows."""

    def __init__(self, file: Path) -> None:
        self._file: Final = file
        self._read = 0
        self._writes: list[Write] = []

    def writes(self, *, since: float = 0.0) -> list[Write]:
        """What was written from a time (Unix time) on, oldest first."""
        if self._file.exists():
            with self._file.open("rb") as log:
                log.seek(self._read)
                for line in log:
                    if not line.endswith(b"\n"):
                        break  # half written
                    self._read += len(line)
                    self._writes.append(Write(json.loads(line)))
        return sorted((one for one in self._writes if one.at >= since), key=lambda one: one.at)
