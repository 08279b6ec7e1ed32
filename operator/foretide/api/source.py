"""Where the files of one version of a model are: on the network, in an image, in a volume or in a ConfigMap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from foretide.api.fields import Fields
from foretide.api.names import FolderPath, ImageReference, ObjectName
from foretide.api.rules import Rule, literal
from foretide.api.uri import ModelUri

if TYPE_CHECKING:
    from foretide.api.model import Model


class ImageSource(Fields):
    """An OCI image or artifact whose layers hold the model, mounted as a volume (Kubernetes 1.35, or ImageVolume)."""

    reference: ImageReference = Field(examples=["registry.example.com/models/ranker@sha256:..."])
    """Reference of the image; with a digest it is the same files for ever."""
    path: FolderPath = ""
    """Folder in the image with the files of one version, such as model.onnx. Empty: the root of the image."""


class PersistentVolumeClaimSource(Fields):
    """A folder in a volume that already holds the model."""

    claim_name: ObjectName = Field(examples=["models"])
    """Name of the PersistentVolumeClaim, in the namespace of the InferenceService."""
    path: FolderPath = ""
    """Folder in the volume with the files of one version, such as model.onnx. Empty: the root of the volume."""


class ConfigMapSource(Fields):
    """A ConfigMap whose keys are the files of a small model."""

    name: ObjectName = Field(examples=["model-files"])
    """Name of the ConfigMap, in the namespace of the InferenceService. Its keys are the files of one version."""


_MEMBERS: Final = ("uri", "image", "persistentVolumeClaim", "configMap")
_COUNT: Final = f"[{', '.join(f'has(self.{name})' for name in _MEMBERS)}].filter(given, given).size()"


def _given(source: Source) -> list[str]:
    members = (source.uri, source.image, source.persistent_volume_claim, source.config_map)
    return [name for name, member in zip(_MEMBERS, members, strict=True) if member is not None]


class Source(Fields):
    """Where the files of one version of the model are: exactly one of the members."""

    uri: ModelUri | None = Field(default=None, examples=["s3://models/ranker/3"])
    """What each new replica downloads: s3://bucket/path, gs://bucket/path, azure://container/path or https://host/path.
    The path is the folder with the files of one version, or one file; with https a folder ends with / and is an index
    page with links. Files that change under the same URI reach new replicas only: give each version its own path.
    """
    image: ImageSource | None = None
    """An OCI image that holds the model."""
    persistent_volume_claim: PersistentVolumeClaimSource | None = None
    """A folder in a volume."""
    config_map: ConfigMapSource | None = None
    """The keys of a ConfigMap; for small models, such as one model.py."""

    rules = (
        Rule(
            cel=f"{_COUNT} == 1",
            holds=lambda source: len(_given(source)) == 1,
            rule=f"must be exactly one of {', '.join(_MEMBERS[:-1])} and {_MEMBERS[-1]}",
            fix="keep the one that holds the model's files",
            shown="%s",
            cel_values=(f"{_COUNT} == 0 ? 'none' : 'more than one'",),
            values=lambda source: ("more than one" if _given(source) else "none",),
        ),
    )


class CredentialsSecret(Fields):
    """A Secret with what the server of a URI asks for."""

    name: ObjectName = Field(examples=["models-read"])
    """Name of the Secret, in the namespace of the InferenceService; docs/model-sources.md has its keys by scheme."""


def _uris(model: Model) -> list[str]:
    """Of the model and of its variants."""
    sources = [model.source, *(variant.source for variant in model.variants)]
    return [source.uri for source in sources if source is not None and source.uri is not None]


def _some_uri(condition: str = "") -> str:
    """CEL: whether a source, of the model or of a variant, has a uri, of which this condition holds."""
    own, variants = (
        f"has({of}.uri){f' && {of}.uri{condition}' if condition else ''}" for of in ("self.source", "v.source")
    )
    return f"({own} || has(self.variants) && self.variants.exists(v, has(v.source) && {variants}))"


AZURE: Final = "azure://"
# What a model must keep to of where its files and those of its variants are.
CREDENTIALS_RULES: Final = (
    Rule(
        cel=f"!has(self.credentialsSecret) || {_some_uri()}",
        holds=lambda model: model.credentials_secret is None or bool(_uris(model)),
        rule="must be left out unless the source is a uri, because nothing else is downloaded",
        fix="remove credentialsSecret, or set source.uri",
        cel_values=("self.credentialsSecret.name",),
        values=lambda model: (model.credentials_secret.name,),
        field="credentialsSecret",
    ),
    Rule(
        cel=f"has(self.credentialsSecret) || !{_some_uri(f'.startsWith({literal(AZURE)})')}",
        holds=lambda model: (
            model.credentials_secret is not None or not any(uri.startswith(AZURE) for uri in _uris(model))
        ),
        rule="must come with credentialsSecret, because its key account says whose container it is",
        fix="make a Secret with the key account and name it in credentialsSecret",
        shown='"azure://"',  # not the whole of it: a wrong one may hold a signature
        cel_values=(),
        values=lambda model: (),
        field="source.uri",
    ),
)
