"""The cluster the demo talks to: the only module here that knows how e2e.cluster and kubectl are called."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import Cluster, connect
from e2e.cluster.commands import run
from e2e.cluster.errors import CommandFailed
from e2e.cluster.images import IMAGES
from e2e.cluster.progress import Progress
from e2e.cluster.target import image

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster that answers."""

    cluster: Cluster
    embedded: bool

    @classmethod
    def connect(cls, progress: Progress) -> Target:
        """The cluster that CLUSTER names; the embedded one is brought up."""
        embedded = (os.environ.get("CLUSTER") or "embedded") == "embedded"
        return cls(connect(os.environ, progress), embedded)

    def image(self, name: str) -> str:
        """The reference under which the cluster finds one of our images."""
        return image(name)

    @property
    def operator_version(self) -> str:
        """Changes with everything the operator's image is made of: its tag, `dev`, stays the same."""
        return IMAGES["operator"].key(Path("none"))

    def apply(self, *objects: Object | Path) -> None:
        """Server-side apply."""
        self.cluster.apply(*objects)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl prints; CommandFailed with its message."""
        return self.cluster.kubectl(*words, stdin=stdin)

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        """An object, or None while it does not exist."""
        text = self.kubectl("get", kind, name, f"--namespace={namespace}", "--output=json", "--ignore-not-found")
        found: Object | None = json.loads(text) if text.strip() else None
        return found

    def helm(self, *words: str, values: Object) -> None:
        """Runs helm with values from memory."""
        context = [f"--kube-context={self.cluster.context}"] if self.cluster.context else []
        command: list[str | Path] = [self.cluster.bin / "helm", *words, *context, "--values=-"]
        run(command, stdin=json.dumps(values), env=self.cluster.environment())

    @property
    def shell_line(self) -> str:
        """What to type so that kubectl means this cluster."""
        if self.embedded:
            return f"export KUBECONFIG={self.cluster.kubeconfig} PATH={self.cluster.bin}:$PATH"
        return f"kubectl config use-context {self.cluster.context}"


__all__ = ["CommandFailed", "Object", "Progress", "Target"]
