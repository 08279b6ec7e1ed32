"""Where the files of the model come from: the volume that Triton reads, and what must fill it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from foretide.api.hardwareclass import HardwareClass
from foretide.api.model import Model
from foretide.serving import download
from foretide.serving.download import DownloadSettings

_VOLUME: Final = "model"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The parts of a pod that put one version of a model before Triton."""

    mount: dict[str, Any]  # of the Triton container, less its mountPath
    volumes: list[dict[str, Any]]
    init_containers: list[dict[str, Any]]


def model_files(model: Model, hardware_class: HardwareClass, settings: DownloadSettings) -> ModelFiles:
    """The parts for the one source that the model has. Triton reads it and cannot write to it."""
    source, folder = model.source, ""
    volumes: list[dict[str, Any]] = []
    init_containers: list[dict[str, Any]] = []
    files: dict[str, Any]
    if source.uri is not None:
        files = {"emptyDir": {"sizeLimit": download.size_limit(hardware_class, settings)}}
        volumes = download.volumes(model)
        init_containers = [download.container(model, source.uri, hardware_class, settings, volume=_VOLUME)]
    elif source.image is not None:
        files = {"image": {"reference": source.image.reference, "pullPolicy": "IfNotPresent"}}
        folder = source.image.path
    elif source.persistent_volume_claim is not None:
        claim = source.persistent_volume_claim
        files = {"persistentVolumeClaim": {"claimName": claim.claim_name, "readOnly": True}}
        folder = claim.path
    elif source.config_map is not None:
        files = {"configMap": {"name": source.config_map.name}}
    else:
        raise TypeError("parse() admits no model without a source")
    mount = {"name": _VOLUME, "readOnly": True, **({"subPath": folder} if folder else {})}
    return ModelFiles(mount, [{"name": _VOLUME, **files}, *volumes], init_containers)
