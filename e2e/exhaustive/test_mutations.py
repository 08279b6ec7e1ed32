"""A, B, A: after any change the children are those of a service that was made so, and after it is taken back, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2e.exhaustive.mutations import MUTATIONS, ONLY_VALUE, properties, touched
from e2e.exhaustive.run import SPEC, Play
from e2e.exhaustive.stage import NAME, Stage
from e2e.scenarios.api import Api
from e2e.scenarios.conditions import holds
from foretide.adapters.kubernetes import KubernetesApi
from foretide.adapters.resources import INFERENCE_SERVICE
from foretide.api import group

pytestmark = pytest.mark.timeout(240)


def test_every_property_is_changed() -> None:
    assert properties() - touched() == ONLY_VALUE


@pytest.mark.parametrize("name", MUTATIONS)
async def test_the_way_there_does_not_matter(api: Api, operator: KubernetesApi, namespace: str, name: str) -> None:
    run = Play.begin(api, operator, namespace)
    await run.step(lambda stage: stage.create(SPEC))
    before, spec_before = children(run.stage), spec(run.stage)
    await run.step(lambda stage: stage.change(**MUTATIONS[name]))
    assert spec(run.stage) != spec_before, "the test must change something"
    assert served(run.stage), "the test must change it to something that can be served"
    fresh = Play.begin(api, operator, f"{namespace}-fresh")
    await fresh.step(lambda stage: stage.create(spec(run.stage)))
    assert children(run.stage) == children(fresh.stage)
    await run.step(lambda stage: stage.replace(spec_before))
    assert spec(run.stage) == spec_before
    assert children(run.stage) == before


def spec(stage: Stage) -> Mapping[str, Any]:
    """Of the service as it is."""
    live = stage.look(INFERENCE_SERVICE, NAME)
    assert live is not None
    found: Mapping[str, Any] = live["spec"]
    return found


def served(stage: Stage) -> bool:
    """Whether nothing stalls it."""
    live = stage.look(INFERENCE_SERVICE, NAME) or {}
    return holds(live, "Stalled", "False")


def children(stage: Stage) -> dict[str, Any]:
    """What the reconcile loop owns: fields, and which of them; not the number of replicas, which has a past."""
    found = stage.state()
    return {name: _own(obj) for name, obj in found.items() if not name.startswith(INFERENCE_SERVICE.kind)}


def _own(obj: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "generation"}
    metadata["managedFields"] = [
        entry for entry in metadata["managedFields"] if entry["manager"] == group.RECONCILE_MANAGER
    ]
    spec = {name: value for name, value in obj.get("spec", {}).items() if name != "replicas"}
    rest = {name: value for name, value in obj.items() if name not in ("metadata", "spec", "status")}
    return {**rest, "metadata": metadata, "spec": spec}
