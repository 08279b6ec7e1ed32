"""A folder of this machine as a PersistentVolume with the one claim that may use it: no StorageClass needed."""

from __future__ import annotations

from pathlib import Path


def host_volume_manifests(
    name: str, folder: Path, claim_namespace: str, claim_name: str, size: str
) -> tuple[dict[str, object], dict[str, object]]:
    """The volume and the claim, each naming the other, so that neither binds to anything else."""
    common: dict[str, object] = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    volume: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **common,
            "capacity": {"storage": size},
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": claim_namespace, "name": claim_name},
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }
    claim: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim_name, "namespace": claim_namespace},
        "spec": {**common, "resources": {"requests": {"storage": size}}, "volumeName": name},
    }
    return volume, claim
