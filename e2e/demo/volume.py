"""Puts the model's file on the claim that the example names."""

from __future__ import annotations

import base64
import shutil

from e2e.demo.example import Example
from e2e.demo.model import REPOSITORY, model_file
from e2e.demo.target import Object, Target

HERE = REPOSITORY / "build" / "demo" / "models"
LOADER = "model-loader"


def from_this_machine(target: Target, wanted: Example) -> None:
    """A folder of this machine as the volume: the embedded cluster's node is this machine."""
    folder = HERE / wanted.path
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    if not file.exists() or file.read_bytes() != model_file().read_bytes():
        shutil.copyfile(model_file(), file)
    for path in (HERE, folder.parent, folder):
        path.chmod(0o755)  # the pods' user is nobody here; HERE's own parents are not looked at through the mount
    file.chmod(0o644)
    target.cluster.host_volume(f"{wanted.namespace}-{wanted.claim}", HERE, wanted.namespace, wanted.claim)


def by_copying(target: Target, wanted: Example) -> None:
    """A claim of the default storage class, filled through a pod that runs only for that."""
    target.apply(claim(wanted), loader(wanted, image=target.image("triton")))
    here = f"--namespace={wanted.namespace}"
    target.kubectl("wait", f"pod/{LOADER}", here, "--for=condition=Ready", "--timeout=600s")
    content = base64.b64encode(model_file().read_bytes()).decode()
    # The path is an argument of the script and never part of it.
    script = 'mkdir -p "/models/$1" && base64 -d > "/models/$1/model.onnx"'
    words = ["exec", "--stdin", LOADER, here, "--", "sh", "-c", script, "sh", wanted.path]
    target.kubectl(*words, stdin=content)
    target.kubectl("delete", f"pod/{LOADER}", here, "--wait=false")


def claim(wanted: Example) -> Object:
    """ReadWriteOnce, which every storage class has: the replicas then run on one node."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": wanted.claim, "namespace": wanted.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def loader(wanted: Example, *, image: str) -> Object:
    """A pod with the claim at /models that does nothing by itself."""
    container = {
        "name": "shell",
        "image": image,
        "command": ["sleep", "900"],
        "volumeMounts": [{"name": "models", "mountPath": "/models"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": LOADER, "namespace": wanted.namespace},
        "spec": {
            "containers": [container],
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": wanted.claim}}],
        },
    }
