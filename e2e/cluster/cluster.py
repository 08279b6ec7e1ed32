"""What tests and the demo hold in their hands: a cluster that answers, and how to reach it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .commands import run
from .volumes import host_volume_manifests


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster. `bin` holds kubectl and helm that fit it."""

    kubeconfig: Path
    bin: Path
    node_port_host: str = "127.0.0.1"
    context: str = ""  # of the kubeconfig; empty: its current one

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns what it printed; raises CommandFailed with its message."""
        context = [f"--context={self.context}"] if self.context else []
        command = [str(self.bin / "kubectl"), f"--kubeconfig={self.kubeconfig}", *context, *words]
        return run(command, stdin=stdin, env=self.environment())

    def apply(self, *manifests: Mapping[str, object] | Path) -> None:
        """Server-side apply of objects, or of files with objects."""
        objects = {"apiVersion": "v1", "kind": "List", "items": [m for m in manifests if not isinstance(m, Path)]}
        files = [f"--filename={m}" for m in manifests if isinstance(m, Path)]
        if objects["items"]:
            self.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=json.dumps(objects))
        if files:
            self.kubectl("apply", "--server-side", "--force-conflicts", *files)

    def host_volume(self, name: str, folder: Path, claim_namespace: str, claim_name: str, size: str = "1Gi") -> None:
        """A claim that is bound, at once and for ever, to a folder of this machine.

        Only for the embedded cluster, whose node is this machine. The volume is named `name`, survives the claim
        (policy Retain), and can be bound by no other claim. The folder must be readable by the pods' users.
        """
        phase = self.kubectl(
            "get", f"persistentvolume/{name}", "--ignore-not-found", "--output=jsonpath={.status.phase}"
        )
        if phase == "Released":  # its claim was deleted, perhaps with its namespace: it would wait for that very one
            self.kubectl("delete", f"persistentvolume/{name}", "--wait", "--timeout=60s")
        self.apply(*host_volume_manifests(name, folder.resolve(strict=True), claim_namespace, claim_name, size))

    def environment(self) -> dict[str, str]:
        """The environment for programs that use this cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": f"{self.bin}:{os.environ.get('PATH', '')}"}
