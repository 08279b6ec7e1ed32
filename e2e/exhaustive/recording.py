"""Every state of a service through its life, for the tests of GitOps tools: `python -m e2e.exhaustive.recording`."""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from kubernetes.aio import client, config

from e2e import local_control_plane
from e2e.cluster.paths import REPOSITORY
from e2e.exhaustive.run import CLASSES, STEPS, Play
from e2e.exhaustive.stage import NAME, Stage
from e2e.scenarios.api import Api
from foretide.adapters.kubernetes import KubernetesApi, opened
from foretide.adapters.resources import INFERENCE_SERVICE

LIFE: Final = REPOSITORY / "tests" / "gitops" / "life.json"
LIVES: Final[Mapping[str, Callable[[Stage], None]]] = {
    **{name: STEPS[name] for name in ("create", "update", "scale")},
    "unknown-class": lambda stage: stage.change(hardware={"classes": ["nowhere"]}),
    "known-class": lambda stage: stage.change(hardware={"classes": [CLASSES[0]]}),
}


async def record(api: Api, operator: KubernetesApi, namespace: str) -> list[dict[str, Any]]:
    """Step, service and whether pods are being replaced, at each moment at which one of them is another."""
    moments: list[dict[str, Any]] = []
    step = ""

    def look(stage: Stage) -> None:
        live = stage.look(INFERENCE_SERVICE, NAME) or {}
        service = {name: value for name, value in stage.lasting(live).items() if name != "spec"}
        service["metadata"].pop("managedFields")
        moment = {"step": step, "service": service, "replacing": stage.replacing()}
        if not moments or moment != moments[-1]:
            moments.append(moment)

    run = Play.begin(api, operator, namespace)
    run.looks = look
    for step, happens in LIVES.items():  # noqa: B007 - `look` reads it
        await run.step(happens)
    return moments


async def main() -> None:
    """Writes the recording anew."""
    with (
        tempfile.TemporaryDirectory(prefix="foretide-plane-", ignore_cleanup_errors=True) as folder,
        local_control_plane.running(Path(folder), controllers=False) as plane,
    ):
        api, configuration = Api(plane.cluster), client.Configuration()
        await config.load_kube_config(
            config_file=str(plane.cluster.kubeconfig), client_configuration=configuration, persist_config=False
        )
        async with opened(configuration, connections=8) as operator:
            moments = await record(api, operator, f"run-{secrets.token_hex(4)}")
        api.close()
    LIFE.write_text(json.dumps(moments, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
