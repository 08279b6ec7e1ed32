"""The health script for Argo CD that docs/gitops.md shows, run over what the operator writes."""

from __future__ import annotations

from typing import Any

import lupa
import pytest

from tests.docs import blocks, coverage

(SCRIPT,) = [
    raw["data"]["resource.customizations.health.foretide.dev_InferenceService"]
    for block in blocks.of_page("docs/gitops.md")
    if block.language == "yaml"
    for raw in coverage.documents(block)
    if raw["kind"] == "ConfigMap"
]


def _health(status: dict[str, Any] | None) -> tuple[str, str]:
    """Status and message, as Argo CD would have them: it runs the script with the object as `obj`."""
    lua = lupa.LuaRuntime()
    obj = {"metadata": {"generation": 3}, **({"status": status} if status is not None else {})}
    lua.globals()["obj"] = lua.table_from(obj, recursive=True)
    health = lua.execute(SCRIPT)
    return health["status"], health["message"]


def _status(*, generation: int = 3, **conditions: str) -> dict[str, Any]:
    kinds = {"Ready": "True", "Reconciling": "False", "Stalled": "False", **conditions}
    listed = [{"type": kind, "status": status, "message": f"{kind} it is"} for kind, status in kinds.items()]
    return {"observedGeneration": generation, "conditions": listed}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, ("Progressing", "Foretide has not seen it yet")),
        (_status(generation=2), ("Progressing", "Foretide has not seen it yet")),
        (_status(), ("Healthy", "Ready it is")),
        (_status(Ready="False"), ("Progressing", "Ready it is")),
        (_status(Ready="False", Reconciling="True"), ("Progressing", "Reconciling it is")),
        (_status(Reconciling="True"), ("Progressing", "Reconciling it is")),
        (_status(Stalled="True"), ("Degraded", "Stalled it is")),
        (_status(Ready="False", Reconciling="True", Stalled="True"), ("Degraded", "Stalled it is")),
        ({"observedGeneration": 3}, ("Progressing", "Foretide has not seen it yet")),
    ],
)
def test_health_is_that_of_kstatus(status: dict[str, Any] | None, expected: tuple[str, str]) -> None:
    assert _health(status) == expected
