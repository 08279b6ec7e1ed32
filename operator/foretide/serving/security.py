"""Security contexts that the Pod Security level "restricted" admits; nothing in the API can loosen them."""

from __future__ import annotations

from typing import Any, Final

# The user of NVIDIA's image (triton-server); any non-zero id works, the files of the image are world-readable.
TRITON_USER_ID: Final = 1000


def pod_security_context() -> dict[str, Any]:
    """Non-root, default seccomp profile, group ownership of mounted volumes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": TRITON_USER_ID,
        "runAsGroup": TRITON_USER_ID,
        "fsGroup": TRITON_USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security_context() -> dict[str, Any]:
    """No privileges to gain, no capabilities, no writes outside the volumes."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
