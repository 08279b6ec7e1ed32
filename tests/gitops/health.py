"""The two health checks that are shipped, run as Argo CD and Flux run them, and the rules of kstatus beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import cel
import yaml
from lupa import lua51  # the version of Lua that Argo CD embeds

GITOPS: Final = Path(__file__).resolve().parents[2] / "manifests" / "gitops"
SCRIPT: Final = "resource.customizations.health.foretide.dev_InferenceService"
# What each says where kstatus says this.
ARGO_CD: Final = {"InProgress": "Progressing", "Terminating": "Progressing", "Failed": "Degraded", "Current": "Healthy"}

Raw = Mapping[str, Any]


def kstatus(obj: Raw) -> str:
    """As fluxcd/cli-utils has it (pkg/kstatus/status/generic.go), for an object with conditions."""
    if "deletionTimestamp" in obj["metadata"]:
        return "Terminating"
    status = obj.get("status", {})
    if status.get("observedGeneration", obj["metadata"]["generation"]) != obj["metadata"]["generation"]:
        return "InProgress"
    conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
    if conditions.get("Reconciling") == "True":
        return "InProgress"
    if conditions.get("Stalled") == "True":
        return "Failed"
    return {"True": "Current", None: "Current"}.get(conditions.get("Ready"), "InProgress")


def argo_cd(obj: Raw) -> tuple[str, str]:
    """Health and message by the script of argocd-cm.yaml."""
    script = yaml.safe_load((GITOPS / "argocd-cm.yaml").read_text())["data"][SCRIPT]
    lua = lua51.LuaRuntime(register_eval=False)
    lua.globals()["obj"] = lua.table_from(obj, recursive=True)
    found = lua.execute(script)
    return str(found["status"]), str(found["message"])


def flux(obj: Raw) -> str:
    """The one of the three expressions that holds; one about a field that is not there makes Flux wait."""
    kustomization = yaml.safe_load((GITOPS / "flux-kustomization.yaml").read_text())
    (checks,) = kustomization["spec"]["healthCheckExprs"]
    names = {"inProgress": "InProgress", "failed": "Failed", "current": "Current"}
    if "status" not in obj:
        return "InProgress"
    (holds,) = (text for name, text in names.items() if cel.evaluate(checks[name], dict(obj)))
    return holds
