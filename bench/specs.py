"""Services and classes of benchmarks, as the operator takes them in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foretide.api import group, parse
from foretide.api.hardwareclass import HardwareClass
from foretide.api.inferenceservice import InferenceService


def service(name: str, spec: Mapping[str, Any]) -> InferenceService:
    """AssertionError with the problems where the spec is no right one."""
    found = parse.inference_service({**_meta(group.INFERENCE_SERVICE_KIND, name), "spec": spec})
    assert isinstance(found, InferenceService), found
    return found


def hardware_class(name: str, spec: Mapping[str, Any]) -> HardwareClass:
    """The same of a class."""
    found = parse.hardware_class({**_meta(group.HARDWARE_CLASS_KIND, name), "spec": spec})
    assert isinstance(found, HardwareClass), found
    return found


def _meta(kind: str, name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "bench", "uid": "none", "generation": 1}
    return {"apiVersion": group.API_VERSION, "kind": kind, "metadata": metadata}
