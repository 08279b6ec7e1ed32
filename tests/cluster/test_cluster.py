"""What is done to a cluster by way of kubectl."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.cluster import Cluster


@pytest.mark.parametrize(
    ("phase", "is_deleted"), [("", False), ("Bound", False), ("Available", False), ("Released", True)]
)
def test_a_volume_whose_claim_was_deleted_is_made_anew(
    phase: str, is_deleted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its namespace was deleted: the volume waits for the claim of that uid, and the new claim waits for the volume."""
    verbs: list[str] = []

    def kubectl(_: Cluster, verb: str, *__: str, stdin: str | None = None) -> str:
        verbs.append(verb)
        return phase if verb == "get" else ""

    monkeypatch.setattr(Cluster, "kubectl", kubectl)
    Cluster(kubeconfig=tmp_path, bin=tmp_path).host_volume("models", tmp_path, "shop", "models")
    assert verbs == ["get", *(["delete"] if is_deleted else []), "apply"]
